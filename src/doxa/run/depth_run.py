"""A depth profile as a person asks for it: a run folder with its arms, or a target and model strings.

The models of the second kind are remembered in the folder (run/named_models.py), which can then be named alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doxa.config import validate
from doxa.config_sections import DepthConfig
from doxa.errors import ConfigError
from doxa.run.depth_target import refuse_other_target, source_of, take_target
from doxa.run.folder import RunFolder
from doxa.run.named_models import choose_named, write_named
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, is_run_folder, open_run, remember, stored_config


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
    """Measure and write depth/ of a run folder, which is made for models named by strings. Returns the folder."""
    from doxa.belief.depth import DepthJob
    from doxa.belief.known_readouts import read_known
    from doxa.belief.profile import profile
    from doxa.belief.subjects import subjects_of_models, subjects_of_run
    from doxa.belief.world import load_world
    from doxa.lm.models import check_model, open_models
    from doxa.run.corpus_stages import write_usage

    folder, config, user = open_run(RunRequest(request.target, request.out, request.overrides))
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
    models = named.arms() if named is not None else {}
    settings = _settings(config.depth, request)
    for name in settings.judges:
        check_model(name, "--judge", config.lm)
    if settings.auditor is not None:
        check_model(settings.auditor, "depth.auditor", config.lm)
    for name in models.values():
        check_model(name, "--model", config.lm)
    with folder.lock():
        if user is not None:
            remember(folder, config, user)
        take_target(folder, source)
        world = load_world(folder / "target")
        context = world.universe.inserted_context
        if named is not None:
            subjects = subjects_of_models({arm: models[arm] for arm in settings.arms if arm in models}, context)
            write_named(folder, named)  # what can't be found is not remembered
        else:
            subjects = subjects_of_run(folder, config.model, settings.arms, context)
        lm = config.lm.model_copy(update={"local_batch": settings.at_once})
        with open_models(folder.path, lm, progress) as door:
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


def _settings(config: DepthConfig, request: DepthRequest) -> DepthConfig:
    given: dict[str, Any] = {"judges": request.judges, "probes": request.probes}
    chosen = {**config.model_dump(), **{key: value for key, value in given.items() if value}}
    return validate(DepthConfig, chosen, "doxa depth", prefix="depth.")
