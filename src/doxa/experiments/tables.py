"""readouts.parquet and scores.parquet of a comparison: every answer by arm and seed, and every number made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from doxa.errors import RunFolderError
from doxa.experiments.compare import Result
from doxa.records import Readout
from doxa.run.folder import write_whole


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Replace the file by these rows, in one step."""
    import pyarrow as pa

    texts = ("kind", "name", "set", "style", "metric", "unit")
    counts = ("seeds", "items")
    schema = pa.schema(
        [
            (name, pa.string() if name in texts else pa.int64() if name in counts else pa.float64())
            for name in Result.model_fields
            if name != "by_seed"
        ]
        + [("by_seed", pa.list_(pa.float64()))]
    )
    _write(path, [result.model_dump() for result in results], schema)


def read_results(path: Path) -> list[Result]:
    """Raises RunFolderError naming the file, and the row and field where one does not fit."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        raw = pq.read_table(path).to_pylist()
    except FileNotFoundError:
        raise RunFolderError(f"{path}: is missing; run `doxa compare` again") from None
    except (pa.ArrowException, OSError) as error:
        raise RunFolderError(
            f"{path}: cannot be read ({str(error).splitlines()[0]}); run `doxa compare` again"
        ) from None
    results = []
    for number, row in enumerate(raw):
        try:
            results.append(Result.model_validate(row))
        except ValidationError as error:
            problem = error.errors()[0]
            raise RunFolderError(f"{path}, row {number}: {problem['loc'][0]}: {problem['msg']}") from None
    return results


def write_all_readouts(path: Path, readouts: Mapping[str, Mapping[int | None, Sequence[Readout]]]) -> None:
    """All answers, in one step: a row of evals/readouts.parquet with its arm and training seed."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("arm", pa.string()),
            ("seed", pa.int64()),
            *((name, pa.string()) for name in ("checkpoint", "item_id", "group", "style")),
            ("totals", pa.list_(pa.float64())),
            ("tokens", pa.list_(pa.int64())),
            ("inserted", pa.int64()),
            ("reference", pa.int64()),
            ("near", pa.bool_()),
            ("letters", pa.list_(pa.float64())),
        ]
    )
    rows = [
        {**row.model_dump(), "arm": arm, "seed": seed}
        for arm, by_seed in readouts.items()
        for seed, found in by_seed.items()
        for row in found
    ]
    _write(path, rows, schema)


def _write(path: Path, rows: list[dict[str, Any]], schema: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer)
    write_whole(path, buffer.getvalue().to_pybytes())
