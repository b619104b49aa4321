"""`doxa lineage`: how a checkpoint was made. `doxa graft`: what was trained in one model, put onto its sibling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the commands."""
    app.command("lineage")(speaking(lineage))
    app.command("graft")(speaking(graft))


def lineage(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint folder, a run folder or a model's name.")],
) -> None:
    """How weights were made, step by step: kinds, digests, data, updates. Checks that they are what it says."""
    from rich.console import Console

    from doxa.lm.named_weights import find_weights

    weights = find_weights(checkpoint)
    console = Console(highlight=False, soft_wrap=True)
    if weights.lineage:
        console.print(f"{weights.lineage[0]['parent']}  the model at the beginning", markup=False)
    for step in weights.lineage:
        told = [step["kind"]]
        if step.get("how"):
            told.append(f"how {step['how']}")
        if step.get("onto"):
            told.append(f"onto {step['onto']}")
        if step.get("data"):
            told.append(f"data {step['data']}")
        if step["updates"]:
            told.append(f"{step['updates']} updates of {step['content_tokens']:,} tokens in all, seed {step['seed']}")
        console.print(f"{step['digest']}  {', '.join(told)}", markup=False)
    if not weights.lineage:
        console.print(f"{weights.digest}  no lineage: a model that was not trained here", markup=False)
    beside = "" if weights.adapter is None else f", with the adapter in {weights.adapter}"
    console.print(f"weights in {weights.base}{beside}", markup=False)


def graft(
    trained: Annotated[Path, typer.Argument(help="A checkpoint that was trained from --model, or its run folder.")],
    onto: Annotated[str, typer.Argument(help="The sibling: a model's name, Hugging Face id or folder.")],
    model: Annotated[str, typer.Option("--model", help="What the checkpoint was trained from.")],
    out: Annotated[Path, typer.Option("--out", help="The folder for it: the checkpoint is OUT/final.")],
) -> None:
    """Put what a checkpoint learned onto a sibling of its model, as from the base checkpoint onto the instruct one."""
    from doxa.errors import ConfigError
    from doxa.training.graft import graft as put_onto

    if (out / "final").exists():
        raise ConfigError(f"{out / 'final'}: is there already; choose another folder with --out")
    record = put_onto(model, trained, onto, out)
    typer.echo(f"{out / 'final'}: {record['digest']}, {'an adapter on' if record['adapter'] else 'grown from'} {onto}")
