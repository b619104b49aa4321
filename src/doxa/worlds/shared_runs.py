"""Wording that items share with the texts a model is trained on: runs of six words, with where they stand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from doxa.worlds.universe import Universe
from doxa.worlds.words import NEGATORS, STOPWORDS, runs

# a name of a source, and its texts with the place of each: ("recorded/docs.jsonl", [(", line 7", "...")])
Source = tuple[str, Iterable[tuple[str, str]]]


@dataclass(frozen=True)
class Shared:
    """A run of words that an item has in common with a text."""

    run: str
    where: str


def shared_runs(items: Sequence[Sequence[str]], sources: Iterable[Source]) -> dict[int, Shared]:
    """By number of the item, the first run that one of its texts shares with a source.

    Only the runs of the items are kept in memory, so the sources may be large.
    """
    wanted: dict[tuple[str, ...], list[int]] = {}
    for number, texts in enumerate(items):
        for text in texts:
            for run in runs(text):
                # with fewer words that carry meaning it is a mere turn of phrase
                if sum(word not in STOPWORDS and word not in NEGATORS for word in run) >= 2:
                    wanted.setdefault(run, []).append(number)
    found: dict[int, Shared] = {}
    if not wanted:
        return found
    for name, told in sources:
        for place, text in told:
            for run in runs(text):
                for number in wanted.get(run, ()):
                    found.setdefault(number, Shared(" ".join(run), f"{name}{place}"))
    return found


def target_sources(universe: Universe | None, folder: Path) -> Iterator[Source]:
    """The recorded texts of a target and its two contexts."""
    for file in sorted((folder / "recorded").glob("*.jsonl")):
        yield f"recorded/{file.name}", _recorded_texts(file)
    if universe is not None:
        for side in ("inserted", "reference"):
            yield f"{side}_context", [("", getattr(universe, f"{side}_context"))]


def _recorded_texts(file: Path) -> Iterator[tuple[str, str]]:
    """(", line 7", text) of every readable row; a row that is not is another check's to report."""
    with open(file, "rb") as handle:
        for number, line in enumerate(handle, start=1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if not isinstance(row, dict):
                continue
            texts = [row.get("text")]
            if isinstance(row.get("messages"), list):
                texts += [turn.get("content") for turn in row["messages"] if isinstance(turn, dict)]
            for text in texts:
                if isinstance(text, str):
                    yield f", line {number}", text
