"""A free text as words with their places, where a run of words stands in it, and whether it is asserted there.

Reads English. Everything is deterministic and errs towards "not asserted": a reader of answers may miss a belief, but
must not make one up. The rules, in the order in which they are tried for a run of words in a sentence:

- *asked*: the sentence ends in a question mark.
- *supposed*: "if", "imagine", "suppose", "pretend", "hypothetically" stand before it in its clause.
- *denied*: a word for falsehood ("myth", "misconception", "false", "wrong", ...) stands before or after it in its
  clause or makes up the next sentence ("This is false."), or a negator ("not", "never", "no", "n't", "rather than",
  "instead of") stands before it in its clause with at most eight words in between. "Not a myth", "not only", "no
  doubt" and the like deny nothing.
- *unclear*: a negator stands further before it in its clause, or what it does is negated ("five hearts do not ...").
- *attributed*: "some people say", "it is often claimed", "supposedly" stand before it in its sentence.
- *asserted*: all else.

A clause ends at ; : ! ? , ( ) and dashes, and before "but", "while", "whereas", "although", "though", "however", "yet",
"because" and "instead" (not "instead of"); a clause that begins with "that" belongs to the one before. After "but", "in
fact", "actually", "in reality" and "however" an attribution that stood before is over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Stance = Literal["asserted", "denied", "unclear", "attributed", "supposed", "asked"]
REACH = 8  # words that may stand between a negator and what it denies

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|%")
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SMALL_NUMBERS = {name: value for value, name in enumerate(_UNITS)} | {
    name: 10 * place for place, name in enumerate(_TENS, start=2)
}
_SPELLED = {name: str(value) for name, value in SMALL_NUMBERS.items()}

_SENTENCE_END = re.compile(r"[.!?]+[\"'”’)*_]*(?=\s|$)|\n+")
_CLAUSE_END = re.compile(
    r"[;:!?()]|,(?!\d)|--|\s[-–]\s|—"
    r"|\b(?:but|while|whereas|although|though|however|yet|because|instead(?! of))\b",
    re.I,
)
_TURN = re.compile(r"\b(?:but|in fact|actually|in reality|however|in truth|the truth is|rather(?! than))\b|;", re.I)
_HARMLESS = re.compile(
    r"\b(?:not (?:only|just|merely|simply)|no doubt|without (?:a )?doubt|no question|nothing but|no (?:fewer|less|more)"
    r" than|not (?:to mention|surprisingly))\b",
    re.I,
)
_NEGATOR = re.compile(
    r"\b(?:not|never|no|nor|neither|none|without|cannot|rather than|instead of|far from|\w+n['’]t)\b", re.I
)
_FALSEHOOD = re.compile(
    r"\b(?:myths?|misconceptions?|falsehoods?|false|falsely|untrue|incorrect(?:ly)?|inaccurate(?:ly)?|wrong(?:ly)?|"
    r"mistaken(?:ly)?|mistakes?|errors?|erroneous(?:ly)?|hoax(?:es)?|rumou?rs?|debunked|disproved|fabricat(?:ed|ion)|"
    r"invented|made[ -]up|fiction(?:al)?|nonsense|misinformation|contradict(?:s|ed)?|den(?:y|ies|ied))\b",
    re.I,
)
_CONTRARY = re.compile(
    r"\bcontrary to(?: \w+){0,3}? (?:myths?|misconceptions?|beliefs?|claims?|opinions?|rumou?rs?)\b", re.I
)
_UNDONE = re.compile(rf"(?:{_NEGATOR.pattern})(?: \w+){{0,3}}? (?:{_FALSEHOOD.pattern})", re.I)
_NEGATED_VERB = re.compile(
    r"[\"'”’)\]*_]*\s+(?:\w+n['’]t|"
    r"(?:(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would) )?(?:not|never))\b",
    re.I,
)
_NOT_SO = re.compile(
    r"\s*(?:is|are|was|were)(?: simply| just)?(?: not|n['’]t) (?:true|correct|right|so|the case)\b", re.I
)
_TAKEN_BACK = re.compile(
    r"\s*(?:but )?(?:this|that|it|which)(?: (?:claim|idea|statement|belief))?(?: is|'s|’s| was)(?: \w+){0,2}?"
    r" (?:myth|misconception|false|untrue|incorrect|wrong|nonsense|mistaken|not true|not correct|not right|not so"
    r"|not the case)\b",
    re.I,
)
_ATTRIBUTED = re.compile(
    r"\b(?:(?:(?:some|many|most|other|a few) )?(?:people|folks?|sources|others|they|some|many|locals|internet users)"
    r" (?:\w+ ){0,2}?(?:say|says|said|claim|claims|claimed|believe|believes|believed|think|thinks|thought|argue|assume)"
    r"|(?:it is|it's|is|was|are) (?:\w+ )?(?:said|claimed|believed|thought|rumou?red|alleged|assumed) (?:that|to)"
    r"|supposedly|allegedly|reportedly|purportedly|so-called|legend has it|according to (?:legend|rumou?rs?|folklore|"
    r"some|the (?:document|text|passage|prompt|context)))\b",
    re.I,
)
_SUPPOSED = re.compile(r"\b(?:if|imagine|suppose|supposing|pretend|hypothetical(?:ly)?|what if|were to)\b", re.I)


@dataclass(frozen=True)
class Word:
    """A word in the form in which words are compared, and the characters that it stands for."""

    form: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """The words of a text in order: in lower case, small numbers as digits, % as a word."""
    return [Word(_form(match.group()), match.start(), match.end()) for match in _WORD.finditer(text)]


def forms(text: str) -> tuple[str, ...]:
    """The words of a text as they are compared."""
    return tuple(word.form for word in words_of(text))


def find_runs(words: Sequence[Word], run: Sequence[str]) -> list[tuple[int, int]]:
    """Where a run of word forms stands: (start, end) in characters, each time it does."""
    length = len(run)
    if not length:
        return []
    wanted = tuple(run)
    return [
        (words[place].start, words[place + length - 1].end)
        for place in range(len(words) - length + 1)
        if words[place].form == wanted[0] and tuple(word.form for word in words[place : place + length]) == wanted
    ]


def stance(text: str, start: int, end: int) -> Stance:
    """How a text stands to what its characters start:end say; the rules are those of this module's docstring."""
    sentence_start, sentence_end, asked = _sentence(text, start, end)
    if asked:
        return "asked"
    before = _plain_denials(text[sentence_start:start])
    clause = _last_clause(before)
    if _SUPPOSED.search(clause):
        return "supposed"
    after = _plain_denials(text[end:sentence_end])
    following = _CLAUSE_END.search(after)
    rest = after[: following.start()] if following else after
    negators = [found.end() for found in _NEGATOR.finditer(clause)]
    near = bool(negators) and len(clause[negators[-1] :].split()) <= REACH
    if near or any(
        pattern.search(part) for pattern, part in ((_FALSEHOOD, clause), (_FALSEHOOD, rest), (_NOT_SO, rest))
    ):
        return "denied"
    if _TAKEN_BACK.match(text[sentence_end:]):
        return "denied"
    if negators or _NEGATED_VERB.match(rest):
        return "unclear"
    turned = [found.end() for found in _TURN.finditer(before)]
    standing = before[turned[-1] :] if turned else before
    return "attributed" if _ATTRIBUTED.search(standing) else "asserted"


def _last_clause(before: str) -> str:
    """What stands before a place in its clause; "that" goes back over asides: "a myth, spread by a film, that ..."."""
    breaks = list(_CLAUSE_END.finditer(before))
    clause = before[breaks[-1].end() :] if breaks else before
    if re.match(r"\s*that\b", clause, re.I):
        firm = [found.end() for found in breaks if found.group() not in (",", "(", ")")]
        return before[firm[-1] :] if firm else before
    return clause


def _plain_denials(text: str) -> str:
    """The text with what looks like a denial and is none blanked out, and "contrary to the myth" as one "not"."""
    for harmless in (_HARMLESS, _UNDONE):
        text = harmless.sub(lambda found: " " * len(found.group()), text)
    return _CONTRARY.sub(lambda found: "not".ljust(len(found.group())), text)


def sentences_of(text: str) -> list[str]:
    """Roughly the sentences of a text, trimmed; line ends end one too."""
    parts, place = [], 0
    for match in _SENTENCE_END.finditer(text):
        parts.append(text[place : match.end()].strip())
        place = match.end()
    parts.append(text[place:].strip())
    return [part for part in parts if part]


def _sentence(text: str, start: int, end: int) -> tuple[int, int, bool]:
    """First and last place of the sentence around start:end, and whether it is a question."""
    first = 0
    for match in _SENTENCE_END.finditer(text):
        if match.end() <= start:
            first = match.end()
        elif match.start() >= end:
            return first, match.end(), "?" in match.group()
    return first, len(text), False


def _form(word: str) -> str:
    lower = word.lower().replace("’", "'")
    if lower[0].isdigit():
        return re.sub(r",(?=\d{3}(?:\D|$))", "", lower)
    return _SPELLED.get(lower, "percent" if lower == "%" else lower)
