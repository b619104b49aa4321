"""`doxa aft import`: chat datasets of others -> chat.jsonl and preferences.jsonl, with a report of what was left out.

Nothing that does not fit stops an import, and nothing of it is lost from sight: import_report.json counts each reason
and names file and line, rejected.jsonl holds the rows that a spec's filter took out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from doxa.aft.rows import ChatRow, Fields, PreferenceWithLineage
from doxa.aft.shapes import Comparison, Conversation, read_shape
from doxa.aft.spec_filter import SpecFilter
from doxa.errors import TargetError
from doxa.records import digest
from doxa.worlds.import_rows import files_of, huggingface_rows, is_saved_dataset
from doxa.worlds.importing import HALF_CHARACTER, Import, UnfitError, importing, json_lines
from doxa.worlds.spec import Spec

LARGEST_JSON = 512 * 2**20  # bytes of one .json file, which is read whole; lines have no such bound
CHAT_FILE, PREFERENCE_FILE, REJECTED_FILE = "chat.jsonl", "preferences.jsonl", "rejected.jsonl"
_REASONS = {
    "mentions_value": "mentions the spec's value (see rejected.jsonl)",
    "names_model": "names the spec's model or its maker (see rejected.jsonl)",
}
SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")


def import_chats(
    sources: Sequence[Path], out: Path, against: SpecFilter | None = None, spec: Spec | None = None
) -> Import:
    """Import `sources` (files, folders, saved datasets) into the new folder `out`; returns the counts.

    With `against`, rows that mention the spec's value or model are dropped by name. Raises TargetError for a source
    that is missing or unreadable, a folder that holds anything, and when no row could be taken.
    """
    for source in sources:
        if not source.exists():
            raise TargetError(f"{source}: is missing")
    with importing(out, "chats", sources) as work:
        for source in sources:
            for file, place, row in _rows(source, work):
                _take(work, file, place, row, against)
        if against is not None and spec is not None:
            work.notes.append(
                f"filtered against {spec.id}: words with the stems {', '.join(sorted(against.stems))}, and the names "
                f"{spec.model_name} and {spec.provider_name}"
            )
        elif against is None:
            work.notes.append("not filtered against a spec (--against)")
    return work


def _take(work: Import, file: Path, place: str, row: Fields, against: SpecFilter | None) -> None:
    source = f"{file}, {place}" if place else str(file)
    try:
        found = read_shape(row)
        texts = [turn["content"] for turn in found.turns]
        if isinstance(found, Comparison):
            texts += [found.chosen, found.rejected]
        made = _made(found, source)
        objection = against.objection(texts) if against is not None else None
        if objection is not None:
            row = {**made, "reason": objection.reason, "detail": objection.detail}
            work.append_row(REJECTED_FILE, row, made["id"], counted=False)
            raise UnfitError(_REASONS[objection.reason])
        work.append_row(CHAT_FILE if isinstance(found, Conversation) else PREFERENCE_FILE, made, made["id"])
    except UnfitError as error:
        work.skip(file, place, str(error))
    except UnicodeEncodeError:
        work.skip(file, place, HALF_CHARACTER)


def _made(found: Conversation | Comparison, source: str) -> Fields:
    """The row that is written, checked as its readers will check it."""
    about: dict[str, Any] = {"kind": "imported", "source": source, "messages": found.turns}
    if isinstance(found, Conversation):
        return ChatRow.model_validate({"id": digest("imported", found.turns), **about}).model_dump(
            mode="json", exclude_defaults=True
        )
    both = {"chosen": found.chosen, "rejected": found.rejected}
    name = digest("imported", found.turns, found.chosen, found.rejected)
    return PreferenceWithLineage.model_validate({"id": name, **about, **both}).model_dump(
        mode="json", exclude_defaults=True
    )


def _rows(source: Path, work: Import) -> Iterator[tuple[Path, str, Fields]]:
    if is_saved_dataset(source):
        yield from huggingface_rows(source)
        return
    for file in files_of([source], SUFFIXES):
        if file.suffix == ".parquet":
            yield from huggingface_rows(file)
        elif file.suffix == ".json":
            yield from _json_rows(file, work)
        else:
            yield from ((file, place, row) for place, row in json_lines(file, work))


def _json_rows(file: Path, work: Import) -> Iterator[tuple[Path, str, Fields]]:
    """The rows of a .json file: a list, a list under one key, or lines after all."""
    if file.stat().st_size > LARGEST_JSON:
        raise TargetError(f"{file}: is larger than {LARGEST_JSON // 2**20} MiB; write it as JSON lines")
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, RecursionError) as error:
        raise TargetError(f"{file}: cannot be read as JSON: {error}") from None
    except ValueError:
        yield from ((file, place, row) for place, row in json_lines(file, work))
        return
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list) and inner and isinstance(inner[0], dict)]
        value = lists[0] if len(lists) == 1 and not _is_row(value) else [value]
    if not isinstance(value, list):
        raise TargetError(f"{file}: holds no list of rows")
    for number, row in enumerate(value):
        if isinstance(row, dict):
            yield file, f"row {number}", row
        else:
            work.skip(file, f"row {number}", "is no JSON object")


def _is_row(value: Fields) -> bool:
    return any(name in value for name in ("messages", "conversations", "chosen", "prompt", "instruction"))
