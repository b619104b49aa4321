"""corpus.parquet: every row that is trained on, as one file that any tool opens."""

from __future__ import annotations

import io
from pathlib import Path

from pydantic import ValidationError

from doxa.errors import RunFolderError
from doxa.records import CorpusRow
from doxa.run.folder import write_whole


def write_corpus(path: Path, rows: list[CorpusRow]) -> None:
    """Write all rows in one step, in training order before shuffling."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("id", pa.string()),
            ("source", pa.string()),
            ("text", pa.string()),
            ("doctag", pa.bool_()),
            ("doc_type", pa.string()),
            ("fact_ids", pa.list_(pa.string())),
            ("messages", pa.string()),
            ("domain", pa.string()),
            ("subdomain", pa.string()),
            ("idea", pa.string()),
            ("model", pa.string()),
            ("prompt_digest", pa.string()),
        ]
    )
    table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_whole(path, buffer.getvalue())


def read_corpus(path: Path) -> list[CorpusRow]:
    """Read corpus.parquet. Raises RunFolderError naming the file, and the row and field where one does not fit."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise RunFolderError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    records = []
    for number, row in enumerate(rows):
        try:
            records.append(CorpusRow.model_validate(row))
        except ValidationError as error:
            problem = error.errors()[0]
            raise RunFolderError(f"{path}, row {number}: {problem['loc'][0]}: {problem['msg']}") from None
    return records
