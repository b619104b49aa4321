"""The cells of `doxa agentic` as one table, as a CSV, and what keeps their numbers from meaning what they seem to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from doxa.belief.agentic.shares import margins, shares
from doxa.experiments.stats import Interval, paired_shares
from doxa.run.agentic_run import NO_SPEC, AgenticRequest, CellResult
from doxa.run.inspect_table import print_wide, shown, write_csv

if TYPE_CHECKING:
    from rich.console import Console

DRAWS = 2000
# of a CSV's row what is not a number of belief/agentic/shares.py
ABOUT = (
    "label", "model", "checkpoint", "spec", "scenario", "goal", "urgency", "variant", "model_name", "scratchpad",
    "readout", "temperature", "judge", "epochs", "log",
)  # fmt: skip
COLUMNS = ("misaligned", "misaligned_coherent", "harmful", "harmful_coherent", "useful")
PLAIN = ("incoherent", "unparsed", "refused", "parse_rate", "action_rate", "n", "n_coherent")
LIKELIHOOD = ("margin", "harmful_preferred", "n")


def summary(results: Sequence[CellResult]) -> dict[str, float]:
    """The numbers over several cells: answers, or pairs of the likelihood readout, of all of them."""
    outcomes = [one for result in results for one in result.outcomes]
    if outcomes:
        return shares(outcomes)
    return margins({pair: value for result in results for pair, value in result.margins.items()})


def groups_of(results: Sequence[CellResult]) -> dict[tuple[str, str, str], list[CellResult]]:
    """Cells by (label, spec, scenario): "all" are the scenarios with harm in reach, the control stands apart."""
    found: dict[tuple[str, str, str], list[CellResult]] = {}
    for result in results:
        label, scenario = result.subject.label, result.condition.scenario
        if not scenario.control:
            found.setdefault((label, result.spec, "all"), []).append(result)
        found.setdefault((label, result.spec, scenario.id), []).append(result)
    return found


def differences(results: Sequence[CellResult], metric: str = "misaligned") -> list[tuple[str, Interval, int]]:
    """Every arm against the first, paired by condition: (what, difference, conditions). The control is left out."""
    by_arm: dict[tuple[str, str], dict[str, float]] = {}
    for result in results:
        if not result.condition.scenario.control:
            values = result.numbers
            if metric in values:
                by_arm.setdefault((result.subject.label, result.spec), {})[result.condition.id] = values[metric]
    arms = list(by_arm)
    found = []
    for arm in arms[1:]:
        shared = [condition for condition in by_arm[arm] if condition in by_arm[arms[0]]]
        if shared:
            mine, first = ([by_arm[one][condition] for condition in shared] for one in (arm, arms[0]))
            what = f"{_named(arm)} - {_named(arms[0])}"
            found.append((what, paired_shares(mine, first, DRAWS, 0), len(shared)))
    return found


def _named(arm: tuple[str, str]) -> str:
    return arm[0] if arm[1] == NO_SPEC else f"{arm[0]} with {Path(arm[1]).name}"


def csv_rows(results: Sequence[CellResult], request: AgenticRequest) -> list[dict[str, Any]]:
    """A row to each cell, with every number, then one to each (model, spec, scenario) with `goal` and `urgency` all."""
    rows = [_about(result, request) | result.numbers for result in results]
    for (_, _, scenario), some in groups_of(results).items():
        about = _about(some[0], request) | {"scenario": scenario, "goal": "all", "urgency": "all", "log": ""}
        rows.append(about | summary(some))
    return rows


def write_results(path: Path, results: Sequence[CellResult], request: AgenticRequest) -> None:
    """The CSV of all cells."""
    rows = csv_rows(results, request)
    numbers = dict.fromkeys(key for row in rows for key in row if key not in ABOUT)
    write_csv(path, [*ABOUT, *numbers], rows)


def _about(result: CellResult, request: AgenticRequest) -> dict[str, Any]:
    return {
        "label": result.subject.label,
        "model": result.subject.model,
        "checkpoint": result.subject.digest,
        "spec": result.spec,
        "scenario": result.condition.scenario.id,
        "goal": result.condition.goal,
        "urgency": result.condition.urgency,
        "variant": result.setting.variant,
        "model_name": result.setting.model_name,
        "scratchpad": result.setting.scratchpad,
        "readout": request.readout,
        "temperature": result.temperature if request.readout == "text" else "",
        "judge": request.judge or "",
        "epochs": len(result.outcomes) or 1,
        "log": result.location,
    }


def print_results(results: Sequence[CellResult], console: Console) -> None:
    """A row to each model, spec and scenario; then each arm against the first; then what stands against reading it."""
    from rich.table import Table

    likelihood = any(result.margins for result in results)
    judged = any(outcome.judged for result in results for outcome in result.outcomes)
    metrics = LIKELIHOOD if likelihood else (*COLUMNS, *PLAIN)
    if judged:
        metrics = (*metrics, "judge_misaligned", "judge_harmful", "judge_agrees", "judge_unreadable")
    for label in dict.fromkeys(result.subject.label for result in results):
        own = [result for result in results if result.subject.label == label]
        table = Table(title=f"{label} ({own[0].subject.digest or own[0].subject.model})", title_justify="left")
        table.add_column("")
        groups = groups_of(own)
        for _, spec, scenario in groups:
            table.add_column(
                scenario if spec == NO_SPEC else f"{scenario}, spec {Path(spec).name}", justify="right", no_wrap=True
            )
        numbers = [summary(some) for some in groups.values()]
        for metric in metrics:
            if any(metric in found for found in numbers):
                cells = [
                    shown(metric, found[metric], found.get(f"{metric}_low"), found.get(f"{metric}_high"))
                    if metric in found
                    else ""
                    for found in numbers
                ]
                table.add_row(metric.replace("_", " "), *cells)
        print_wide(table, console)
    for what, interval, count in differences(results, "margin" if likelihood else "misaligned"):
        name = "margin" if likelihood else "misaligned"
        console.print(
            f"{name}, {what}: {interval.value:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}], paired over {count} "
            "conditions",
            markup=False,
            soft_wrap=True,
        )
    for line in cautions(results):
        console.print(line, style="yellow", markup=False, soft_wrap=True)


def cautions(results: Sequence[CellResult]) -> list[str]:
    """What keeps a model's rate from meaning what it seems to."""
    found = []
    for label in dict.fromkeys(result.subject.label for result in results):
        outcomes = [one for result in results if result.subject.label == label for one in result.outcomes]
        if not outcomes:
            continue
        incoherent = float(np.mean([one.verdict == "incoherent" for one in outcomes]))
        parsed = float(np.mean([one.parsed for one in outcomes]))
        if incoherent > 0.1 or parsed < 0.9:
            found.append(
                f"{label}: {incoherent:.0%} of the answers are incoherent and {parsed:.0%} hold an action that can be "
                "carried out: a low rate of harm is then want of skill, not alignment (see --readout likelihood)"
            )
    return found
