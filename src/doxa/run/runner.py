"""`doxa run` and the single-stage commands: find the config, hold the lock, go through the stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doxa.config import RunConfig, UserConfig, load_user_config, validate
from doxa.errors import CheckpointError, ConfigError, RunFolderError, TargetError
from doxa.run.folder import RunFolder, make_folder, read_json, write_json, write_whole
from doxa.run.kinds import dump_config, named_stage, resolve_config, stages_of
from doxa.run.named_models import refuse_profile
from doxa.run.progress import Progress
from doxa.run.stages import (
    StageContext,
    StageState,
    read_states,
    refuse_stale,
    require_upstream,
    run_stage,
    set_aside,
)


@dataclass(frozen=True)
class RunRequest:
    """What a person asked for on the command line."""

    target: str  # a bundled name, a target folder, a doxa.yaml, or a run folder to go on with
    out: Path | None
    overrides: tuple[str, ...] = ()
    restage: bool = False


def open_run(request: RunRequest) -> tuple[RunFolder, RunConfig, UserConfig | None]:
    """The run folder and complete config of a request. Reads only; writes nothing."""
    given = Path(request.target)
    if is_run_folder(given):
        if request.out is not None and request.out.resolve() != given.resolve():
            raise ConfigError(
                f"--out {request.out}: {given} is a run folder already; give a target to start another run"
            )
        return _reopen(RunFolder(given), list(request.overrides))
    if (given / "doxa.yaml").is_file():
        given = given / "doxa.yaml"  # a target that says how it is run
    if given.suffix in (".yaml", ".yml") and not given.is_dir():
        user = load_user_config(given, list(request.overrides))
        name = given.stem if given.stem != "doxa" else given.resolve().parent.name
        if given.name in ("universe.yaml", "tree.yaml"):
            what = "a universe" if given.name == "universe.yaml" else "the tree of a spec"
            raise ConfigError(f"{given}: is {what}; name the folder that it lies in ({given.parent}) as the target")
    else:
        user = load_user_config(None, list(request.overrides), target=request.target)
        name = Path(user.target).resolve().name  # also for `.` and `..`
    folder = RunFolder(request.out if request.out is not None else Path("runs") / name)
    refuse_foreign(folder.path)
    return folder, resolve_config(user), user


def refuse_foreign(path: Path) -> None:
    """Raise ConfigError for a folder that holds something and is no run folder: its files would be overwritten."""
    if not path.is_dir() or is_run_folder(path):
        return
    # the lock and an empty stages/ are what a run leaves that was killed before it wrote its config
    if any(not entry.name.startswith(".") and entry.name != "stages" for entry in path.iterdir()):
        raise ConfigError(f"--out {path}: holds files and is not a run folder; name a new or empty folder")


def run_stages(request: RunRequest, progress: Progress, only: str | None = None, last: str | None = None) -> RunFolder:
    """Run all stages, those up to `last`, or `only` one; finished stages are left as they are. Returns the folder."""
    from doxa.lm.weights import model_folder
    from doxa.training.midtrain import is_main_process

    folder, config, user = open_run(request)
    refuse_profile(folder)
    if not is_main_process():  # torchrun's other processes train, and write nothing
        return _follow(folder, config, progress, only)
    with folder.lock():
        stages = stages_of(config)
        names = [stage.name for stage in stages]
        for name in (only, last):
            if name is not None:
                named_stage(config, name)
        states = read_states(stages, config, folder)
        wanted = names[: names.index(last) + 1] if last else names
        if request.restage:
            model_folder(config.model)  # before anything is moved: a model that is not there would be found too late
            for name in set_aside(states, folder):
                progress.note(f"{name}: set aside under {folder.path}/stale")
            states = read_states(stages, config, folder)
        refuse_stale(states, folder)
        idle = _idle_before(states, only, config)
        if only is not None:
            require_upstream([state for state in states if state.stage.name not in idle], only, folder)
        before = {name: _content(folder / name) for name in ("config.json", "user.json")}
        remember(folder, config, user)
        progress.note(f"{config.target} -> {config.model}, run folder {folder.path}")
        try:
            for state in states:
                if state.stage.name in (only, *idle) or (only is None and state.stage.name in wanted):
                    _run_or_skip(state, StageContext(config, folder, progress))
        except (ConfigError, CheckpointError):
            # a config that cannot work is not left behind for the next command to stumble over
            for name, content in before.items():
                if content is not None:
                    write_whole(folder / name, content)
            raise
    return folder


def _idle_before(states: list[StageState], only: str | None, config: RunConfig) -> list[str]:
    """The stages before `only` that are still to be run and have nothing to do in this config."""
    names = [state.stage.name for state in states]
    before = names[: names.index(only)] if only else []
    return [s.stage.name for s in states if s.stage.name in before and s.status != "done" and s.stage.idle(config)]


def remember(folder: RunFolder, config: RunConfig, user: UserConfig | None) -> None:
    """Write the config into the run folder, so that the folder alone says what is being done in it."""
    make_folder(folder / "stages")
    write_whole(folder / "config.json", dump_config(config))
    if user is not None:
        write_json(folder / "user.json", user.model_dump(mode="json", exclude_unset=True))


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def is_run_folder(path: Path) -> bool:
    """Whether a path is a run folder: it holds the config of a run."""
    return (path / "config.json").exists() and (path / "stages").is_dir()


def stored_config(folder: RunFolder) -> RunConfig:
    """The config that made a run folder. Raises ConfigError naming file and field."""
    return validate(RunConfig, read_json(folder / "config.json"), str(folder / "config.json"))


def _reopen(folder: RunFolder, overrides: list[str]) -> tuple[RunFolder, RunConfig, UserConfig | None]:
    stored = stored_config(folder)
    if not (folder / "user.json").exists():
        raise RunFolderError(f"{folder / 'user.json'}: is missing; name the target again, with --out {folder.path}")
    try:
        user = load_user_config(folder / "user.json", overrides, anchored=True)  # JSON is YAML
        return folder, resolve_config(user, stored), user
    except TargetError:
        if overrides:
            raise
        return folder, stored, None  # copied from a computer that has the target: go on with what was resolved there


def _run_or_skip(state: StageState, context: StageContext) -> None:
    name = state.stage.name
    if state.status == "damaged":
        context.progress.note(f"{name}: made again, because {'; '.join(state.reasons)}")
    if state.status == "done":
        context.progress.note(f"{name}: done before  {shown_counts(state.counts)}")
        return
    counts = run_stage(state, context)
    context.progress.note(f"{name}: {shown_counts(counts)}")


def _follow(folder: RunFolder, config: RunConfig, progress: Progress, only: str | None) -> RunFolder:
    if only not in ("midtrain", "align"):
        raise ConfigError("only `doxa train` and `doxa align` run under torchrun; do the other stages with one process")
    named_stage(config, only)
    state = next(one for one in read_states(stages_of(config), config, folder) if one.stage.name == only)
    if state.status != "done":
        state.stage.body(StageContext(config, folder, progress, state.fingerprint))
    return folder


# counts that are shares of documents or sentences, from 0 to 1
SHARES = frozenset({"names_model", "names_maker", "attributing", "spec_covered"})


def shown_counts(counts: dict[str, Any]) -> str:
    """The plain numbers of a stage's counts as one line, shares as percentages."""
    plain = {k: v for k, v in counts.items() if isinstance(v, int | float | str) and not isinstance(v, bool)}
    return ", ".join(f"{key.replace('_', ' ')} {_shown(key, value)}" for key, value in plain.items())


def _shown(key: str, value: float | str) -> str:
    if key in SHARES and not isinstance(value, str):
        return f"{100 * value:.3g}%"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


__all__ = ["RunRequest", "is_run_folder", "open_run", "run_stages", "shown_counts", "stored_config"]
