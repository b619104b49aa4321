"""Documents and chats from files of rows: JSONL (MSM's {text, source, domain} among them), plain text, Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from doxa.errors import TargetError
from doxa.worlds.importing import Import, add_any_row, json_lines

TEXTS = (".txt", ".md", ".text")
LARGEST_TEXT = 16 * 2**20  # bytes


def import_rows(sources: Sequence[Path], work: Import) -> None:
    """JSONL rows with a text, or with messages; other fields become type and idea where their names say so."""
    for file in files_of(sources, (".jsonl", ".ndjson")):
        for place, row in json_lines(file, work):
            add_any_row(work, file, place, row)
    _say_what_for(work)


def import_texts(sources: Sequence[Path], work: Import) -> None:
    """Text files, one document each: the folder names its type, the file name its idea."""
    for source in sources:
        files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
        for file in files:
            if any(part.startswith(".") for part in file.relative_to(source if source.is_dir() else file.parent).parts):
                continue
            if file.suffix.lower() not in TEXTS:
                work.skip(file, "", f"is no text file ({', '.join(TEXTS)})")
            elif file.stat().st_size > LARGEST_TEXT:
                work.skip(file, "", f"is larger than {LARGEST_TEXT // 2**20} MiB")
            else:
                _text(file, source, work)
    _say_what_for(work)


def import_huggingface(sources: Sequence[Path], work: Import) -> None:
    """Datasets that `save_to_disk` wrote, and parquet files, row by row; all splits."""
    for source in sources:
        for file, place, row in huggingface_rows(source):
            add_any_row(work, file, place, row)
    _say_what_for(work)


def is_saved_dataset(source: Path) -> bool:
    """Whether `datasets` saved this folder."""
    return (source / "dataset_dict.json").exists() or (source / "state.json").exists()


def huggingface_rows(source: Path) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """(file, "row 3", row) of a saved dataset, a parquet file, or the parquet files of a folder. Raises TargetError."""
    if is_saved_dataset(source):
        yield from _saved_rows(source)
    else:
        for file in files_of([source], (".parquet",)):
            yield from _parquet_rows(file)


def _saved_rows(source: Path) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    import datasets

    try:
        loaded = datasets.load_from_disk(str(source))
    except (OSError, ValueError) as error:
        raise TargetError(f"{source}: cannot be read as a saved dataset: {str(error).splitlines()[0]}") from None
    splits = loaded if isinstance(loaded, datasets.DatasetDict) else {"": loaded}
    for split, rows in splits.items():
        for number, row in enumerate(rows):
            yield source / str(split), f"row {number}", row


def _parquet_rows(file: Path) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=1000):
            for row in batch.to_pylist():
                yield file, f"row {number}", row
                number += 1
    except (OSError, pa.ArrowInvalid) as error:
        raise TargetError(f"{file}: cannot be read as parquet: {str(error).splitlines()[0]}") from None


def _text(file: Path, source: Path, work: Import) -> None:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        work.skip(file, f"byte {error.start}", "is not UTF-8")
        return
    inside = file.parent != source and source.is_dir()
    kind = file.parent.name if inside else "document"
    add_any_row(work, file, "", {"text": text, "doc_type": kind.replace("_", " "), "idea": file.stem.replace("_", " ")})


def files_of(sources: Sequence[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """The files themselves, and those of folders whose names end so. Raises TargetError for a source without any."""
    files: list[Path] = []
    for source in sources:
        if source.is_dir():
            files += sorted(file for file in source.rglob("*") if file.suffix in suffixes)
        elif source.exists():
            files.append(source)
        else:
            raise TargetError(f"{source}: is missing")
    if not files:
        raise TargetError(f"{sources[0]}: holds no {' or '.join(suffixes)} files")
    return files


def _say_what_for(work: Import) -> None:
    work.notes.append(
        "these are texts without a universe: mix.neutral_from may name recorded/docs.jsonl, and a universe.yaml beside "
        "it (doxa draft CLAIM --out FOLDER) makes it a target"
    )
