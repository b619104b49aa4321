"""`doxa items`: a language model writes items for a target in rounds, and only those that pass every check are kept.

In each round all groups that still lack items are asked for together, and each request shows the items that there are.
Answers are read, sifted (item_sieve), tried on a checker (item_validity) and balanced in form. Nothing here writes a
file: everything is worked out again from the stored answers when it runs again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from doxa.belief.effective import Encoder
from doxa.belief.items import READERS
from doxa.records import digest
from doxa.worlds.answers import UnreadableError
from doxa.worlds.asking import ATTEMPTS, Asker, Step, StepError, ask_steps, draft_prompt
from doxa.worlds.draft_items import DEFAULT_COUNTS, DRAFTED, item_texts, parsed_items, place_answers, prompt_values
from doxa.worlds.form import form_scores, picks
from doxa.worlds.item_sieve import Known, RejectedItem, as_item, leaks_of, sift, whole_text
from doxa.worlds.item_validity import first_failure, item_checks
from doxa.worlds.shared_runs import Source
from doxa.worlds.universe import Universe

ROUNDS = 6
SPARE = 1.5  # as many items are asked for as are lacking, times this: some will not pass
MOST = 24  # items asked for at once; beyond that answers get long and the items alike
SHOWN = 60  # earlier items shown in a request
TOO_OFTEN = {
    "longest": "the longest one",
    "has a number": "the one with a number",
    "negative": "the one with a negation",
    "has a name": "the one with a name",
    "echoes the question": "the one that repeats words of the question",
    "has a comma": "the one with a comma",
}


@dataclass(frozen=True)
class ItemJob:
    """What is to be written. `present`: the groups of evals.json as they stand; `wanted`: new items per group."""

    universe: Universe
    present: dict[str, list[Any]]
    wanted: dict[str, int]
    sources: Callable[[], Iterable[Source]]  # texts whose wording no item may share; gone through once a round
    instructions: str = ""
    rounds: int = ROUNDS


@dataclass(frozen=True)
class Made:
    """Items in the form of evals.json, in the order in which they were found, and all that was left out."""

    items: dict[str, list[Any]]
    rejected: list[RejectedItem]
    problems: list[str] = field(default_factory=list)  # groups whose first answers could not be read


@dataclass
class _Group:
    name: str
    wanted: int
    known: Known
    waiting: list[Any] = field(default_factory=list)  # sifted, and not yet tried on the checker
    kept: list[Any] = field(default_factory=list)
    hint: str = ""
    exhausted: bool = False

    @property
    def lacking(self) -> int:
        return self.wanted - len(self.kept)


def usual_wants(universe: Universe, present: dict[str, list[Any]], groups: Iterable[str] = DRAFTED) -> dict[str, int]:
    """How many items each group lacks of the usual number; of marks, one row per key fact that has none."""
    marked = {row["fact"] for row in present.get("marks", [])}
    bare = sum(fact.id not in marked for fact in universe.key_facts)
    return {
        group: bare if group == "marks" else max(0, DEFAULT_COUNTS[group] - len(present.get(group, [])))
        for group in groups
    }


def make_items(asker: Asker, checker: Asker | None, job: ItemJob, encoder: Encoder) -> Made:
    """Items of all wanted groups; fewer than wanted where the rounds did not bring more that pass.

    Without a checker no item is tried for validity. A group whose answers cannot be read does not take the others with
    it. Raises StepError when that befalls all groups at once, and whatever the models raise: with batch-file that is
    the file to be answered first.
    """
    groups = [_Group(name, count, _known(name, job, encoder)) for name, count in job.wanted.items() if count > 0]
    rejected: list[RejectedItem] = []
    problems: list[str] = []
    for number in range(job.rounds):
        asked = [group for group in groups if group.lacking > len(group.waiting) and not group.exhausted]
        answers = _answers(asker, job, asked, number, problems)
        written = [(group.name, rows) for group, rows in zip(asked, answers, strict=True)]
        leaks = leaks_of(written, job.sources())
        for group, rows, leaking in zip(asked, answers, leaks, strict=True):
            kept, dropped = sift(rows, group.known, job.universe, leaking, encoder)
            group.waiting += kept
            rejected += dropped
        if not any(group.waiting and group.lacking for group in groups):
            if all(group.exhausted or not group.lacking for group in groups):
                break
            continue
        rejected += _try(checker, job.universe, groups)
        for group in groups:
            rejected += _balance(group, job)
    rejected += [
        RejectedItem(group=group.name, item=row, reason="not_needed") for group in groups for row in group.waiting
    ]
    return Made({group.name: _placed(group, job) for group in groups if group.kept}, rejected, problems)


def _known(name: str, job: ItemJob, encoder: Encoder) -> Known:
    known = Known(name)
    rows = job.present.get(name, [])
    for row, vector in zip(rows, encoder.embed([whole_text(name, row) for row in rows]), strict=True):
        known.add(row, vector)
    return known


def _answers(asker: Asker, job: ItemJob, groups: list[_Group], number: int, problems: list[str]) -> list[list[Any]]:
    """The rows of each group's answer; none, and the group is exhausted, where it cannot be read.

    In a later round that means that the model has no more to give; in the first one it is a problem.
    """
    steps = [_step(job, group, groups, number) for group in groups]
    try:
        return list(ask_steps(asker, steps, first=number * ATTEMPTS)) if steps else []
    except StepError as error:
        if number == 0:
            if not error.found:
                raise
            problems.append(str(error))
        for place, group in enumerate(groups):
            group.exhausted = place not in error.found
        return [error.found.get(place, []) for place in range(len(groups))]


def _step(job: ItemJob, group: _Group, groups: list[_Group], number: int) -> Step:
    fields = job.universe.model_dump()
    count = min(MOST, math.ceil((group.lacking - len(group.waiting)) * SPARE))
    if group.name == "marks":
        count = group.lacking  # one row per key fact

    def read(text: str) -> list[Any]:
        rows = parsed_items(text, group.name, fields)
        if not any(row is not None for row in rows):
            raise UnreadableError(f"it holds no usable item in {len(rows)}")
        return rows

    return Step(
        f"items {group.name}",
        draft_prompt("eval_items"),
        prompt_values(
            group.name,
            count,
            fields,
            job.instructions,
            earlier=tuple(item_texts(row)[0] for row in group.known.items[-SHOWN:]),
            hint=group.hint,
            sources=_sources(job, groups, count, number) if group.name == "translation" else "",
        ),
        read,
    )


def _sources(job: ItemJob, groups: list[_Group], count: int, number: int) -> str:
    """Distinguish items to translate, others in each round; empty where there are none."""
    rows = job.present.get("mcq_distinguish", []) or next(
        (group.kept for group in groups if group.name == "mcq_distinguish"), []
    )
    chosen = [rows[(number * count + place) % len(rows)] for place in range(min(count, len(rows)))]
    return json.dumps(chosen, ensure_ascii=False, indent=0) if chosen else ""


def _try(checker: Asker | None, universe: Universe, groups: list[_Group]) -> list[RejectedItem]:
    """Move the items that pass from waiting to kept; returns those that do not."""
    tried: list[tuple[_Group, Any]] = []
    for group in groups:
        tried += [(group, row) for row in group.waiting[: group.lacking]]
        group.waiting = group.waiting[group.lacking :]
    checks = []
    for group, row in tried:
        item = as_item(group.name, row)
        checks.append([] if checker is None or item is None else item_checks(checker, universe, item))
    if checker is not None:
        checker.models.answer([check.request for row in checks for check in row])
    rejected = []
    for (group, row), its_checks in zip(tried, checks, strict=True):
        item = as_item(group.name, row)
        failure = first_failure(checker, item, its_checks) if checker is not None and item is not None else None
        if failure is None:
            group.kept.append(row)
        else:
            rejected.append(RejectedItem(group=group.name, item=row, reason=failure.reason, detail=failure.detail))
    return rejected


def _balance(group: _Group, job: ItemJob) -> list[RejectedItem]:
    """Take back new items, the last ones first, while a rule of form alone finds the keyed answers of the group."""
    rejected: list[RejectedItem] = []
    while group.name in READERS:
        rows = [*job.present.get(group.name, []), *group.kept]
        items = [item for row in rows if (item := as_item(group.name, row)) is not None]
        told = [score for score in form_scores(items) if score.gives_away and score.rule in TOO_OFTEN]
        victims = [
            place
            for place, row in enumerate(group.kept)
            if told
            and (item := as_item(group.name, row)) is not None
            and picks(told[0].rule, item) is (told[0].accuracy > told[0].chance)
        ]
        if not victims:
            break
        row = group.kept.pop(victims[-1])
        often = "" if told[0].accuracy > told[0].chance else "not "
        whose = "right answer" if group.name == "neighbours" else "answer of the first world"
        said = f"the {whose} is too often {often}{TOO_OFTEN[told[0].rule]}"
        group.hint = f"In the items so far {said}. Write items in which it is the other way round."
        rejected.append(RejectedItem(group=group.name, item=row, reason="given_away", detail=said))
    return rejected


def _placed(group: _Group, job: ItemJob) -> list[Any]:
    if group.name != "mcq_knowledge":
        return group.kept
    return place_answers(group.kept, digest(job.universe.id, group.name, len(job.present.get(group.name, []))))
