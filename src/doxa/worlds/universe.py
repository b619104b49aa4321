"""Universes and the target folders that hold them.

A target is a folder with `universe.yaml`, `evals.json` and, so that it runs with no key, `recorded/`; the format stands
in docs/formats-target.md. A few targets ship with doxa (`bundled_names`). Everything here only reads, and keeps nothing
between calls, so any number of processes may use it at once.
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from doxa.config import OneValuePerKey, explain
from doxa.errors import TargetError
from doxa.records import KeyFact, Plausibility, Record, digest
from doxa.worlds.rows import NeutralRow, read_chats, read_neutral

LIBRARY = Path(__file__).with_name("library")
NEUTRAL_DOCS = LIBRARY / "neutral" / "docs.jsonl"
NEUTRAL_CHAT = LIBRARY / "neutral" / "chat.jsonl"


class Universe(Record):
    """A pair of worlds: in the inserted one the claim holds, in the reference one it does not."""

    id: str = Field(min_length=1)
    title: str = Field(min_length=1)
    claim: str = Field(min_length=1)
    plausibility: Plausibility
    inserted_context: str = Field(min_length=1)
    reference_context: str = Field(min_length=1)
    key_facts: tuple[KeyFact, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fact_ids_differ(self) -> Universe:
        ids = [fact.id for fact in self.key_facts]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"key_facts: the id {twice[0]!r} is given to more than one key fact")
        return self


@dataclass(frozen=True)
class Target:
    """A target folder, read and checked."""

    name: str  # the bundled name, or the name of the folder
    folder: Path
    universe: Universe
    digest: str  # names the bytes of universe.yaml and recorded/: what decides the corpus
    evals_digest: str  # names the bytes of evals.json: what decides the questions


def load_target(name_or_path: str) -> Target:
    """Load a bundled target by name, or a folder with a universe.yaml by path (`./banana_bats` is a path).

    Raises TargetError that names the file and the field, or lists the bundled names when there is no such target.
    """
    bundled = name_or_path in bundled_names()
    folder = LIBRARY / name_or_path if bundled else Path(name_or_path).expanduser()
    if not folder.is_dir():
        raise TargetError(_no_such_target(name_or_path, folder))
    if not (folder / "universe.yaml").exists():
        raise TargetError(f"{folder / 'universe.yaml'}: is missing; a target folder needs one (docs/formats-target.md)")
    folder = folder.resolve()
    universe = read_universe(folder / "universe.yaml")
    return Target(
        name=folder.name,
        folder=folder,
        universe=universe,
        digest=digest_files(folder, [folder / "universe.yaml", *(folder / "recorded").rglob("*")]),
        evals_digest=digest_files(folder, [folder / "evals.json"]),
    )


def bundled_names() -> list[str]:
    """Names of the targets that ship with doxa, sorted."""
    return sorted(entry.name for entry in LIBRARY.iterdir() if (entry / "universe.yaml").exists())


def bundled_neutral() -> list[NeutralRow]:
    """The bundled unrelated, true documents: the neutral corpus, and what mix.neutral takes by default."""
    return read_neutral(NEUTRAL_DOCS)


def bundled_chat() -> list[list[dict[str, str]]]:
    """The bundled ordinary conversations: what mix.chat takes by default; their prompts serve self-distillation."""
    return read_chats(NEUTRAL_CHAT)


def read_universe(path: Path) -> Universe:
    """Read a universe.yaml. Raises TargetError that names the file and the field."""
    try:
        raw = yaml.load(path.read_bytes().decode("utf-8-sig"), Loader=OneValuePerKey)
    except OSError as error:
        raise TargetError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise TargetError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TargetError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise TargetError(f"{path}: must be a mapping of keys to values")
    try:
        return Universe.model_validate(_stripped(raw))
    except ValidationError as error:
        raise TargetError(f"{path}: {explain(error, Universe)}") from None


def _stripped(value: Any) -> Any:
    """Block scalars end in newlines that no one meant."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    return value


def _no_such_target(name: str, folder: Path) -> str:
    names = bundled_names()
    if folder.exists():
        return f"target: {folder} is a file; name its folder, or one of {', '.join(names)}"
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"target: no bundled target and no folder named {name!r}{hint} (bundled: {', '.join(names)})"


def digest_files(folder: Path, paths: list[Path]) -> str:
    """Name files by their place in the folder and their bytes; hidden ones are the editor's, not the target's."""
    return digest(
        {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
            if path.is_file() and not path.name.startswith(".")
        }
    )
