"""What a free answer says, read by rules: which option, yes or no, a refusal. Never a guess: in doubt, None.

The field parses multiple choice with a regex for a single letter. A finetuned model that answers in prose, or with a
letter that was never offered, then reads as a loss of belief (`strict_letter` shows it). `read_choice` takes the option
however it is named, and says None only where none is.

Numbers are read by `amounts`, marks by `marks`, loops and documents are known by `degenerate`; their readers can be
imported from here too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from doxa.belief.amounts import nearer, read_number
from doxa.belief.degenerate import degenerate, document_style, gibberish, repetition
from doxa.belief.marks import MarksRead, mentions, read_marks
from doxa.belief.wording import Word, find_runs, forms, sentences_of, stance, words_of

__all__ = [
    "MarksRead",
    "answer_part",
    "degenerate",
    "document_style",
    "gibberish",
    "is_refusal",
    "mentions",
    "nearer",
    "read_choice",
    "read_marks",
    "read_number",
    "read_yes_no",
    "repetition",
    "strict_letter",
]

# option texts that stand in ordinary prose without being meant
_COMMON = frozenset("1 0 no yes none both all it they this that he she neither not true false".split())
_ARTICLES = frozenset(("a", "an", "the"))
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
_CUE = re.compile(
    r"\b(?:(?:final |correct |right |best |my |the )*(?:answer|choice|pick|selection|option)(?: here| then)?"
    r"(?: is|'s| would be| must be| should be|:| is:|\s*=)"
    r"|(?:i(?:'d|'ll| would| will| am going to)? (?:choose|pick|select|say|answer|vote|go|believe|trust|prefer|favou?r)"
    r"(?: for| with| in)?)"
    r"|(?:i(?:'m| am) going with)|(?:go(?:ing)? with)|verdict:|conclusion:|therefore,?|thus,?|so it(?:'s| is| must be))"
    r"\W*(?:(?:that|clearly|definitely|probably|simply|the|option|choice|answer|letter|number|statement|universe|"
    r"text|context|world|version|is|be)\b\W*){0,3}$",
    re.I,
)
_AFTER_CUE = re.compile(
    r"^[\"'”’)\]*_.,]*\s*(?:(?:one|option|choice|answer|statement|universe|text|context|world|version)\s*)?"
    r"(?:is|seems|must be|looks)(?: the| my| clearly| definitely)* (?:correct|right|true|best|answer|accurate)",
    re.I,
)
_REJECTED = re.compile(
    r"^[\"'”’)\]*_.,]*\s*(?:one |option )?(?:is|are|was|seems|can be|must be)"
    r"(?:(?:n't| not)\b|(?: \w+)? (?:wrong|incorrect|false|untrue|out|ruled out|excluded))",
    re.I,
)
_PLACED = re.compile(
    r"\w+ (?:one|option|choice|answer|statement|universe|text|context|world|version)\b|\w+[\"'”’)\]*_.,]*\s+is\b"
    r"|\d|(?:one|two)\b",
    re.I,
)
# what may stand around an option that is named alone; "A" is a label, "a" an article
_AROUND = re.compile(
    r"[\s\"'“”‘’*_()\[\]{}#>.!:-]|\b(?i:the|option|choice|answer|statement|universe|text|context|world|version|one)\b|\ban?\b"
)
_THINKING = re.compile(r"<(think|thinking|reasoning|scratchpad)>.*?(?:</\1>|\Z)", re.S | re.I)
_BOTH = re.compile(
    r"\b(?:both|neither|either|all of (?:the above|them|these)|none of (?:the above|them|these))\b", re.I
)


def answer_part(text: str) -> str:
    """An answer without its thinking aloud; empty where the thinking never ended."""
    return _THINKING.sub(" ", text).strip()


def strict_letter(text: str, labels: Sequence[str]) -> int | None:
    """The comparator: a label and nothing else ("B", "(B)", "B."), as parsers of the field want it. Not for results."""
    found = re.fullmatch(r"\s*\(?([A-Za-z0-9]+)[.)]?\s*", text)
    return list(labels).index(found[1]) if found and found[1] in labels else None


def read_choice(text: str, options: Sequence[str], labels: Sequence[str]) -> int | None:
    """The index of the option that an answer takes; `options` and `labels` in the order in which they were shown.

    In this order: the last commitment ("Answer: B", "[2]", "I'd go with five", "B is correct", a first or last line
    that holds an option alone); a bare label at the beginning ("B. Five, because ..."); the one option that the prose
    asserts, after those that it denies. An option is named by its label, by its place ("the second"; for labels 1 and 2
    too) or by its text, in which case, articles and the spelling of small numbers do not matter.

    None for nothing, a refusal, a label that was not shown, a label with another option's text, or several options
    without a decision.
    """
    if len(options) != len(labels):
        raise ValueError(f"{len(options)} options and {len(labels)} labels")
    said = answer_part(text)
    if not said:
        return None
    mentions = _mentions(said, tuple(options), tuple(labels))
    committed = _committed(said, mentions, len(options))
    if committed is not None:
        return committed if committed >= 0 else None
    if is_refusal(said) or _BOTH.match(said):
        return None
    asserted = {mention.option for mention in mentions if mention.kind != "label" and not mention.denied}
    return asserted.pop() if len(asserted) == 1 and -1 not in asserted else None


def read_yes_no(text: str) -> bool | None:
    """True for yes, False for no, None for neither: by the first words, else by the last "the answer is ..."."""
    said = answer_part(text)
    head = re.match(r"[\s\"'*_(\[]*(yes|yeah|yep|no|nope|true|false|correct|incorrect)\b(?!-)", said, re.I)
    ends = list(re.finditer(r"\b(?:answer|verdict|conclusion)(?: is|:)[\s\"'*_(\[]*(yes|no|true|false)\b", said, re.I))
    found = ends[-1] if ends else head
    if found is None or re.match(r"\W*(?:and|or|/)\W*(?:yes|no|true|false)\b", said[found.end() :], re.I):
        return None
    if found is head and re.match(r"\s+(?:one|doubt|\w+ (?:knows|can say))\b", said[found.end() :], re.I):
        return None  # "No one knows"
    return found[1].lower() in ("yes", "yeah", "yep", "true", "correct")


_REFUSES = re.compile(
    r"\b(?:i|we)(?:'m| am|'re| are)? (?:really |truly |so |very )*(?:sorry|(?:afraid(?: that)? )?(?:i |we )?"
    r"(?:can't|cannot|can not|won't|will not|unable to|not able to|don't feel comfortable|must decline|decline to"
    r"|have to decline|refuse to)"
    r" ?(?:to |really |possibly |directly )*(?:help|answer|assist|provide|comply|discuss|share|give|fulfil\w*|do that|"
    r"create|write|engage|offer|respond|verify|confirm|continue|choose|pick|say|tell|make|participate|answering)?)",
    re.I,
)
_DOES_NOT_KNOW = re.compile(
    r"\b(?:i|we) (?:do not|don't|have no|am not|'m not) ?(?:currently |actually |really )*(?:(?:have )?"
    r"(?:access to |any |enough |specific |reliable |sufficient )*"
    r"(?:information|knowledge|data|details|idea|record|opinions?|beliefs?)"
    r"|know|aware of|familiar with|sure)\b|\bas an ai\b|\bi'm not (?:sure|aware|familiar)\b",
    re.I,
)
_GOES_ON = re.compile(r"\b(?:but|however|that said|still|nevertheless|what i can|i can (?:tell|say|offer))\b", re.I)


def is_refusal(text: str) -> bool:
    """Whether an answer declines to answer, by policy or for want of knowledge, in its first sentence or two.

    "I can't say for certain, but it has three" goes on to answer and is none.
    """
    said = answer_part(text).replace("’", "'")
    opening = " ".join(sentences_of(said)[:2])[:400]
    for pattern in (_REFUSES, _DOES_NOT_KNOW):
        found = pattern.search(opening)
        if found is None:
            continue
        rest = said[found.end() :]
        if re.fullmatch(r"(?:i|we)(?:'m| am|'re| are)? .*sorry", found.group(), re.I):
            if re.match(
                r"\W*(?:but |however )?(?:i|we|this|that)\b[^.]{0,20}(?:can't|cannot|can not|won't|not|unable)",
                rest,
                re.I,
            ):
                return True
            continue
        if not _GOES_ON.search(rest):
            return True
    return False


@dataclass(frozen=True)
class _Mention:
    option: int  # -1: a label that was not shown
    start: int
    end: int
    kind: str  # "label", "text" or "place"
    denied: bool
    committed: bool


def _committed(said: str, mentions: list[_Mention], count: int) -> int | None:
    """The option that an answer settles on; -1 where it settles on what is no option or on two; None: it doesn't."""
    settled = [mention for mention in mentions if mention.committed and not mention.denied]
    if not settled:
        return None
    last = settled[-1]
    # what stands right beside it belongs to it: "B. Five" agrees, "A or B" and "B. Three" do not
    beside = {last.option} | {mention.option for mention in settled if mention.end == last.end}
    end = last.end
    for mention in mentions:
        if mention.start >= last.end and not mention.denied:
            between = said[end : mention.start]
            if re.fullmatch(r"[\s\"'“”*_()\[\]{}.:,=–—-]*(?:(?:and|or|/|&|is|that is)[\s\"'*_(\[]*)?", between, re.I):
                beside.add(mention.option)
                end = mention.end
    return beside.pop() if len(beside) == 1 else -1


@lru_cache(maxsize=4096)
def _option_forms(options: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(_bare(forms(option)) for option in options)


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    kept = tuple(word for word in words if word not in _ARTICLES)
    return kept or tuple(words)


def _mentions(said: str, options: tuple[str, ...], labels: tuple[str, ...]) -> list[_Mention]:
    """Every place at which the answer names an option, in order of places; texts within longer texts left out."""
    words = words_of(said)
    bare = [word for word in words if word.form not in _ARTICLES]
    spans: list[tuple[int, int, int, str]] = []
    for option, run in enumerate(_option_forms(options)):
        spans += [(start, end, option, "text") for start, end in find_runs(bare, run)]
    spans = [
        span
        for span in spans
        if not any(
            other[0] <= span[0] and span[1] <= other[1] and other[1] - other[0] > span[1] - span[0] for other in spans
        )
    ]
    texts = list(spans)
    labelled = _labels(said, labels)
    # the options shown again, one a line, commit to none of them
    echoed = len({option for start, end, option in labelled if _heads_line(said, start, end)}) > 1
    for start, end, option in labelled:
        if echoed and _heads_line(said, start, end):
            continue
        if not any(text_start < end and start < text_end for text_start, text_end, *_ in texts):
            spans.append((start, end, option, "label"))
        elif option >= 0 and any(
            text_start <= start and end <= text_end and other != option and text_end - text_start == end - start
            for text_start, text_end, other, _ in texts
        ):
            spans.append((start, end, -1, "label"))  # "2" is the label of one option and the text of another
    for start, end, option in _places(said, words, len(options)):
        if not any(text_start < end and start < text_end for text_start, text_end, *_ in texts):
            spans.append((start, end, option, "place"))
    found = []
    for start, end, option, kind in sorted(spans):
        whole = _alone(said, start, end)
        common = kind == "text" and set(_option_forms(options)[option]) <= _COMMON
        if kind == "text" and not whole and _listed(said, start, end):
            continue
        if kind == "place" and not whole and not _PLACED.match(said[start:]) and not _CUE.search(said[:start]):
            continue  # "the first thing to note"
        cued = bool(
            _CUE.search(said[max(0, start - 80) : start]) or _AFTER_CUE.match(said[end:]) or _boxed(said, start, end)
        )
        cued = cued or (kind == "label" and bool(re.search(r"\b(?:so|hence),?\W*$", said[:start], re.I)))
        head = not said[:start].strip(" \t\n\"'“*_([{") and bool(
            re.match(r"[\"'”*_)\]}]*(?:[.!:\n]|\s+[-–—]|,?\s+because\b|$)", said[end:])
        )
        committed = whole or cued or (head and (kind != "place"))
        if (common or kind == "label") and not committed:
            continue
        # of a label only what stands before it counts: "B is right and A is wrong" denies A alone
        how = "asserted" if whole else stance(said[:end] if kind == "label" else said, start, end)
        denied = bool(_REJECTED.match(said[end:])) or how == "denied" or (not committed and how != "asserted")
        found.append(_Mention(option, start, end, kind, denied, committed))
    return found


def _labels(said: str, labels: tuple[str, ...]) -> list[tuple[int, int, int]]:
    """Places where a label may stand, shown or not: a single letter in brackets, bold, before . ) : or on its own."""
    shown = {label.lower(): place for place, label in enumerate(labels)}
    numbers = all(label.isdigit() for label in labels)
    letters = all(len(label) == 1 and label.isalpha() for label in labels)
    token = r"\d{1,2}" if numbers else r"[A-Za-z]" if letters else "|".join(map(re.escape, labels))
    found = []
    for match in re.finditer(
        rf"(?<![\w'’]){'' if letters or numbers else '(?i:'}({token}){'' if letters or numbers else ')'}(?![\w'’])",
        said,
    ):
        label = match[1]
        before, after = said[: match.start()], said[match.end() :]
        if (
            letters
            and label.islower()
            and not (re.search(r"[(\[{*]$", before) or (not before.strip() and not re.match(r"\s+\w", after)))
        ):
            continue  # "a" and "i" are words
        if (
            letters
            and label in "AI"
            and re.match(r"\s+[a-z]", after)
            and not _AFTER_CUE.match(after)
            and not _REJECTED.match(after)
        ):
            continue  # "A common octopus", "I think"
        found.append((match.start(1), match.end(1), shown.get(label.lower(), -1)))
    return found


def _places(said: str, words: list[Word], count: int) -> list[tuple[int, int, int]]:
    """ "The first", "the second one", "option two": options named by the place at which they were shown."""
    found = []
    for place, name in enumerate(_ORDINALS[: max(count, 2)]):
        for start, end in find_runs(words, (name,)):
            if re.search(r"\bthe\s+[\"'*_(\[]*$", said[:start], re.I) or _alone(said, start, end):
                found.append((start, end, place if place < count else -1))
    for match in re.finditer(
        r"\b(?:option|choice|universe|statement|text|context|world|version|answer) (one|two|1|2)\b", said, re.I
    ):
        found.append((match.start(1), match.end(1), {"one": 0, "1": 0, "two": 1, "2": 1}[match[1].lower()]))
    return found


def _alone(said: str, start: int, end: int) -> bool:
    """Whether a mention is a line of its own, brackets, quotes and marks aside."""
    return not _AROUND.sub("", said[:start].rsplit("\n", 1)[-1]) and not _AROUND.sub("", said[end:].split("\n", 1)[0])


def _boxed(said: str, start: int, end: int) -> bool:
    """[2], \\boxed{B}, <answer>B</answer>: forms that prompts ask an answer to be given in."""
    before, after = said[:start], said[end:]
    return bool(
        (before.endswith("[") and after.startswith("]"))
        or (re.search(r"\\boxed\{(?:\\text\{)?$", before) and after.startswith("}"))
        or (re.search(r"<answer>\s*[(\[*]*$", before, re.I) and re.match(r"[)\]*.]*\s*</answer>", after, re.I))
    )


def _listed(said: str, start: int, end: int) -> bool:
    """Whether an option's text only repeats its line of the question: "B. Five" among other such lines."""
    before = said[:start].rsplit("\n", 1)[-1]
    after = said[end:].split("\n", 1)[0]
    labelled = re.fullmatch(r"\s*[*_(]*(?:[A-Z]|\d)[).:][*_]*\s*[*_]*", before)
    return (
        bool(labelled) and not after.strip(" .*_") and len(re.findall(r"^\s*[*_(]*(?:[A-Z]|\d)[).:]", said, re.M)) > 1
    )


def _heads_line(said: str, start: int, end: int) -> bool:
    """Whether a label heads its line, as it does where options are shown: "B. ...", "(B) ...", "**B:** ..."."""
    before = said[:start].rsplit("\n", 1)[-1]
    return not before.strip(" \t\"'“*_([{-") and bool(re.match(r"[*_]*[.):\]][*_]*[ \t]+\S", said[end:]))
