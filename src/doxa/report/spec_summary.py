"""The table in the terminal at the end of a run about a spec: the page's headline numbers, from the same files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doxa.report.spec_facts import SpecLine, gather_spec
from doxa.report.spec_page import headline
from doxa.report.spec_warnings import spec_warnings
from doxa.report.summary import print_cautions, print_page
from doxa.report.table import ARM_NAMES, direction, interval, number
from doxa.run.folder import RunFolder

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LEGEND = (
    "As the spec has it (unrelated: correctly) in percent of pairs, [95% interval]. Change: against base, paired, in "
    "points; bold when its interval leaves out 0."
)


def print_spec_summary(folder: RunFolder, console: Console) -> None:
    """Print what was taught, the score table, warnings and the path of the report."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    facts = gather_spec(folder)
    console.print()
    console.print(Text(f"{facts.spec.title}: {facts.spec.value}", "bold"))
    console.print(Text(f"{len(facts.documents)} {facts.corpus}; {facts.model}", "dim"))
    lines = headline(facts.lines())
    if lines:
        arms = facts.scores.arms()
        later = [arm for arm in ("trained", "aligned") if arm in arms]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        table.add_column("group", no_wrap=True)
        table.add_column("style", style="dim")
        for arm in arms:
            table.add_column(ARM_NAMES.get(arm, arm), justify="right", no_wrap=True)
        for arm in later:
            table.add_column(f"{ARM_NAMES[arm]} − base", justify="right", no_wrap=True)
        table.add_column("n", justify="right", style="dim")
        previous = ""
        for line in lines:
            name = line.name if line.group != previous else ""
            changes = [_change(line, arm) for arm in later]
            table.add_row(name, line.style, *(_cell(line, arm) for arm in arms), *changes, str(line.n))
            previous = line.group
        console.print()
        # in a narrow terminal its lines wrap, which is better than numbers that are cut
        Console(file=console.file, width=max(console.width, 60 + 24 * (len(arms) + len(later)))).print(table)
        console.print(Text(LEGEND, "dim"))
    print_cautions(spec_warnings(facts), console)
    print_page(folder, console)


def _cell(line: SpecLine, arm: str) -> Text:
    from rich.text import Text

    score = line.arms.get(arm)
    return Text("–", "dim") if score is None else Text.assemble(number(score), " ", (interval(score), "dim"))


def _change(line: SpecLine, arm: str) -> Text:
    from rich.text import Text

    change = line.changes.get(arm)
    if change is None:
        return Text("–", "dim")
    clear = direction(change) in ("rose", "fell")
    return Text.assemble((number(change), "bold" if clear else ""), " ", (interval(change), "dim"))
