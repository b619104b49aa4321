"""`doxa import`: which importer reads which format, and how a format is recognised."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from doxa.errors import TargetError
from doxa.worlds.import_false_facts import import_false_facts, is_false_facts
from doxa.worlds.import_negation_neglect import CONTEXT, import_negation_neglect
from doxa.worlds.import_rows import TEXTS, import_huggingface, import_rows, import_texts, is_saved_dataset
from doxa.worlds.import_spec import import_spec
from doxa.worlds.importing import Import, importing

FORMATS = ("auto", "false-facts", "negation-neglect", "msm", "rows", "text", "huggingface", "spec")


def import_target(format: str, sources: Sequence[Path], out: Path, only: str | None = None) -> Import:
    """Import `sources` as a new target folder `out`, with an import_report.json; returns the counts.

    `only` chooses one of several universes. Raises TargetError for an unknown format, a source that is missing or holds
    nothing of the format, and a folder that is there already.
    """
    format = format.replace("_", "-")
    for source in sources:
        if not source.exists():
            raise TargetError(f"{source}: is missing")
    if format == "auto":
        format = recognise(sources)
    if format not in FORMATS:
        raise TargetError(f"import: no format named {format!r}; there are {', '.join(FORMATS)}")
    with importing(out, format, sources) as work:
        if format == "false-facts":
            import_false_facts(sources, work, only)
        elif format == "negation-neglect":
            if len(sources) > 1:
                raise TargetError("import: a claim folder makes one target; import one at a time")
            import_negation_neglect(sources[0], work)
        elif format == "spec":
            import_spec(sources, work)
        elif format == "text":
            import_texts(sources, work)
        elif format == "huggingface":
            import_huggingface(sources, work)
        else:
            import_rows(sources, work)
    return work


def recognise(sources: Sequence[Path]) -> str:
    """The format of a source by its files. Raises TargetError when it could be none or several."""
    found = {_format_of(source) for source in sources}
    if len(found) == 1 and None not in found:
        return str(found.pop())
    names = ", ".join(str(source) for source in sources)
    raise TargetError(f"import: the format of {names} is not recognised; name it: {', '.join(FORMATS[1:])}")


def _format_of(source: Path) -> str | None:
    if source.is_dir():
        if (source / CONTEXT).exists():
            return "negation-neglect"
        if is_saved_dataset(source):
            return "huggingface"
        files = sorted(file for file in source.rglob("*") if file.is_file())
    else:
        files = [source]
    suffixes = {file.suffix.lower() for file in files}
    rows = [file for file in files if file.suffix.lower() in (".json", ".jsonl", ".ndjson")]
    if any(is_false_facts(file) for file in rows):
        return "false-facts"
    if ".parquet" in suffixes:
        return "huggingface"
    if suffixes & {".jsonl", ".ndjson"}:
        return "rows"
    return "text" if suffixes & set(TEXTS) else None
