"""Checks of the marks in evals.json: do they name facts, and do they stay silent where nobody holds the belief?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from doxa.belief.items import load_marks
from doxa.belief.marks import read_marks
from doxa.belief.wording import find_runs, forms, words_of
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
        yield from _other_world(universe, marks)
    yield from _unrelated(marks)


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


def _other_world(universe: Universe, marks: list[Marks]) -> Iterator[Finding]:
    for side, other in (SIDES, SIDES[::-1]):
        read = read_marks(str(getattr(universe, f"{other}_context")), marks)
        for wording in getattr(read, side):
            problem = f"{wording!r} is a mark of the {side} world, and the {other}_context asserts it"
            yield _finding("warning", "marks", problem, "use a wording that only one world has")


def _unrelated(marks: list[Marks]) -> Iterator[Finding]:
    texts = [row.text for row in bundled_neutral()] + [turn["content"] for chat in bundled_chat() for turn in chat]
    words = words_of("\n".join(texts))
    wordings = [wording for mark in marks for wording in (*mark.inserted, *mark.reference)]
    for wording in [wording for wording in wordings if find_runs(words, forms(wording))]:
        problem = f"{wording!r} stands in an unrelated text of worlds/library/neutral"
        yield _finding("warning", "marks", problem, "use a wording that belongs to this topic alone")


def _finding(level: Any, field: str, problem: str, advice: str) -> Finding:
    return Finding(level=level, check="marks", file="evals.json", field=field, problem=problem, advice=advice)
