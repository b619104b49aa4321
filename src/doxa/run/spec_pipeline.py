"""The stages of a run about a model spec, and how its config is made complete. Bodies stand in modules of their own."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from doxa.config import RunConfig, UserConfig, for_spec, resolve
from doxa.errors import ConfigError
from doxa.records import digest
from doxa.run.pipeline import DEDUP, EVAL, MIDTRAIN, MIX, REPORT, REVISE, SCREEN, WRITE, mix_digest
from doxa.run.spec_corpus_stages import (
    spec_mix_stage,
    spec_plan_stage,
    spec_revise_stage,
    spec_screen_stage,
    spec_write_stage,
)
from doxa.run.spec_eval import spec_eval_stage
from doxa.run.spec_run import plan_digest
from doxa.run.spec_training import align_stage, spec_midtrain_stage
from doxa.run.stages import Stage, StageContext
from doxa.run.tree_stage import tree_stage

if TYPE_CHECKING:
    from doxa.worlds.spec import SpecTarget


def resolve_spec(user: UserConfig, stored: RunConfig | None = None) -> RunConfig:
    """The complete config of a run about a spec: names filled in, everything that decides its results digested.

    `stored` is the config that the run was made with, if it is there already: align rows that were moved away since are
    then those that it was made with, of which its folder has copies.
    """
    from doxa.lm.recorded import RECORDED
    from doxa.worlds.decompose import is_there
    from doxa.worlds.spec import bundled_specs, load_spec_target

    given = user.spec
    target = load_spec_target(user.target, given.model_name if given else None, given.provider_name if given else None)
    user = for_spec(user, target.spec.model_name, target.spec.provider_name)
    about = user.spec
    assert about is not None
    if target.tree is not None and (about.domains or about.subdomains):
        raise ConfigError(
            f"spec.{'domains' if about.domains else 'subdomains'}: is for a spec that is to be decomposed; "
            f"{target.folder / 'tree.yaml'} has {len(target.tree.domains)} domains already"
        )
    made = about.plan_from is None and not is_there(target.tree, about.mode)
    if user.generator == RECORDED and about.plan_from is not None:
        raise ConfigError("spec.plan_from: recorded documents were planned already; name a generator")
    if made and (user.plan.model or user.generator) == RECORDED:
        what = f"spec.mode {about.mode}" if target.tree is not None else f"{target.folder}: has no tree.yaml"
        raise ConfigError(f"{what}: a model has to make the tree; name it with generator or plan.model")
    generated, revised = _prompt_digests(user)
    config = resolve(
        user,
        target.name if user.target in bundled_specs() else str(target.folder),
        target.digest,
        target.evals_digest,
        mix_digest(user),
        generated,
        revised,
        tree_digest=_tree_digest(user) if made else "",
        plan_digest=plan_digest(about.plan_from) if about.plan_from else "",
        align_digest=_align_digest(user, target, stored),
    )
    if stored is None or (stored.align, stored.align_digest) != (config.align, config.align_digest):
        _check_steps(config, target)
    return config


def _prompt_digests(user: UserConfig) -> tuple[str, str]:
    """Names the prompts and pools that a corpus is planned and written with, and the prompts that revise."""
    from doxa.corpus.pools import load_pools
    from doxa.corpus.prompt_files import load_prompt, prompt_names
    from doxa.corpus.spec_prompting import IDEAS, PREFIX, WRITE, WRITE_RULES
    from doxa.lm.recorded import RECORDED

    about = user.spec
    assert about is not None
    names = [name for name in prompt_names() if name.startswith(PREFIX)]
    unknown = sorted(set(user.plan.prompts) - set(names))
    if unknown:
        raise ConfigError(f"plan.prompts.{unknown[0]}: a spec has no such prompt; there are {', '.join(names)}")
    own = {**user.plan.prompts, **({"spec_revise": user.revise.prompt} if user.revise.prompt else {})}

    def digests(*wanted: str) -> dict[str, str]:
        return {name: load_prompt(own.get(PREFIX + name, PREFIX + name)).digest for name in wanted}

    write = WRITE_RULES if about.corpus == "spec" and about.rules else WRITE[about.corpus]
    pools = load_pools(user.plan.pools).model_dump(mode="json")
    planned = digest(digests("types", IDEAS[about.corpus], write), pools) if user.generator != RECORDED else ""
    return planned, digest(digests("critique", "rewrite", "revise")) if user.revise.passes else ""


def _tree_digest(user: UserConfig) -> str:
    """Names who makes a tree, how large, and with which prompts."""
    from doxa.worlds.decompose import prompts_digest

    about = user.spec
    assert about is not None
    return digest(user.plan.model or user.generator, about.domains, about.subdomains, prompts_digest(about.mode))


def _align_digest(user: UserConfig, target: SpecTarget, stored: RunConfig | None) -> str:
    """Names the bytes of the rows that the align steps train on."""
    from doxa.training.step_rows import find_rows

    try:
        files = [find_rows(name, target.folder) for step in user.align.steps for name in step.rows]
    except ConfigError:
        if stored is None or stored.align != user.align:
            raise
        return stored.align_digest
    return digest([hashlib.sha256(file.read_bytes()).hexdigest() for file in files]) if files else ""


def _check_steps(config: RunConfig, target: SpecTarget) -> None:
    """Read what every align step trains on, and how: a defect is said before the corpus is paid for.

    Raises ConfigError that names the step's field, or the file that the person named and its line.
    """
    from doxa.training.align_config import step_config
    from doxa.training.step_rows import step_data

    for number, step in enumerate(config.align.steps):
        step_config(step, config.train, f"align.steps.{number}")
        step_data(step, target.folder)


def _report(context: StageContext) -> dict[str, Any]:
    from doxa.report.spec_page import write_spec_report

    page = write_spec_report(context.folder)
    return {"page": page.name, "bytes": page.stat().st_size}


def _without_alignment(config: RunConfig) -> bool:
    return not config.align.steps


NOT_DECIDING = ("write.attempts", "write.max_tokens", "spec.identity")

# what a universe's stages say of themselves goes for these, but for what is named here
SPEC_STAGES = [
    Stage(
        "tree",
        "spec -> domains, subdomains, assertions",
        reads=("target_digest", "spec.model_name", "spec.provider_name", "spec.mode", "tree_digest", "plan_digest"),
        body=tree_stage,
        owns=("target",),
        makes=("target/spec.md", "target/tree.yaml"),
    ),
    Stage(
        "plan",
        "subdomains -> document types and ideas",
        reads=("spec.corpus", "documents", "generator", "seed"),
        reads_generated=("spec", "plan", "write", "generation_digest"),
        ignores=NOT_DECIDING,
        body=spec_plan_stage,
        makes=("stages/plan/ideas.jsonl",),
    ),
    replace(WRITE, body=spec_write_stage, ignores=()),
    replace(REVISE, body=spec_revise_stage, ignores=()),
    replace(SCREEN, body=spec_screen_stage, reads=("screen", "plan.never_mention", "spec.corpus", "spec.mode")),
    DEDUP,
    replace(MIX, body=spec_mix_stage),
    replace(MIDTRAIN, body=spec_midtrain_stage),
    Stage(
        "align",
        "chats and preferences after the documents",
        reads=("model", "seed", "train", "align", "align_digest"),
        ignores=("train.checkpoint_every",),
        body=align_stage,
        owns=("aligned",),
        idle=_without_alignment,
    ),
    replace(EVAL, about="does it follow the spec: base, in context, trained, aligned", body=spec_eval_stage),
    replace(REPORT, about="report.html", body=_report),
]
