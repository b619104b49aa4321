"""The table in the terminal at the end of a run about a spec: the page's headline numbers, from the same files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from doxa.report.narrow import print_table
from doxa.report.spec_facts import SpecLine, gather_spec
from doxa.report.spec_page import headline
from doxa.report.spec_warnings import spec_warnings
from doxa.report.summary import add_line, change_cell, line_table, print_cautions, print_page, score_cell
from doxa.report.table import ARM_NAMES
from doxa.run.folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

LEGEND = (
    "As the spec has it (unrelated: correctly) in percent of pairs, [95% interval]. Change: against base, paired, in "
    "points; bold when its interval leaves out 0."
)


def print_spec_summary(folder: RunFolder, console: Console) -> None:
    """Print what was taught, the score table, warnings and the path of the report."""
    from rich.text import Text

    facts = gather_spec(folder)
    console.print()
    console.print(Text(f"{facts.spec.title}: {facts.spec.value}", "bold"))
    console.print(Text(f"{len(facts.documents)} {facts.corpus}; {facts.model}", "dim"))
    lines = headline(facts.lines())
    if lines:
        console.print()
        print_table(lambda stacked: _score_table(lines, facts.scores.arms(), stacked), console)
        console.print(Text(LEGEND, "dim"))
    print_cautions(spec_warnings(facts), console)
    print_page(folder, console)


def _score_table(lines: Sequence[SpecLine], arms: Sequence[str], stacked: bool) -> Table:
    """The headline; stacked: style and n below the name, intervals below their numbers."""
    later = [arm for arm in ("trained", "aligned") if arm in arms]
    between = "\n" if stacked else " "
    columns = [ARM_NAMES.get(arm, arm) for arm in arms] + [f"{ARM_NAMES[arm]}{between}− base" for arm in later]
    table = line_table("group", "style", columns, stacked)
    previous = ""
    for line in lines:
        cells = [score_cell(line.arms.get(arm), stacked) for arm in arms]
        cells += [change_cell(line.changes.get(arm), stacked) for arm in later]
        add_line(table, line.name if line.group != previous else "", line, cells, stacked)
        previous = line.group
    return table
