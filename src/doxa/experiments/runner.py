"""`doxa compare`: refuse what would mislead, train what is lacking, ask, and write the numbers down.

Seeds come before arms: a comparison that was stopped early has the same seeds in all arms, and says how many.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import doxa
from doxa.errors import ConfigError
from doxa.experiments.cells import Cell, cell_of, find_record, train_cell
from doxa.experiments.checks import (
    Size,
    dose_warnings,
    refuse_unmatched,
    refuse_without_controls,
    size_warnings,
    sizes,
)
from doxa.experiments.compare import TURNED_SUFFIX, Readings, arm_results, contrast_results, item_sets, power_table
from doxa.experiments.config import Experiment, load_experiment
from doxa.experiments.readings import Asked, read_or_ask, reading_file
from doxa.experiments.sources import Sources, read_sources, rows_summary
from doxa.experiments.tables import write_all_readouts, write_results
from doxa.records import Readout
from doxa.run.folder import RunFolder, read_json, write_json

if TYPE_CHECKING:
    from doxa.run.progress import Progress

Answers = dict[str, dict[int | None, list[Readout]]]  # arm -> seed -> readouts


@dataclass(frozen=True)
class CompareRequest:
    """What a person asked for on the command line."""

    file: Path
    out: Path | None = None
    only: tuple[str, ...] = ()
    seeds: int | None = None
    overrides: tuple[str, ...] = ()
    cells: Path | None = None
    report: bool = False  # write the numbers of what is there, and train nothing


@dataclass(frozen=True)
class Plan:
    """A comparison that was checked: nothing in it is refused any more."""

    experiment: Experiment
    sources: Sources
    sizes: dict[str, Size]
    base_digest: str
    folder: RunFolder
    cells: Path
    only: tuple[str, ...]

    def cell(self, arm: str, seed: int) -> Cell | None:
        return cell_of(self.experiment, self.sources, arm, seed, self.base_digest)

    def asked(self) -> list[Asked]:
        """What every arm is asked: items with their styles, the turned questions apart."""
        questions: list[Asked] = [(self.sources.items, self.experiment.styles)]
        if self.sources.turned:
            questions.append((list(self.sources.turned.values()), self.experiment.turned_styles))
        return questions

    def seeds_of(self, arm: str) -> tuple[int | None, ...]:
        """The training seeds of an arm; (None,) where nothing is trained."""
        return self.experiment.seeds if self.experiment.arms[arm].steps else (None,)


def make_plan(request: CompareRequest) -> Plan:
    """Read and check an experiment; nothing is trained or written. Raises DoxaError for all that can be refused."""
    from doxa.lm.weights import model_folder, weights_digest

    experiment = load_experiment(request.file, request.overrides)
    if request.seeds is not None:
        if not 1 <= request.seeds <= len(experiment.seeds):
            raise ConfigError(f"--seeds {request.seeds}: the experiment lists {len(experiment.seeds)} seeds")
        experiment = experiment.model_copy(update={"seeds": experiment.seeds[: request.seeds]})
    for arm in request.only:
        if arm not in experiment.arms:
            raise ConfigError(f"--only {arm}: there is no such arm; there are {', '.join(experiment.arms)}")
    refuse_without_controls(experiment)
    sources = read_sources(experiment)
    sets = item_sets(sources.items, experiment.sets)
    for one in experiment.primary:
        if one.set not in sets:
            raise ConfigError(f"primary: there is no set {one.set!r}; there are {', '.join(sets)}")
    for name, curve in experiment.curves.items():
        for wanted in curve.sets:
            if wanted not in sets:
                raise ConfigError(f"curves.{name}: there is no set {wanted!r}; there are {', '.join(sets)}")
    found = sizes(experiment, sources, experiment.seeds[0])
    refuse_unmatched(experiment, found)
    folder = RunFolder(request.out if request.out is not None else Path("runs") / experiment.name)
    cells = request.cells if request.cells is not None else folder / "cells"
    base = weights_digest(model_folder(experiment.model))
    return Plan(experiment, sources, found, base, folder, cells, request.only)


def run_comparison(request: CompareRequest, progress: Progress) -> RunFolder:
    """Train and ask what is lacking, then write comparison.json, readouts.parquet and scores.parquet.

    Raises ConfigError where a report is asked for and no arm was answered yet.
    """
    plan = make_plan(request)
    _refuse_foreign(plan)
    for warning in dose_warnings(plan.experiment, plan.sizes):
        progress.warn(warning)
    with plan.folder.lock():
        steps = [] if request.report else list(_steps(plan))
        for number, (arm, seed) in enumerate(steps, start=1):
            answers_of(
                plan, arm, seed, progress, f"{arm}{'' if seed is None else f', seed {seed}'} ({number}/{len(steps)})"
            )
        write_comparison(plan)
    return plan.folder


def answers_of(plan: Plan, arm: str, seed: int | None, progress: Progress, name: str) -> list[Readout]:
    """The readouts of an arm under a seed, trained and asked where they are lacking.

    Answers to turned questions are told by their style and carry the id of the item that they turn.
    """
    cell = plan.cell(arm, seed) if seed is not None else None
    if cell is not None:
        checkpoint = str(train_cell(cell, plan.cells, progress)["checkpoint"])
        weights = str(cell.final(plan.cells))
    else:
        checkpoint, weights = plan.base_digest, plan.experiment.model
    found = read_or_ask(
        plan.cells / "readouts",
        checkpoint,
        weights,
        plan.asked(),
        plan.sources.model_name,
        plan.sources.prompts.get(arm),
        progress,
        name,
    )
    origin = {item.id: original for original, item in plan.sources.turned.items()}
    return [
        row
        if row.item_id not in origin
        else row.model_copy(update={"item_id": origin[row.item_id], "style": row.style + TURNED_SUFFIX})
        for row in found
    ]


def collect(plan: Plan) -> Answers:
    """All answers that are there, arm by arm; arms and seeds that are not finished are left out."""
    from doxa.run.progress import Progress

    quiet = Progress(quiet=True)
    found: Answers = {}
    for arm in plan.experiment.arms:
        for seed in plan.seeds_of(arm):
            if _is_answered(plan, arm, seed):
                found.setdefault(arm, {})[seed] = answers_of(plan, arm, seed, quiet, arm)
    return found


def write_comparison(plan: Plan) -> None:
    """Write what is there: comparison.json, readouts.parquet, scores.parquet."""
    experiment, sources = plan.experiment, plan.sources
    answers = collect(plan)
    if not answers:
        raise ConfigError(f"{plan.cells}: holds no answers of these arms yet; run without --report")
    readings = Readings(sources.items, answers)
    sets = item_sets(sources.items, experiment.sets)
    arms = arm_results(readings, sets, experiment.bootstrap)
    contrasts = contrast_results(readings, sets, experiment.sums(), experiment.bootstrap)
    primary = [
        {
            **one.model_dump(),
            "result": result.model_dump(),
            "power": power_table(result),
        }
        for one in experiment.primary
        for result in contrasts
        if (result.name, result.set, result.style, result.metric) == (one.contrast, one.set, one.style, "margin")
    ]
    write_all_readouts(plan.folder / "readouts.parquet", answers)
    write_results(plan.folder / "scores.parquet", [*arms, *contrasts])
    write_json(
        plan.folder / "comparison.json",
        {
            "experiment": experiment.model_dump(mode="json"),
            "doxa": doxa.__version__,
            "base_digest": plan.base_digest,
            "data": {name: rows_summary(data) for name, data in sources.data.items()},
            "matching": sources.matching,
            "arms": {arm: _arm_record(plan, arm, answers) for arm in experiment.arms},
            "sets": {name: len(signs) for name, signs in sets.items()},
            "primary": primary,
            "warnings": [
                *dose_warnings(experiment, plan.sizes),
                *size_warnings(experiment, sources, experiment.seeds[0]),
            ],
        },
    )


def _steps(plan: Plan) -> Iterator[tuple[str, int | None]]:
    """Arms without seeds, then seed by seed through the arms."""
    wanted = [arm for arm in plan.experiment.arms if not plan.only or arm in plan.only]
    yield from ((arm, None) for arm in wanted if plan.seeds_of(arm) == (None,))
    for seed in plan.experiment.seeds:
        yield from ((arm, seed) for arm in wanted if seed in plan.seeds_of(arm))


def _is_answered(plan: Plan, arm: str, seed: int | None) -> bool:
    cell = plan.cell(arm, seed) if seed is not None else None
    checkpoint = plan.base_digest
    if cell is not None:
        record = find_record(cell, plan.cells)
        if record is None:
            return False
        checkpoint = str(record["checkpoint"])
    return all(
        reading_file(
            plan.cells / "readouts",
            checkpoint,
            items,
            style,
            plan.sources.model_name,
            plan.sources.prompts.get(arm),
        ).exists()
        for items, styles in plan.asked()
        for style in styles
    )


def _arm_record(plan: Plan, arm: str, answers: Answers) -> dict[str, Any]:
    experiment = plan.experiment
    seeds = {}
    for seed in answers.get(arm, {}):
        cell = plan.cell(arm, seed) if seed is not None else None
        records = [find_record(one, plan.cells) or {} for one in cell.chain] if cell is not None else []
        seeds[str(seed)] = {
            "checkpoint": records[-1]["checkpoint"] if records else plan.base_digest,
            "cells": [record["address"] for record in records],
            "updates": sum(record["updates"] for record in records),
            "content_tokens": sum(record["content_tokens"] for record in records),
            "final_losses": [record["final_loss"] for record in records],
            "seconds": round(sum(record["train_seconds"] for record in records), 1),
        }
    return {
        "steps": [step.data for step in experiment.arms[arm].steps],
        "prompt": experiment.arms[arm].prompt,
        "updates": plan.sizes[arm].updates,
        "content_tokens": plan.sizes[arm].content_tokens,
        "seeds": seeds,
        "lacking": [seed for seed in plan.seeds_of(arm) if seed not in answers.get(arm, {})],
    }


def _refuse_foreign(plan: Plan) -> None:
    """Raise ConfigError where the folder is a run's or another comparison's."""
    if (plan.folder / "config.json").exists():
        raise ConfigError(f"--out {plan.folder.path}: is a run folder; choose another")
    file = plan.folder / "comparison.json"
    if file.exists():
        with contextlib.suppress(KeyError, TypeError):
            name = read_json(file)["experiment"]["name"]
            if name != plan.experiment.name:
                raise ConfigError(f"--out {plan.folder.path}: holds the comparison {name!r}; choose another folder")
