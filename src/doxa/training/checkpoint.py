"""Checkpoints on disk: complete or not there, safetensors only, in the layouts of PEFT and transformers.

`resume/checkpoint-N/` are the trainer's own states, each trusted only once `complete.json` stands in it; `final/` is
what training made (an adapter, or a whole model); `merged/` is, on request, the model with the adapter folded in.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from doxa.errors import CheckpointError, RunFolderError
from doxa.lm.weights import Dtype, weights_digest
from doxa.run.folder import make_folder, read_json, speaking_errors, sync_folder, write_json

COMPLETE = "complete.json"


def mark_complete(folder: Path, update: int, fingerprint: str) -> None:
    """Sync every file of a resume state to disk, then declare it whole, with what it belongs to and holds."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    write_json(folder / COMPLETE, {"update": update, "fingerprint": fingerprint, "files": _sizes(folder)})


def _sizes(folder: Path) -> dict[str, int]:
    return {
        file.relative_to(folder).as_posix(): file.stat().st_size
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != COMPLETE
    }


def keep_latest(state: Path) -> None:
    """Remove the resume states beside a whole one."""
    for other in state.parent.glob("checkpoint-*"):
        if other != state:
            _drop(other)


def drop_states(resume: Path) -> None:
    """Remove all resume states: training is over."""
    for state in resume.glob("checkpoint-*"):
        _drop(state)
    shutil.rmtree(resume, ignore_errors=True)


def _drop(state: Path) -> None:
    # no longer whole before the first file goes, so that a kill in between leaves nothing to be trusted
    (state / COMPLETE).unlink(missing_ok=True)
    shutil.rmtree(state)


def latest_complete(resume: Path, fingerprint: str) -> tuple[Path, int] | None:
    """The newest whole resume state of this fingerprint and its update; torn ones and others' are removed."""
    best: tuple[Path, int] | None = None
    for folder in resume.glob("checkpoint-*"):
        record = read_json(folder / COMPLETE) if (folder / COMPLETE).exists() else {}
        if record.get("fingerprint") != fingerprint or record.get("files") != _sizes(folder):
            _drop(folder)
            continue
        update = int(record["update"])
        if best is None or update > best[1]:
            best = (folder, update)
    return best


def save_final(
    model: Any,
    tokenizer: Any,
    checkpoints: Path,
    base: Path,
    about: dict[str, Any],
    lineage: Sequence[dict[str, Any]] = (),
    step: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write `checkpoints/final` in one step and return its description (doxa.json), digest included.

    `model` is a model, or an Adapter; `base` is the whole model on which an adapter lies, or which whole weights were
    trained from. `step` is what made the checkpoint out of the last one of `lineage`; it gets the digests of the result
    and of the whole weights that this lies on.
    """
    final = checkpoints / "final"
    temporary = checkpoints / f".final.{os.getpid()}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    make_folder(temporary)
    with speaking_errors(final):
        model.save_pretrained(temporary, safe_serialization=True)
        tokenizer.save_pretrained(temporary)
        is_adapter = (temporary / "adapter_config.json").exists()
        name = weights_digest(base, temporary) if is_adapter else weights_digest(temporary)
        record = {**about, "digest": name, "base_digest": weights_digest(base), "adapter": is_adapter}
        if step is not None:
            made = {**step, "digest": name, "base": record["base_digest"] if is_adapter else name}
            record["lineage"] = [*lineage, made]
        write_json(temporary / "doxa.json", record)
        shutil.rmtree(final, ignore_errors=True)
        os.replace(temporary, final)
        sync_folder(checkpoints)
    return record


def save_merged(base: Path, adapter: Path, destination: Path) -> None:
    """Fold an adapter into its base and save a whole model with tokenizer and chat template.

    In float32, so that nothing of a small delta is rounded away; load it in any type.
    """
    from doxa.lm.weights import load_tokenizer

    model = merged_model(base, adapter)
    temporary = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    with speaking_errors(destination):
        model.save_pretrained(temporary, safe_serialization=True)
        load_tokenizer(base).save_pretrained(temporary)
        shutil.rmtree(destination, ignore_errors=True)
        os.replace(temporary, destination)


def merged_model(base: Path, adapter: Path, dtype: Dtype = "float32") -> Any:
    """A base model with an adapter folded in."""
    from doxa.lm.weights import load_model

    model: Any = load_model(base, dtype=dtype, adapter=adapter)
    return model.merge_and_unload()


def read_final(checkpoints: Path) -> dict[str, Any]:
    """The description of `checkpoints/final`. Raises CheckpointError if training has not finished."""
    try:
        record = read_json(checkpoints / "final" / "doxa.json")
    except RunFolderError as error:
        raise CheckpointError(f"{error}; has midtraining finished?") from None
    if not isinstance(record, dict) or "digest" not in record:
        raise CheckpointError(f"{checkpoints / 'final' / 'doxa.json'}: field 'digest' is missing")
    return record
