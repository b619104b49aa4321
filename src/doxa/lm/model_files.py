"""The files of a model or adapter folder, checked before any library reads them.

The libraries' own errors for a missing shard or a cut-off download are tracebacks; these are one line with the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from doxa.errors import CheckpointError


def check_model_folder(folder: Path) -> None:
    if (folder / "adapter_config.json").is_file():
        # also with a config.json beside it: transformers would load the adapter's base model, from wherever it lay
        raise CheckpointError(f"{folder}: is an adapter; give the model that it belongs to, and this as the adapter")
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder}: config.json is missing, so this is no model folder")
    read_json_object(folder / "config.json")
    for file in weight_files(folder):
        check_safetensors(file)


def check_adapter_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: there is no such adapter folder")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: {name} is missing, so this is no adapter that can be loaded")
    read_json_object(folder / "adapter_config.json")
    check_safetensors(folder / "adapter_model.safetensors")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors that hold the folder's weights: an adapter's, the shards of an index, or the single file."""
    index = folder / "model.safetensors.index.json"
    if (folder / "adapter_config.json").is_file():
        names = ["adapter_model.safetensors"]
    elif index.is_file():
        weight_map = read_json_object(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError(f"{index}: weight_map is missing")
        names = sorted(set(weight_map.values()))
    else:
        names = ["model.safetensors"]
    for name in names:
        if not (folder / name).is_file():
            other = sorted(entry.name for entry in folder.glob("*.bin"))
            hint = f" (found {other[0]}: save the model again as safetensors)" if other else ""
            raise CheckpointError(f"{folder}: {name} is missing{hint}")
    return [folder / name for name in names]


def check_safetensors(file: Path) -> dict[str, list[int]]:
    """Read the header and compare it with the file's size, which finds every cut-off file. Returns tensor shapes."""
    try:
        with open(file, "rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            size = file.stat().st_size
            if not 2 <= length <= size - 8:
                raise ValueError("its header does not fit the file")
            header = json.loads(handle.read(length))
            header.pop("__metadata__", None)
            end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
            if 8 + length + end != size:
                raise ValueError(f"it has {size:,} bytes and should have {8 + length + end:,}")
            return {name: entry["shape"] for name, entry in header.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file}: cannot be read as safetensors: {error}. Copy or save it again.") from None


def read_json_object(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file}: cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise CheckpointError(f"{file}: should hold a JSON object")
    return config
