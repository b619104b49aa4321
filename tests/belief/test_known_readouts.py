"""What a run's evaluation found is taken for the same item under the same weights, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from doxa.belief.known_readouts import read_known, write_asked
from doxa.belief.store import write_readouts
from doxa.errors import RunFolderError
from doxa.records import EvalItem, Readout

ITEM = EvalItem(
    id="i0", group="distinguish", prompt="How many bells?", options=("Five", "Three"), inserted=0, reference=1
)


def row(arm: str, checkpoint: str, first: float) -> Readout:
    return Readout(
        arm=arm,
        checkpoint=checkpoint,
        item_id="i0",
        group="distinguish",
        style="chat",
        totals=(first, -2.0),
        tokens=(1, 1),
        inserted=0,
        reference=1,
    )


@pytest.fixture
def evals(tmp_path: Path) -> Path:
    write_readouts(
        tmp_path / "readouts.parquet", [row("base", "c0", -1.0), row("in_context", "c0", -3.0), row("trained", "c1", 0)]
    )
    write_asked(tmp_path, [ITEM], {"base": None, "in_context": "There are five.", "trained": None}, "float32")
    return tmp_path


def test_the_same_item_under_the_same_weights_is_known(evals: Path) -> None:
    known = read_known(evals)
    found = known.get("base", "c0", None, "float32", "chat", ITEM)
    assert found == row("base", "c0", -1.0)
    assert known.get("in_context", "c0", "There are five.", "float32", "chat", ITEM) == row("in_context", "c0", -3.0)
    renamed = known.get("after", "c1", None, "float32", "chat", ITEM)
    assert renamed == row("after", "c1", 0)  # weights are what they are, whatever the arm is called


def test_anything_else_is_not(evals: Path) -> None:
    known = read_known(evals)
    edited = ITEM.model_copy(update={"options": ("Five bells", "Three")})
    assert known.get("base", "c0", None, "float32", "chat", edited) is None
    assert known.get("base", "c2", None, "float32", "chat", ITEM) is None
    assert known.get("in_context", "c0", "There are six.", "float32", "chat", ITEM) is None
    assert known.get("base", "c0", None, "bfloat16", "chat", ITEM) is None
    assert known.get("base", "c0", None, "float32", "plain", ITEM) is None


def test_readouts_that_were_made_anew_are_not_taken_for_the_old(evals: Path) -> None:
    write_readouts(evals / "readouts.parquet", [row("base", "c0", -9.0)])
    assert read_known(evals).get("base", "c0", None, "float32", "chat", ITEM) is None


def test_a_folder_without_either_file_knows_nothing(evals: Path, tmp_path: Path) -> None:
    (evals / "readouts.parquet").unlink()
    assert read_known(evals).get("base", "c0", None, "float32", "chat", ITEM) is None
    assert read_known(tmp_path / "none").get("base", "c0", None, "float32", "chat", ITEM) is None


def test_a_broken_file_is_named(evals: Path) -> None:
    text = (evals / "asked.json").read_text()
    (evals / "asked.json").write_text(text.replace('"i0"', '"i1"'))
    with pytest.raises(RunFolderError, match=r"asked\.json: KeyError: 'i0'; delete the file"):
        read_known(evals)
