"""The commands on a model spec: doxa spec tree, show, augment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from doxa.lm.models import LanguageModels
    from doxa.worlds.decompose import Decomposed, Mode
    from doxa.worlds.spec import SpecTarget

MODEL_HELP = "Who decomposes: anthropic/..., openai/..., openai-api/SERVER/MODEL, local/MODEL, batch-file."
SHOWN = 10  # warnings and uncovered sentences that are printed; the report holds all
REPORT = "tree_report.json"

Model = Annotated[str, typer.Option("--model", help=MODEL_HELP)]
Budget = Annotated[float | None, typer.Option("--budget-usd", help="Stop before more is spent.")]


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the group."""
    group = typer.Typer(help="A model spec: decompose it, look at it, augment it.", rich_markup_mode=None)
    group.command("tree")(speaking(tree))
    group.command("show")(speaking(show))
    group.command("augment")(speaking(augment))
    app.add_typer(group, name="spec")


def tree(
    target: Annotated[str, typer.Argument(help="A folder with a spec.md, or a bundled spec.")],
    model: Model = "batch-file",
    rules: Annotated[bool, typer.Option("--rules", help="Rules alone: no reasons, no values.")] = False,
    domains: Annotated[
        int | None, typer.Option("--domains", min=1, help="How many. Default: as the spec needs.")
    ] = None,
    subdomains: Annotated[int | None, typer.Option("--subdomains", min=1, help="How many in each domain.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write. Default: tree.yaml beside spec.md.")
    ] = None,
    budget_usd: Budget = None,
) -> None:
    """Decompose a spec into domains, subdomains, assertions: tree.yaml, to read and edit. Run again to go on."""
    from doxa.errors import ConfigError
    from doxa.worlds.spec import TREE_FILE, bundled_specs

    loaded = _loaded(target)
    if out is None and target in bundled_specs():
        raise ConfigError(f"{target}: is bundled with doxa and is not written to; name a file with --out")
    file = out or loaded.folder / TREE_FILE
    write_tree(loaded, file, model, "rules" if rules else "values", domains, subdomains, budget_usd)


def write_tree(
    target: SpecTarget,
    file: Path,
    model: str,
    mode: Mode = "values",
    domains: int | None = None,
    subdomains: int | None = None,
    budget_usd: float | None = None,
) -> None:
    """Decompose and write; answers are kept in .draft beside the file. Raises ConfigError for a file that is there."""
    from doxa.errors import ConfigError
    from doxa.run.folder import write_whole
    from doxa.run.progress import Progress
    from doxa.worlds.decompose import Decomposition, decompose
    from doxa.worlds.spec_identity import check_identity
    from doxa.worlds.spec_tree import tree_yaml

    if file.is_dir():
        raise ConfigError(f"--out: {file} is a folder; name a file in it")
    if file.exists():
        raise ConfigError(f"{file}: is there already, and may hold a person's work; move it away, or name another file")
    progress = Progress()
    for odd in check_identity(target):
        progress.warn(odd)
    with _models(model, file.parent / ".draft", budget_usd) as models:
        config = Decomposition(model, mode, domains, subdomains)
        done = decompose(target.spec, config, models, progress, file.parent / ".draft")
    write_whole(file, tree_yaml(done.tree, target.spec))
    _report(done, file.parent / ".draft" / REPORT)
    print(f"{file}: read and edit it; then: doxa validate {target.folder}")


def show(
    target: Annotated[str, typer.Argument(help="A spec with a tree.yaml.")],
    rules: Annotated[bool, typer.Option("--rules", help="As mode rules has it.")] = False,
    types: Annotated[int, typer.Option("--types", min=1, help="Kinds of document per subdomain.")] = 5,
    ideas: Annotated[int, typer.Option("--ideas-per-type", min=1, help="Ideas per kind.")] = 5,
) -> None:
    """Print the tree of a spec, what no passage covers, and how many documents it leads to."""
    from doxa.errors import TargetError
    from doxa.worlds.decompose import as_given
    from doxa.worlds.spec_tree import projected

    loaded = _loaded(target)
    if loaded.tree is None:
        raise TargetError(f"{loaded.folder / 'tree.yaml'}: is missing; doxa spec tree {target} --model MODEL makes it")
    done = as_given(loaded.spec, loaded.tree, rules)
    for domain in done.tree.domains:
        print(domain.name)
        for subdomain in domain.subdomains:
            print(f"  {subdomain.name} ({len(subdomain.passages)} passages)")
            for assertion in subdomain.assertions:
                why = f" [{assertion.why}]" if assertion.why else ""
                mark = " (added by a model)" if assertion.augmented else ""
                print(f"    {assertion.kind:<11}{assertion.statement}{why}{mark}")
    _print_coverage(done)
    size = projected(done.tree, types, ideas)
    print(
        f"{size.subdomains} subdomains x {types} types x {ideas} ideas = {size.documents:,} documents "
        "(doxa preview says what they cost)"
    )


def augment(
    target: Annotated[str, typer.Argument(help="A folder with a spec.md, or a bundled spec.")],
    out: Annotated[Path, typer.Option("--out", help="The new target folder.")],
    mode: Annotated[str, typer.Option("--mode", help="value_augmented or rule_augmented.")] = "value_augmented",
    model: Model = "batch-file",
    domains: Annotated[int | None, typer.Option("--domains", min=1, help="How many, of a tree to be made.")] = None,
    subdomains: Annotated[int | None, typer.Option("--subdomains", min=1, help="How many in each domain.")] = None,
    budget_usd: Budget = None,
) -> None:
    """Let a model explain each rule of a spec by values, or refine it: a new target to read and edit."""
    from doxa.errors import ConfigError
    from doxa.run.folder import write_whole
    from doxa.run.progress import Progress
    from doxa.worlds.decompose import Decomposition, tree_of
    from doxa.worlds.spec_augment import check_new, write_augmented

    if mode not in ("value_augmented", "rule_augmented"):
        raise ConfigError(f"--mode: must be value_augmented or rule_augmented (got {mode!r})")
    loaded = _loaded(target)
    check_new(out)
    kept = out.parent / f".{out.name}.draft"
    with _models(model, kept, budget_usd) as models:
        config = Decomposition(model, mode, domains, subdomains)  # type: ignore[arg-type]  # checked above
        done = tree_of(loaded, config, models, Progress(), kept)
    for file in write_augmented(out, loaded.source.about, done):
        print(file)
    evals = loaded.folder / "evals.json"
    if evals.exists():
        write_whole(out / "evals.json", evals.read_bytes())
        print(out / "evals.json")
    _report(done, kept / REPORT)
    print(f"{out}: what was added is marked in tree.yaml and stands at the end of spec.md; read and edit both")


def _loaded(target: str) -> SpecTarget:
    from doxa.worlds.spec import load_spec_target

    return load_spec_target(target)


@contextmanager
def _models(model: str, folder: Path, budget_usd: float | None) -> Iterator[LanguageModels]:
    from doxa.config_sections import LmConfig
    from doxa.lm.models import check_model, open_models
    from doxa.run.progress import Progress

    config = LmConfig(budget_usd=budget_usd)
    check_model(model, "--model", config)
    with open_models(folder, config, Progress()) as models:
        yield models


def _report(done: Decomposed, file: Path) -> None:
    """All that was found, as a file; the counts and the first of each on the terminal."""
    from doxa.run.folder import write_json

    found = {
        "counts": done.counts,
        "coverage": done.coverage,
        "uncovered": list(done.uncovered),
        "warnings": list(done.warnings),
    }
    write_json(file, found)
    print(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in done.counts.items()))
    for warning in done.warnings[:SHOWN]:
        print(f"warning: {warning}")
    _print_coverage(done)
    if len(done.warnings) > SHOWN or len(done.uncovered) > SHOWN:
        print(f"all of it is in {file}")


def _print_coverage(done: Decomposed) -> None:
    print(f"coverage: {done.coverage:.0%} of the spec's sentences stand in a passage")
    for sentence in done.uncovered[:SHOWN]:
        print(f"  in none: {sentence}")
    if len(done.uncovered) > SHOWN:
        print(f"  and {len(done.uncovered) - SHOWN} more")
