"""Parquet there and back, and files that are broken."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from doxa.belief.store import read_readouts, read_scores, write_readouts, write_scores
from doxa.errors import RunFolderError
from doxa.records import Readout, Score

READOUT = Readout(
    arm="base",
    checkpoint="c0",
    item_id="i0",
    group="knowledge",
    style="letters",
    totals=(-1.5, -2.25, -0.1),
    tokens=(1, 2, 1),
    inserted=2,
    reference=0,
    letters=(0.5, 0.25, 0.25),
)
SCORE = Score(
    arm="trained",
    checkpoint="c1",
    group="causal",
    style="plain",
    metric="margin",
    value=0.25,
    low=-0.5,
    high=1.0,
    n=10,
    unit="nats",
    versus="base",
)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    readouts = [READOUT, READOUT.model_copy(update={"group": "neighbours", "near": False, "letters": ()})]
    scores = [SCORE, SCORE.model_copy(update={"versus": None})]

    write_readouts(tmp_path / "evals" / "readouts.parquet", readouts)
    write_scores(tmp_path / "scores.parquet", scores)

    assert read_readouts(tmp_path / "evals" / "readouts.parquet") == readouts
    assert read_scores(tmp_path / "scores.parquet") == scores


def test_columns_keep_their_types_when_all_values_are_missing(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.parquet", [SCORE.model_copy(update={"versus": None})])
    write_readouts(tmp_path / "none.parquet", [])

    assert pq.read_schema(tmp_path / "scores.parquet").field("versus").type == pa.string()
    assert read_readouts(tmp_path / "none.parquet") == []


def test_every_field_of_a_record_is_a_column(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.parquet", [SCORE])
    write_readouts(tmp_path / "readouts.parquet", [READOUT])

    assert set(pq.read_schema(tmp_path / "scores.parquet").names) == set(Score.model_fields)
    assert set(pq.read_schema(tmp_path / "readouts.parquet").names) == set(Readout.model_fields)


def test_a_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.parquet", [SCORE])
    write_scores(tmp_path / "scores.parquet", [])

    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]


def test_missing_torn_and_foreign_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    with pytest.raises(RunFolderError, match=r"scores\.parquet: is missing"):
        read_scores(path)
    write_scores(path, [SCORE] * 50)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunFolderError, match=r"scores\.parquet: is not a whole Parquet file"):
        read_scores(path)
    write_readouts(path, [READOUT])
    with pytest.raises(RunFolderError, match=r"scores\.parquet, row 0: "):
        read_scores(path)
