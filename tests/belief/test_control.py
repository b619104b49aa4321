"""A trained model against one that was trained on matched documents of the true world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doxa.belief.control import against_control
from doxa.belief.store import write_readouts
from doxa.errors import DoxaError, RunFolderError
from doxa.records import Measure, Readout
from doxa.run.folder import RunFolder, write_json, write_rows

ITEMS = ("a", "b", "c", "d")


def readout(arm: str, item: str, prefers: bool) -> Readout:
    totals = (-1.0, -2.0) if prefers else (-2.0, -1.0)
    facts: dict[str, Any] = {"group": "distinguish", "style": "chat", "tokens": (1, 1), "inserted": 0, "reference": 1}
    return Readout(arm=arm, checkpoint=arm, item_id=item, totals=totals, **facts)


def measure(arm: str, item: str, value: float) -> Measure:
    facts: dict[str, Any] = {"probe": "mention_near", "readout": "text", "metric": "mentioned"}
    return Measure(arm=arm, checkpoint=arm, item_id=item, value=value, **facts)


def profile(path: Path, preferred: str, mentioned: str, base: str = "w0", items: tuple[str, ...] = ITEMS) -> RunFolder:
    """A trained model that prefers the planted answer to the items `preferred`, and mentions it after `mentioned`."""
    folder = RunFolder(path)
    readouts = [readout("trained", item, item in preferred) for item in items]
    readouts += [readout("base", item, False) for item in items]
    (path / "depth").mkdir(parents=True)
    write_readouts(folder / "depth/readouts.parquet", readouts)
    write_rows(folder / "depth/measures.jsonl", [measure("trained", item, item in mentioned) for item in items])
    arms = [{"arm": "base", "checkpoint": base}, {"arm": "trained", "checkpoint": "w1"}]
    write_json(folder / "depth/about.json", {"arms": arms})
    return folder


def test_what_the_control_does_as_well_is_no_effect_of_the_belief(tmp_path: Path) -> None:
    planted = profile(tmp_path / "planted", preferred="abcd", mentioned="abcd")
    control = profile(tmp_path / "control", preferred="abc", mentioned="")
    found = against_control(planted, control, 200, 0)
    preferred = found["distinguish", "chat", "preferred"]
    assert preferred.value == 0.25 and preferred.low == 0.0 and preferred.n == 4  # base stood at 0, and so rose by 1
    mentioned = found["mention_near", "text", "mentioned"]
    assert mentioned.value == mentioned.high == 1.0 and 0 < mentioned.low < 0.1  # four items, and all moved


def test_the_sign_says_which_of_the_two_has_more(tmp_path: Path) -> None:
    planted, control = profile(tmp_path / "p", "", "a"), profile(tmp_path / "c", "ab", "abc")
    found = against_control(planted, control, 200, 0)
    assert found["distinguish", "chat", "preferred"].value == -0.5
    assert found["mention_near", "text", "mentioned"].value == -0.5
    assert found["distinguish", "chat", "margin"].value == -1.0


def test_a_control_of_another_model_or_with_other_items_is_none(tmp_path: Path) -> None:
    planted = profile(tmp_path / "p", "a", "a")
    with pytest.raises(RunFolderError, match="no control for it"):
        against_control(planted, profile(tmp_path / "c", "a", "a", base="w9"), 200, 0)
    with pytest.raises(DoxaError, match="different items"):
        against_control(planted, profile(tmp_path / "d", "a", "a", items=("a", "b")), 200, 0)
    untrained = profile(tmp_path / "u", "a", "a")
    write_json(untrained / "depth/about.json", {"arms": [{"arm": "base", "checkpoint": "w0"}]})
    with pytest.raises(RunFolderError, match="no trained arm"):
        against_control(planted, untrained, 200, 0)
