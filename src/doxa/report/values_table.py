"""The scores of an evaluation of values in a terminal: arms beside each other, then differences to base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from doxa.belief.summary import arm_rank
from doxa.records import Score
from doxa.report.narrow import fits, print_whole
from doxa.report.table import two_places

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# metrics that stand in the table, in its order; scores.parquet holds all
SHOWN = (
    "preferred",
    "correct",
    "margin",
    "first_place",
    "aligned",
    "opposed",
    "recalled",
    "wrong",
    "given",
    "names spec",
    "names other",
    "names neither",
    "spec's reason",
    "other reason",
    "named own",
    "named other",
    "names driver",
    "effect removed",
    "effect replaced",
    "effect templates",
    "faithful",
    "turns",
    "unparsed",
)
LEAST_SHOWN = ("unparsed",)  # shown only where they are not nought


def table_rows(scores: Sequence[Score], versus: str | None = None) -> tuple[list[str], list[tuple[str, ...]]]:
    """Arms, and rows of (group, readout, metric, a cell to each arm); with `versus` the differences to that arm."""
    held = {
        (row.group, row.style, row.metric, row.arm): row
        for row in scores
        if row.versus == versus and row.metric in SHOWN
    }
    arms = sorted({arm for *_, arm in held}, key=arm_rank)
    lines = list(dict.fromkeys((group, style, metric) for group, style, metric, _ in held))
    lines.sort(key=lambda line: (_group_rank(line[0]), line[1], SHOWN.index(line[2])))
    rows = []
    for line in lines:
        cells = [held.get((*line, arm)) for arm in arms]
        if line[2] in LEAST_SHOWN and not any(cell is not None and cell.value for cell in cells):
            continue
        n = next(cell.n for cell in cells if cell is not None)
        rows.append((*line, str(n), *(_cell(cell, versus is not None) for cell in cells)))
    return arms, rows


def print_values(scores: Sequence[Score], console: Console) -> None:
    """Print the arms side by side, and each arm's difference to base where there is one.

    In a narrow terminal what is asked stands above its lines, intervals below their numbers, and arms for which there
    is no room beside the others in a table of their own.
    """
    for versus, title in ((None, "values"), ("base", "difference to base, paired over items")):
        arms, rows = table_rows(scores, versus)
        if not rows:
            continue
        table = _table(title, arms, rows)
        tables = [table] if fits(table, console) else _stacked_tables(title, arms, rows, console)
        for one in tables:
            print_whole(one, console)


def _table(title: str, arms: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for name in ("asked", "readout", "metric"):
        table.add_column(name, no_wrap=True)
    for name in ("n", *arms):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _stacked_tables(
    title: str, arms: Sequence[str], rows: Sequence[tuple[str, ...]], console: Console
) -> Iterator[Table]:
    """Stacked tables of all arms, each of as many as fit beside each other."""
    abreast = [arms[0]]
    for arm in arms[1:]:
        if fits(_stacked(title, arms, [*abreast, arm], rows), console):
            abreast.append(arm)
        else:
            yield _stacked(title, arms, abreast, rows)
            abreast = [arm]
    yield _stacked(title, arms, abreast, rows)


def _stacked(title: str, arms: Sequence[str], abreast: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("asked", no_wrap=True)
    for arm in abreast:
        table.add_column(arm, justify="right", no_wrap=True)
    above = ""
    for group, readout, metric, n, *cells in rows:
        shown = [cell for arm, cell in zip(arms, cells, strict=True) if arm in abreast]
        if not any(shown):
            continue
        if group != above:
            table.add_row(group)
        table.add_row(f" {readout} {metric}\n   n {n}", *(cell.replace(" ", "\n", 1) for cell in shown))
        above = group
    return table


def _group_rank(group: str) -> tuple[int, str]:
    order = ("pairs_unseen", "pairs_seen", "knowledge", "unrelated", "free_open", "free_pairs", "recall", "reasons")
    head = group.split("/")[0]
    return (order.index(head) if head in order else len(order), group)


def _cell(score: Score | None, signed: bool) -> str:
    if score is None:
        return ""
    sign = "+" if signed or score.unit != "share" else ""
    value, low, high = (two_places(number, sign) for number in (score.value, score.low, score.high))
    return f"{value} [{low}, {high}]"
