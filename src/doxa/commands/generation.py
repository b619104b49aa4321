"""`doxa preview`: what a corpus will take, and five documents of it. `doxa answer`: answers to a batch file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the commands."""
    app.command("preview")(speaking(preview))
    app.command("answer")(speaking(answer))


def preview(
    target: Annotated[
        str, typer.Argument(help="A bundled world or spec, a target folder, a doxa.yaml, or a run folder.")
    ],
    out: Annotated[Path | None, typer.Option("--out", help="The run folder. Default: runs/NAME.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override a config field. Repeatable.")] = None,
    documents: Annotated[
        int | None,
        typer.Option(
            "--documents", min=0, help="How many to write; 0 only counts and asks no model. 5 (0 for a spec)."
        ),
    ] = None,
) -> None:
    """Count kinds, ideas, documents, tokens and price before anything is spent (a spec: its tree), and write a few."""
    from rich.console import Console

    from doxa.run.preview_corpus import preview_corpus
    from doxa.run.progress import Progress
    from doxa.run.runner import RunRequest

    console = Console(highlight=False, soft_wrap=True)
    preview_corpus(RunRequest(target, out, tuple(set_ or ())), Progress(), console, documents)


def answer(
    requests: Annotated[list[Path], typer.Argument(help="Files of requests in OpenAI's batch form.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the answer files, which get the same names.")],
    model: Annotated[
        str, typer.Option("--model", help="local/MODEL, any provider's model, or `invented`: text of no model, to try.")
    ],
    batch: Annotated[int, typer.Option("--batch", min=1, help="Answers sampled at once from local weights.")] = 16,
) -> None:
    """Answer batch files on this computer: the other end of the batch-file generator."""
    from doxa.config_sections import LmConfig
    from doxa.lm.answer_file import answer_file
    from doxa.run.progress import Progress

    for file in requests:
        print(answer_file(file, out, model, LmConfig(local_batch=batch), Progress()))
