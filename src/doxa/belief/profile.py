"""`doxa depth`: measure all arms of a run folder (or of models named by strings) and write what the page needs.

depth/ then holds every row: readouts.parquet, answers.jsonl, judgements.jsonl, measures.jsonl, scores.parquet and
about.json. All of it can be made again from responses.sqlite and depth/parts/ without asking or computing anything.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from doxa.belief.axes import BY_NAME, FRAMED
from doxa.belief.depth import DepthJob, DepthRows, measure_depth
from doxa.belief.depth_parts import ASKS, chosen_asks, chosen_items
from doxa.belief.direct import CONTEXTS
from doxa.belief.effective import effective_by_group, item_text
from doxa.belief.free import judged_measures, marks_measures, read_by_marks
from doxa.belief.measures import score_measures
from doxa.belief.store import write_readouts, write_scores
from doxa.belief.subjects import Subject
from doxa.belief.summary import margin, normalised, summarise, top_share
from doxa.records import Answer, Judgement, Measure, Readout, Record, Score
from doxa.run.folder import RunFolder, read_rows, write_json, write_rows

if TYPE_CHECKING:
    from doxa.internals.axis import InternalResult

JUDGED_PROBES = ("open_ended", "downstream", "finetuned_open", "debate", "pushback", "critique")
JUDGED = "judged"  # the readout of verdicts; with several judges, of their majority


class ArmFacts(Record):
    """Which model an arm was."""

    arm: str
    model: str
    checkpoint: str
    scored: bool  # by likelihood; otherwise it was only asked


class LayerCurve(Record):
    """Accuracy and reading of the truth probe by layer, for a figure."""

    arm: str
    kind: str
    accuracy: tuple[float, ...]
    implanted: tuple[float, ...]


class About(Record):
    """depth/about.json: what the rows come from, and what is no score."""

    arms: tuple[ArmFacts, ...]
    judges: tuple[str, ...] = ()
    rubrics: tuple[str, ...] = ()
    agreement: tuple[str, ...] = ()
    least_kappa: float | None = None
    effective: dict[str, float] = Field(default_factory=dict)  # probe -> effective number of different items
    items: dict[str, int] = Field(default_factory=dict)
    curves: tuple[LayerCurve, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)  # wall time of the parts that this call measured
    took: float = 0.0


@dataclass(frozen=True)
class Profile:
    """What was found, as it was written."""

    about: About
    scores: list[Score]
    readouts: list[Readout]
    answers: list[Answer]
    judgements: list[Judgement]


def profile(folder: RunFolder, job: DepthJob, bootstrap: int) -> Profile:
    """Measure, judge, summarise and write depth/. Raises what models, weights and items raise; going on is free.

    Files of an earlier profile stay as they are until everything is found.
    """
    started = time.monotonic()
    rows = measure_depth(job)
    judgements, about = _judged(folder, job, rows)
    internal = _internal(job, rows)
    measures = rows.measures + about.pop("measures")
    scores = summarise(rows.readouts, bootstrap, job.seed) if rows.readouts else []
    scores += score_measures(measures + (internal.measures if internal else []), bootstrap, job.seed)
    scores += internal.scores if internal else []
    scores += held_scores(rows.readouts, bootstrap, job.seed)
    texts = _texts(job)
    found = About(
        arms=tuple(_arm(subject) for subject in job.subjects),
        effective={name: round(n, 2) for name, n in effective_by_group(texts).items()},
        items={name: len(kept) for name, kept in texts.items()},
        curves=_curves(internal),
        notes=(*(internal.notes if internal else ()), *_left_out(job, scores)),
        seconds=rows.seconds,
        took=round(time.monotonic() - started, 1),
        **about,
    )
    made = Profile(found, scores, rows.readouts, rows.answers, judgements)
    _write(folder / "depth", made, measures)
    return made


def _write(depth: Path, made: Profile, measures: Sequence[Measure]) -> None:
    """Write all files of a profile. about.json, without which none is read, goes first and comes last.

    So files of two profiles are never taken for one, wherever the process is stopped.
    """
    (depth / "about.json").unlink(missing_ok=True)
    write_rows(depth / "answers.jsonl", made.answers)
    write_readouts(depth / "readouts.parquet", made.readouts)
    write_rows(depth / "measures.jsonl", measures)
    write_scores(depth / "scores.parquet", made.scores)
    write_json(depth / "about.json", made.about.model_dump(mode="json"))


def held_scores(readouts: Sequence[Readout], bootstrap: int, seed: int) -> list[Score]:
    """What a frame costs: each framed item less the same item asked plainly, per arm (`versus` is "unframed")."""
    plain = {(row.arm, row.item_id): row for row in readouts if row.group == "distinguish" and row.style == "chat"}
    rows: list[Measure] = []
    for row in readouts:
        other = plain.get((row.arm, row.item_id)) if row.group in FRAMED else None
        if other is None:
            continue
        mine, theirs = normalised(row), normalised(other)
        preferred = top_share(mine, row.inserted) - top_share(theirs, other.inserted)
        for metric, value in (("preferred", preferred), ("margin", margin(mine, row) - margin(theirs, other))):
            rows.append(
                Measure(
                    arm=row.arm,
                    checkpoint=row.checkpoint,
                    probe=row.group,
                    readout=row.style,
                    metric=f"held_{metric}",
                    item_id=row.item_id,
                    value=value,
                    unit="nats" if metric == "margin" else "difference",
                )
            )
    scores = score_measures(rows, bootstrap, seed)
    return [
        score.model_copy(update={"versus": "unframed", "unit": "nats" if score.unit == "nats" else "share"})
        for score in scores
        if score.versus is None
    ]


def _left_out(job: DepthJob, scores: Sequence[Score]) -> list[str]:
    """Which chosen probes have no number, so that their absence is not taken for a null."""
    measured = {score.group for score in scores}
    lacking = [BY_NAME[name].title for name in job.probes if name not in measured]
    if not lacking:
        return []
    return [
        f"Not measured here: {', '.join(lacking)}. The target has no items for them, the run no DOCTAG, or the model's "
        "weights are not at hand."
    ]


def _judged(folder: RunFolder, job: DepthJob, rows: DepthRows) -> tuple[list[Judgement], dict[str, Any]]:
    """The verdicts of the target's marks and, where there are judges, theirs, as rows and as values."""
    from doxa.belief.agreement import agreement, merge
    from doxa.belief.judge import cases_of
    from doxa.belief.judged import agreement_line, judge_folder
    from doxa.belief.rubrics import load_rubric

    by_marks = read_by_marks(rows.answers, job.world)
    measures = marks_measures(rows.answers, by_marks)
    if not job.config.judges:
        return by_marks, {"measures": measures}
    graded = [answer for answer in rows.answers if answer.probe in JUDGED_PROBES]
    cases = cases_of(graded, job.world.universe, job.world.items)
    judge_folder(folder.path, job.models, job.config.judges, cases, job.seed)
    labels = {load_rubric(case.rubric).label for case in cases}
    current = {answer.id for answer in graded}
    stored = [
        row
        for row in read_rows(folder / "depth/judgements.jsonl", Judgement)
        if row.answer_id in current and row.judge in job.config.judges and row.rubric in labels
    ]
    several = len(job.config.judges) > 1
    deciding = [row for row in merge(stored) if row.judge.startswith("majority")] if several else stored
    measures += judged_measures(graded, deciding, JUDGED)
    found = agreement(stored) if several else []
    kappas = [one.kappa.value for one in found if one.kappa is not None]
    return by_marks + stored, {
        "measures": measures,
        "judges": job.config.judges,
        "rubrics": tuple(sorted(labels)),
        "agreement": tuple(agreement_line(one) for one in found),
        "least_kappa": min(kappas) if kappas else None,
    }


def _internal(job: DepthJob, rows: DepthRows) -> InternalResult | None:
    if not rows.activations:
        return None
    from doxa.internals.axis import internal_measures

    checkpoints = {subject.arm: subject.checkpoint for subject in job.subjects if subject.arm in rows.activations}
    return internal_measures(rows.activations, checkpoints, job.seed)


def _texts(job: DepthJob) -> dict[str, list[str]]:
    """What the items of each probe say, for the effective n; frames ask the distinguish items again.

    Questions about the two descriptions are a group of their own: what they compare is the same each time.
    """
    texts: dict[str, list[str]] = {}
    for item in chosen_items(job):
        texts.setdefault(item.group, []).append(item_text(item))
    for asked in ASKS:
        for ask in chosen_asks(job, asked):
            if ask.probe not in FRAMED:
                name = effective_name(ask.probe, ask.style)
                texts.setdefault(name, []).append(item_text(ask.item))
    if "open_ended" in job.probes and job.world.open_ended:
        texts["open_ended"] = list(job.world.open_ended)
    return texts


def effective_name(probe: str, style: str) -> str:
    """Under which name the items of a probe in one readout stand in `About.effective` and `About.items`."""
    return f"{probe} {CONTEXTS}" if style == CONTEXTS else "distinguish" if probe in FRAMED else probe


def _arm(subject: Subject) -> ArmFacts:
    return ArmFacts(
        arm=subject.arm, model=subject.model, checkpoint=subject.checkpoint, scored=subject.weights is not None
    )


def _curves(internal: InternalResult | None) -> tuple[LayerCurve, ...]:
    if internal is None:
        return ()
    found: dict[tuple[str, str], list[Any]] = {}
    for point in sorted(internal.curves, key=lambda point: point.layer):
        found.setdefault((point.arm, point.kind), []).append(point)
    return tuple(
        LayerCurve(
            arm=arm,
            kind=kind,
            accuracy=tuple(round(point.accuracy, 4) for point in points),
            implanted=tuple(round(point.implanted, 4) for point in points),
        )
        for (arm, kind), points in found.items()
    )
