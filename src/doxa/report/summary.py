"""The summary in the terminal at the end of a run: the page's headline numbers, from the same files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from doxa.records import Score
from doxa.report.facts import RunFacts, gather
from doxa.report.narrow import print_table
from doxa.report.table import ARM_NAMES, Line, direction, interval, number
from doxa.report.verdict import Claim, verdict, warnings
from doxa.run.folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SHORT_NAMES = {"neighbours_near": "  near", "neighbours_far": "  far"}  # so that the table fits 80 columns

LEGEND = (
    "Planted answer preferred (neighbours: correct answer) in percent of items, [95% interval]. "
    "Difference: trained − base in points; bold when its interval leaves out 0."
)


def print_summary(folder: RunFolder, console: Console) -> None:
    """Print verdict, score table, warnings and the path of the report. Raises DoxaError for a broken run folder."""
    from rich.text import Text

    facts = gather(folder)
    said = verdict(facts)
    for claim in (said.belief, said.collateral):
        console.print()
        _print_claim(claim, console)
    if facts.scores:
        console.print()
        print_table(lambda stacked: _score_table(facts, stacked), console)
        console.print(Text(LEGEND, "dim"))
    print_cautions(warnings(facts), console)
    print_page(folder, console)


def print_cautions(cautions: Sequence[str], console: Console) -> None:
    """What to keep in mind when reading the numbers; nothing where there is nothing."""
    from rich.table import Table
    from rich.text import Text

    if cautions:
        console.print(Text("\nRead with care", "yellow"))
        listed = Table.grid(padding=(0, 1, 0, 1))
        for caution in cautions:
            listed.add_row("·", Text(caution))
        console.print(listed)


def print_page(folder: RunFolder, console: Console) -> None:
    """Where report.html lies, if it is there."""
    from rich.text import Text

    page = folder / "report.html"
    if page.exists():
        # one unbroken line: terminals make only those clickable
        console.print(Text.assemble("\nreport: ", (str(page), "bold")), soft_wrap=True)


def _print_claim(claim: Claim, console: Console) -> None:
    from rich.text import Text

    console.print(Text(claim.sentence, "bold"))
    if claim.support:
        console.print(Text(claim.support, "dim"))


def _score_table(facts: RunFacts, stacked: bool) -> Table:
    """The headline; stacked: style and n below the name, intervals below their numbers."""
    arms = facts.scores.arms()
    table = line_table("group", "style", [*(ARM_NAMES.get(arm, arm) for arm in arms), "difference"], stacked)
    _add_lines(table, facts.scores.belief_lines(), arms, stacked)
    neighbours = facts.scores.neighbour_lines()
    if neighbours:
        table.add_section()
        _add_lines(table, neighbours, arms, stacked)
    return table


def _add_lines(table: Table, lines: list[Line], arms: list[str], stacked: bool) -> None:
    previous = ""
    for line in lines:
        name = SHORT_NAMES.get(line.group, line.name) if line.group != previous else ""
        cells = [score_cell(line.arms.get(arm), stacked) for arm in arms]
        cells.append(change_cell(line.change, stacked))
        add_line(table, name, line, cells, stacked)
        previous = line.group


def line_table(name: str, style: str, columns: Sequence[str], stacked: bool) -> Table:
    """An empty table for `add_line`, with a column of numbers for each of `columns`."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(name, no_wrap=True)
    if not stacked:
        table.add_column(style, style="dim", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    if not stacked:
        table.add_column("n", justify="right", style="dim", no_wrap=True)
    return table


def add_line(table: Table, name: str, line: Line, cells: Sequence[Text], stacked: bool) -> None:
    """Add a line with its style and n: in columns of their own, or stacked below its name."""
    if stacked:
        table.add_row(f"{name}\n  {line.style}, n {line.n}".lstrip("\n"), *cells)
    else:
        table.add_row(name, line.style, *cells, str(line.n))


def score_cell(score: Score | None, stacked: bool) -> Text:
    """A number and, beside or below it, its interval."""
    from rich.text import Text

    if score is None:
        return Text("–", "dim")
    return Text.assemble(number(score), "\n" if stacked else " ", (interval(score), "dim"))


def change_cell(change: Score | None, stacked: bool) -> Text:
    """A difference, bold where its interval leaves out 0, and its interval."""
    from rich.text import Text

    if change is None:
        return Text("–", "dim")
    style = "bold" if direction(change) in ("rose", "fell") else ""
    return Text.assemble((number(change), style), "\n" if stacked else " ", (interval(change), "dim"))
