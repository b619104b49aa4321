"""An evaluation of values from end to end: measure, judge, summarise, and write values/.

values/ holds every row: readouts.parquet, answers.jsonl, judgements.jsonl, measures.jsonl, scores.parquet and
about.json. All of it can be made again from responses.sqlite and values/parts/ without asking or computing anything.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from doxa.belief.measures import score_measures
from doxa.belief.monitor import PROBE as MONITOR
from doxa.belief.pair_forms import form_table
from doxa.belief.pair_scores import summarise_pairs
from doxa.belief.rubrics import load_rubric
from doxa.belief.store import write_readouts, write_scores
from doxa.belief.values_job import ValuesJob, ValuesRows
from doxa.belief.values_judge import judge_values, value_cases
from doxa.belief.values_parts import measure_values
from doxa.records import Judgement, Measure, Record, Score
from doxa.run.folder import RunFolder, write_json, write_rows

VALUES = "values"


class ArmFacts(Record):
    """Which model an arm was."""

    arm: str
    model: str
    checkpoint: str
    scored: bool  # by likelihood; otherwise it was only asked
    context: bool  # whether the spec stood in its prompt


class About(Record):
    """values/about.json: what the rows come from, and what is no score."""

    target: str
    target_digest: str
    opposite: str
    arms: tuple[ArmFacts, ...]
    settings: dict[str, Any]
    forms_version: int
    words: dict[str, tuple[str, ...]]  # the stems that name the spec's value and the other one
    judges: tuple[str, ...] = ()
    rubrics: tuple[str, ...] = ()
    agreement: tuple[str, ...] = ()
    items: dict[str, int] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)  # wall time of the parts that this call measured
    took: float = 0.0


@dataclass(frozen=True)
class ValuesResult:
    """What was found, as it was written."""

    about: About
    scores: list[Score]
    rows: ValuesRows
    judgements: list[Judgement]


def evaluate_values(folder: RunFolder, job: ValuesJob) -> ValuesResult:
    """Measure, judge, summarise and write values/. Raises what models, weights and items raise; going on is free.

    Files of an earlier evaluation stay as they are until everything is found.
    """
    started = time.monotonic()
    rows = measure_values(job)
    judgements, judged, agreed, rubrics = _judged(folder, job, rows)
    measures = [*rows.measures, *judged]
    scores = _scores(job, rows, measures)
    about = About(
        target=job.target.name,
        target_digest=job.target.digest,
        opposite=job.target.opposite.id if job.target.opposite is not None else "",
        arms=tuple(
            ArmFacts(
                arm=one.arm,
                model=one.model,
                checkpoint=one.checkpoint,
                scored=one.weights is not None,
                context=one.context is not None,
            )
            for one in job.subjects
        ),
        settings=job.settings.model_dump(mode="json"),
        forms_version=form_table().version,
        words={"own": tuple(sorted(job.words.own)), "other": tuple(sorted(job.words.other))},
        judges=job.settings.judges,
        rubrics=rubrics,
        agreement=tuple(agreed),
        items=_counts(job),
        notes=tuple(rows.notes),
        seconds=rows.seconds,
        took=round(time.monotonic() - started, 1),
    )
    made = ValuesResult(about, scores, rows, judgements)
    _write(folder / VALUES, made, measures)
    return made


def _write(place: Path, made: ValuesResult, measures: list[Measure]) -> None:
    """Write all files; about.json goes first and comes last: files of two evaluations are never taken for one."""
    (place / "about.json").unlink(missing_ok=True)
    write_rows(place / "answers.jsonl", made.rows.answers)
    write_readouts(place / "readouts.parquet", made.rows.readouts)
    write_rows(place / "measures.jsonl", measures)
    write_scores(place / "scores.parquet", made.scores)
    write_json(place / "about.json", made.about.model_dump(mode="json"))


def _scores(job: ValuesJob, rows: ValuesRows, measures: list[Measure]) -> list[Score]:
    pairs = [row for row in rows.readouts if row.group != MONITOR]
    scores: list[Score] = []
    if pairs:
        scores += summarise_pairs(pairs, job.target.pairs, job.settings.bootstrap, job.settings.seed)
    return scores + score_measures(measures, job.settings.bootstrap, job.settings.seed)


def _judged(
    folder: RunFolder, job: ValuesJob, rows: ValuesRows
) -> tuple[list[Judgement], list[Measure], list[str], tuple[str, ...]]:
    if not job.settings.judges:
        return [], [], [], ()
    cases = value_cases(job.target, rows.answers, job.settings.probes)
    said, measures, agreed = judge_values(
        folder.path, job.models, job.settings.judges, cases, job.sets, job.settings.seed
    )
    return said, measures, agreed, tuple(sorted({load_rubric(case.rubric).label for case in cases}))


def _counts(job: ValuesJob) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in job.target.pairs:
        for name in (item.group, f"{item.group}/{item.set}") if item.set else (item.group,):
            found[name] = found.get(name, 0) + 1
    return found
