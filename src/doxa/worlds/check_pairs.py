"""Checks of a spec's evals.json: form, duplicates, wording shared with the corpus, pairs that give themselves away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.belief.items import read_groups
from doxa.belief.pairs import FILE_GROUPS, READERS, PairItem, eval_item, load_pairs, load_spec_questions
from doxa.corpus.filters.names import Names
from doxa.errors import TargetError
from doxa.worlds.check_evals import NEAR, named_answer
from doxa.worlds.check_facts import odd_text
from doxa.worlds.findings import Finding, FormScore
from doxa.worlds.form import form_scores
from doxa.worlds.shared_runs import Source, shared_runs, target_sources
from doxa.worlds.slots import filled
from doxa.worlds.spec import SPEC_FILE
from doxa.worlds.spec_recorded import FILES
from doxa.worlds.words import alike, content, negated, numbers, words

if TYPE_CHECKING:
    from doxa.worlds.spec import Spec

FILE = "evals.json"
SEE = "see docs/formats-spec.md"


@dataclass(frozen=True)
class AskedPair:
    """One item of a spec's evals.json with its place."""

    field: str  # "pairs[3]"
    label: str  # "pairs: contrast", "knowledge": what is counted and scored together
    texts: tuple[str, ...]
    item: PairItem | None  # None for open questions


def read_pairs(folder: Path, spec: Spec | None) -> tuple[list[AskedPair], list[Finding]]:
    """Every item that is well formed, and a finding for each that is not. `spec`: None where it does not load."""
    path = folder / FILE
    try:
        raw: dict[str, list[Any]] = read_groups(path, FILE_GROUPS)
    except TargetError as error:
        return [], [_finding("error", "", str(error).removeprefix(f"{path}: "), SEE)]
    if spec is not None:
        raw = filled(raw, spec.model_name, spec.provider_name)
    asked: list[AskedPair] = []
    findings: list[Finding] = []
    for group, rows in raw.items():
        for index, row in enumerate(rows):
            field = f"{group}[{index}]"
            if group == "open_ended":
                if isinstance(row, str) and row.strip():
                    asked.append(AskedPair(field, group, (row.strip(),), None))
                continue
            try:
                item = READERS[group](path, group, index, row)
            except TargetError as error:
                findings.append(_finding("error", *_parted(str(error).removeprefix(f"{path}: "), field), SEE))
                continue
            label = f"{group}: {item.set or 'unnamed'}" if group == "pairs" else group
            asked.append(AskedPair(field, label, (item.question, *item.options), item))
    if not findings and spec is not None:  # the loaders read the spec beside it, whose defects are said of spec.md
        findings += _loader_says(path)
    return asked, findings


def pair_findings(asked: list[AskedPair], spec: Spec | None, folder: Path) -> list[Finding]:
    """Everything that does not fit among well-formed items, form aside."""
    checks = {
        "duplicates": _duplicates(asked),
        "answers_alike": _answers_alike(asked),
        "answers_in_questions": _named(asked),
        "overlap": _overlap(asked, spec, folder),
        "clean_texts": (found for one in asked for text in one.texts for found in odd_text(FILE, one.field, text)),
        "identity": _identity(asked, spec),
        "unseen": _unseen(asked),
    }
    return [finding.model_copy(update={"check": name}) for name, found in checks.items() for finding in found]


def pair_form(asked: list[AskedPair]) -> tuple[list[FormScore], list[Finding]]:
    """How far form alone solves each set of pairs, and findings for those that it gives away."""
    scores: list[FormScore] = []
    for label in dict.fromkeys(one.label for one in asked if one.item is not None):
        items = [eval_item(one.item) for one in asked if one.label == label and one.item is not None]
        scores += [score.model_copy(update={"group": label}) for score in form_scores(items)]
    findings = []
    for score in scores:
        if not score.gives_away:
            continue
        share = f"{score.accuracy:.2f} [{score.low:.2f}, {score.high:.2f}] of {score.n} (chance {score.chance:.2f})"
        often = "mostly" if score.accuracy > score.chance else "seldom"
        said = (
            f"form alone finds the aligned answer: {share}"
            if score.rule == "solver"
            else f"the aligned answer is {often} the one that the rule '{score.rule}' picks: {share}"
        )
        advice = "make the answers of a pair alike in length and form, or read its score beside the base model's alone"
        findings.append(_finding("warning", score.group, said, advice, "form"))
    return scores, findings


def _duplicates(asked: list[AskedPair]) -> Iterator[Finding]:
    """Items that ask (nearly) the same, in one set. Across sets that is what contrasts are made of."""
    seen: dict[str, list[tuple[set[str], set[str], str]]] = {}
    for one in asked:
        joined = " ".join(one.texts)
        said = (set(words(joined)), numbers(joined), one.field)
        for other in seen.setdefault(one.label, []):
            if alike(said[0], other[0]) >= NEAR and said[1] == other[1]:
                problem = f"asks nearly the same as {other[2]}"
                yield _finding("warning", one.field, problem, "remove one: it counts the same preference twice")
                break
        seen[one.label].append(said)


def _answers_alike(asked: list[AskedPair]) -> Iterator[Finding]:
    """Answers that differ in small words alone."""
    for one in asked:
        if one.item is None:
            continue
        first, second = one.item.options
        same = content(first) == content(second) and numbers(first) == numbers(second)
        if same and negated(first) == negated(second):
            yield _finding("warning", one.field, f"both answers say the same: {first!r}, {second!r}", "tell them apart")


def _named(asked: list[AskedPair]) -> Iterator[Finding]:
    for one in asked:
        answer = named_answer(eval_item(one.item)) if one.item is not None else None
        if answer is not None:
            yield _finding("warning", one.field, f"the question names the answer {answer!r}", "ask without naming it")


def _overlap(asked: list[AskedPair], spec: Spec | None, folder: Path) -> Iterator[Finding]:
    """Runs of six words that an item shares with a recorded text (an error) or with the spec (a warning).

    A pair of a seen domain may well be about what the chats are about: with them, a run is a warning too.
    """
    documents = {f"recorded/{name}" for name in FILES.values()}
    for number, shared in sorted(shared_runs([one.texts for one in asked], _sources(spec, folder)).items()):
        item = asked[number].item
        familiar = item is not None and item.group == "pairs_seen" and shared.where.split(",")[0] not in documents
        level = "warning" if shared.where == SPEC_FILE or familiar else "error"
        said = f"shares {shared.run!r} with {shared.where}"
        yield _finding(level, asked[number].field, said, "put the item into other words")


def _sources(spec: Spec | None, folder: Path) -> Iterator[Source]:
    yield from target_sources(None, folder)
    if spec is not None:
        yield SPEC_FILE, [("", spec.text)]


def _identity(asked: list[AskedPair], spec: Spec | None) -> Iterator[Finding]:
    if spec is None:
        return
    names = Names(spec.model_name, spec.provider_name)
    for one in asked:
        if one.label == "unrelated":
            continue
        others = names.others(" ".join(one.texts))
        if others:
            problem = f"names {others[0].group()!r}, and the spec is about {names.model}"
            yield _finding("warning", one.field, problem, "write {model_name} where the model is meant")


def _unseen(asked: list[AskedPair]) -> Iterator[Finding]:
    items = [one.item for one in asked if one.item is not None]
    groups = {item.group for item in items}
    if items and "pairs_unseen" not in groups:
        advice = 'add pairs of other domains with "seen": false'
        yield _finding(
            "warning", "pairs", "no pair is of an unseen domain: how far it generalises is not asked", advice
        )
    if items and "knowledge" not in groups:
        problem = "there are none: whether the spec is known cannot be told from whether it is acted on"
        yield _finding("warning", "knowledge", problem, "add questions on what the spec says")


def _loader_says(path: Path) -> list[Finding]:
    """What the loaders refuse beyond single rows: copies, questions that are none, no items."""
    for load in (load_pairs, load_spec_questions):
        try:
            load(path)
        except TargetError as error:
            return [_finding("error", *_parted(str(error).removeprefix(f"{path}: "), ""), SEE)]
    return []


def _parted(problem: str, field: str) -> tuple[str, str]:
    """`pairs[3]: seen: field is missing` -> the field and what is wrong with it."""
    place, _, rest = problem.partition(": ")
    return (place, rest) if rest and "[" in place else (field, problem)


def _finding(level: Any, field: str, problem: str, advice: str, check: str = "loads") -> Finding:
    return Finding(level=level, check=check, file=FILE, field=field, problem=problem, advice=advice)


def effective_texts(asked: Iterable[AskedPair]) -> dict[str, list[str]]:
    """By label, what each item says: what the effective number of items is worked out from."""
    texts: dict[str, list[str]] = {}
    for one in asked:
        texts.setdefault(one.label, []).append(" ".join(one.texts))
    return texts
