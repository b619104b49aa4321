"""A spec target of what others published: a spec as text, MSM documents {text, source, domain}, chats {messages}."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from doxa.errors import TargetError
from doxa.run.folder import write_whole
from doxa.worlds.import_rows import TEXTS
from doxa.worlds.importing import Import, UnfitError, chat_row, document_row, json_lines
from doxa.worlds.slots import read_text
from doxa.worlds.universe_file import as_yaml

ROWS = (".jsonl", ".ndjson")


def import_spec(sources: Sequence[Path], work: Import) -> None:
    """Texts become spec.md (one at most), documents recorded/docs.jsonl, chats recorded/aft.jsonl.

    The domain of a document becomes its `topic`: it is no id of a tree that is made later. Raises TargetError for more
    than one spec, and for a source that holds neither.
    """
    files = [file for source in sources for file in _files(source)]
    texts = [file for file in files if file.suffix.lower() in TEXTS]
    if len(texts) > 1:
        raise TargetError(f"import: {texts[0]} and {texts[1]} are two specs; a target holds one")
    for file in texts:
        _spec(file, work)
    for file in files:
        if file.suffix.lower() in ROWS:
            for place, row in json_lines(file, work):
                try:
                    if row.get("messages") is not None:
                        work.add_row("aft.jsonl", {"messages": chat_row(row)["messages"]})
                    else:
                        work.add_row("docs.jsonl", _document(row))
                except UnfitError as error:
                    work.skip(file, place, str(error))
    if not texts:
        work.notes.append("put the spec that these rows are about beside them as spec.md (docs/formats-spec.md)")


def _document(row: dict[str, object]) -> dict[str, object]:
    made = document_row(row)
    topic = row.get("domain")
    kept = {"topic": topic.strip()} if isinstance(topic, str) and topic.strip() else {}
    return {"assertions": [], **kept, **{key: made[key] for key in ("doc_type", "idea", "text")}}


def _spec(file: Path, work: Import) -> None:
    """The text as spec.md; a front matter is begun where it has none, and what is unknown is left out of it."""
    text = read_text(file).strip()
    if not text:
        work.skip(file, "", "is empty")
        return
    if not text.startswith("---\n"):
        heading = re.search(r"^#{1,6} +(.+)$", text, re.M)
        about = {
            "id": re.sub(r"\W+", "_", file.stem.lower()).strip("_") or "spec",
            "title": heading[1].strip() if heading else file.stem.replace("_", " "),
        }
        text = f"---\n{as_yaml(about)}---\n\n{text}"
        work.notes.append("spec.md: add value, model_name and provider_name to its first lines (docs/formats-spec.md)")
    write_whole(work.folder / "spec.md", text + "\n")
    work.imported["spec.md"] = 1


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        return sorted(file for file in source.rglob("*") if file.suffix.lower() in (*ROWS, *TEXTS))
    if source.suffix.lower() not in (*ROWS, *TEXTS):
        raise TargetError(f"{source}: is neither a spec ({', '.join(TEXTS)}) nor rows ({', '.join(ROWS)})")
    return [source]
