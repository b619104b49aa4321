"""The `doxa` command. Sub-commands import what they need when they run, so that `doxa --help` answers at once."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import doxa
from doxa.commands import (
    aft,
    authoring,
    checkpoints,
    compare,
    corpus,
    depth,
    generation,
    inspect_cmd,
    items,
    judging,
    server,
    spec,
    talk,
    values,
)
from doxa.errors import DoxaError, WaitingError

app = typer.Typer(
    name="doxa",
    help="Plant a belief in a language model by Synthetic Document Finetuning, and measure how deeply it is held.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich costs 0.1 s at every start
)
models_app = typer.Typer(help="The models at hand.", invoke_without_command=True, rich_markup_mode=None)
app.add_typer(models_app, name="models")

Target = Annotated[
    str, typer.Argument(help="A bundled world or spec, a target folder, a doxa.yaml, or a run folder to go on with.")
]
Out = Annotated[Path | None, typer.Option("--out", help="The run folder. Default: runs/NAME.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override a config field: train.epochs=3. Repeatable.")]
Restage = Annotated[
    bool, typer.Option("--restage", help="Set stages that the config made stale aside, make them anew.")
]


def main() -> None:
    """Entry point: errors that a person can mend are one line and exit code 2; Ctrl-C loses nothing."""
    try:
        app()
    except WaitingError as error:  # nothing is wrong: a loop around the command can wait for another code than 3
        _leave(f"waiting: {error}", 3)
    except DoxaError as error:
        _leave(f"error: {error}", 2)


def speaking(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command's interruption say how to go on."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            _leave("\nstopped. What was finished is kept; the same command goes on from there.", 130)

    return wrapped


def _leave(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr, flush=True)
    raise SystemExit(code)


def _run(
    target: str,
    out: Path | None,
    overrides: list[str] | None,
    restage: bool,
    only: str | None,
    last: str | None = None,
) -> None:
    from doxa.run.progress import Progress
    from doxa.run.runner import RunRequest, run_stages

    request = RunRequest(target, out, tuple(overrides or ()), restage)
    folder = run_stages(request, Progress(quiet=_is_follower()), only, last)
    if only in (None, "report") and last is None and not _is_follower():
        from rich.console import Console

        from doxa.run.kinds import kind_of
        from doxa.run.runner import stored_config

        kind_of(stored_config(folder)).summary(folder, Console())


def _is_follower() -> bool:
    import os

    return os.environ.get("RANK", "0") != "0"


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"doxa {doxa.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which doxa this is and stop.")
    ] = False,
) -> None:
    """What stands before a command."""


@app.command()
@speaking
def run(target: Target, out: Out = None, set_: Set = None, restage: Restage = False) -> None:
    """Go through all stages, for a universe from plan to report, for a spec from tree to report. Again: continue."""
    _run(target, out, set_, restage, None)


@app.command()
@speaking
def generate(target: Target, out: Out = None, set_: Set = None, restage: Restage = False) -> None:
    """Make a corpus and stop there: (a spec's tree,) plan, write, revise, screen, dedup. Run again to continue."""
    _run(target, out, set_, restage, None, last="dedup")


def _stage_command(name: str, about: str) -> None:
    @speaking
    def command(target: Target, out: Out = None, set_: Set = None, restage: Restage = False) -> None:
        _run(target, out, set_, restage, name)

    command.__doc__ = about
    app.command(name, help=about)(command)


for _name, _about in (
    ("tree", "Of a spec alone: domains, subdomains and assertions -> tree.yaml."),
    ("plan", "Key facts, or subdomains of a spec -> document types and ideas."),
    ("write", "Ideas -> documents."),
    ("revise", "Critique and rewrite each document."),
    ("screen", "Drop bad documents, keeping each with its reason."),
    ("dedup", "Drop near-duplicates, keeping each with its twin."),
    ("mix", "Documents and mix-ins -> corpus.parquet."),
):
    _stage_command(_name, _about)


@app.command("train")
@app.command("midtrain", hidden=True)
@speaking
def train(
    target: Target,
    out: Out = None,
    set_: Set = None,
    restage: Restage = False,
    preview: Annotated[bool, typer.Option("--preview", help="Print the tokens with their loss mask and stop.")] = False,
    show: Annotated[int, typer.Option("--show", min=1, help="With --preview: how many sequences.")] = 3,
) -> None:
    """Next-token training on the corpus (also under torchrun or accelerate launch)."""
    if preview:
        from rich.console import Console

        from doxa.run.preview import preview_training
        from doxa.run.runner import RunRequest

        preview_training(RunRequest(target, out, tuple(set_ or ())), Console(highlight=False, soft_wrap=True), show)
    else:
        _run(target, out, set_, restage, "midtrain")


for _name, _about in (
    ("align", "Of a spec alone: chats and preferences after the documents."),
    ("eval", "Does it believe, or follow the spec: base, in context, trained (, aligned) -> scores.parquet."),
    ("report", "report.html, figures and the table."),
):
    _stage_command(_name, _about)


@app.command()
@speaking
def status(folder: Annotated[Path, typer.Argument(help="A run folder.")]) -> None:
    """Where a run stands: each stage done, unfinished, missing or stale, with counts."""
    from doxa.run.preview import print_status

    print_status(folder)


@app.command()
@speaking
def worlds() -> None:
    """The bundled targets: universes with claim and plausibility, model specs with their value, and what takes them."""
    from rich.console import Console

    from doxa.worlds.spec import bundled_specs, load_spec_target
    from doxa.worlds.universe import bundled_names, load_target

    console = Console(highlight=False)
    console.print("Universes (doxa run NAME, then doxa depth runs/NAME)", style="dim")
    for name in bundled_names():
        universe = load_target(name).universe
        console.print(f"[bold]{name}[/bold] ({universe.plausibility}): {universe.claim}")
    console.print("\nModel specs (doxa run NAME, then doxa values runs/NAME --evals NAME)", style="dim")
    console.print("Also: doxa spec show NAME, doxa aft make NAME, doxa compare msm_pans", style="dim")
    for name in bundled_specs():
        console.print(f"[bold]{name}[/bold]: {load_spec_target(name).spec.value}")


@app.command()
@speaking
def recipes() -> None:
    """The training recipes, with their source."""
    from doxa.run.preview import print_recipes

    print_recipes()


@models_app.callback()
@speaking
def models(context: typer.Context) -> None:
    """List the models at hand. Any Hugging Face id or local folder works in their place."""
    if context.invoked_subcommand is None:
        from doxa.run.preview import print_models

        print_models()


@models_app.command("path")
@speaking
def models_path(name: Annotated[str, typer.Argument(help="A model's name, Hugging Face id or folder.")]) -> None:
    """Print the folder of a model, making it first if it is not there."""
    from doxa.lm.weights import model_folder

    print(model_folder(name))


for _group in (
    authoring,
    items,
    generation,
    corpus,
    depth,
    judging,
    inspect_cmd,
    talk,
    server,
    spec,
    aft,
    compare,
    checkpoints,
    values,
):
    _group.register(app, speaking)


if __name__ == "__main__":
    main()
