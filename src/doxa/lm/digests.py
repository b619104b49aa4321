"""The digest that tells weights apart: part of every stored response's key and of every score."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from doxa.errors import RunFolderError
from doxa.lm.embedded import cache_home
from doxa.lm.model_files import check_adapter_folder, check_model_folder, read_json_object, weight_files
from doxa.records import digest
from doxa.run.folder import write_json

_DIGESTED = (
    "config.json",
    "adapter_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)
# who saved a folder, with which version and from where, decides no answer
_NOT_DIGESTED = {
    "transformers_version",
    "peft_version",
    "_name_or_path",
    "name_or_path",
    "base_model_name_or_path",
    "is_local",
    "local_files_only",
}


def weights_digest(folder: Path, adapter: Path | None = None) -> str:
    """16 hex digits that name what a model folder (and an adapter on it) answers with.

    Made of the contents of safetensors, config, tokenizer and chat template, so it is the same for a copy on another
    computer and changes with any weight. Kept per file in the cache folder: a second call reads no weights.
    """
    check_model_folder(folder)
    parts = [_folder_parts(folder)]
    if adapter is not None:
        check_adapter_folder(adapter)
        parts.append(_folder_parts(adapter))
    return digest(*parts)


def _folder_parts(folder: Path) -> dict[str, Any]:
    parts: dict[str, Any] = {file.name: _file_digest(file) for file in weight_files(folder)}
    for name in _DIGESTED:
        file = folder / name
        if file.is_file():
            parts[name] = _settings(read_json_object(file)) if name.endswith("config.json") else _file_digest(file)
    return parts


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in _NOT_DIGESTED}
    if isinstance(kept.get("target_modules"), list):
        kept["target_modules"] = sorted(kept["target_modules"])  # peft keeps a set: its order differs between processes
    return kept


def _file_digest(file: Path) -> str:
    """SHA-256 of a file's bytes, remembered as long as the file's size and times stay the same."""
    stat = file.stat()
    seen = [str(file.absolute()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    memo = cache_home() / "digests" / f"{digest(seen[0])}.json"
    try:
        kept = json.loads(memo.read_text())
        if kept["seen"] == seen:
            return str(kept["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none kept, or not for this file: it is computed below
    with open(file, "rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    # a file changed twice within one tick of the clock keeps its time, so young files are not remembered
    if time.time() - max(stat.st_mtime, stat.st_ctime) > 2:
        with contextlib.suppress(RunFolderError):  # a read-only cache costs time, not correctness
            write_json(memo, {"seen": seen, "sha256": sha256})
    return sha256
