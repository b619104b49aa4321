"""Tables in terminals that may be narrower than they are: a table is stacked, and no number is ever cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_table(draw: Callable[[bool], Table], console: Console) -> None:
    """Print `draw(False)` where it fits, else `draw(True)`, the stacked one: intervals stand below their numbers."""
    table = draw(False)
    print_whole(table if fits(table, console) else draw(True), console)


def fits(table: Table, console: Console) -> bool:
    """Whether the lines of a table are no longer than the terminal's."""
    return _needed(table, console) <= console.width


def print_whole(table: Table, console: Console) -> None:
    """Print all of a table: where it does not fit its lines wrap, which is better than numbers that are cut."""
    from rich.console import Console as Wide

    wide = console if fits(table, console) else Wide(file=console.file, width=_needed(table, console))
    wide.print(table)


def _needed(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum
