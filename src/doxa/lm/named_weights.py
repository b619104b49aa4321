"""The weights that `local/NAME` means: a model, a checkpoint that doxa trained, or a run folder with its last one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doxa.errors import CheckpointError
from doxa.lm.digests import weights_digest
from doxa.lm.embedded import EMBEDDED, is_conversion
from doxa.lm.model_files import read_json_object
from doxa.lm.weights import Dtype, load_model, load_tokenizer, model_folder, place, project_whole

FINAL = Path("checkpoints/final")
RECORD = "doxa.json"


@dataclass(frozen=True)
class Weights:
    """A whole model's folder, the LoRA adapter on it if there is one, and the digest of both together.

    `lineage` says how a checkpoint was made, a step at a time: each names its kind, the digests of what it started from
    (`parent`), of what it made (`digest`), of the whole weights that this lies on (`base`) and of its data. It is empty
    for a model that was not trained here, and for checkpoints of versions that kept none. `base_digest` is what a
    checkpoint of whole weights was trained from, or empty.
    """

    base: Path
    adapter: Path | None
    digest: str
    lineage: tuple[dict[str, Any], ...] = ()
    base_digest: str = ""

    def load(self, dtype: Dtype = "float32") -> tuple[Any, Any]:
        """Model (the adapter folded in, on a GPU if there is one) and tokenizer. Raises CheckpointError."""
        tokenizer = load_tokenizer(self.base)
        if self.adapter is None:
            return project_whole(place(load_model(self.base, dtype))), tokenizer
        from doxa.training.checkpoint import merged_model

        return project_whole(place(merged_model(self.base, self.adapter, dtype))), tokenizer


def find_weights(name: str) -> Weights:
    """Find what a name means: what `model_folder` takes, a checkpoint folder (doxa.json in it, or final/ that holds
    one, as `doxa graft --out` leaves it), or a run folder.

    A run means the last weights of its chain (`last_of`); those before align steps are named by their checkpoint
    folder. The folder of an embedded model holds a doxa.json too, of its conversion, and is a model like any other.

    The digest is that of the files as they are now. Raises CheckpointError for a run that has not been trained to the
    end, a base model that is not here or not the one that was trained on, and weights other than those that doxa.json
    names.
    """
    folder = Path(name).expanduser()
    if name in EMBEDDED or not folder.is_dir():
        folder = model_folder(name)
        return Weights(folder, None, weights_digest(folder))
    folder = folder.absolute()
    if _is_run(folder):
        folder = last_of(folder)
    elif (folder / FINAL.name / RECORD).is_file() and not (folder / "config.json").exists():
        folder = folder / FINAL.name  # what a graft or a single step wrote: its checkpoint is in final/
    if (folder / RECORD).is_file() and not is_conversion(folder / RECORD):
        return _checkpoint(folder)
    if (folder / "adapter_config.json").is_file():
        raise CheckpointError(
            f"{folder}: is an adapter without a {RECORD} that names its base model; give a run folder, or the final "
            "checkpoint in one"
        )
    folder = model_folder(str(folder))
    return Weights(folder, None, weights_digest(folder))


def last_of(run: Path) -> Path:
    """The checkpoint that a run ends in: that of its last align step, or of midtraining where it has none.

    Raises CheckpointError where it is not there yet.
    """
    finals = finals_of(run)
    if not (finals["trained"] / RECORD).is_file():
        raise CheckpointError(f"{run}: has no {FINAL}, so nothing was trained to the end; `doxa train` it first")
    last = list(finals.values())[-1]
    if not (last / RECORD).is_file():
        raise CheckpointError(
            f"{run}: has no {last.relative_to(run)}, so its align steps are not done; `doxa align` it first, or name "
            f"{finals['trained']}, the weights before them"
        )
    return last


def finals_of(run: Path) -> dict[str, Path]:
    """Where the checkpoints of a run's trained arms lie or will lie: `trained` and, with align steps, `aligned`."""
    finals = {"trained": run / FINAL}
    steps = read_json_object(run / "config.json").get("align", {}).get("steps", [])
    if steps:
        finals["aligned"] = run / f"aligned/{len(steps)}" / FINAL.name
    return finals


def _is_run(folder: Path) -> bool:
    # a model folder holds a config.json too, but none of a run's folders
    return (folder / "config.json").is_file() and any((folder / name).is_dir() for name in ("checkpoints", "stages"))


def _checkpoint(folder: Path) -> Weights:
    record = read_json_object(folder / RECORD)
    lacking = [name for name in ("digest", "base_digest", "model", "adapter") if name not in record]
    if lacking:
        raise CheckpointError(f"{folder / RECORD}: field {lacking[0]!r} is missing; was it written by doxa?")
    lineage, base_digest = _lineage(folder, record), str(record["base_digest"])
    if record["adapter"]:
        base = _base(folder, str(record["model"]), base_digest)
        weights = Weights(base, folder, weights_digest(base, folder), lineage, base_digest)
    else:
        weights = Weights(folder, None, weights_digest(folder), lineage, base_digest)
    if weights.digest != record["digest"]:
        raise CheckpointError(
            f"{folder}: its weights are {weights.digest}, not the {record['digest']} that {RECORD} names; copy the "
            "whole folder again, or train again"
        )
    return weights


def _lineage(folder: Path, record: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The steps of a chain, each from what the one before made. Raises CheckpointError where they do not join."""
    steps = record.get("lineage", [])
    try:
        made = [str(step["digest"]) for step in steps]
        joins = [str(step["parent"]) for step in steps[1:]] == made[:-1]
        _ = [step["base"] for step in steps]
    except (TypeError, KeyError) as error:
        raise CheckpointError(f"{folder / RECORD}: field 'lineage' cannot be read: {error}") from None
    if made and not (joins and made[-1] == record["digest"]):
        raise CheckpointError(f"{folder / RECORD}: field 'lineage' does not lead to {record['digest']}, step by step")
    return tuple(steps)


def _base(folder: Path, name: str, digest: str) -> Path:
    """The model that an adapter was trained on, under the name that it had then; ../NAME is relative to the adapter."""
    try:
        base = model_folder(str((folder / name).resolve()) if name.startswith("..") else name)
    except CheckpointError as error:
        raise CheckpointError(
            f"{folder}: its base model is not here: {error} Write where it lies into field 'model' of {RECORD}"
        ) from None
    found = weights_digest(base)
    if found != digest:
        raise CheckpointError(
            f"{folder}: was trained on base weights {digest}, but {name} is {found} here; write where the right ones "
            f"lie into field 'model' of {RECORD}"
        )
    return base
