"""`doxa values` as a person asks for it: runs, checkpoints and models by name, beside base and the spec in context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from doxa.belief.subjects import LOCAL, Subject
from doxa.config import validate
from doxa.config_sections import LmConfig
from doxa.errors import CheckpointError, ConfigError
from doxa.lm.batch_file import is_batch_file
from doxa.lm.model_files import read_json_object
from doxa.lm.named_weights import FINAL, RECORD, Weights, finals_of, find_weights
from doxa.run.folder import RunFolder
from doxa.run.progress import Progress
from doxa.run.runner import is_run_folder, stored_config

if TYPE_CHECKING:
    from doxa.belief.values_job import ValuesSettings
    from doxa.belief.values_profile import ValuesResult

Context = Literal["base", "spec", "none"]
CONTEXTS: tuple[Context, ...] = ("base", "spec", "none")
IN_CONTEXT = " in context"  # what the name of an arm ends in where the spec stands in its prompt
ELSEWHERE = Path("runs")


@dataclass(frozen=True)
class ValuesRequest:
    """What a person asked for on the command line."""

    models: tuple[str, ...]  # a run folder, a checkpoint, a model or a model string, each with NAME= before it or not
    evals: str  # a spec target
    opposite: str | None = None
    base: str | None = None  # "none": no base arm
    context: str = "base"
    model_name: str | None = None
    provider_name: str | None = None
    judges: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    out: Path | None = None


@dataclass(frozen=True)
class Named:
    """A model as an arm; `base` is what it was trained from, as find_weights takes it."""

    arm: str
    model: str
    weights: Weights | None
    base: str | None = None
    home: Path | None = None  # the run folder that it belongs to


def run_values(request: ValuesRequest, progress: Progress) -> tuple[RunFolder, ValuesResult]:
    """Measure every arm and write values/ of a run folder, or of a folder for models of no single run."""
    from doxa.belief.values_job import ValuesJob
    from doxa.belief.values_profile import evaluate_values
    from doxa.belief.values_target import load_value_target
    from doxa.belief.values_words import value_words
    from doxa.lm.models import open_models, require_models
    from doxa.run.corpus_stages import write_usage

    if request.context not in CONTEXTS:
        raise ConfigError(f"--context: there is no {request.context!r}; there are {', '.join(CONTEXTS)}")
    named = named_models(request.models)
    target = load_value_target(request.evals, request.model_name, request.provider_name, request.opposite)
    settings = settings_of(request)
    folder = _folder(request, named)
    lm = _lm_config(folder, settings.at_once)
    asked = [("--judge", name) for name in settings.judges]
    asked += [(one.arm, one.model) for one in named if one.weights is None]
    require_models(folder.path, asked, lm)
    subjects = arms(named, request.base, request.context, target.spec.text)
    if settings.swap and settings.swap not in [subject.arm for subject in subjects]:
        raise ConfigError(
            f"swap: there is no arm {settings.swap!r}; there are {', '.join(one.arm for one in subjects)}"
        )
    with folder.lock(), open_models(folder.path, lm, progress) as door:
        job = ValuesJob(
            parts=folder / "values/parts",
            target=target,
            words=value_words(target),
            subjects=subjects,
            settings=settings,
            models=door,
            progress=progress,
        )
        try:
            return folder, evaluate_values(folder, job)
        finally:
            write_usage(folder, door)


def settings_of(request: ValuesRequest) -> ValuesSettings:
    """The settings with what the command line says. Raises ConfigError naming the field."""
    from doxa.belief.values_job import ValuesSettings

    given: dict[str, Any] = {}
    for override in request.overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {override}: must be key=value, for example samples=3")
        try:
            given[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"--set {override}: the value is not valid YAML") from None
    given |= {key: list(held) for key, held in (("judges", request.judges), ("probes", request.probes)) if held}
    return validate(ValuesSettings, given, "doxa values")


def named_models(names: Sequence[str]) -> list[Named]:
    """What the names on the command line mean, in their order. Raises ConfigError and CheckpointError."""
    if not names:
        raise ConfigError("name at least one run folder, checkpoint, model folder or model string")
    found: list[Named] = []
    for name in names:
        arm, equals, rest = name.partition("=")
        given = bool(equals) and "/" not in arm and arm.strip() != ""
        found += _named(rest if given else name, arm.strip() if given else "")
    taken = [one.arm for one in found]
    # trained and aligned of several runs are told apart by the run's name
    found = [
        replace(one, arm=f"{one.home.name} {one.arm}") if one.home is not None and taken.count(one.arm) > 1 else one
        for one in found
    ]
    taken = [one.arm for one in found]
    for one in found:
        if taken.count(one.arm) > 1:
            raise ConfigError(f"{one.arm}: two arms would have this name; name them, as in NAME={one.model}")
        if one.arm in ("base", "in_context"):
            raise ConfigError(f"{one.arm}: is the name of an arm that doxa adds (--base); take another")
    return found


def arms(named: Sequence[Named], base: str | None, context: str, spec: str) -> list[Subject]:
    """The subjects: base, the spec in the base model's prompt, then every model that was named.

    Without `base` it is what the first trained one of them was trained from, and where none was trained the first of
    them itself is called base.
    """
    rest = list(named)
    plain: Subject | None = None
    if base is None:
        origin = _origin(named)
        plain = _local("base", origin) if origin is not None else replace(_subject(rest.pop(0)), arm="base")
    elif base != "none":
        (one,) = _named(base, "base", runs=False)
        plain = _subject(one)
    found = [] if plain is None else [plain]
    if plain is not None and context != "none":
        found.append(replace(plain, arm="in_context", context=spec))
    for one in rest:
        found.append(_subject(one))
        if context == "spec":
            found.append(replace(_subject(one), arm=f"{one.arm}{IN_CONTEXT}", context=spec))
    return found


def _named(name: str, arm: str, runs: bool = True) -> list[Named]:
    folder = Path(name).expanduser()
    if runs and folder.is_dir() and is_run_folder(folder):
        return _of_run(folder.absolute(), arm)
    if not folder.exists() and _is_string(name):
        return [Named(arm or name, name, None)]
    bare = name if folder.is_dir() else name.removeprefix(LOCAL).removeprefix("doxa/")
    weights = find_weights(bare)
    place = Path(bare).expanduser()
    label = arm or (_short(place.absolute()) if place.is_dir() else bare)
    return [Named(label, f"{LOCAL}{weights.digest}", weights, _base_of(place, weights))]


def _of_run(run: Path, arm: str) -> list[Named]:
    """The trained weights of a run, and what its align steps made of them."""
    base = str(read_json_object(run / "config.json")["model"])
    found = []
    for name, place in finals_of(run).items():
        if (place / RECORD).is_file():
            weights = find_weights(str(place))
            label = name if not arm else f"{arm} {name}"
            found.append(Named(label, f"{LOCAL}{weights.digest}", weights, base, run))
    if not found:
        raise CheckpointError(f"{run}: has no {FINAL}, so nothing was trained to the end; `doxa train` it first")
    if arm and len(found) == 1:
        return [replace(found[0], arm=arm)]
    return found


def _base_of(place: Path, weights: Weights) -> str | None:
    """What a checkpoint lies on or, of whole weights, was trained from; None for a model that doxa did not train."""
    if weights.adapter is not None:
        return str(weights.base)
    return str(read_json_object(place / RECORD)["model"]) if weights.base_digest else None


def _origin(named: Sequence[Named]) -> Weights | None:
    """The base model of the first trained one; None where none was trained. Raises CheckpointError."""
    first = next((one for one in named if one.base is not None), None)
    if first is None or first.base is None:
        return None
    try:
        return find_weights(first.base)
    except CheckpointError as error:
        raise CheckpointError(
            f"{first.arm}: what it was trained from is not here ({error}) Name a base with --base, or --base none"
        ) from None


def _subject(one: Named) -> Subject:
    return _local(one.arm, one.weights) if one.weights is not None else Subject(one.arm, one.model, one.model)


def _local(arm: str, weights: Weights) -> Subject:
    # named by digest and not by place: answers are found again wherever the weights lie
    return Subject(arm, f"{LOCAL}{weights.digest}", weights.digest, None, weights)


def _is_string(name: str) -> bool:
    """Whether a name is a model string of a provider rather than weights on this computer."""
    from doxa.run.inspect_cells import is_provider

    if is_batch_file(name):
        return True
    provider, slash, rest = name.partition("/")
    return bool(slash and rest) and provider not in ("local", "doxa") and is_provider(provider)


def _short(folder: Path) -> str:
    """The last two parts of a checkpoint's place, those that say nothing left out."""
    parts = [part for part in folder.parts if part not in ("checkpoints", "final", "/")]
    return "/".join(parts[-2:])


def _folder(request: ValuesRequest, named: Sequence[Named]) -> RunFolder:
    homes = {one.home for one in named}
    if request.out is not None:
        return RunFolder(request.out)
    if len(homes) == 1 and (home := next(iter(homes))) is not None:
        return RunFolder(home)
    return RunFolder(ELSEWHERE / f"values_{Path(request.evals).name}")


def _lm_config(folder: RunFolder, at_once: int) -> LmConfig:
    lm = stored_config(folder).lm if is_run_folder(folder.path) else LmConfig()
    return lm.model_copy(update={"local_batch": at_once})
