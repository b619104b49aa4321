"""One Inspect task on one model: run once, kept as a log, and found again by all that decides its numbers.

A cell's key is a digest of task, arguments, weights, judge and settings, and stands in the log. A log counts as this
cell's only if it is whole, has this key and names these weights; one of a killed run, of other weights or with failed
samples is left where it is and the cell is run anew.
"""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from inspect_ai import eval as run_eval
from inspect_ai import list_tasks
from inspect_ai._util.error import PrerequisiteError
from inspect_ai._util.registry import registry_find, registry_info, registry_lookup
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import Model, get_model

import doxa
from doxa.errors import CheckpointError, ConfigError, ModelError
from doxa.lm.named_weights import find_weights
from doxa.records import digest
from doxa.run.folder import make_folder
from doxa.run.inspect_logs import finished_log, weights_in
from doxa.run.inspect_subjects import Subject
from doxa.worlds.universe import digest_files

PACKAGES = {"inspect_evals": "inspect-evals", "inspect_petri": "inspect-petri", "petri_bloom": "petri-bloom"}


@dataclass(frozen=True)
class Cell:
    """What is asked of a model, apart from the model."""

    task: str  # as inspect_ai names it: doxa/agentic, inspect_evals/gsm8k, /a/file.py@name
    arguments: Mapping[str, Any] = field(default_factory=dict)
    judge: str | None = None  # takes the role `grader`
    limit: int | None = None
    epochs: int | None = None
    temperature: float | None = None  # None: the task's own
    max_tokens: int | None = None
    source: str = ""  # what else decides its numbers: the digest of the task's own texts


def is_provider(name: str) -> bool:
    """Whether inspect_ai has a provider of that name."""
    return registry_lookup("modelapi", name) is not None


def resolve_task(name: str) -> str:
    """A task as inspect_ai names it: one of doxa's may be named without `doxa/`.

    Raises ConfigError for a file, a package or a task that is not there.
    """
    from doxa.belief._registry import AGENTIC_TASKS, TASKS, VALUE_TASKS

    if name in AGENTIC_TASKS or name in TASKS or name in VALUE_TASKS:
        return f"doxa/{name}"
    file, _, one = name.partition("@")
    path = Path(file).expanduser()
    if path.suffix == ".py" or path.is_file():
        return _task_in_file(path.absolute(), one)
    package, _, rest = name.partition("/")
    if not rest:
        near = difflib.get_close_matches(name, [*AGENTIC_TASKS, *TASKS, *VALUE_TASKS], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{name}: is no task of doxa{hint} Name a file (tasks.py@NAME) or PACKAGE/TASK otherwise")
    if not any(point.name == package for point in entry_points(group="inspect_ai")):
        wanted = PACKAGES.get(package, package.replace("_", "-"))
        raise ConfigError(
            f"{name}: no package {package!r} with Inspect tasks is installed here; install it (pip install {wanted}) "
            "or name a file"
        )
    if registry_lookup("task", name) is None:
        known = [registry_info(one).name for one in registry_find(lambda info: info.type == "task")]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{name}: {package} is installed and has no such task{hint}")
    return name


def _task_in_file(path: Path, name: str) -> str:
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    names = [info.name for info in list_tasks(path.name, root_dir=path.parent)]
    if not names:
        raise ConfigError(f"{path}: holds no Inspect task (a function under @task)")
    if not name and len(names) > 1:
        raise ConfigError(f"{path}: holds {len(names)} tasks; name one as {path.name}@NAME: {', '.join(names)}")
    if name and name not in names:
        raise ConfigError(f"{path}: has no task {name!r}; it has {', '.join(names)}")
    return f"{path}@{name or names[0]}"


def cell_key(subject: Subject, cell: Cell) -> str:
    """Names everything that decides a cell's numbers, as far as it can be known beforehand."""
    return digest(
        "inspect",
        _task_identity(cell.task),
        {key: _content(value) for key, value in cell.arguments.items()},
        subject.digest or subject.model,
        _judge_identity(cell.judge),
        [cell.limit, cell.epochs, cell.temperature, cell.max_tokens, cell.source],
    )


def open_model(subject: Subject, model_args: Mapping[str, Any]) -> Model:
    """The model of a subject, for all of its cells. Raises CheckpointError for weights that were exchanged."""
    from doxa.lm.inspect_provider import LocalModelAPI

    try:
        model = get_model(subject.model, memoize=False, **model_args)
    except PrerequisiteError as error:
        raise ModelError(f"{subject.model}: {_plain(error)}") from None
    if subject.local and (not isinstance(model.api, LocalModelAPI) or model.api.digest != subject.digest):
        raise CheckpointError(f"{subject.model}: its files were exchanged meanwhile; run the command again")
    return model


def run_cell(subject: Subject, cell: Cell, model: Model, again: bool = False, display: str = "none") -> EvalLog:
    """A cell's log with its samples: an earlier one if it is whole, else a new one.

    Raises ConfigError for a task that cannot be made, ModelError where every sample failed or the eval did not end.
    """
    _refuse_unknown_arguments(cell)
    key = cell_key(subject, cell)
    make_folder(subject.logs)
    if not again:
        kept = finished_log(subject.logs, key, subject.digest)
        if kept is not None:
            _refuse_others(cell, list(kept.eval.task_args))
            return kept
    settings = {"limit": cell.limit, "epochs": cell.epochs, "temperature": cell.temperature}
    settings |= {"max_tokens": cell.max_tokens}
    try:
        logs = run_eval(
            cell.task,
            model=model,
            task_args=dict(cell.arguments),
            model_roles={"grader": cell.judge} if cell.judge else None,
            log_dir=str(subject.logs.absolute()),
            metadata={"doxa_key": key, "doxa_weights": subject.digest, "doxa_label": subject.label},
            fail_on_error=False,  # a sample that fails is counted, and takes no other with it
            display=display,  # type: ignore[arg-type]
            **{name: value for name, value in settings.items() if value is not None},  # type: ignore[arg-type]
        )
    except PrerequisiteError as error:
        raise ConfigError(f"{cell.task}: {_plain(error)}") from None
    except ModuleNotFoundError as error:
        raise ConfigError(f"{cell.task}: needs the package {error.name!r}, which is not installed here") from None
    if len(logs) != 1:
        raise ConfigError(f"{cell.task}: is {len(logs)} tasks; name one of them")
    log = read_eval_log(logs[0].location)
    _refuse_others(cell, list(log.eval.task_args))
    _refuse_unfinished(subject, cell, log)
    return log


def _refuse_unknown_arguments(cell: Cell) -> None:
    """inspect_ai leaves arguments that a task does not have out, with a warning. A file's are looked at afterwards."""
    build = registry_lookup("task", cell.task)
    if build is None:
        return
    parameters = inspect.signature(build).parameters.values()  # type: ignore[arg-type]
    if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
        _refuse_others(cell, [one.name for one in parameters])


def _refuse_others(cell: Cell, known: Sequence[str]) -> None:
    others = [name for name in cell.arguments if name not in known]
    if others:
        raise ConfigError(f"-T {others[0]}: {cell.task} has no such argument; it has {', '.join(known) or 'none'}")


def _refuse_unfinished(subject: Subject, cell: Cell, log: EvalLog) -> None:
    samples = log.samples or []
    failed = [sample.error.message for sample in samples if sample.error is not None]
    if log.status != "success":
        reason = log.error.message if log.error is not None else log.status
        raise ModelError(f"{cell.task} on {subject.label}: did not end ({_line(reason)}); log: {log.location}")
    if failed and len(failed) == len(samples):
        raise ModelError(
            f"{cell.task} on {subject.label}: every sample failed ({_line(failed[0])}); log: {log.location}"
        )
    others = weights_in(log) - {subject.digest}
    if subject.local and others:
        raise CheckpointError(f"{log.location}: was answered by weights {others.pop()}, not {subject.digest}")


def _task_identity(task: str) -> list[str]:
    """A file's content, or a package's version: what is installed in place may change without one (`--again`)."""
    file, _, name = task.partition("@")
    if Path(file).is_file():
        return ["file", digest_files(Path(file).parent, [Path(file)]), name]
    package = task.partition("/")[0]
    if package == "doxa":
        return ["package", task, doxa.__version__]
    try:
        point = next(point for point in entry_points(group="inspect_ai") if point.name == package)
        found = point.dist.version if point.dist is not None else version(package)
    except (StopIteration, PackageNotFoundError):
        found = ""
    return ["package", task, found]


def _judge_identity(judge: str | None) -> str:
    if judge is None or not judge.startswith("doxa/"):
        return judge or ""
    return find_weights(judge.removeprefix("doxa/")).digest


def _content(value: Any) -> Any:
    """An argument; of one that names a file or a target what lies there."""
    if not isinstance(value, str):
        return value
    place = os.path.expanduser(value)
    path = Path(place)
    if os.path.isfile(place):  # unlike Path.is_file it bears a text that is too long for a name
        return [value, digest_files(path.parent, [path])]
    if any(os.path.isfile(os.path.join(place, name)) for name in ("universe.yaml", "spec.md")):
        return [value, digest_files(path, list(path.rglob("*")))]
    return [value, _bundled(value)]


def _bundled(name: str) -> str:
    from doxa.worlds.spec import bundled_specs, load_spec_target
    from doxa.worlds.universe import bundled_names, load_target

    if name in bundled_specs():
        spec = load_spec_target(name)
        return digest(spec.digest, spec.evals_digest)
    if name in bundled_names():
        world = load_target(name)
        return digest(world.digest, world.evals_digest)
    return ""


def _plain(error: Exception) -> str:
    return _line(str(error) or str(getattr(error, "message", error)))


def _line(text: str) -> str:
    return " ".join(text.split()).removeprefix("Error: ")[:400]
