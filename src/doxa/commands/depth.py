"""`doxa depth`: the depth profile of a run, or of models named by strings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the command."""
    app.command("depth")(speaking(depth))


def depth(
    target: Annotated[str, typer.Argument(help="A run folder, a profile's folder, or a target (with --model).")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Without a run: the base model, local/... or any model string; the folder remembers it."
        ),
    ] = None,
    trained: Annotated[
        str | None, typer.Option("--trained", help="Without a run: the trained model, local/CHECKPOINT or a string.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Without a run: where to write. Default: runs/NAME.")
    ] = None,
    judges: Annotated[
        list[str] | None, typer.Option("--judge", help="A model that grades free answers. Repeatable.")
    ] = None,
    probes: Annotated[list[str] | None, typer.Option("--probe", help="Only this probe. Repeatable.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override a config field: depth.samples=5.")] = None,
) -> None:
    """How deeply is it believed? All axes, base, in context and trained -> depth.html."""
    from rich.console import Console

    from doxa.report.depth_page import print_depth, write_depth_page
    from doxa.run.depth_run import DepthRequest, run_depth
    from doxa.run.progress import Progress

    request = DepthRequest(target, model, trained, out, tuple(judges or ()), tuple(probes or ()), tuple(set_ or ()))
    folder = run_depth(request, Progress())
    print_depth(folder, Console(highlight=False))
    print(f"profile: {write_depth_page(folder)}")
