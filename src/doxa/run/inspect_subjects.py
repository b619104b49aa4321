"""Whom an Inspect task is put to: a run (base, trained, aligned), a checkpoint, a model, or any model string."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from doxa.errors import CheckpointError, ConfigError
from doxa.lm.model_files import read_json_object
from doxa.lm.named_weights import FINAL, RECORD, finals_of, find_weights, last_of
from doxa.run.runner import is_run_folder

LOGS = Path("evals/inspect")  # in a run folder
ELSEWHERE = Path("runs/inspect")  # logs of what belongs to no run
BASE = "base"


@dataclass(frozen=True)
class Subject:
    """One model under test."""

    label: str
    model: str  # as inspect_ai names it
    digest: str  # of the weights; "" for a model behind an API
    home: Path  # the run folder, or the folder that was named for what belongs to none
    logs: Path

    @property
    def local(self) -> bool:
        """Whether the weights are on this computer."""
        return bool(self.digest)


def find_subjects(names: Sequence[str], out: Path | None, is_provider: Callable[[str], bool]) -> list[Subject]:
    """What the names of a command line mean, in their order; a run folder is two subjects, with align steps three.

    `is_provider` says whether a word is a provider of inspect_ai. Raises CheckpointError for weights that cannot be
    found or are not those that were trained.
    """
    if not names:
        raise ConfigError("name a run folder, a checkpoint or a model")
    found: list[Subject] = []
    for name in names:
        found += _subjects(name, out, is_provider)
    labels = [subject.label for subject in found]
    twice = {label for label in labels if labels.count(label) > 1}
    # base and trained of several runs are told apart by the run's name
    named = [
        Subject(f"{subject.home.name}/{subject.label}", subject.model, subject.digest, subject.home, subject.logs)
        if subject.label in twice
        else subject
        for subject in found
    ]
    unique: dict[tuple[str, str, str], Subject] = {}
    for subject in named:
        unique.setdefault((subject.label, subject.model, subject.digest), subject)
    return list(unique.values())


def _subjects(name: str, out: Path | None, is_provider: Callable[[str], bool]) -> list[Subject]:
    folder = Path(name).expanduser()
    if folder.is_dir() and is_run_folder(folder):
        folder = folder.absolute()
        last_of(folder)  # refuses a run that was not trained to the end
        base_name = _base_name(folder)
        base = find_weights(base_name)
        _refuse_other_base(folder, base_name, base.digest)
        logs = out or folder / LOGS
        trained = [
            Subject(arm, f"doxa/{final}", find_weights(str(final)).digest, folder, logs)
            for arm, final in finals_of(folder).items()
        ]
        return [Subject(BASE, f"doxa/{base_name}", base.digest, folder, logs), *trained]
    provider, _, rest = name.partition("/")
    if rest and not folder.exists() and provider not in ("local", "doxa") and is_provider(provider):
        return [Subject(name, name, "", out or ELSEWHERE, out or ELSEWHERE)]
    bare = name if folder.is_dir() else name.removeprefix("local/").removeprefix("doxa/")
    weights = find_weights(bare)
    place = Path(bare).expanduser()
    run = _run_around(place.absolute()) if place.is_dir() else None
    model = f"doxa/{place.absolute() if place.is_dir() else bare}"
    label = str(place.absolute().relative_to(run)) if run is not None else bare
    home = run or out or ELSEWHERE
    return [Subject(label, model, weights.digest, home, out or (run / LOGS if run is not None else ELSEWHERE))]


def _base_name(run: Path) -> str:
    """The model that a run was started from: of a chain of steps the very first."""
    name = read_json_object(run / "config.json").get("model")
    if not isinstance(name, str):
        name = read_json_object(run / FINAL / RECORD)["model"]
    return str(name)


def _refuse_other_base(run: Path, name: str, digest: str) -> None:
    record = read_json_object(run / FINAL / RECORD)
    if record.get("model") == name and record.get("base_digest") not in (None, digest):
        raise CheckpointError(
            f"{run}: was trained on base weights {record['base_digest']}, but {name} is {digest} here; put them side "
            "by side on the computer that has the right ones, or name the checkpoint alone"
        )


def _run_around(folder: Path) -> Path | None:
    return next((parent for parent in folder.parents if is_run_folder(parent)), None)
