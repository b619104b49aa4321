"""Items into an evals.json: additions are made to the text that stands there, whole or not at all."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from doxa.belief.items import groups_present
from doxa.errors import ConfigError, TargetError
from doxa.run.folder import write_rows, write_whole
from doxa.worlds.draft_items import DRAFTED
from doxa.worlds.item_sieve import RejectedItem
from doxa.worlds.universe_file import with_rows


def read_groups(path: Path) -> tuple[str, dict[str, list[Any]]]:
    """The text of an evals.json and its groups; empty ones for a file that is not there. Raises TargetError."""
    if not path.exists():
        return "", {}
    groups_present(path)
    text = path.read_text(encoding="utf-8")
    return text, json.loads(text)


def chosen_groups(named: str) -> tuple[str, ...]:
    """Groups named with commas, `mcq_` being optional; all of them for an empty name. Raises ConfigError."""
    found = []
    for name in filter(None, (part.strip() for part in named.split(","))):
        full = f"mcq_{name}" if f"mcq_{name}" in DRAFTED else name
        if full not in DRAFTED:
            near = difflib.get_close_matches(name, DRAFTED, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(DRAFTED)}"
            raise ConfigError(f"--groups: no group is named {name!r}; {hint}")
        found.append(full)
    return tuple(dict.fromkeys(found)) or DRAFTED


def write_items(path: Path, start: Path, items: dict[str, list[Any]]) -> None:
    """Write what `start` holds now, with the items added to it, to `path`, which may be the same file.

    The file is replaced once the result has been loaded and compared. Raises TargetError, with nothing written, when
    the result would not load, as when a person has meanwhile written the same item.
    """
    text, before = read_groups(start)
    wanted = {**before, **{group: [*before.get(group, []), *rows] for group, rows in items.items()}}
    added = with_rows(text, items)
    trial = path.with_name(f".{path.name}.trial")
    write_whole(trial, added)
    try:
        groups_present(trial)
        if json.loads(added) != wanted:
            raise TargetError(f"{path}: cannot be added to in the style in which it is written; nothing was written")
    except TargetError as error:
        raise TargetError(str(error).replace(str(trial), str(path))) from None
    finally:
        trial.unlink()
    write_whole(path, added)


def rejected_file(path: Path) -> Path:
    """Where the items that were left out are kept, beside the file of items."""
    return path.with_name(f"{path.stem}_rejected.jsonl")


def write_rejected(path: Path, rejected: Iterable[RejectedItem]) -> None:
    """Every item that was left out, with its reason."""
    write_rows(rejected_file(path), rejected)
