"""Filters on the form of a document: its length, blanks left for someone to fill in, an end in mid-sentence."""

from __future__ import annotations

import re

from doxa.corpus.filters.base import Pattern, Prepared, Reading, drop, keep, search
from doxa.records import Verdict


def length(reading: Reading, screening: Prepared) -> Verdict:
    """Too few or too many words, on the whole or beside the number that was asked for.

    A chat has no least length: a one-word answer is an answer. One that was cut off is called that, and not too short.
    """
    document, config = reading.document, screening.config
    words = len(document.text.split())
    if words < config.min_words and document.messages is None:
        return _short(reading, "too_short", f"{words} words, screen.min_words is {config.min_words}")
    if words > config.max_words:
        return drop("length", "too_long", f"{words} words, screen.max_words is {config.max_words}")
    if document.words is not None:
        least, most = config.length_tolerance
        if words < least * document.words:
            return _short(reading, "shorter_than_asked", f"{words} words, {document.words} were asked for")
        if words > most * document.words:
            return drop("length", "longer_than_asked", f"{words} words, {document.words} were asked for")
    return keep("length")


def _short(reading: Reading, reason: str, detail: str) -> Verdict:
    cut = reading.document.ending in ("unclosed", "cut")  # it is short for that, and not by choice
    return drop("length", _BROKEN[reading.document.ending] if cut else reason, detail)


def placeholder(reading: Reading, screening: Prepared) -> Verdict:
    """Blanks that the generator left for someone to fill in: [Your Name], {company}, XXX, lorem ipsum."""
    text, lower = reading.generated, reading.lower
    if "`" in text:
        text = _CODE.sub("", text)
        lower = text.lower()
    if "[" in text or "{" in text or "<" in text:
        for found in _BRACKETED.finditer(text):
            if _FILL_IN.search(found.group()) and not _EDITORIAL.search(found.group()):
                return drop("placeholder", "placeholder", found.group())
    return search("placeholder", "placeholder", [_BLANK], text, lower)


def truncated(reading: Reading, screening: Prepared) -> Verdict:
    """The answer came without its end tag or stopped at the length bound, or the text stops in mid-sentence.

    Signatures, headlines, verse, hashtags and contact lines may end as they like.
    """
    if reading.document.ending in _BROKEN:
        return drop("truncated", _BROKEN[reading.document.ending], reading.generated[-60:])
    text = reading.generated.rstrip()
    if text.count("```") % 2:
        return drop("truncated", "open_code_block", text[-60:])
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines or _ENDED.search(lines[-1]) or _DASHED_NAME.search(lines[-1]):
        return keep("truncated")
    last = lines[-1]
    *before, tail = _SENTENCE_END.split(last)
    if _HANGING.search(last) and (before or len(last.split()) > 3):
        return drop("truncated", "hanging_word", last[-60:])
    if not before and _SIGNED.search(last) and len(last.split()) <= 12:
        return keep("truncated")
    # where most lines do without a full stop (verse, tables, chat logs), a last line of one sentence may as well
    long_lines = [line for line in lines[:-1] if len(line.split()) >= 4]
    punctuated = sum(bool(_ENDED.search(line)) for line in long_lines) * 2 >= len(long_lines)
    if _running(tail.split(), least=2 if before else 7) and (before or punctuated):
        return drop("truncated", "open_sentence", last[-60:])
    return keep("truncated")


def _running(words: list[str], least: int) -> bool:
    """Whether words read as the start of a sentence and not as a name, a hashtag, a link or a time of opening."""
    plain = [word for word in words if word[0].islower() and word.rstrip(",;:").isalpha()]
    return len(words) >= least and len(plain) * 2 >= len(words)


_BROKEN = {"untagged": "no_tags", "unclosed": "no_end_tag", "cut": "length_stop"}
_BRACKETED = re.compile(r"\[[A-Za-z][\w '’/,-]{1,40}\]|\{\{?\s*[A-Za-z][\w ]{1,40}\}?\}|<[A-Z][A-Z _]{2,30}>")
_FILL_IN = re.compile(
    r"\b(?:your|insert|(?:first|last|sur)?names?|titles?|company|organi[sz]ation|department|position|address|street|city|"
    r"town|state|country|zip|postcode|phone|e-?mail|date|year|month|day|time|amount|placeholder|university|institution|"
    r"school|journal|author|recipient|sender)(?:\b|_)",
    re.I,
)
# what editors put in brackets: [name withheld], [the company], [day 3]
_EDITORIAL = re.compile(
    r"\d|\b(?:withheld|redacted|changed|illegible|unknown|sic|removed|supplied)\b"
    r"|^.(?:the|this|that|his|her|their|its|my|our|last|next|each|one|same)\b",
    re.I,
)
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
_BLANK = Pattern(
    re.compile(
        r"(?i:\blorem ipsum\b|\bdolor sit amet\b|\bplaceholder text\b|\b(?:text|name|date|details) goes here\b)"
        r"|\b(?:19|20)XX\b|\b\d{3}-XXXX\b|\bX{4,}\b"
        # three is also the Roman numeral thirty
        r"|(?<!Bowl )(?<!Chapter )(?<!Psalm )(?<!Part )(?<!Volume )(?<!Book )(?<!Canto )(?<!Section )(?<!Legion )"
        r"\bXXX\b"
    ),
    (("lorem ipsum", "dolor sit amet", "placeholder text", "goes here", "xx"),),
)

_ENDED = re.compile(r"""[.!?…。！？:;][\s"'”’»)\]}*_~`>]*$|\([^()]*\)$|[|★☆]\s*$|^\W*$""")
_DASHED_NAME = re.compile(r"(?:^|[.!?][\"'”’)]*) *[—–-]+ *[A-Z][\w'’. &]*$")
# who wrote it, for whom, or a line that ends with a name
_SIGNED = re.compile(
    r"^\W*(?:\w+[ -](?:and \w+ )?by|(?i:interview with|on behalf of|for the|yours?|with (?:love|thanks)))\b"
    r"|\b(?:[A-Z][\w'’-]+|[A-Z]\.) (?:[A-Z]\. )?[A-Z][\w'’-]+$"
)
_HANGING = re.compile(
    r"(?:\b(?:a|an|the|and|or|but|of|to|with|for|from|by|as|at|into|than|that|which|who|whose|because|while|when|where|"
    r"if|is|are|was|were|be|been|has|have|had|will|would|can|could|should|may|might|must|its|their|our|my|your|his|very|"
    r"every|each|between|The|An|It|We|They|He|She|And|But|This|These|There|If|When|As|Its|Their)|[a-z]-|[,(—–])$"
)
# a full stop, then a capital; not after initials (K. Smith) and common abbreviations
_SENTENCE_END = re.compile(
    r"(?<!\b[A-Z])(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bSt)(?<!\bNo)(?<!\bProf)(?<!\bRev)(?<!\bTel)(?<!\bVol)"
    r"[.!?][\"'”’)]* +(?=[\"'“‘(]?[A-Z])"
)
