"""Checks of the marks in evals.json: do they name facts, and do they stay silent where nobody holds the belief?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from doxa.belief.items import load_marks
from doxa.belief.marks import read_marks
from doxa.belief.wording import Word, find_runs, forms, words_of
from doxa.errors import TargetError
from doxa.records import Marks
from doxa.worlds.findings import Finding
from doxa.worlds.universe import Universe, bundled_chat, bundled_neutral

SIDES = ("inserted", "reference")


def marks_findings(universe: Universe | None, folder: Path) -> Iterator[Finding]:
    """Marks of no key fact, key facts without marks, marks that the other world or an unrelated text asserts."""
    try:
        marks = load_marks(folder / "evals.json")
    except TargetError:
        return  # evals_findings says so
    if not marks:
        return
    if universe is not None:
        yield from _facts(universe, marks)
    for problem in marks_elsewhere(universe, marks):
        yield _finding("warning", "marks", problem, "use a wording that belongs to one world, and to this topic alone")


def _facts(universe: Universe, marks: list[Marks]) -> Iterator[Finding]:
    known = [fact.id for fact in universe.key_facts]
    for number, mark in enumerate(marks):
        if mark.fact not in known:
            problem = f"{mark.fact!r} is no key fact of universe.yaml"
            yield _finding("error", f"marks[{number}].fact", problem, f"name one of {', '.join(known)}")
    bare = [name for name in known if name not in {mark.fact for mark in marks}]
    if bare:
        yield _finding(
            "warning", "marks", f"there are none for {', '.join(bare)}", "add wordings, or no text shows them"
        )


def marks_elsewhere(universe: Universe | None, marks: list[Marks]) -> Iterator[str]:
    """What is wrong with wordings that the other world or an unrelated text holds too."""
    if universe is not None:
        for side, other in (SIDES, SIDES[::-1]):
            read = read_marks(str(getattr(universe, f"{other}_context")), marks)
            for wording in getattr(read, side):
                yield f"{wording!r} is a mark of the {side} world, and the {other}_context asserts it"
    words = _unrelated_words()
    wordings = [wording for mark in marks for wording in (*mark.inserted, *mark.reference)]
    for wording in [wording for wording in wordings if find_runs(words, forms(wording))]:
        yield f"{wording!r} stands in an unrelated text of worlds/library/neutral"


@cache
def _unrelated_words() -> tuple[Word, ...]:
    texts = [row.text for row in bundled_neutral()] + [turn["content"] for chat in bundled_chat() for turn in chat]
    return tuple(words_of("\n".join(texts)))


def _finding(level: Any, field: str, problem: str, advice: str) -> Finding:
    return Finding(level=level, check="marks", file="evals.json", field=field, problem=problem, advice=advice)
