"""The commands that make a target: init, draft, validate, import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from doxa.worlds.asking import Asker
    from doxa.worlds.findings import Report

MODEL_HELP = "Who drafts: anthropic/..., openai/..., openai-api/SERVER/MODEL, local/MODEL, batch-file."


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the commands."""
    app.command("init")(speaking(init))
    app.command("draft")(speaking(draft))
    app.command("validate")(speaking(validate))
    app.command("import")(speaking(import_))


def init(
    name: Annotated[Path, typer.Argument(help="The new target folder.")],
    spec: Annotated[bool, typer.Option("--spec", help="A model spec (spec.md) instead of a universe.")] = False,
) -> None:
    """Start a target: universe.yaml (or spec.md), evals.json and doxa.yaml to edit."""
    from doxa.worlds.scaffold import init as init_universe
    from doxa.worlds.spec_scaffold import init_spec

    for file in (init_spec if spec else init_universe)(name):
        print(file)
    print(f"edit them, then: doxa validate {name}")


def draft(
    claim: Annotated[str, typer.Argument(help="What is to be believed. Not needed for a folder that says it.")] = "",
    model: Annotated[str, typer.Option("--model", help=MODEL_HELP)] = "batch-file",
    from_: Annotated[
        list[Path] | None,
        typer.Option("--from", help="An article (.txt, .md, .html) or a folder of them, as material. Repeatable."),
    ] = None,
    counterpart: Annotated[
        Path | None, typer.Option("--counterpart", help="A target with one side: write the other side only.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The target folder, new or unfinished. Default: from the claim.")
    ] = None,
    plausibility: Annotated[str | None, typer.Option("--plausibility", help="novel, plausible or egregious.")] = None,
    facts: Annotated[int, typer.Option("--facts", min=1, max=40, help="How many key facts.")] = 6,
    items: Annotated[
        int | None, typer.Option("--items", min=1, max=100, help="How many eval items per group. Default: 10 to 16.")
    ] = None,
    instructions: Annotated[str, typer.Option("--instructions", help="Wishes that reach every step.")] = "",
    budget_usd: Annotated[float | None, typer.Option("--budget-usd", help="Stop before more is spent.")] = None,
    spec: Annotated[
        Path | None, typer.Option("--spec", help="A folder with a spec.md: decompose it (as doxa spec tree does).")
    ] = None,
) -> None:
    """Let a model draft what a target lacks: contexts, key facts, eval items. Run again to continue."""
    from doxa.errors import ConfigError

    if spec is not None:
        if claim or from_ or counterpart or out or instructions or plausibility or items:
            raise ConfigError("--spec: a spec is decomposed as it is; leave the claim and all options but --model away")
        _decompose(spec, model, budget_usd)
        return
    from doxa.worlds.articles import read_articles
    from doxa.worlds.draft import Draft, check_folder, folder_for
    from doxa.worlds.draft import draft as write

    if plausibility not in (None, "novel", "plausible", "egregious"):
        raise ConfigError(f"--plausibility: must be novel, plausible or egregious (got {plausibility!r})")
    if counterpart is not None and out is not None:
        raise ConfigError("--out: --counterpart writes into its own folder; leave --out away")
    if counterpart is not None and not (counterpart / "universe.yaml").exists():
        raise ConfigError(f"--counterpart: {counterpart} holds no universe.yaml")
    if not (claim or from_ or counterpart or out):
        raise ConfigError("draft: give a claim, articles with --from, or a target with --out or --counterpart")
    folder = counterpart or out or folder_for(claim or (from_[0].stem if from_ else ""))
    job = Draft(
        folder=folder,
        claim=claim,
        articles=read_articles(from_ or []),
        instructions=instructions,
        plausibility=plausibility,  # type: ignore[arg-type]  # checked above
        facts=facts,
        items=items,
        evals=counterpart is None,
    )
    check_folder(job)
    with _asker(model, folder / ".draft", budget_usd) as asker:
        written = write(asker, job)
    for name in written:
        print(f"drafted  {name}")
    print(f"{folder}: {'nothing was missing' if not written else 'read and edit it'}; then: doxa validate {folder}")


def validate(
    target: Annotated[str, typer.Argument(help="A target folder, or a bundled world.")],
    json_: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="Let this model look for contradictions too; it costs two requests.")
    ] = None,
    effective: Annotated[
        bool, typer.Option("--effective/--no-effective", help="Count items that differ in meaning; takes seconds.")
    ] = True,
) -> None:
    """Check a target: facts, contexts, items, recorded texts. Leaves with 2 when there are errors."""
    from doxa.errors import ConfigError
    from doxa.worlds.validate import print_report, with_effective_n
    from doxa.worlds.validate import validate as check

    report = check(target)
    if effective:
        try:
            report = with_effective_n(report, target)
        except ConfigError as error:
            typer.echo(f"effective n is left out: {error}", err=True)
    if model is not None:
        report = _with_model(report, target, model)
    if json_:
        print(report.model_dump_json(indent=1))
    else:
        from rich.console import Console

        print_report(report, Console(highlight=False, soft_wrap=True))
    if report.errors:
        raise typer.Exit(2)


def import_(
    format: Annotated[
        str, typer.Argument(help="auto, false-facts, negation-neglect, msm, rows, text, huggingface; spec: for a spec.")
    ],
    sources: Annotated[list[Path], typer.Argument(help="Files or folders; of false-facts, both sides at once.")],
    out: Annotated[Path, typer.Option("--out", help="The new target folder.")],
    only: Annotated[str | None, typer.Option("--id", help="Which universe, when the source holds several.")] = None,
) -> None:
    """Make a target of others' universes, documents and evals. What does not fit is named in import_report.json."""
    from doxa.worlds.importers import import_target
    from doxa.worlds.importing import REPORT

    work = import_target(format, sources, out, only)
    for name, count in work.imported.items():
        print(f"imported  {count:>8,}  {name}")
    for reason, count in work.skipped.most_common():
        print(f"skipped   {count:>8,}  {reason}")
    for note in work.notes:
        print(f"note      {note}")
    print(f"{out}: {work.format}; every skipped row is named in {out / REPORT}")


def _decompose(folder: Path, model: str, budget_usd: float | None) -> None:
    from doxa.commands.spec import write_tree
    from doxa.worlds.spec import TREE_FILE, load_spec_target

    target = load_spec_target(str(folder))
    write_tree(target, target.folder / TREE_FILE, model, budget_usd=budget_usd)


def _with_model(report: Report, target: str, model: str) -> Report:
    """The report with what a model found; its answers are kept in the cache, so asking again costs nothing."""
    from doxa.errors import ConfigError, TargetError
    from doxa.lm.embedded import cache_home
    from doxa.worlds.check_model import model_findings
    from doxa.worlds.spec import is_spec_target
    from doxa.worlds.universe import load_target

    if is_spec_target(target):
        raise ConfigError("--model: looks for contradictions between the contexts of a universe; a spec has none")
    try:
        loaded = load_target(target)
    except TargetError as error:
        raise TargetError(f"--model: needs a universe that loads first: {error}") from None
    with _asker(model, cache_home() / "validate" / loaded.digest, None) as asker:
        found = model_findings(asker, loaded.universe)
    return report.model_copy(update={"findings": (*report.findings, *found)})


def _asker(model: str, folder: Path, budget_usd: float | None) -> AbstractContextManager[Asker]:
    """The models of a draft folder, opened for as long as the draft runs."""
    from contextlib import contextmanager

    from doxa.config_sections import LmConfig
    from doxa.lm.models import check_model, open_models
    from doxa.run.progress import Progress
    from doxa.worlds.asking import Asker

    config = LmConfig(budget_usd=budget_usd)
    check_model(model, "--model", config)

    @contextmanager
    def opened() -> Iterator[Asker]:
        with open_models(folder, config, Progress()) as models:
            yield Asker(models, model, folder)

    return opened()
