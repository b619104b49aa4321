"""`doxa preview` of a spec: its tree with the documents that each part will get, what all of it costs, and stop.

Without a tree yet, what asking for one costs, and the counts that spec.domains and spec.subdomains lead to.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from doxa.errors import ConfigError
from doxa.run.corpus_stages import accounts, check_models
from doxa.run.folder import write_whole
from doxa.run.preview_corpus import FILE, print_steps, print_time, reading_page, write_some
from doxa.run.spec_run import SPEC, TREE, SpecRun, spec_config, target_of
from doxa.run.stages import StageContext

if TYPE_CHECKING:
    from rich.console import Console

    from doxa.config import RunConfig, UserConfig
    from doxa.corpus.counts import Cell
    from doxa.corpus.estimate import Step
    from doxa.run.folder import RunFolder
    from doxa.run.progress import Progress
    from doxa.worlds.spec import Spec
    from doxa.worlds.spec_tree import SpecTree

# of a tree that nobody has made, where the config names no numbers: the published philosophy spec (13,201 documents
# at 500 per subdomain) has 8 domains and about 26 subdomains
DOMAINS, SUBDOMAINS = 8, 3
ASSERTIONS = 5  # of a subdomain, and the tokens that an answer of the tree's requests takes
NAMES_TOKENS, PASSAGES_TOKENS, ASSERTIONS_TOKENS = (60, 200), (300, 1200), (150, 600)


def preview_spec(
    folder: RunFolder, config: RunConfig, user: UserConfig | None, progress: Progress, console: Console, documents: int
) -> None:
    """Print tree, counts, tokens and price range; write `documents` documents to preview.md, if asked to."""
    from doxa.corpus.spec_plan import spec_cells
    from doxa.lm.prices import load_prices
    from doxa.lm.recorded import RECORDED

    spec, tree, made = _known(folder, config)
    if config.generator == RECORDED:
        _print_recorded(config, tree, console)
        return
    check_models(config)
    shown = (
        tree if tree is not None else guessed_tree(spec, spec_config(config).domains, spec_config(config).subdomains)
    )
    quotas = spec_cells(config, len(shown.subdomains))
    _print_tree(shown, quotas, console, made=tree is not None)
    steps = [
        *([] if made else tree_steps(config, spec, shown, tree is not None)),
        *corpus_steps(config, spec, shown, quotas),
    ]
    print_steps(steps, load_prices(config.lm.prices), config.lm, console)
    if documents == 0:
        return
    if tree is None:
        raise ConfigError("--documents: there is no tree yet to write about; `doxa tree` makes one")
    _write(folder, config, user, progress, console, documents, steps)


def guessed_tree(spec: Spec, domains: int | None, subdomains: int | None) -> SpecTree:
    """A tree of the size that a decomposition would have, with texts of usual length, to measure requests by."""
    from doxa.worlds.spec_tree import Assertion, Domain, SpecTree, Subdomain

    number, parts = domains or DOMAINS, subdomains or SUBDOMAINS
    share = max(200, len(spec.text) // (number * parts))  # every part of the spec is quoted about once

    def part(place: str) -> Subdomain:
        assertions = tuple(
            Assertion(id=f"{place}_{one}", statement=f"{spec.model_name} {'x' * 90}", why="x" * 70)
            for one in range(ASSERTIONS)
        )
        return Subdomain(
            id=place, name="x" * 20, summary="x" * 180, passages=(spec.text[:share],), assertions=assertions
        )

    return SpecTree(
        domains=tuple(
            Domain(id=f"domain_{d}", name="x" * 14, subdomains=tuple(part(f"part_{d}_{s}") for s in range(parts)))
            for d in range(number)
        )
    )


def tree_steps(config: RunConfig, spec: Spec, tree: SpecTree, there: bool) -> list[Step]:
    """What decomposing the spec asks of the planner: one request for domains, one per domain, one per subdomain.

    Where the tree is `there`, what is left is to augment it.
    """
    from doxa.corpus.estimate import BYTES_PER_TOKEN, Step

    planner = config.plan.model or config.generator
    prompt = len(spec.text.encode()) + 2500  # the spec stands in each request, with a page of instructions
    levels = [("tree: domains", 1, NAMES_TOKENS), ("tree: subdomains", len(tree.domains), PASSAGES_TOKENS)]
    levels.append(("tree: assertions", len(tree.subdomains), ASSERTIONS_TOKENS))
    levels = [] if there else levels
    if spec_config(config).augmented:
        levels.append(("tree: augment", len(tree.subdomains), ASSERTIONS_TOKENS))
    return [
        Step(
            name,
            planner,
            (calls, round(calls * 1.3) + 1),
            (round(calls * prompt / BYTES_PER_TOKEN[0]), round((calls * 1.3 + 1) * prompt / BYTES_PER_TOKEN[1])),
            (calls * answer[0], round((calls * 1.3 + 1) * answer[1])),
        )
        for name, calls, answer in levels
    ]


def corpus_steps(config: RunConfig, spec: Spec, tree: SpecTree, quotas: list[Cell]) -> list[Step]:
    """What planning, writing and revising ask for."""
    from doxa.corpus.estimate import estimate
    from doxa.corpus.spec_prompting import SpecPrompting

    prompting = SpecPrompting(spec, tree, config)
    steps = estimate(prompting, quotas, prompting.subjects)
    planned = spec_config(config).plan_from is not None
    return [step for step in steps if not (planned and step.name.startswith("plan"))]


def _known(folder: RunFolder, config: RunConfig) -> tuple[Spec, SpecTree | None, bool]:
    """The spec and its tree, from the run folder where it has one; and whether asking for the tree costs nothing."""
    from doxa.worlds.spec_rules import rules_only

    target = target_of(config)
    run = SpecRun(config, folder)
    if (folder / SPEC).exists() and (folder / TREE).exists():
        return run.spec, run.tree, True
    tree = target.tree
    if tree is not None and run.about.rules:
        tree, _ = rules_only(tree, target.spec)
    return target.spec, tree, not config.tree_digest


def _print_tree(tree: SpecTree, quotas: list[Cell], console: Console, made: bool) -> None:
    documents = [sum(cell.documents for cell in quotas if cell.fact == place) for place in range(len(tree.subdomains))]
    kinds = [sum(cell.fact == place for cell in quotas) for place in range(len(tree.subdomains))]
    if made:
        place = 0
        for domain in tree.domains:
            console.print(domain.name, style="bold", markup=False)
            for part in domain.subdomains:
                counts = f"{kinds[place]} kinds, {documents[place]:,} documents"
                console.print(f"  {part.name} ({len(part.assertions)} assertions, {counts})", markup=False)
                for one in part.assertions:
                    console.print(f"    - {one.statement}", markup=False, style="dim")
                place += 1
    else:
        console.print(
            "There is no tree yet: `doxa tree` asks for one and stops. Counted with the numbers of spec.domains and "
            f"spec.subdomains, or {DOMAINS} domains of {SUBDOMAINS} subdomains where they are left to the model.",
        )
    console.print(
        f"{len(tree.domains)} domains -> {len(tree.subdomains)} subdomains -> {len(quotas):,} kinds of document -> "
        f"{sum(cell.ideas for cell in quotas):,} ideas -> {sum(documents):,} documents"
    )


def _print_recorded(config: RunConfig, tree: SpecTree | None, console: Console) -> None:
    """Recorded documents cost nothing: how many there are of each part."""
    from doxa.corpus.spec_recorded import plan_recorded

    ideas = plan_recorded(target_of(config), spec_config(config).corpus, config.documents, config.seed)
    assert tree is not None  # a recorded run without a tree is refused when its config is made
    counts: dict[str, int] = {}
    for idea in ideas:
        counts[idea.subdomain] = counts.get(idea.subdomain, 0) + 1
    for domain in tree.domains:
        console.print(domain.name, style="bold", markup=False)
        for part in domain.subdomains:
            told = f"{len(part.assertions)} assertions, {counts.pop(part.id, 0)} recorded documents"
            console.print(f"  {part.name} ({told})", markup=False)
            for one in part.assertions:
                console.print(f"    - {one.statement}", markup=False, style="dim")
    elsewhere = f", {sum(counts.values())} of them about something else" if counts else ""
    console.print(f"{len(ideas)} recorded documents{elsewhere}; they cost nothing. Name a generator for others.")


def _write(
    folder: RunFolder,
    config: RunConfig,
    user: UserConfig | None,
    progress: Progress,
    console: Console,
    documents: int,
    steps: list[Any],
) -> None:
    from doxa.corpus.brainstorm import Brainstorm
    from doxa.corpus.idea_filter import IdeaFilter
    from doxa.corpus.spec_plan import spec_cells, spec_ideas
    from doxa.lm.models import open_models
    from doxa.run.kinds import stages_of
    from doxa.run.runner import remember
    from doxa.run.stages import read_states, refuse_stale, run_stage

    with folder.lock():
        states = read_states(stages_of(config), config, folder)
        refuse_stale(states, folder)
        remember(folder, config, user)
        context = StageContext(config, folder, progress)
        if states[0].status != "done":
            run_stage(states[0], context)
        run = SpecRun(config, folder)
        prompting = run.prompting
        with open_models(folder.path, config.lm, progress) as models, accounts(context, models, prompting):
            brainstorm = Brainstorm(prompting, models, progress, IdeaFilter(None, None))
            quotas = spec_cells(config, len(prompting.subjects))
            begin = time.monotonic()
            made, tries = write_some(
                brainstorm,
                quotas,
                models,
                lambda cells, ideas: list(spec_ideas(prompting, cells, ideas, turns=1)),
                run.judge(),
                documents,
            )
            seconds = time.monotonic() - begin
        write_whole(folder / FILE, reading_page(made, run.judge(), "Assertions"))
        console.print(f"\n{len(made)} documents to read: {folder / FILE}")
        print_time(steps, seconds, tries, config, console)
