"""`doxa compare`: arms by seeds of one comparison, with controls, paired statistics, a figure and a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the command."""
    app.command("compare")(speaking(compare))


def compare(
    experiment: Annotated[str, typer.Argument(help="An experiment file, or the name of a bundled one.")],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write. Default: runs/NAME.")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this arm. Repeatable.")] = None,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Only the first so many seeds.")] = None,
    cells: Annotated[
        Path | None, typer.Option("--cells", help="Where trained steps are kept, to share. Default: OUT/cells.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Check and print the arms, then stop.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Train nothing: the numbers of what is there.")] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override a field: midtrain.epochs=4.")] = None,
) -> None:
    """Train and ask all arms under all seeds, and compare them -> compare.html. Run again to go on."""
    from rich.console import Console

    from doxa.experiments.config import find_experiment
    from doxa.experiments.runner import CompareRequest, make_plan, run_comparison
    from doxa.report.compare_page import print_comparison, write_compare_page
    from doxa.report.compare_table import print_plan
    from doxa.run.progress import Progress

    request = CompareRequest(
        find_experiment(experiment), out, tuple(only or ()), seeds, tuple(set_ or ()), cells, report
    )
    console = Console(highlight=False)
    if preview:
        print_plan(make_plan(request), console)
        return
    folder = run_comparison(request, Progress())
    page = write_compare_page(folder)
    print_comparison(folder, console)
    print(f"comparison: {page}")
