"""The stages that make a corpus about a model spec: plan, write, revise, screen, mix. Dedup is that of universes.

They read the run's own copy of the spec (target/), which in the augmented modes is another than the target's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from doxa.errors import ConfigError
from doxa.records import DocIdea, Document
from doxa.run.corpus_stages import (
    IDEAS,
    accounts,
    check_models,
    keep_judged,
    mixed,
    planned,
    revise_by_model,
    take_recorded,
    write_by_model,
)
from doxa.run.folder import each_row, write_rows
from doxa.run.rows import stream_rows
from doxa.run.spec_run import TREE, SpecRun, planned_run, target_of

if TYPE_CHECKING:
    from doxa.run.stages import StageContext
    from doxa.worlds.spec_tree import SpecTree

CUT_SHARE = 0.05  # of answers without an end from which a longer limit is advised; forks met with 20% at 5,000 tokens


def spec_plan_stage(context: StageContext) -> dict[str, Any]:
    """Subdomains -> document types and ideas."""
    from doxa.corpus.spec_plan import taken_over
    from doxa.corpus.spec_recorded import plan_recorded
    from doxa.lm.recorded import RECORDED
    from doxa.worlds.spec_tree import read_tree

    config, folder = context.config, context.folder
    run = SpecRun(config, folder)
    left_out = 0
    if config.generator == RECORDED:
        ideas = plan_recorded(target_of(config), run.about.corpus, config.documents, config.seed)
    elif run.about.plan_from is not None:
        source = planned_run(run.about.plan_from)
        earlier = list(each_row(source / IDEAS, DocIdea))
        # in the rules modes the tree has lost those that are no rules
        cut = _assertions(read_tree(source / TREE, run.spec)) - _assertions(run.tree)
        ideas = list(taken_over(earlier, run.prompting, cut))
        left_out = len(earlier) - len(ideas)
        others = {idea.target for idea in ideas} - {run.spec.id}
        if others:
            raise ConfigError(f"spec.plan_from: {run.about.plan_from} plans documents of {', '.join(sorted(others))}")
    else:
        return _plan_by_model(context, run)
    write_rows(folder / IDEAS, ideas)
    counts = {"ideas": len(ideas), "types": len({idea.doc_type for idea in ideas})}
    return counts | ({"ideas_without_rules": left_out} if left_out else {})


def _assertions(tree: SpecTree) -> set[str]:
    return {assertion.id for assertion in tree.assertions}


def _plan_by_model(context: StageContext, run: SpecRun) -> dict[str, Any]:
    from doxa.corpus.brainstorm import Brainstorm
    from doxa.corpus.idea_filter import idea_filter
    from doxa.corpus.spec_plan import spec_cells, spec_ideas
    from doxa.lm.models import open_models

    config, folder = context.config, context.folder
    check_models(config)
    prompting = run.prompting
    with open_models(folder.path, config.lm, context.progress) as models, accounts(context, models, prompting):
        brainstorm = Brainstorm(prompting, models, context.progress, idea_filter(config.plan.similarity))
        quotas = spec_cells(config, len(prompting.subjects))
        made = brainstorm.run(quotas)
        number = stream_rows(folder / IDEAS, spec_ideas(prompting, quotas, made))
    return planned(context, prompting, made, number)


def spec_write_stage(context: StageContext) -> dict[str, Any]:
    """Ideas -> documents."""
    from doxa.lm.recorded import RECORDED

    run = SpecRun(context.config, context.folder)
    if context.config.generator == RECORDED:
        return take_recorded(context, lambda ideas, done: _recorded(run, ideas, done))
    counts = write_by_model(context, run.prompting, run.judge())
    broken = sum(counts.get(f"again_{reason}", 0) for reason in ("no_tags", "no_end_tag", "length_stop"))
    if broken > CUT_SHARE * counts["tries"]:
        context.progress.warn(
            f"write: {broken} of {counts['tries']} answers had no tags or no end; raise write.max_tokens "
            f"({context.config.write.max_tokens}), or lower write.words"
        )
    return counts


def _recorded(run: SpecRun, ideas: list[DocIdea], done: set[str]) -> Iterator[Document]:
    from doxa.corpus.spec_recorded import as_recorded, recorded_prompts
    from doxa.corpus.write import write_rows_of
    from doxa.worlds.spec_recorded import recorded_spec_file, recorded_spec_rows

    target, corpus = target_of(run.config), run.about.corpus
    rows = recorded_spec_rows(target, corpus)
    prompts = recorded_prompts(target, corpus, rows)
    return write_rows_of(ideas, map(as_recorded, rows), prompts, recorded_spec_file(target, corpus), done)


def spec_revise_stage(context: StageContext) -> dict[str, Any]:
    """Critique and rewrite, revise.passes times."""
    run = SpecRun(context.config, context.folder)
    return revise_by_model(context, lambda: (run.prompting, run.judge()))


def spec_screen_stage(context: StageContext) -> dict[str, Any]:
    """Drop bad documents, with reasons."""
    from doxa.corpus.spec_screen import judged
    from doxa.lm.recorded import RECORDED

    documents = each_row(context.folder / "stages/revise/documents.jsonl", Document)
    run = SpecRun(context.config, context.folder)
    counts = keep_judged(context, "screen", judged(documents, *run.screening()))
    if "rejected_reason_given" in counts and context.config.generator == RECORDED:
        context.progress.warn(
            f"screen: recorded documents give reasons, which mode {run.about.mode} has none of; name a generator that "
            "writes others"
        )
    return counts


def spec_mix_stage(context: StageContext) -> dict[str, Any]:
    """Documents and mix-ins -> corpus.parquet, with what of the tree they cover and how they name the model."""
    from doxa.corpus.spec_facts import spec_facts

    run = SpecRun(context.config, context.folder)
    rows, counts = mixed(context)
    facts = spec_facts(rows, run.tree, run.names)
    # what was never planned was lost nowhere: recorded documents need not be about every part of their spec
    planned_for = {idea.subdomain for idea in each_row(context.folder / IDEAS, DocIdea)}
    lost = [name for name, number in facts["documents_per_subdomain"].items() if not number and name in planned_for]
    if run.about.corpus == "spec" and lost:
        many = "subdomain" if len(lost) == 1 else "subdomains"
        context.progress.warn(f"mix: no document is left about {len(lost)} {many}: {', '.join(lost[:8])}")
    return {**counts, **facts}
