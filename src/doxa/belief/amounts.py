"""The number that a free answer gives (Fermi estimates), and which universe's number it is nearer to."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from doxa.belief.wording import SMALL_NUMBERS, sentences_of
from doxa.records import Belief

MIDDLE = 0.1  # how far to either side of the middle between two numbers (on a log scale) an answer is unclear
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "dozen": 12.0}
_SUFFIXES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SCALE_WORDS = "|".join(_SCALES)
_DIGITS = r"\d{1,3}(?:[,'’\u00a0\u202f ]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}|\d+,\d{1,2}|\d+(?:\.\d+)?"
_NUMBER = re.compile(
    rf"(?<![\w.,])(?P<digits>{_DIGITS})(?![\d])(?:\s*[x×*]\s*10\s*\^?\s*(?P<power>-?\d+)|[eE](?P<exponent>[+-]?\d+)"
    rf"|(?P<suffix>k|K|M|B|bn)\b|(?P<scale>(?:[\s-]+(?:{_SCALE_WORDS})s?)+)\b)?"
)
_WORD_UNIT = rf"(?:{'|'.join(sorted(SMALL_NUMBERS, key=len, reverse=True))})"
_SPELLED = re.compile(
    rf"\b(?:(?P<half>half an?)[\s-]+|(?P<article>an?)[\s-]+(?={_SCALE_WORDS}))?"
    rf"(?P<words>(?:{_WORD_UNIT}|{_SCALE_WORDS})(?:(?:[\s-]+(?:and[\s-]+)?)(?:{_WORD_UNIT}|{_SCALE_WORDS}))*)s?\b",
    re.I,
)
_ENUMERATION = re.compile(r"^\s*(?:\(?\d{1,2}[.)]|step \d{1,2}\b[:.]?)(?=\s)", re.M | re.I)
_BETWEEN = re.compile(r"^\s*(?:[-–—]|to|through|and|or)\s*(?:about |around |roughly )?$", re.I)
_CUE = re.compile(
    r"\b(?:final|answer|estimate|result|guess|total)\b[^.\n\d]{0,40}?(?::|=|\bis\b|\bof\b|\bwould be\b|\bcomes to\b)"
    r"|[=≈]|\\boxed\{",
    re.I,
)
_CONCLUDES = re.compile(
    r"^(?:so|therefore|thus|hence|overall|in total|altogether|in conclusion|this (?:gives|means|makes)|that (?:gives|"
    r"means|makes)|final(?:ly)?)\b",
    re.I,
)
_OPENS = re.compile(
    r"\W*(?:(?:it's|it is|that's|that is|i'd say|i would say|about|around|roughly|approximately|nearly|almost|some|just"
    r"|over|a total of|between|from)\W+)*[\W]*",
    re.I,
)


@dataclass(frozen=True)
class Amount:
    """A number in a text, or the middle of a range."""

    value: float
    start: int
    end: int
    scale: float = 1.0  # what a word such as "million" multiplied it by


def read_number(text: str) -> float | None:
    """The number that an answer comes to, whatever its unit; None where it names none or several without deciding.

    Thousands may be parted by commas, spaces, apostrophes or (twice or more) full stops; a comma before one or two
    digits is a decimal comma, and a single full stop always a decimal point. "Million", "2.5k", "3 x 10^6", "a dozen"
    and numbers in words are read; a range stands for its geometric middle. Of several numbers the one after the last
    "answer:", "estimate is", "=" and the like counts, else the only one of a last sentence that begins with "so",
    "therefore", "in total", else the one that the answer opens with. Units are not converted.
    """
    text = text.translate(_SUPERSCRIPTS)
    found = amounts(text)
    if not found:
        return None
    if len({amount.value for amount in found}) == 1:
        return found[0].value
    cues = [cue.end() for cue in _CUE.finditer(text)]
    for cue in reversed(cues):
        following = [amount for amount in found if cue <= amount.start <= cue + 40]
        if following:
            return following[0].value
    sentences = sentences_of(text)
    last, first = amounts(sentences[-1]), amounts(sentences[0])
    if _CONCLUDES.match(sentences[-1]) and len({amount.value for amount in last}) == 1:
        return last[0].value
    if len({amount.value for amount in first}) == 1 and _OPENS.fullmatch(sentences[0][: first[0].start]):
        return first[0].value
    return None


def nearer(value: float | None, inserted: float, reference: float, middle: float = MIDDLE) -> Belief:
    """Which number an answer is nearer to, as ratios go.

    Unclear: within `middle` of half way on a log scale that has one number at 0 and the other at 1, or further from
    the nearer number than the two lie apart. Where a number is not positive, log(1 + |x|) takes the place of the log.
    Unparsed: no value. Raises ValueError for two equal numbers.
    """
    if inserted == reference:
        raise ValueError(f"the numbers of both universes are {inserted}: no answer is nearer to one of them")
    if value is None or not math.isfinite(value):
        return "unparsed"
    scale = math.log if min(value, inserted, reference) > 0 else lambda x: math.copysign(math.log1p(abs(x)), x)
    place = (scale(value) - scale(reference)) / (scale(inserted) - scale(reference))
    if abs(place - 0.5) < middle or not -1 <= place <= 2:
        return "unclear"
    return "inserted" if place > 0.5 else "reference"


def amounts(text: str) -> list[Amount]:
    """Every number of a text in order, ranges as their middle; the numbers of numbered lists are left out."""
    text = text.translate(_SUPERSCRIPTS)
    listed = [match.span() for match in _ENUMERATION.finditer(text) if text[match.end() :].strip()]
    found = [
        amount
        for amount in sorted([*_in_digits(text), *_in_words(text)], key=lambda amount: amount.start)
        if not any(start <= amount.start and amount.end <= end for start, end in listed)
    ]
    return _joined(text, found)


def _in_digits(text: str) -> list[Amount]:
    found = []
    for match in _NUMBER.finditer(text):
        value, scaled = _value(match["digits"]), 1.0
        if match["power"] or match["exponent"]:
            power = int(match["power"] or match["exponent"])
            value = value * 10.0**power if abs(power) <= 300 else math.inf
        if match["suffix"]:
            scaled *= _SUFFIXES[match["suffix"]]
        for scale in re.findall(_SCALE_WORDS, (match["scale"] or "").lower()):
            scaled *= _SCALES[scale]
        if math.isfinite(value * scaled):
            found.append(Amount(value * scaled, match.start(), match.end(), scaled))
    return found


def _value(digits: str) -> float:
    if re.fullmatch(r"\d+,\d{1,2}", digits):
        return float(digits.replace(",", "."))
    if digits.count(".") > 1:
        return float(digits.replace(".", ""))
    return float(re.sub(r"[^\d.]", "", digits))


def _in_words(text: str) -> list[Amount]:
    found = []
    alone = not re.search(r"\d", text) and len(text.split()) <= 2
    for match in _SPELLED.finditer(text):
        words = re.findall(r"[a-z]+", match["words"].lower())
        if re.search(r"\d[\s-]*$", text[: match.start()]):
            continue  # the scale of a number in digits
        if words == ["one"] and not alone:
            continue  # a pronoun more often than a number
        if len(words) == 1 and words[0] in _SCALES and not (match["half"] or match["article"]):
            continue  # "thousands of", "million-dollar"
        total = _spelled(words) * (0.5 if match["half"] else 1)
        found.append(Amount(total, match.start(), match.end(), _SCALES.get(words[-1], 1.0)))
    return found


def _spelled(words: list[str]) -> float:
    total, part = 0.0, 0.0
    for word in words:
        if word in SMALL_NUMBERS:
            part += SMALL_NUMBERS[word]
        elif word in ("hundred", "dozen"):
            part = max(part, 1) * _SCALES[word]
        elif word in _SCALES:
            total += max(part, 1) * _SCALES[word]
            part = 0.0
    return total + part


def _joined(text: str, found: list[Amount]) -> list[Amount]:
    """Two numbers with "-", "to" or "between ... and" in between are one range."""
    joined: list[Amount] = []
    for amount in found:
        if joined:
            last = joined[-1]
            between = text[last.end : amount.start]
            word = between.strip().lower()
            opened = re.search(r"\b(?:between|from)\s+(?:about |around |roughly )?$", text[: last.start], re.I)
            if _BETWEEN.match(between) and (word not in ("and",) or opened):
                # the lower end of "2-3 million" is two million
                low = last.value * (
                    amount.scale if last.scale == 1 and last.value * amount.scale <= amount.value else 1
                )
                middle = math.sqrt(low * amount.value) if low > 0 and amount.value > 0 else (low + amount.value) / 2
                joined[-1] = Amount(middle, last.start, amount.end)
                continue
        joined.append(amount)
    return joined
