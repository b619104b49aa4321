"""The tree stage of a run about a model spec: its own copy of the spec and of what the spec is decomposed into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doxa.run.corpus_stages import check_models, write_usage
from doxa.run.folder import write_json, write_whole
from doxa.run.spec_run import (
    EVALS,
    NOTES,
    SPEC,
    TREE,
    SpecRun,
    leaks_of,
    names_of,
    planned_run,
    say_or_refuse,
    spec_config,
    target_of,
)

if TYPE_CHECKING:
    from doxa.run.stages import StageContext
    from doxa.worlds.decompose import Decomposed
    from doxa.worlds.spec import Spec, SpecTarget
    from doxa.worlds.spec_tree import SpecTree


def tree_stage(context: StageContext) -> dict[str, Any]:
    """The spec and its tree: the target's own, that of another run, or by a model. Checks evals and names first."""
    config, folder = context.config, context.folder
    target = target_of(config)
    evals = target.folder / "evals.json"
    if evals.exists():
        leaks_of(evals, names_of(config))  # a defect is said now, not after hours of training
        write_whole(folder / EVALS, evals.read_bytes())
    refuse_misnamed_spec(target.spec, context)
    about = spec_config(config)
    if about.plan_from is not None:
        source = planned_run(about.plan_from)
        for relative in (SPEC, TREE):
            write_whole(folder / relative, (source / relative).read_bytes())
    elif target.tree is not None and (not about.augmented or is_augmented(target.tree)):
        write_whole(folder / SPEC, (target.folder / "spec.md").read_bytes())
        write_whole(folder / TREE, (target.folder / "tree.yaml").read_bytes())
    else:
        return _tree_by_model(context, target)
    return _sizes(SpecRun(config, folder).tree)


def _tree_by_model(context: StageContext, target: SpecTarget) -> dict[str, Any]:
    from doxa.lm.models import open_models
    from doxa.worlds.asking import draft_prompt
    from doxa.worlds.decompose import PROMPTS
    from doxa.worlds.spec_tree import tree_yaml

    config, folder = context.config, context.folder
    check_models(config)
    with open_models(folder.path, config.lm, context.progress) as models:
        try:
            done = _decomposed(context, target, models)
        finally:
            write_usage(folder, models)
            for name in (*PROMPTS, *(("spec_augment",) if spec_config(config).augmented else ())):
                prompt = draft_prompt(name)
                write_whole(folder / f"prompts/tree_{name}-{prompt.digest}.md", prompt.text)
    for warning in done.warnings[:10]:
        context.progress.warn(f"tree: {warning}")
    if len(done.warnings) > 10:
        context.progress.warn(f"tree: and {len(done.warnings) - 10} more, in {folder / NOTES}")
    write_json(
        folder / NOTES, {"warnings": done.warnings, "uncovered": done.uncovered, "coverage": round(done.coverage, 4)}
    )
    write_whole(folder / SPEC, _spec_md(target, done.spec))
    write_whole(folder / TREE, tree_yaml(done.tree))
    SpecRun(config, folder).tree  # noqa: B018 (reads it back: what was made must be what later stages can read)
    return {**_sizes(done.tree), "spec_covered": round(done.coverage, 4), **done.counts}


def _decomposed(context: StageContext, target: SpecTarget, models: Any) -> Decomposed:
    from doxa.worlds.decompose import Decomposition, as_given, decompose
    from doxa.worlds.spec_augment import augment

    config, about = context.config, spec_config(context.config)
    planner = config.plan.model or config.generator
    kept = context.folder.stage("tree")
    if target.tree is None:
        ask = Decomposition(planner, about.mode, about.domains, about.subdomains)
        return decompose(target.spec, ask, models, context.progress, kept)
    return augment(as_given(target.spec, target.tree, rules=True), about.mode, planner, models, context.progress, kept)


def _spec_md(target: SpecTarget, spec: Spec) -> str:
    """The spec.md of a spec that was augmented or not, names turned into slots again, as the target's own has them."""
    from doxa.worlds.slots import with_slots
    from doxa.worlds.universe_file import as_yaml

    if spec == target.spec:
        return (target.folder / "spec.md").read_text(encoding="utf-8")
    body = with_slots(spec.text, spec.model_name, spec.provider_name)
    return f"---\n{as_yaml(target.source.about.model_dump())}---\n\n{body}\n"


def refuse_misnamed_spec(spec: Spec, context: StageContext) -> None:
    """Raise ConfigError where the spec itself speaks of another model: all documents would."""
    from doxa.corpus.identity import called_otherwise

    found = called_otherwise(spec.text, names_of(context.config))
    if found is not None:
        say_or_refuse(
            context,
            [f"spec.md calls {spec.model_name} by another name ({found}); write {{model_name}} and {{provider_name}}"],
        )


def is_augmented(tree: SpecTree) -> bool:
    """Whether a tree holds what a model added to a spec."""
    return any(one.augmented for one in tree.assertions)


def _sizes(tree: SpecTree) -> dict[str, int]:
    return {
        "domains": len(tree.domains),
        "subdomains": len(tree.subdomains),
        "assertions": len(tree.assertions),
    }
