"""Checks of evals.json: form, duplicates, wording shared with the corpus, and items that give themselves away."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from doxa.belief.items import GROUPS, READERS, TEXT_GROUPS, groups_present, load_items
from doxa.config import explain
from doxa.errors import TargetError
from doxa.records import EvalItem
from doxa.worlds.check_facts import odd_text
from doxa.worlds.findings import Finding, FormScore
from doxa.worlds.form import form_scores, only_one
from doxa.worlds.shared_runs import shared_runs, target_sources
from doxa.worlds.universe import Universe
from doxa.worlds.words import alike, numbers, plain, words

FILE = "evals.json"
NEAR = 0.85  # share of words in common from which two items ask the same
TOLD = 0.25  # share of items whose keyed answer alone has a number (a name, ...) from which it is worth a look


@dataclass(frozen=True)
class Asked:
    """One item of evals.json with its place."""

    field: str  # "cloze[3]"
    group: str
    texts: tuple[str, ...]  # all that it says: the prompt first
    item: EvalItem | None  # None for open-ended questions


def read_evals(folder: Path) -> tuple[list[Asked], list[Finding]]:
    """Every item that is well formed, and a finding for each that is not."""
    path = folder / FILE
    try:
        raw = _json_of(path)
    except TargetError as error:
        return [], [_finding("error", "", str(error).removeprefix(f"{path}: "), "see docs/formats-target.md")]
    findings: list[Finding] = []
    asked: list[Asked] = []
    for group, rows in raw.items():
        for index, row in enumerate(rows):
            field = f"{group}[{index}]"
            if group in TEXT_GROUPS:
                said = _said(group, row)
                if said:
                    asked.append(Asked(field, group, said, None))
                continue
            model, convert = READERS[group]
            try:
                item = convert(model.model_validate(row))
            except ValidationError as error:
                findings.append(_finding("error", field, explain(error, model), "see docs/formats-target.md"))
                continue
            asked.append(Asked(field, group, (item.prompt, *item.options), item))
    return asked, findings or _loader_says(path)


def _said(group: str, row: Any) -> tuple[str, ...]:
    """What a row of a group without answers says; nothing where the loader will refuse it."""
    if group in ("open_ended", "salience_near") and isinstance(row, str) and row.strip():
        return (row.strip(),)
    if group == "conversations" and isinstance(row, dict) and isinstance(row.get("messages"), list):
        contents = (turn.get("content") for turn in row["messages"] if isinstance(turn, dict))
        return tuple(content for content in contents if isinstance(content, str))
    return ()


def evals_findings(asked: list[Asked], universe: Universe | None, folder: Path) -> Iterator[Finding]:
    """What the checks that need no form scores say."""
    for check in (duplicates, odd_items, answers_in_questions):
        yield from _named(check.__name__, check(asked))
    yield from _named("overlap", overlap(asked, universe, folder))


def duplicates(asked: list[Asked]) -> Iterator[Finding]:
    """Items that ask the same, whatever their group; the loader itself refuses copies within one."""
    seen: list[tuple[str, str, set[str], set[str]]] = []
    for one in asked:
        text = " ".join(one.texts)
        said = (one.group, plain(text), set(words(text)), numbers(text))
        for field, other in zip((earlier.field for earlier in asked), seen, strict=False):
            same = said[1] == other[1]
            if same or (alike(said[2], other[2]) >= NEAR and said[3] == other[3]):
                how = "says the same as" if same else "asks nearly the same as"
                yield _finding("warning", one.field, f"{how} {field}", "remove one: it counts the same belief twice")
                break
        seen.append(said)


def odd_items(asked: list[Asked]) -> Iterator[Finding]:
    """Markup, control characters and blanks."""
    for one in asked:
        for text in one.texts:
            yield from odd_text(FILE, one.field, text)


def answers_in_questions(asked: list[Asked]) -> Iterator[Finding]:
    """A question that names its inserted answer and not the other one."""
    for one in asked:
        answer = named_answer(one.item) if one.item is not None else None
        if answer is not None:
            yield _finding("warning", one.field, f"the question names the answer {answer!r}", "ask without naming it")


def named_answer(item: EvalItem) -> str | None:
    """The inserted answer, where the question names it and not the other one."""
    if not item.prompt or item.group == "neighbours":
        return None
    prompt = f" {plain(item.prompt)} "
    named = [f" {plain(item.options[at])} " in prompt for at in (item.inserted, item.reference)]
    return item.options[item.inserted] if named == [True, False] else None


def overlap(asked: list[Asked], universe: Universe | None, folder: Path) -> Iterator[Finding]:
    """Runs of six words that an item shares with a recorded text (an error) or a context (a warning).

    A shared run makes an item a test of the wording.
    """
    found = shared_runs([one.texts for one in asked], target_sources(universe, folder))
    for number, shared in sorted(found.items()):
        level = "warning" if shared.where.endswith("_context") else "error"
        said = f"shares {shared.run!r} with {shared.where}"
        yield _finding(level, asked[number].field, said, "put the item into other words")


def form_findings(asked: list[Asked]) -> tuple[list[FormScore], list[Finding]]:
    """Form scores of all groups, and findings for those that give items away."""
    items = [one.item for one in asked if one.item is not None]
    scores = form_scores(items)
    findings = []
    for score in scores:
        if score.gives_away:
            often = "mostly" if score.accuracy > score.chance else "seldom"
            said = (
                f"form alone finds the keyed answer: {_share(score)}"
                if score.rule == "solver"
                else f"the keyed answer is {often} the one that the rule '{score.rule}' picks: {_share(score)}"
            )
            advice = "make the answers of an item alike in length, form and place"
            findings.append(_finding("warning", _group_field(score.group), said, advice, "form"))
    for rule in ("has a number", "has a name", "negative"):
        told = Counter(one.group for one in asked if one.item is not None and only_one(rule, one.item))
        total = Counter(one.group for one in asked)
        for group, count in told.items():
            if group != "neighbours" and count >= 3 and count > TOLD * total[group]:
                what = {"has a number": "has a number", "has a name": "has a name", "negative": "is negative"}[rule]
                said = f"in {count} of {total[group]} items the keyed answer alone {what}"
                findings.append(_finding("warning", group, said, "give the other answers the same form", "form"))
    return scores, findings


def _loader_says(path: Path) -> list[Finding]:
    """What the loader refuses beyond single rows: copies, questions that are none, marks of both sides, no items."""
    try:
        groups_present(path)
    except TargetError as error:
        field, _, problem = str(error).removeprefix(f"{path}: ").partition(": ")
        return [_finding("error", field if problem else "", problem or field, "see docs/formats-target.md")]
    return []


def _json_of(path: Path) -> dict[str, list[Any]]:
    """The groups of the file. Raises the loader's own TargetError where it cannot be read as groups of rows."""
    try:
        raw: dict[str, list[Any]] = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise TargetError(f"{path}: is nested too deeply") from None
    except (OSError, ValueError):
        raw = {}
    readable = isinstance(raw, dict) and raw and all(isinstance(rows, list) for rows in raw.values())
    if not readable or not set(raw) <= set(GROUPS):
        load_items(path)
        return {}
    return raw


def _named(check: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield finding.model_copy(update={"check": check})


def _share(score: FormScore) -> str:
    return f"{score.accuracy:.2f} [{score.low:.2f}, {score.high:.2f}] of {score.n} (chance {score.chance:.2f})"


def _group_field(group: str) -> str:
    return f"mcq_{group}" if f"mcq_{group}" in READERS else group


def _finding(level: Any, field: str, problem: str, advice: str, check: str = "loads") -> Finding:
    return Finding(level=level, check=check, file=FILE, field=field, problem=problem, advice=advice)
