"""A depth profile as a person asks for it: a run folder with its arms, or a target and model strings.

The models of the second kind are remembered in the folder (run/named_models.py), which can then be named alone.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.config import RunConfig, validate
from doxa.config_sections import DepthConfig, LmConfig
from doxa.errors import ConfigError
from doxa.run.depth_target import refuse_other_target, source_of, take_target, world_of
from doxa.run.folder import RunFolder
from doxa.run.named_models import NamedModels, choose_named, remembered
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, is_run_folder, open_run, remember, stored_config

if TYPE_CHECKING:
    from doxa.belief.subjects import Subject


@dataclass(frozen=True)
class DepthRequest:
    """What a person asked for on the command line."""

    target: str
    model: str | None = None
    trained: str | None = None
    out: Path | None = None
    judges: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


def run_depth(request: DepthRequest, progress: Progress) -> RunFolder:
    """Measure and write depth/ of a run folder, which is made for models named by strings. Returns the folder.

    Raises DoxaError; what can't be done is found out before anything is written.
    """
    from doxa.belief.depth import DepthJob
    from doxa.belief.known_readouts import read_known
    from doxa.belief.profile import profile
    from doxa.lm.models import open_models
    from doxa.run.corpus_stages import write_usage

    folder, config, user = open_run(RunRequest(request.target, request.out, request.overrides))
    if config.spec is not None:
        asked = request.target if is_run_folder(Path(request.target)) else request.trained or request.model or "MODEL"
        raise ConfigError(
            f"{request.target}: is about a model spec, and a depth profile asks how deeply a universe is believed; "
            f"`doxa values {asked} --evals {config.target}` measures what follows the spec, is known of it and why"
        )
    if is_run_folder(Path(request.target)):
        config, user = (config if request.overrides else stored_config(folder)), None
    named = choose_named(folder, request.model, request.trained)
    source = source_of(config)
    refuse_other_target(folder, config, source)
    if named is None and user is not None:
        raise ConfigError(
            f"{request.target}: is no run folder; finish one with `doxa run {request.target}`, or name a model "
            "to ask with --model (local/MODEL, openai/MODEL, ...)"
        )
    settings = _settings(config.depth, request)
    _check_models(folder, config.lm, settings, named)
    with folder.lock():
        world = world_of(folder, source)
        subjects = _subjects(folder, config, settings, named, world.universe.inserted_context)
        if user is not None:
            remember(folder, config, user)
        take_target(folder, source)
        lm = config.lm.model_copy(update={"local_batch": settings.at_once})
        names = contextlib.nullcontext() if named is None else remembered(folder, named)
        with names, open_models(folder.path, lm, progress) as door:
            job = DepthJob(
                parts=folder / "depth/parts",
                world=world,
                subjects=subjects,
                config=settings,
                scoring=config.eval,
                models=door,
                progress=progress,
                seed=config.seed,
                doctag=config.train.doctag or "" if named is None else "",
                known=read_known(folder / "evals"),
            )
            try:
                profile(folder, job, config.eval.bootstrap)
            finally:
                write_usage(folder, door)
    return folder


def _check_models(folder: RunFolder, lm: LmConfig, settings: DepthConfig, named: NamedModels | None) -> None:
    """Raise ConfigError for a model that can't be asked, before anything is asked or written."""
    from doxa.lm.models import require_models

    given: list[tuple[str, str | None]] = [("--judge", name) for name in settings.judges]
    given.append(("depth.auditor", settings.auditor))
    if named is not None:
        given += [("--model", named.base), ("--trained", named.trained)]
    require_models(folder.path, [(field, name) for field, name in given if name is not None], lm)


def _subjects(
    folder: RunFolder, config: RunConfig, settings: DepthConfig, named: NamedModels | None, context: str
) -> list[Subject]:
    from doxa.belief.subjects import subjects_of_models, subjects_of_run

    if named is None:
        return subjects_of_run(folder, config.model, settings.arms, context)
    models = named.arms()
    return subjects_of_models({arm: models[arm] for arm in settings.arms if arm in models}, context)


def _settings(config: DepthConfig, request: DepthRequest) -> DepthConfig:
    given: dict[str, Any] = {"judges": request.judges, "probes": request.probes}
    chosen = {**config.model_dump(), **{key: value for key, value in given.items() if value}}
    return validate(DepthConfig, chosen, "doxa depth", prefix="depth.")
