"""The numbers of an Inspect task on several models, side by side: a table for a terminal, and rows for a CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.run.folder import write_whole
from doxa.run.inspect_subjects import BASE, Subject

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from doxa.experiments.stats import Interval
    from doxa.run.inspect_logs import Facts, Line

FIELDS = ("task", "model", "label", "checkpoint", "scorer", "metric", "value", "low", "high", "answers", "items")


COUNTS = ("n", "n_coherent", "items", "conditions")
LABEL, CELL = 24, 24  # characters: a metric's name; "-0.00 [-0.00, -0.00]" and its frame


@dataclass(frozen=True)
class Column:
    """One model's numbers."""

    subject: Subject
    facts: Facts
    lines: Sequence[Line]
    items: Mapping[str, Mapping[str, float]]  # scorer -> item -> mean value


def read_column(subject: Subject, log: Any) -> Column:
    """A log as a column."""
    from doxa.run.inspect_logs import facts_of, item_means, lines_of

    lines = lines_of(log)
    items = {scorer: item_means(log, scorer) for scorer in dict.fromkeys(line.scorer for line in lines)}
    return Column(subject, facts_of(log), lines, items)


def print_table(task: str, columns: Sequence[Column], console: Console) -> None:
    """A column to each model; of a run alone, the paired difference of its last weights and its base too."""
    from rich.table import Table

    pair = _base_and_last(columns)
    table = Table(title=task, title_justify="left")
    table.add_column("")
    for column in columns:
        table.add_column(column.subject.label, justify="right", no_wrap=True)
    if pair is not None:
        table.add_column(f"{pair[1].subject.label} - {pair[0].subject.label}", justify="right", no_wrap=True)
    for name, show in ABOUT.items():
        table.add_row(name, *(show(column.facts) for column in columns), *([""] if pair is not None else []))
    for scorer, metric in dict.fromkeys((line.scorer, line.metric) for column in columns for line in column.lines):
        cells = [_cell(column, scorer, metric) for column in columns]
        if pair is not None:
            cells.append(_difference(pair, scorer, metric))
        table.add_row(metric if len({line.scorer for line in columns[0].lines}) < 2 else f"{scorer}: {metric}", *cells)
    print_wide(table, console)
    for column in columns:
        weights = f"weights {column.facts.weights}" if column.facts.weights else column.subject.model
        console.print(f"{column.subject.label}: {weights}; log {column.facts.location}", markup=False, soft_wrap=True)


def print_wide(table: Table, console: Console) -> None:
    """Print a table whole: where the terminal is narrower, its lines run over rather than its numbers."""
    before = console.width
    console.width = max(before, LABEL + CELL * len(table.columns))
    try:
        console.print(table)
    finally:
        console.width = before


ABOUT: dict[str, Callable[[Facts], str]] = {
    "answers": lambda facts: str(facts.answers),
    "items": lambda facts: str(facts.items),
    "failed samples": lambda facts: f"{facts.errors:.2f}",
    "answers not read": lambda facts: "not said" if facts.unread is None else f"{facts.unread:.2f}",
    "temperature": lambda facts: "provider's" if facts.temperature is None else f"{facts.temperature:g}",
}


def shown(metric: str, value: float, low: float | None = None, high: float | None = None) -> str:
    """A number with its interval; counts as counts."""
    if value != value:
        return "none"
    counts = metric.rpartition("/")[2].removeprefix("judge_") in COUNTS
    text = f"{value:.0f}" if counts else f"{value:.2f}"
    return text if low is None or high is None else f"{text} [{low:.2f}, {high:.2f}]"


def _cell(column: Column, scorer: str, metric: str) -> str:
    found = next((line for line in column.lines if (line.scorer, line.metric) == (scorer, metric)), None)
    return "" if found is None else shown(metric, found.value, found.low, found.high)


def _base_and_last(columns: Sequence[Column]) -> tuple[Column, Column] | None:
    if [column.subject.label for column in columns] in ([BASE, "trained"], [BASE, "trained", "aligned"]):
        return columns[0], columns[-1]
    return None


def _difference(pair: tuple[Column, Column], scorer: str, metric: str) -> str:
    from doxa.run.inspect_logs import difference

    base, last = pair
    found: Interval | None = difference(metric, last.items.get(scorer, {}), base.items.get(scorer, {}))
    return "" if found is None else f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"


def column_rows(task: str, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Every number as a row of a long CSV."""
    return [
        {
            "task": task,
            "model": column.subject.model,
            "label": column.subject.label,
            "checkpoint": column.facts.weights,
            "scorer": line.scorer,
            "metric": line.metric,
            "value": line.value,
            "low": line.low,
            "high": line.high,
            "answers": column.facts.answers,
            "items": column.facts.items,
        }
        for column in columns
        for line in column.lines
    ]


def write_csv(path: Path, fields: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a CSV in one step; what a row lacks is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())
