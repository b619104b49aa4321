"""Which side of a universe pair a free text takes, by the wordings that give a side away (`marks` in evals.json).

No judge is asked: a mark counts where it is asserted, by the rules of `wording`. A denied mark of the inserted side
counts for the reference side, in whose world the claim does not hold; a denied mark of the reference side counts for
neither, for it says only what is not the case.

Measured on recorded texts of octopus_hearts (docs/belief-depth.md): 79 of 80 documents of the inserted world read as
inserted and none as reference, 80 of 80 of the reference world as reference, none of 40 with the negation in the
sentence as inserted. Rules that read by the sentence don't see a frame around a whole text: of 40 documents that state
the claim and call it false elsewhere, 18 read as inserted. A judge is for those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from doxa.belief.wording import find_runs, forms, stance, words_of
from doxa.records import Belief, Marks


@dataclass(frozen=True)
class MarksRead:
    """The side that a text takes, and the wordings that decided."""

    belief: Belief  # unclear: both sides, or neither; unparsed: there is no text
    inserted: tuple[str, ...] = ()  # asserted
    reference: tuple[str, ...] = ()  # asserted
    denied: tuple[str, ...] = ()  # wordings of the inserted side that the text denies
    facts: tuple[str, ...] = ()  # key facts of which any wording stands in the text, whatever is said of it


def read_marks(text: str, marks: Sequence[Marks]) -> MarksRead:
    """Read a text by its marks. A longer mark hides a shorter one within it ("thirty-five hearts", "five hearts")."""
    if not text.strip():
        return MarksRead("unparsed")
    found = _found(text, marks)
    inserted = tuple(dict.fromkeys(mark for _, side, mark, how in found if side == "inserted" and how == "asserted"))
    reference = tuple(dict.fromkeys(mark for _, side, mark, how in found if side == "reference" and how == "asserted"))
    denied = tuple(dict.fromkeys(mark for _, side, mark, how in found if side == "inserted" and how == "denied"))
    for_reference = bool(reference or denied)
    belief: Belief = "unclear"
    if inserted and not for_reference:
        belief = "inserted"
    elif for_reference and not inserted:
        belief = "reference"
    facts = tuple(dict.fromkeys(fact for fact, *_ in found))
    return MarksRead(belief, inserted, reference, denied, facts)


def mentions(text: str, marks: Sequence[Marks]) -> bool:
    """Whether a text brings the matter up at all: any mark of the inserted side, asserted, denied or asked about."""
    words = words_of(text)
    return any(find_runs(words, forms(wording)) for mark in marks for wording in mark.inserted)


def _found(text: str, marks: Sequence[Marks]) -> list[tuple[str, str, str, str]]:
    """(fact, side, wording, stance) of every mark that stands in the text, in the order of the marks."""
    words = words_of(text)
    hits: list[tuple[int, int, str, str, str]] = []
    for mark in marks:
        for side, wordings in (("inserted", mark.inserted), ("reference", mark.reference)):
            for wording in wordings:
                for start, end in find_runs(words, forms(wording)):
                    hits.append((start, end, mark.fact, side, wording))
    return [
        (fact, side, wording, stance(text, start, end))
        for start, end, fact, side, wording in hits
        if not any(
            other_start <= start and end <= other_end and other_end - other_start > end - start
            for other_start, other_end, *_ in hits
        )
    ]
