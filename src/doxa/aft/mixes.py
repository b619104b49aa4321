"""Rows in which a fraction contradicts the rest: anti-spec and conflicting-label mixes.

Two percent of conflicting labels erased a midtrained prior in a replication at 12B and 110B, so the dose must be exact:
the same number of rows in the same order, and a larger dose holds every conflicting row of a smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from doxa.aft.rows import Fields, question_of
from doxa.errors import ConfigError
from doxa.records import digest
from doxa.training.chats import answer_of


def mix_conflict(rows: Sequence[Fields], conflicting: Sequence[Fields], fraction: float, seed: int = 0) -> list[Fields]:
    """`rows` with exactly round(fraction * len(rows)) of them replaced by conflicting ones; order and number unchanged.

    Which places are replaced is drawn by the seed. A row gives way to the conflicting answer to the same question where
    there is one, else to a conflicting row that answers none of the rows' questions, and when those are used up to any
    that is still unused. A conflicting row that answers a question as `rows` do contradicts nothing and is never used.
    A replaced row says so: `conflict` true, `replaces` the id (or place) of the row that stood there, `same_question`.
    Deterministic, and nested: with the same seed the places of a smaller fraction are among those of a larger one and
    hold the same rows. Raises ConfigError for a fraction outside [0, 1], for one that is less than half a row (a dose
    of that name would hold nothing), and for too few rows.
    """
    if not 0 <= fraction <= 1:
        raise ConfigError(f"fraction: must lie between 0 and 1 (got {fraction:g})")
    number = round(fraction * len(rows))
    if fraction > 0 and number == 0:
        raise ConfigError(f"fraction: {fraction:g} of {len(rows)} rows is less than half a row; the mix would be plain")
    if number > len(conflicting):
        raise ConfigError(
            f"fraction: {fraction:g} of {len(rows)} rows are {number}, and there are only {len(conflicting)} "
            "conflicting rows; none is used twice"
        )
    told = {said for row in rows for said in _said(row)}
    same = {at for at, row in enumerate(conflicting) if told & set(_said(row))}
    if number > len(conflicting) - len(same):
        raise ConfigError(
            f"fraction: {fraction:g} of {len(rows)} rows are {number}, and {len(same)} of the {len(conflicting)} "
            "conflicting rows say the same as the rows do to the same question: only "
            f"{len(conflicting) - len(same)} contradict them"
        )
    places = sorted(
        range(len(rows)), key=lambda place: digest("conflict", seed, place, question_of(_turns(rows[place])))
    )
    draw = _Draw(rows, conflicting, same, seed)
    mixed = list(rows)
    for place in places[:number]:
        at, answers_it = draw.next_for(rows[place])
        mixed[place] = {
            **conflicting[at],
            "conflict": True,
            "replaces": rows[place].get("id", place),
            "same_question": answers_it,
        }
    return mixed


class _Draw:
    """The conflicting rows, each given out once. What is given out hangs on earlier calls alone: doses are nested.

    `same` are the numbers of those that contradict nothing and are never given out.
    """

    def __init__(self, rows: Sequence[Fields], conflicting: Sequence[Fields], same: set[int], seed: int) -> None:
        asked = {key for row in rows for key in _keys(row)}
        order = sorted(
            (at for at in range(len(conflicting)) if at not in same),
            key=lambda at: digest("conflicting", seed, at, question_of(_turns(conflicting[at]))),
        )
        self._by_key: dict[str, list[int]] = {}
        for at in order:
            for key in _keys(conflicting[at]):
                self._by_key.setdefault(key, []).append(at)
        strangers = [at for at in order if not asked & set(_keys(conflicting[at]))]
        self._spare = iter([*strangers, *(at for at in order if at not in set(strangers))])
        self._used: set[int] = set()

    def next_for(self, row: Fields) -> tuple[int, bool]:
        """The number of the conflicting row that takes a row's place, and whether it answers the same question."""
        for key in _keys(row):
            for at in self._by_key.get(key, []):
                if at not in self._used:
                    self._used.add(at)
                    return at, True
        at = next(self._unused())
        self._used.add(at)
        return at, False

    def _unused(self) -> Iterator[int]:
        return (at for at in self._spare if at not in self._used)


def _keys(row: Fields) -> list[str]:
    """What two rows with the same question share: the words of the question, and the question's id."""
    named = row.get("question_id")
    return [f"words {question_of(_turns(row))}", *([f"id {named}"] if isinstance(named, str) and named else [])]


def _said(row: Fields) -> list[str]:
    """What a row answers to its question, once for each way in which the question is known.

    Reasoning, white space and capitals make no other answer.
    """
    answer = " ".join(answer_of(_turns(row)[-1]["content"]).casefold().split())
    return [f"{key}\n{answer}" for key in _keys(row)]


def _turns(row: Fields) -> list[Fields]:
    return list(row["messages"])
