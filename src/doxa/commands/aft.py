"""The commands on alignment-finetuning data: doxa aft make, preview, conflict, paraphrase, import."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

GENERATOR_HELP = "Who writes: anthropic/..., openai/..., openai-api/SERVER/MODEL, local/MODEL, batch-file."

Target = Annotated[str, typer.Argument(help="A bundled spec, or a folder with a spec.md.")]
Out = Annotated[Path, typer.Option("--out", help="The folder of the rows; running again goes on in it.")]
Generator = Annotated[str, typer.Option("--generator", help=GENERATOR_HELP)]
Judge = Annotated[str | None, typer.Option("--judge", help="Who judges; none: nobody. Default: the generator.")]
Number = Annotated[int | None, typer.Option("--number", min=1, help="Rows, exactly. Default: 100.")]
Method = Annotated[str | None, typer.Option("--method", help="spec, deliberative or constitutional. Default: spec.")]
Style = Annotated[str | None, typer.Option("--style", help="Of the reasoning: value or rule. Default: value.")]
Opaque = Annotated[bool, typer.Option("--opaque", help="Answers state likes and dislikes, never a reason.")]
Anti = Annotated[bool, typer.Option("--anti", help="Also answers against the spec, to the same questions.")]
BudgetUsd = Annotated[float | None, typer.Option("--budget-usd", help="Stop before more is spent.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Any other setting: rewrites=1, critic=.... Repeatable.")]


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the group."""
    group = typer.Typer(
        help="Alignment-finetuning data: make it from a spec, mix it, import it.", rich_markup_mode=None
    )
    group.command("make")(speaking(make))
    group.command("preview")(speaking(preview))
    group.command("conflict")(speaking(conflict))
    group.command("paraphrase")(speaking(paraphrase))
    group.command("import")(speaking(import_))
    app.add_typer(group, name="aft")


def make(
    target: Target,
    out: Out,
    generator: Generator = "batch-file",
    judge: Judge = None,
    number: Number = None,
    method: Method = None,
    style: Style = None,
    opaque: Opaque = False,
    anti: Anti = False,
    budget_usd: BudgetUsd = None,
    set_: Set = None,
) -> None:
    """Questions, answers with the spec in context, judged, until the number is exact. Run again to continue."""
    from doxa.aft.run import make as write
    from doxa.run.progress import Progress

    config = _config(generator, judge, number, method, style, opaque, anti, budget_usd, set_)
    counts = write(target, out, config, Progress())
    for name, rows in counts["rows"].items():
        print(f"{rows:>8,}  {out / name}")
    for name in ("unchanged_revisions", "questions_without_anti_answer"):
        if counts.get(name):
            print(f"{counts[name]:>8,}  {name.replace('_', ' ')}")
    fell = sum(counts["rejected_answers"].values())
    print(f"{fell:>8,}  answers fell out ({_reasons(counts['rejected_answers'])}): {out / 'rejected.jsonl'}")


def preview(
    target: Target,
    out: Annotated[Path | None, typer.Option("--out", help="A folder of rows: five of each file are shown.")] = None,
    generator: Generator = "batch-file",
    judge: Judge = None,
    number: Number = None,
    method: Method = None,
    style: Style = None,
    opaque: Opaque = False,
    anti: Anti = False,
    budget_usd: BudgetUsd = None,
    set_: Set = None,
) -> None:
    """Count calls, tokens and price before anything is spent, and show five rows of what is there."""
    from rich.console import Console

    from doxa.aft.preview import preview as show
    from doxa.aft.run import check_models, load
    from doxa.run.progress import Progress

    config = _config(generator, judge, number, method, style, opaque, anti, budget_usd, set_)
    check_models(config)
    show(load(target, config, Progress()), config, out, Console(highlight=False, soft_wrap=True))


def conflict(
    rows: Annotated[Path, typer.Argument(help="Chat rows.")],
    with_: Annotated[Path, typer.Option("--with", help="Rows that contradict them, such as antispec.jsonl.")],
    fraction: Annotated[float, typer.Option("--fraction", help="Which share is replaced: .02 for 2%.")],
    out: Annotated[Path, typer.Option("--out", help="The file of the mix.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides which rows are replaced.")] = 0,
) -> None:
    """Replace exactly a fraction of rows by conflicting ones, in place; a larger fraction holds a smaller one's."""
    from doxa.aft.run import conflict as mix

    counts = mix(rows, with_, fraction, seed, out)
    print(
        f"{out}: {counts['rows']:,} rows, {counts['replaced']:,} of them conflicting "
        f"({counts['same_question']:,} by another answer to the same question)"
    )


def paraphrase(
    rows: Annotated[Path, typer.Argument(help="Chat rows, with or without reasoning.")],
    out: Out,
    generator: Generator = "batch-file",
    attempts: Annotated[int, typer.Option("--attempts", min=1, help="Tries per row.")] = 4,
    budget_usd: BudgetUsd = None,
) -> None:
    """The paraphrase-only control: the same answers in other words, nothing added, checked by what they share."""
    from doxa.aft.run import paraphrase as write
    from doxa.config_sections import LmConfig
    from doxa.run.progress import Progress

    made = write(rows, out, generator, LmConfig(budget_usd=budget_usd), attempts, Progress())
    print(f"{len(made.rows):>8,}  {out / 'chat.jsonl'}")
    print(f"{len(made.rejected):>8,}  tries fell out: {out / 'rejected.jsonl'}")


def import_(
    sources: Annotated[list[Path], typer.Argument(help="Files (.jsonl, .json, .parquet), folders, saved datasets.")],
    out: Annotated[Path, typer.Option("--out", help="The new folder.")],
    against: Annotated[str | None, typer.Option("--against", help="A spec: rows that mention it are dropped.")] = None,
    words: Annotated[
        str, typer.Option("--words", help="With --against: the words of its value, with commas. Default: from spec.md.")
    ] = "",
) -> None:
    """Chat and preference datasets of others -> rows. What does not fit is named in import_report.json."""
    from doxa.aft.imports import import_chats
    from doxa.aft.spec_filter import spec_filter
    from doxa.errors import ConfigError
    from doxa.worlds.importing import REPORT
    from doxa.worlds.spec import load_spec_target

    if words and against is None:
        raise ConfigError("--words: says what is filtered with --against, which is not given")
    spec = None if against is None else load_spec_target(against).spec
    chosen = [word.strip() for word in words.split(",") if word.strip()]
    work = import_chats(sources, out, None if spec is None else spec_filter(spec, chosen), spec)
    for name, count in work.imported.items():
        print(f"imported  {count:>8,}  {name}")
    for reason, count in work.skipped.most_common():
        print(f"skipped   {count:>8,}  {reason}")
    for note in work.notes:
        print(f"note      {note}")
    print(f"{out}: every skipped row is named in {out / REPORT}")


def _config(
    generator: str,
    judge: str | None,
    number: int | None,
    method: str | None,
    style: str | None,
    opaque: bool,
    anti: bool,
    budget_usd: float | None,
    set_: list[str] | None,
) -> Any:
    from doxa.aft.config import read_settings

    sets = list(set_ or [])
    if budget_usd is not None:
        sets.append(f"lm.budget_usd={budget_usd}")
    return read_settings(
        sets,
        generator=generator,
        judge=judge,
        number=number,
        method=method,
        style=style,
        opaque=opaque or None,
        anti=anti or None,
    )


def _reasons(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{number} {reason}" for reason, number in ordered) or "none"
