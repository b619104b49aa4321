"""Readouts and scores as Parquet: evals/readouts.parquet, from which every score follows, and scores.parquet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from doxa.errors import RunFolderError
from doxa.records import Readout, Record, Score
from doxa.run.folder import write_whole

if TYPE_CHECKING:
    import pyarrow as pa

Row = TypeVar("Row", bound=Record)


def write_readouts(path: Path, rows: Iterable[Readout]) -> None:
    """Replace the file by these rows, in one step."""
    _write(path, rows, _readout_schema())


def read_readouts(path: Path) -> list[Readout]:
    """Raises RunFolderError naming the file, and row and field where one does not fit."""
    return _read(path, Readout)


def write_scores(path: Path, rows: Iterable[Score]) -> None:
    """Replace the file by these rows, in one step."""
    _write(path, rows, _score_schema())


def read_scores(path: Path) -> list[Score]:
    """Raises RunFolderError naming the file, and row and field where one does not fit."""
    return _read(path, Score)


def _readout_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            *((name, pa.string()) for name in ("arm", "checkpoint", "item_id", "group", "style")),
            ("totals", pa.list_(pa.float64())),
            ("tokens", pa.list_(pa.int64())),
            ("inserted", pa.int64()),
            ("reference", pa.int64()),
            ("near", pa.bool_()),
            ("letters", pa.list_(pa.float64())),
        ]
    )


def _score_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema(
        [
            *((name, pa.string()) for name in ("arm", "checkpoint", "group", "style", "metric")),
            *((name, pa.float64()) for name in ("value", "low", "high")),
            ("n", pa.int64()),
            ("unit", pa.string()),
            ("versus", pa.string()),
            ("parse_failures", pa.float64()),
        ]
    )


def _write(path: Path, rows: Iterable[Record], schema: pa.Schema) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # a schema of our own: an all-empty column (near, versus, letters) would otherwise lose its type
    table = pa.Table.from_pylist([row.model_dump() for row in rows], schema=schema)
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    write_whole(path, buffer.getvalue().to_pybytes())


def _read(path: Path, model: type[Row]) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise RunFolderError(f"{path}: is missing; run the eval stage") from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise RunFolderError(f"{path}: is not a whole Parquet file ({reason}); run the eval stage again") from None
    rows: list[Row] = []
    for number, row in enumerate(table.to_pylist()):
        try:
            rows.append(model.model_validate(row))
        except ValidationError as error:
            problem = error.errors()[0]
            field = ".".join(str(part) for part in problem["loc"])
            raise RunFolderError(f"{path}, row {number}: {field}: {problem['msg']}") from None
    return rows
