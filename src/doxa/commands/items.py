"""`doxa items`: let a model write eval items for a target, and keep those that pass every check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from typing import Any

    from doxa.worlds.item_rounds import ItemJob, Made
    from doxa.worlds.universe import Target

GENERATOR_HELP = "Who writes: anthropic/..., openai/..., openai-api/SERVER/MODEL, local/MODEL, batch-file."


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the command."""
    app.command("items")(speaking(items))


def items(
    target: Annotated[str, typer.Argument(help="A target folder, or a bundled world (then with --out).")],
    generator: Annotated[str, typer.Option("--generator", help=GENERATOR_HELP)] = "batch-file",
    groups: Annotated[str, typer.Option("--groups", help="Which groups, with commas. Default: all.")] = "",
    count: Annotated[
        int | None,
        typer.Option("--count", min=1, max=500, help="New items per group. Default: up to the usual number."),
    ] = None,
    instructions: Annotated[str, typer.Option("--instructions", help="Wishes that reach every request.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write here, not into the target: its items and the new ones.")
    ] = None,
    checker: Annotated[
        str | None, typer.Option("--checker", help="Who tries each item with either world. Default: the generator.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option("--corpus", help="A run folder or corpus file whose wording no item may share.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=50, help="How often to ask for what is lacking.")] = 6,
    budget_usd: Annotated[float | None, typer.Option("--budget-usd", help="Stop before more is spent.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked for; ask no model.")] = False,
) -> None:
    """Let a model write eval items; keep those that are new, valid and not given away. Run again to continue."""
    from doxa.config_sections import LmConfig
    from doxa.corpus.embed import load_encoder
    from doxa.errors import DoxaError
    from doxa.lm.models import check_model, open_models
    from doxa.run.progress import Progress
    from doxa.worlds.asking import Asker
    from doxa.worlds.item_files import chosen_groups, rejected_file, write_items, write_rejected
    from doxa.worlds.item_rounds import make_items
    from doxa.worlds.item_validity import checker as as_checker

    start, path, loaded = _places(target, out)
    job = _job(loaded, start, chosen_groups(groups), count, instructions, corpus, rounds)
    if dry_run:
        _print_plan(job)
        return
    encoder = load_encoder()
    config = LmConfig(budget_usd=budget_usd)
    check_model(generator, "--generator", config)
    check_model(checker or generator, "--checker", config)
    folder = path.parent / ".draft"
    with open_models(folder, config, Progress()) as models:
        asker = Asker(models, generator, folder)
        made = make_items(asker, as_checker(asker, checker or generator), job, encoder)
    write_rejected(path, made.rejected)
    if made.items:
        write_items(path, start, made.items)
    _print_made(job, made, encoder)
    found = sum(len(rows) for rows in made.items.values())
    print(f"{path}: {found} items added; what was left out is in {rejected_file(path)}")
    if made.problems:
        raise DoxaError("; ".join(made.problems))


def _places(target: str, out: Path | None) -> tuple[Path, Path, Target]:
    """The file of items to start from, the one to write, and the target."""
    from doxa.errors import ConfigError
    from doxa.worlds.universe import bundled_names, load_target

    loaded = load_target(target)
    own = loaded.folder / "evals.json"
    if out is None and target in bundled_names():
        raise ConfigError(f"{target}: is bundled with doxa and is not written to; name a file with --out")
    if out is not None and out.is_dir():
        raise ConfigError(f"--out: {out} is a folder; name a file in it")
    path = own if out is None else out
    return (path if path.exists() else own), path, loaded


def _job(
    target: Target,
    start: Path,
    groups: tuple[str, ...],
    count: int | None,
    instructions: str,
    corpus: str | None,
    rounds: int,
) -> ItemJob:
    from doxa.corpus.source import open_corpus
    from doxa.worlds.item_files import read_groups
    from doxa.worlds.item_rounds import ItemJob, usual_wants
    from doxa.worlds.shared_runs import Source, target_sources

    _, present = read_groups(start)
    opened = None if corpus is None else open_corpus(corpus)

    def sources() -> list[Source]:
        told = list(target_sources(target.universe, target.folder))
        if opened is not None:
            told.append((f"{corpus}, row ", ((row.id, row.text) for row in opened.documents())))
        return told

    usual = usual_wants(target.universe, present, groups)
    wanted = {group: usual[group] if count is None or group == "marks" else count for group in groups}
    return ItemJob(target.universe, present, wanted, sources, instructions, rounds)


def _print_plan(job: ItemJob) -> None:
    print(f"{'group':<20}{'there':>7}{'to add':>8}")
    for group, wanted in job.wanted.items():
        print(f"{group:<20}{len(job.present.get(group, [])):>7}{wanted:>8}")
    asking = sum(wanted > 0 for wanted in job.wanted.values())
    total = sum(job.wanted.values())
    print(f"at least {asking} requests for items, and 4 for each of up to {total} items to try it on the checker")


def _print_made(job: ItemJob, made: Made, encoder: Any) -> None:
    """Per group: what there was, what was added, what was left out and why, and the effective n of all of it."""
    from collections import Counter

    from doxa.belief.effective import effective_by_group
    from doxa.worlds.item_sieve import whole_text

    texts = {
        group: [whole_text(group, row) for row in (*job.present.get(group, []), *made.items.get(group, []))]
        for group in job.wanted
        if job.wanted[group]
    }
    effective = effective_by_group(texts, encoder)
    print(f"{'group':<20}{'there':>7}{'added':>7}{'wanted':>8}{'n':>5}{'effective n':>13}  left out")
    for group, said in texts.items():
        why = Counter(row.reason for row in made.rejected if row.group == group)
        left = ", ".join(f"{number} {reason}" for reason, number in why.most_common())
        there, added = len(job.present.get(group, [])), len(made.items.get(group, []))
        wanted = job.wanted[group]
        print(f"{group:<20}{there:>7}{added:>7}{wanted:>8}{len(said):>5}{effective[group]:>13.1f}  {left}")
