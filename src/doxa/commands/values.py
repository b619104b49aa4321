"""`doxa values`: what models prefer, know and give as reasons, against a spec; `--self-test`: test judges first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

SELF_TEST = Path("runs/values_self_test")


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the command."""
    app.command("values")(speaking(values))


def values(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=]RUN|CHECKPOINT|MODEL...",
            help="Run folders, checkpoints, model folders or names, or any model strings; each an arm.",
            show_default=False,
        ),
    ] = None,
    evals: Annotated[str | None, typer.Option("--evals", help="The spec target whose evals.json is asked.")] = None,
    opposite: Annotated[
        str | None, typer.Option("--opposite", help="The spec target that it is held against, for judges and reasons.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", help="The base arm. Default: what the first model was trained from; or none."),
    ] = None,
    context: Annotated[
        str, typer.Option("--context", help="Whose prompt the spec stands in too: base, spec (every model's) or none.")
    ] = "base",
    judges: Annotated[
        list[str] | None, typer.Option("--judge", help="A model that reads free answers. Repeatable.")
    ] = None,
    probes: Annotated[
        list[str] | None, typer.Option("--probe", help="Only pairs, free, recall, reasons or monitor. Repeatable.")
    ] = None,
    model_name: Annotated[str | None, typer.Option("--model-name", help="What the spec calls the model.")] = None,
    provider_name: Annotated[str | None, typer.Option("--provider-name", help="And its maker.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A setting: samples=5, styles=[all].")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Default: the run folder, or runs/values_TARGET for several models.")
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Put planted answers with known verdicts to the judges, and stop.")
    ] = False,
) -> None:
    """What does a model prefer, know of its spec, and give as reasons? One or several models -> values/ and a table."""
    from doxa.errors import ConfigError
    from doxa.run.progress import Progress

    if self_test:
        _test_judges(judges or [], out or SELF_TEST)
        return
    if evals is None:
        raise ConfigError("--evals: name the spec target whose evals.json is asked, such as --evals pans_durability")
    from rich.console import Console

    from doxa.report.values_table import print_values
    from doxa.run.values_run import ValuesRequest, run_values

    request = ValuesRequest(
        tuple(models or ()), evals, opposite, base, context, model_name, provider_name, tuple(judges or ()),
        tuple(probes or ()), tuple(set_ or ()), out,
    )  # fmt: skip
    folder, result = run_values(request, Progress())
    print_values(result.scores, Console(highlight=False, soft_wrap=True))
    for line in (*result.about.agreement, *result.about.notes):
        print(line)
    print(f"values: {folder / 'values'}")


def _test_judges(names: list[str], place: Path) -> None:
    from doxa.belief.values_judge import value_self_test
    from doxa.commands.judging import report_self_tests
    from doxa.config_sections import LmConfig
    from doxa.errors import ConfigError
    from doxa.lm.models import check_model, open_models
    from doxa.run.folder import RunFolder
    from doxa.run.progress import Progress

    if not names:
        raise ConfigError("--judge: name at least one judge, such as --judge anthropic/claude-haiku-4-5")
    config = LmConfig()
    for name in names:
        check_model(name, "--judge", config)
    with RunFolder(place).lock(), open_models(place, config, Progress()) as models:
        report_self_tests((value_self_test(models, name) for name in names), place)
