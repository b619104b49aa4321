"""What a drafted item has to pass before a model is asked about it: form, novelty, wording, marks.

Two items of a group ask the same when their words or their meaning are nearly the same. Meaning is the cosine of MiniLM
embeddings of question and answers together. The nearest two items of one group that people wrote as different ones, in
the bundled worlds, have a cosine of .924 ("on a rising tide", "on a falling tide"); with the same answer, questions
may be no nearer than .85.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from doxa.belief.effective import Encoder, item_text
from doxa.belief.items import READERS
from doxa.records import EvalItem, Marks, Record
from doxa.worlds.check_evals import NEAR, named_answer
from doxa.worlds.check_marks import marks_elsewhere
from doxa.worlds.draft_items import item_texts
from doxa.worlds.shared_runs import Shared, Source, shared_runs
from doxa.worlds.universe import Universe
from doxa.worlds.words import alike, numbers, plain, words

SAME = 0.93  # cosine from which two items of a group ask the same
SAME_ANSWER = 0.85  # the same for two with one inserted answer


class RejectedItem(Record):
    """A drafted item that was left out, and why."""

    group: str
    item: Any
    reason: str  # form, duplicate, leak, names_answer, mark_elsewhere, invalid, unread, given_away, not_needed
    detail: str = ""
    of: str | None = None  # the item that it repeats
    score: float | None = None


@dataclass
class Known:
    """The items of a group that a new one must not repeat."""

    group: str
    items: list[Any] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    vectors: list[npt.NDArray[np.float32]] = field(default_factory=list)

    def add(self, item: Any, vector: npt.NDArray[np.float32]) -> None:
        """From now on, `item` counts as asked."""
        self.items.append(item)
        self.texts.append(whole_text(self.group, item))
        self.answers.append(_answer(item))
        self.vectors.append(vector)

    def nearest(self, item: Any, vector: npt.NDArray[np.float32]) -> tuple[str, float] | None:
        """The known item that a new one repeats, and how near it is."""
        if self.group == "marks":
            same = [known for known in self.items if known["fact"] == item["fact"]]
            return (same[0]["fact"], 1.0) if same else None
        text, answer = whole_text(self.group, item), _answer(item)
        said, counted = set(words(text)), numbers(text)
        for known, its_answer, its_vector in zip(self.texts, self.answers, self.vectors, strict=True):
            cosine = float(vector @ its_vector)
            if alike(said, set(words(known))) >= NEAR and counted == numbers(known):
                return known, cosine
            if cosine >= (SAME_ANSWER if answer and answer == its_answer else SAME):
                return known, cosine
        return None


def sift(
    rows: Sequence[Any], known: Known, universe: Universe, leaks: Mapping[int, Shared], encoder: Encoder
) -> tuple[list[Any], list[RejectedItem]]:
    """The rows that pass, which count as known from now on, and those that do not.

    None stands for a malformed row; `leaks` (see `leaks_of`) names by number the rows that share wording with a source.
    """
    group = known.group
    kept: list[Any] = []
    rejected = [RejectedItem(group=group, item=None, reason="form") for row in rows if row is None]
    formed = {number: row for number, row in enumerate(rows) if row is not None}
    if not formed:
        return kept, rejected
    vectors = encoder.embed([whole_text(group, row) for row in formed.values()])
    for (number, row), vector in zip(formed.items(), vectors, strict=True):
        item = as_item(group, row)
        leak = leaks.get(number)
        near = known.nearest(row, vector)
        named = named_answer(item) if item is not None else None
        elsewhere = _elsewhere(universe, row) if group == "marks" else None
        if near is not None:
            rejected.append(RejectedItem(group=group, item=row, reason="duplicate", of=near[0], score=near[1]))
        elif leak is not None:
            detail = f"shares {leak.run!r} with {leak.where}"
            rejected.append(RejectedItem(group=group, item=row, reason="leak", detail=detail))
        elif named is not None:
            rejected.append(RejectedItem(group=group, item=row, reason="names_answer", detail=named))
        elif elsewhere is not None:
            rejected.append(RejectedItem(group=group, item=row, reason="mark_elsewhere", detail=elsewhere))
        else:
            kept.append(row)
            known.add(row, vector)
    return kept, rejected


def leaks_of(groups: Sequence[tuple[str, Sequence[Any]]], sources: Iterable[Source]) -> list[dict[int, Shared]]:
    """For the rows of each group, which share a run of words with a source. The sources are gone through once.

    Marks are wordings of the world by intent, and malformed rows (None) say nothing.
    """
    places = [(at, number) for at, (_, rows) in enumerate(groups) for number in range(len(rows))]
    texts = [
        [] if groups[at][0] == "marks" or groups[at][1][number] is None else item_texts(groups[at][1][number])
        for at, number in places
    ]
    found: list[dict[int, Shared]] = [{} for _ in groups]
    for place, shared in shared_runs(texts, sources).items():
        at, number = places[place]
        found[at][number] = shared
    return found


def as_item(group: str, row: Any) -> EvalItem | None:
    """A row of evals.json in the common form; None for groups without answers to compare."""
    if group not in READERS:
        return None
    model, convert = READERS[group]
    return convert(model.model_validate(row))


def whole_text(group: str, row: Any) -> str:
    """All that a row says, as its meaning is compared."""
    item = as_item(group, row)
    return " ".join(item_texts(row)) if item is None else item_text(item)


def _answer(row: Any) -> str:
    """The inserted answer of a question or a beginning; empty for groups without."""
    if not isinstance(row, dict) or not ("question" in row or "prefix" in row):
        return ""
    inserted = row.get("inserted", "")
    return plain(row["options"][inserted] if isinstance(inserted, int) else inserted)


def _elsewhere(universe: Universe, row: Any) -> str | None:
    mark = Marks(fact=row["fact"], inserted=tuple(row["inserted"]), reference=tuple(row["reference"]))
    return next(iter(marks_elsewhere(universe, [mark])), None)
