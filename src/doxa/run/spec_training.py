"""The stages that train on a spec: documents first, checked for whom they name, then chats and preferences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.errors import ConfigError, TargetError
from doxa.run.folder import read_json, write_json, write_whole
from doxa.run.spec_run import names_of, say_or_refuse, target_of

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.run.folder import RunFolder
    from doxa.run.stages import StageContext
    from doxa.training.align_config import AlignStep
    from doxa.worlds.spec import SpecTarget

STEP = "step.json"  # in aligned/<number>/: that the step is done, and its counts


def spec_midtrain_stage(context: StageContext) -> dict[str, Any]:
    """Next-token training, refused on a corpus that calls the model by another name, or other weights by its name."""
    from doxa.corpus.identity import gate
    from doxa.corpus.parquet import read_corpus
    from doxa.run.pipeline import midtrain_stage
    from doxa.training.midtrain import is_main_process

    if is_main_process():
        rows = read_corpus(context.folder / "corpus.parquet")
        say_or_refuse(context, gate(rows, names_of(context.config), context.config.model))
    return midtrain_stage(context)


def align_stage(context: StageContext) -> dict[str, Any]:
    """The align steps one after another, each from where the one before ended, into aligned/1, aligned/2 and so on.

    A step that was finished is not trained again, and one that was interrupted goes on. Of several processes the first
    one alone says that a step is done; the others wait for what it wrote.
    """
    from doxa.records import digest
    from doxa.training.align_config import step_config
    from doxa.training.step_rows import step_data
    from doxa.training.steps import is_main_process, train_step, wait_for_all

    config, folder = context.config, context.folder
    start = folder / "checkpoints/final"
    done: list[dict[str, Any]] = []
    for number, step in enumerate(config.align.steps, start=1):
        at = folder / f"aligned/{number}"
        fingerprint = digest(context.fingerprint, number)
        if not _is_done(at, fingerprint):
            train = step_config(step, config.train, f"align.steps.{number - 1}")
            counts = train_step(
                config.model,
                start,
                step.how,
                step_data(with_own_rows(config, folder, step, number)),
                train,
                config.seed if step.seed is None else step.seed,
                at,
                at / "metrics.jsonl",
                context.progress,
                fingerprint,
                {"model": config.model, "method": train.method, "recipe": config.recipe, "seed": config.seed},
            )
            if is_main_process():
                record = {"fingerprint": fingerprint, "counts": {"kind": step.kind, "how": step.how, **counts}}
                write_json(at / STEP, record)
            wait_for_all()
        done.append(read_json(at / STEP)["counts"])
        start = at / "final"
    if not done:
        return {"steps": 0}
    updates = sum(counts["updates"] for counts in done)
    return {"steps": len(done), "updates": updates, "checkpoint": done[-1]["checkpoint"], "trained": done}


def _is_done(at: Path, fingerprint: str) -> bool:
    record = read_json(at / STEP) if (at / STEP).exists() else {}
    return record.get("fingerprint") == fingerprint and (at / "final/doxa.json").exists()


def with_own_rows(config: RunConfig, folder: RunFolder, step: AlignStep, number: int) -> AlignStep:
    """The step with the run's own copies of its rows, so that a run folder on another computer can train it too.

    So can one whose rows were moved away since: open_run has seen that they are those the run was made with. What ships
    with the target speaks of the model that spec.md names; here it is the one that the config names. Several
    processes may copy at once: each file is replaced whole, by the same.
    """
    from doxa.training.step_rows import find_rows

    copies = folder / f"target/align/{number}"
    try:
        target = target_of(config)
    except TargetError:
        target = None
    own = []
    for place, name in enumerate(step.rows, start=1):
        copy = copies / f"{place}_{Path(name).stem}.jsonl"
        try:
            if target is not None:
                write_whole(copy, _told_of(find_rows(name, target.folder), target))
        except ConfigError as error:
            if not copy.exists():
                raise ConfigError(f"{error}, and no copy of the run's own, {copy}") from None
        if not copy.exists():
            raise TargetError(f"{config.target}: is not here, and neither is the run's copy of its rows, {copy}")
        own.append(str(copy))
    return step.model_copy(update={"rows": tuple(own)})


def _told_of(file: Path, target: SpecTarget) -> bytes:
    """A file of rows; one of the target's own with the names of model and maker put in place of those of spec.md."""
    from doxa.worlds.spec_recorded import renamed

    about, spec = target.source.about, target.spec
    names = {about.model_name: spec.model_name, about.provider_name: spec.provider_name}
    if all(old == new for old, new in names.items()) or not file.is_relative_to(target.folder):
        return file.read_bytes()
    # names inside JSON strings: a quotation mark in one must stay part of the string
    quoted = {old: json.dumps(new, ensure_ascii=False)[1:-1] for old, new in names.items()}
    return renamed(file.read_text(encoding="utf-8"), quoted).encode()
