"""`doxa inspect`: any Inspect task on what doxa trained. `doxa agentic`: the agentic evaluation over its conditions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from doxa.run.inspect_subjects import Subject

Models = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN|CHECKPOINT|MODEL...",
        help="A run folder (its base, trained, aligned weights), a checkpoint, a model folder or name, a model string.",
    ),
]
Judge = Annotated[str | None, typer.Option("--judge", help="A model that grades: takes the role `grader`.")]
ModelArgs = Annotated[
    list[str] | None, typer.Option("-M", "--model-arg", help="An argument of the models: batch_size=8. Repeatable.")
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Where logs go. Default: RUN/evals/inspect, or runs/inspect without a run.")
]
Again = Annotated[bool, typer.Option("--again", help="Run anew what has a finished log already.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write all numbers to this file too.")]
Temperature = Annotated[float | None, typer.Option("--temperature", min=0.0, max=2.0, help="Default: the task's own.")]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", min=1, help="The longest answer.")]


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the commands."""
    app.command("inspect")(speaking(inspect))
    app.command("agentic")(speaking(agentic))


def inspect(
    task: Annotated[str, typer.Argument(help="A task of doxa, FILE.py@NAME, or PACKAGE/TASK of an installed package.")],
    models: Models,
    arguments: Annotated[
        list[str] | None, typer.Option("-T", "--task-arg", help="An argument of the task: k=v. Repeatable.")
    ] = None,
    judge: Judge = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first samples.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Answers to each sample.")] = None,
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    model_args: ModelArgs = None,
    out: Out = None,
    again: Again = False,
    csv: Csv = None,
) -> None:
    """Run an Inspect task on a run, a checkpoint or a model, keep its logs, and print its scores side by side."""
    import sys

    from rich.console import Console

    from doxa.run.inspect_cells import Cell, open_model, resolve_task, run_cell
    from doxa.run.inspect_table import FIELDS, column_rows, print_table, read_column, write_csv
    from doxa.run.progress import Progress

    cell = Cell(
        resolve_task(task), read_arguments(arguments, "-T"), judge, limit, epochs, temperature, max_tokens,
        _source(task),
    )  # fmt: skip
    given = read_arguments(model_args, "-M")
    progress = Progress()
    with _held(models, out) as subjects:
        columns = []
        for subject in subjects:
            progress.note(f"{task} on {subject.label}")
            model = open_model(subject, given if subject.local or len(subjects) == 1 else {})
            log = run_cell(subject, cell, model, again, "rich" if sys.stdout.isatty() else "none")
            columns.append(read_column(subject, log))
    print_table(task, columns, Console(highlight=False))
    if csv is not None:
        write_csv(csv, FIELDS, column_rows(task, columns))


def agentic(
    models: Models,
    scenario: Annotated[str, typer.Option("--scenario", help="Names with commas between, or all.")] = "all",
    goal: Annotated[str, typer.Option("--goal", help="none, conflict, harmless, ambiguous, swapped, or all.")] = "all",
    urgency: Annotated[str, typer.Option("--urgency", help="none, replacement, restriction, or all.")] = "all",
    variant: Annotated[str, typer.Option("--variant", help="full, or small for models under 1B.")] = "full",
    model_name: Annotated[str, typer.Option("--model-name", help="What the assistant is called.")] = "",
    scratchpad: Annotated[bool, typer.Option(help="Let it think aloud before it acts.")] = True,
    specs: Annotated[
        list[str] | None,
        typer.Option("--spec", help="A spec in the system prompt: a target, a file, or none. Repeatable: an arm each."),
    ] = None,
    judge: Judge = None,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Answers under each condition.")] = 10,
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    readout: Annotated[
        str, typer.Option("--readout", help="text, or likelihood for weights that cannot act.")
    ] = "text",
    style: Annotated[str, typer.Option("--style", help="Of the likelihood readout: ready or open.")] = "ready",
    model_args: ModelArgs = None,
    out: Out = None,
    again: Again = False,
    csv: Csv = None,
) -> None:
    """Agentic misalignment over scenarios, goals and urgencies; run again to continue. One table and one CSV."""
    from rich.console import Console

    from doxa.run.agentic_run import AgenticRequest, run_agentic
    from doxa.run.agentic_table import print_results, write_results
    from doxa.run.progress import Progress

    request = AgenticRequest(
        scenario, goal, urgency, variant, model_name, scratchpad, tuple(specs or ()), judge, epochs, temperature,
        max_tokens, readout, style, again,
    )  # fmt: skip
    with _held(models, out) as subjects:
        results = run_agentic(subjects, request, Progress(), read_arguments(model_args, "-M"))
        path = csv or _home(subjects, out) / ("agentic.csv" if readout == "text" else f"agentic_{readout}.csv")
        write_results(path, results, request)
    print_results(results, Console(highlight=False))
    print(f"all numbers: {path}")


@contextlib.contextmanager
def _held(names: Sequence[str], out: Path | None) -> Iterator[list[Subject]]:
    """The subjects, with the folders that their logs go to held against other commands."""
    from doxa.run.folder import RunFolder
    from doxa.run.inspect_cells import is_provider
    from doxa.run.inspect_subjects import find_subjects

    subjects = find_subjects(names, out, is_provider)
    with contextlib.ExitStack() as held:
        for home in dict.fromkeys((out or subject.home).absolute() for subject in subjects):
            held.enter_context(RunFolder(home).lock())
        yield subjects


def _home(subjects: Sequence[Subject], out: Path | None) -> Path:
    """Where a table over all models lies: beside their logs where they have one place, else in runs/inspect."""
    from doxa.run.inspect_subjects import ELSEWHERE

    if out is not None:
        return out
    homes = {subject.home for subject in subjects}
    home = homes.pop()
    if homes or home == ELSEWHERE:
        return ELSEWHERE
    return home / "evals"


def read_arguments(given: Sequence[str] | None, option: str) -> dict[str, Any]:
    """`k=v` as inspect reads them: values are YAML, commas make a list. Raises ConfigError."""
    import yaml

    from doxa.errors import ConfigError

    found: dict[str, Any] = {}
    for one in given or []:
        key, equals, raw = one.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key.isidentifier():
            raise ConfigError(f"{option} {one}: must be NAME=VALUE")
        if key in found:
            raise ConfigError(f"{option} {one}: {key} stands twice")
        try:
            value = yaml.safe_load(raw)
        except yaml.YAMLError:
            value = raw
        found[key] = [part.strip() for part in value.split(",")] if isinstance(value, str) and "," in value else value
    return found


def _source(task: str) -> str:
    """What decides the numbers of doxa's own task besides its version."""
    from doxa.belief.agentic.conditions import prompts_digest
    from doxa.belief.agentic.verdicts import READER

    return f"{prompts_digest()}, reader {READER}" if task.removeprefix("doxa/").startswith("agentic") else ""
