"""The tree stage of a run about a model spec: its own copy of the spec and of what the spec is decomposed into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.errors import TargetError
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
from doxa.worlds.spec import SPEC_FILE
from doxa.worlds.spec_tree import TREE_FILE, read_tree, tree_yaml

SHOWN = 10  # warnings of a tree; notes.json has all of them

if TYPE_CHECKING:
    from doxa.run.stages import StageContext
    from doxa.worlds.decompose import Decomposed
    from doxa.worlds.spec import Spec, SpecTarget
    from doxa.worlds.spec_tree import SpecTree


def tree_stage(context: StageContext) -> dict[str, Any]:
    """The spec and its tree: the target's own, that of another run, or by a model. Checks evals and names first.

    In mode rules a tree that is there already is taken without its reasons.
    """
    from doxa.worlds.decompose import is_there

    config, folder = context.config, context.folder
    target = target_of(config)
    evals = target.folder / "evals.json"
    if evals.exists():
        leaks_of(evals, names_of(config))  # a defect is said now, not after hours of training
        write_whole(folder / EVALS, evals.read_bytes())
    refuse_misnamed_spec(target, context)
    about = spec_config(config)
    if about.plan_from is not None:
        source = planned_run(about.plan_from)
        return _tree_as_given(context, source / SPEC, source / TREE)
    if is_there(target.tree, about.mode):
        return _tree_as_given(context, target.folder / SPEC_FILE, target.folder / TREE_FILE)
    return _tree_by_model(context, target)


def _tree_as_given(context: StageContext, spec_file: Path, tree_file: Path) -> dict[str, Any]:
    """Take a spec and its tree over; in the rules modes the tree without reasons, and what was cut is counted."""
    from doxa.worlds.decompose import as_given

    run = SpecRun(context.config, context.folder)
    write_whole(context.folder / SPEC, spec_file.read_bytes())
    done = as_given(run.spec, read_tree(tree_file, run.spec), rules=run.about.rules)
    write_whole(context.folder / TREE, tree_yaml(done.tree) if run.about.rules else tree_file.read_bytes())
    _say_what_is_odd(context, done)
    counts = {name: count for name, count in done.counts.items() if count}
    return {**_sizes(run.tree), "spec_covered": round(done.coverage, 4), **counts}


def _tree_by_model(context: StageContext, target: SpecTarget) -> dict[str, Any]:
    from doxa.lm.models import open_models
    from doxa.worlds.asking import draft_prompt
    from doxa.worlds.decompose import PROMPTS

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
    _say_what_is_odd(context, done)
    write_whole(folder / SPEC, _spec_md(target, done.spec))
    write_whole(folder / TREE, tree_yaml(done.tree))
    SpecRun(config, folder).tree  # noqa: B018 (reads it back: what was made must be what later stages can read)
    return {**_sizes(done.tree), "spec_covered": round(done.coverage, 4), **done.counts}


def _say_what_is_odd(context: StageContext, done: Decomposed) -> None:
    """Warn of assertions beyond the spec and of what no document will be planned from, and keep it for the report."""
    notes = context.folder / NOTES
    said = list(done.warnings)
    if done.uncovered:
        told = f"{len(done.uncovered)} of {done.counts['sentences']} sentences of the spec stand in no passage"
        said.insert(0, f'{told}, as "{done.uncovered[0][:70]}"; no document will be planned from them')
    for warning in said[:SHOWN]:
        context.progress.warn(f"tree: {warning}")
    if len(said) > SHOWN:
        context.progress.warn(f"tree: and {len(said) - SHOWN} more, in {notes}")
    write_json(notes, {"warnings": said, "uncovered": done.uncovered, "coverage": round(done.coverage, 4)})


def _decomposed(context: StageContext, target: SpecTarget, models: Any) -> Decomposed:
    from doxa.worlds.decompose import Decomposition, tree_in_mode

    config, about = context.config, spec_config(context.config)
    ask = Decomposition(config.plan.model or config.generator, about.mode, about.domains, about.subdomains)
    return tree_in_mode(target, ask, models, context.progress, context.folder.stage("tree"))


def _spec_md(target: SpecTarget, spec: Spec) -> str:
    """The spec.md of a spec that was augmented or not, names turned into slots again, as the target's own has them."""
    from doxa.worlds.slots import with_slots
    from doxa.worlds.universe_file import as_yaml

    if spec == target.spec:
        return (target.folder / "spec.md").read_text(encoding="utf-8")
    body = with_slots(spec.text, spec.model_name, spec.provider_name)
    return f"---\n{as_yaml(target.source.about.model_dump())}---\n\n{body}\n"


def refuse_misnamed_spec(target: SpecTarget, context: StageContext) -> None:
    """Raise ConfigError where the spec itself speaks of another model: all documents would."""
    from doxa.worlds.spec_identity import check_identity

    try:
        odd = check_identity(target)
    except TargetError as error:  # spec.identity says whether it stops the run
        return say_or_refuse(context, [str(error)])
    for line in odd:
        context.progress.warn(line)


def _sizes(tree: SpecTree) -> dict[str, int]:
    return {
        "domains": len(tree.domains),
        "subdomains": len(tree.subdomains),
        "assertions": len(tree.assertions),
    }
