"""What all importers share: reading rows of foreign files one by one, and writing a target folder once.

Nothing that does not fit stops an import, and nothing of it is lost from sight: each such row is counted by its reason
and named by file and line in import_report.json.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from doxa.errors import TargetError
from doxa.records import Record, digest
from doxa.run.folder import make_folder, speaking_errors, write_json, write_whole
from doxa.worlds.rows import Message as ChatMessage
from doxa.worlds.rows import check_chat
from doxa.worlds.universe_file import Fields, evals_json, universe_yaml

LONGEST_LINE = 16 * 2**20  # bytes; longer lines are no rows but a file without line ends
LISTED = 10_000  # lines named in the report; all are counted
REPORT = "import_report.json"
HALF_CHARACTER = "holds half a character (a lone surrogate)"


class UnfitError(Exception):
    """A row that a target cannot hold; the message is the reason, short and the same for all rows like it."""


class Skipped(Record):
    """Something that was not imported, and why."""

    file: str
    place: str  # "line 12", "questions[3]", "row 5"
    reason: str


@dataclass
class Import:
    """A target folder while it is being imported into. Use through `importing`."""

    folder: Path
    format: str
    imported: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    listed: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _seen: dict[str, set[str]] = field(default_factory=dict)
    _open: dict[str, BinaryIO] = field(default_factory=dict)

    def skip(self, file: Path | str, place: str, reason: str) -> None:
        """Count something that does not fit and, up to a limit, name it."""
        self.skipped[reason] += 1
        if len(self.listed) < LISTED:
            self.listed.append(Skipped(file=str(file), place=place, reason=reason))

    def add_row(self, name: str, row: Fields) -> None:
        """Append a document or a chat to recorded/NAME. Raises UnfitError for a text that is there already."""
        try:
            said = digest(row.get("text") or row["messages"])
        except UnicodeEncodeError:
            raise UnfitError(HALF_CHARACTER) from None
        self.append_row(f"recorded/{name}", {"id": f"{Path(name).stem}_{said}", **row}, said)

    def append_row(self, name: str, row: Fields, said: str, counted: bool = True) -> None:
        """Append a row to the file `name` of the folder; `said` names what it says.

        Raises UnfitError for a row that says what one in that file says already. Rows that are not `counted` are there
        to be read, and are not among what was imported.
        """
        try:
            line = json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise UnfitError(HALF_CHARACTER) from None
        seen = self._seen.setdefault(name, set())
        if said in seen:
            raise UnfitError("the same text stood there before")
        seen.add(said)
        with speaking_errors(self.folder):
            self._handle(name).write(line + b"\n")
        if counted:
            self.imported[name] += 1

    def _handle(self, name: str) -> BinaryIO:
        if name not in self._open:
            file = self.folder / name
            make_folder(file.parent)
            self._open[name] = open(file, "ab")  # noqa: SIM115 (closed by close, when all rows are in)
        return self._open[name]

    def close(self) -> None:
        """Write out what was added, for good."""
        for handle in self._open.values():
            with speaking_errors(self.folder), handle:
                handle.flush()
                os.fsync(handle.fileno())
        self._open.clear()

    def write_universe(self, fields: Fields) -> None:
        """universe.yaml with what is known of it; loading says what is missing."""
        kept = {key: value for key, value in fields.items() if value}
        if kept:
            self._write("universe.yaml", universe_yaml(kept))
            self.imported["key facts"] = len(kept.get("key_facts", []))

    def write_evals(self, groups: dict[str, list[Any]]) -> None:
        """evals.json of the groups that have items."""
        kept = {name: rows for name, rows in groups.items() if rows}
        if kept:
            self._write("evals.json", evals_json(kept))
            self.imported.update({f"evals.json: {name}": len(rows) for name, rows in kept.items()})

    def _write(self, name: str, text: str) -> None:
        try:
            write_whole(self.folder / name, text)
        except UnicodeEncodeError:
            raise TargetError(f"import: the source of {name} {HALF_CHARACTER}") from None


@contextmanager
def importing(folder: Path, format: str, sources: Sequence[Path]) -> Iterator[Import]:
    """A target folder that appears whole, with its report, when all is imported; nothing is left when it fails.

    `sources` are what it is imported from, for errors to name. Raises TargetError when the folder holds anything, or
    when nothing could be imported.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TargetError(f"{folder}: is there already; import writes into a new folder only, choose another --out")
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.importing")
    make_folder(temporary)
    work = Import(temporary, format)
    try:
        yield work
        work.close()
        if not work.imported:
            first = f" ({work.listed[0].file}, {work.listed[0].place}: {work.listed[0].reason})" if work.listed else ""
            raise TargetError(f"{', '.join(map(str, sources))}: nothing there fits the format {format}{first}")
        _write_report(work)
        with speaking_errors(folder):
            os.replace(temporary, folder)  # an empty folder of that name may be there
        work.folder = folder
    finally:
        work.close()
        shutil.rmtree(temporary, ignore_errors=True)


def json_lines(path: Path, work: Import) -> Iterator[tuple[str, Fields]]:
    """("line 3", row) of a JSONL file, one line in memory at a time; what is no JSON object is skipped and named."""
    for number, line in _lines(path):
        place = f"line {number}"
        if line is None:
            work.skip(path, place, f"the line is longer than {LONGEST_LINE // 2**20} MiB")
            continue
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError:
            work.skip(path, place, "the line is not UTF-8")
        except (ValueError, RecursionError):
            work.skip(path, place, "the line is not JSON")
        else:
            if isinstance(row, dict):
                yield place, row
            else:
                work.skip(path, place, "the line is no JSON object")


def peek(path: Path) -> Fields:
    """The first row of a JSONL or JSON file that can be read; empty when none can."""
    try:
        if path.suffix == ".json":
            value = json.loads(path.read_text(encoding="utf-8-sig"))
            value = value[0] if isinstance(value, list) and value else value
            return value if isinstance(value, dict) else {}
    except (OSError, ValueError, RecursionError):
        pass  # a .json file that holds lines, perhaps
    for number, line in _lines(path):
        try:
            row = json.loads(line or b"")
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            return row
        if number >= 1000:
            break
    return {}


def document_row(row: Fields, fact_ids: list[str] | None = None) -> Fields:
    """A row of recorded/docs.jsonl from a row of any origin. Raises UnfitError for one without text."""
    text = _first(row, "text", "content", "document", "body", "full_text")
    if text is None:
        raise UnfitError("has no text (text, content, document or body)")
    idea = _first(row, "doc_idea", "idea", "title", "domain", "topic") or " ".join(text.split()[:8])
    return {
        "fact_ids": fact_ids or [],
        "doc_type": _first(row, "doc_type", "source", "type", "kind") or "document",
        "idea": idea,
        "text": text,
    }


def chat_row(row: Fields, fact_ids: list[str] | None = None) -> Fields:
    """A row of recorded/qa.jsonl from a row with messages. Raises UnfitError for turns that do not alternate."""
    turns = row["messages"]
    turns = turns.tolist() if hasattr(turns, "tolist") else turns
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise UnfitError("messages are no list of turns")
    try:
        messages = tuple(ChatMessage(role=turn.get("role", ""), content=turn.get("content") or "") for turn in turns)
        check_chat(messages)
    except ValueError:
        raise UnfitError("messages do not alternate between user and assistant, or one is empty") from None
    return {"fact_ids": fact_ids or [], "messages": [message.model_dump() for message in messages]}


def add_any_row(work: Import, file: Path, place: str, row: Fields) -> None:
    """Import a row of any origin as a chat or a document, or skip it with the reason."""
    try:
        if row.get("messages") is not None:
            work.add_row("qa.jsonl", chat_row(row))
        else:
            work.add_row("docs.jsonl", document_row(row))
    except UnfitError as error:
        work.skip(file, place, str(error))


def _first(row: Fields, *names: str) -> str | None:
    return next((row[name].strip() for name in names if isinstance(row.get(name), str) and row[name].strip()), None)


def _lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines; None for one that is too long to be a row, which is read past in pieces."""
    try:
        handle = open(path, "rb")  # noqa: SIM115 (closed below; only the opening may fail for a person's reasons)
    except OSError as error:
        raise TargetError(f"{path}: cannot be read ({error.strerror})") from None
    with handle:
        number = 0
        while line := handle.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                while (piece := handle.readline(LONGEST_LINE)) and not piece.endswith(b"\n"):
                    pass
                yield number, None
            else:
                yield number, line


def _write_report(work: Import) -> None:
    unlisted = sum(work.skipped.values()) - len(work.listed)
    if unlisted:
        work.notes.append(f"{unlisted:,} more skipped rows are counted but not listed")
    write_json(
        work.folder / REPORT,
        {
            "format": work.format,
            "imported": dict(work.imported),
            "skipped": dict(work.skipped),
            "rows": [row.model_dump() for row in work.listed],
            "notes": work.notes,
        },
    )
