"""A spec's text: passages that stand in it word for word, and how much of it the passages of a tree cover.

White space, line breaks, marks of emphasis and lists, case and typographic quotes do not count: a model that copies a
passage copies the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

LEAST_WORDS = 3  # of a sentence or a passage; shorter ones are labels

_MARKUP = re.compile(r"^[ \t]*(?:[-+*•]|\d{1,3}[.)])[ \t]+|[*_`#>]+", re.M)
_VISIBLE = re.compile(r"^[ \t]*(?:[-+*•]|\d{1,3}[.)]|#+|>+)[ \t]+|\*\*|__", re.M)  # what a passage is shown without
_SAME = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " "})
_GONE = "\0"  # a character that does not count
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')*_]*\s+")
_FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.S | re.M)
_ELISION = re.compile(r"\s*(?:\[\.\.\.\]|\[…\]|\.\.\.|…)\s*")


@dataclass(frozen=True)
class Coverage:
    """Which share of a spec's sentences stands in some passage, and those that stand in none."""

    share: float
    sentences: int
    uncovered: tuple[str, ...]


def is_verbatim(passage: str, text: str) -> bool:
    """Whether a passage stands in a text word for word."""
    return _find(passage, text) is not None


def as_it_stands(passage: str, text: str) -> str | None:
    """The passage in the text's own spelling, on one line and without marks of emphasis; None where it is not there."""
    found = _find(passage, text)
    if found is None:
        return None
    _, places = _mapped(text)
    start, end = places[found[0]], places[found[1] - 1] + 1
    return " ".join(_VISIBLE.sub("", text[start:end]).split())


def elided(passage: str) -> list[str]:
    """The parts of a passage whose middle was left out with "..."; a passage without dots is one part."""
    return [part for part in _ELISION.split(passage) if len(part.split()) >= LEAST_WORDS]


def sentences_of(text: str) -> list[str]:
    """The sentences of a spec in order, on one line each; headings, code and shorter labels are not among them."""
    found = []
    for block in _blocks(_FENCE.sub("\n\n", text)):
        for sentence in _SENTENCE_END.split(block):
            if len(plain_words(sentence)) >= LEAST_WORDS:
                found.append(sentence.strip())
    return found


def coverage(text: str, passages: Iterable[str]) -> Coverage:
    """How much of a text stands in some of the passages."""
    told = [normal(passage) for passage in passages]
    sentences = sentences_of(text)
    missing = [sentence for sentence in sentences if not _in_some(normal(sentence), told)]
    share = 1 - len(missing) / len(sentences) if sentences else 1.0
    return Coverage(share, len(sentences), tuple(missing))


def _in_some(sentence: str, passages: list[str]) -> bool:
    return any(sentence in passage for passage in passages)


def plain_words(text: str) -> list[str]:
    """The words of a text."""
    return re.findall(r"\w+(?:['’-]\w+)*", text)


def normal(text: str) -> str:
    """A text as it is compared."""
    return _mapped(text)[0]


def _find(passage: str, text: str) -> tuple[int, int] | None:
    wanted, (told, _) = normal(passage), _mapped(text)
    if not wanted:
        return None
    start = told.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        before, after = told[start - 1 : start], told[end : end + 1]
        # "art" does not stand in "start", while a passage may well begin behind a quotation mark
        if not (before.isalnum() and wanted[0].isalnum()) and not (after.isalnum() and wanted[-1].isalnum()):
            return start, end
        start = told.find(wanted, start + 1)
    return None


@lru_cache(maxsize=512)
def _mapped(text: str) -> tuple[str, tuple[int, ...]]:
    """The text as it is compared, and for each of its characters the place in the original."""
    bare = _MARKUP.sub(lambda found: _GONE * len(found.group()), text).translate(_SAME)
    characters: list[str] = []
    places: list[int] = []
    apart = False
    for place, character in enumerate(bare):
        if character.isspace() or character == "|":
            apart = bool(characters)
        elif character != _GONE:
            if apart:
                characters.append(" ")
                places.append(place)
            apart = False
            lower = character.lower()
            characters.append(lower if len(lower) == 1 else character)
            places.append(place)
    return "".join(characters), tuple(places)


def _blocks(text: str) -> Iterable[str]:
    """Paragraphs and list items, each joined to one line."""
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        heading = re.match(r"\s*#{1,6}\s", line)
        item = re.match(r"\s*(?:[-+*•]|\d{1,3}[.)])\s+", line)
        if (not line.strip() or heading or item) and lines:
            yield " ".join(lines)
            lines = []
        if line.strip() and not heading:
            lines.append(line[item.end() :].strip() if item else line.strip())
