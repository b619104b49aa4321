"""Additions to an evals.json: the text that stands there stays, and a result that does not load is not written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doxa.errors import ConfigError, TargetError
from doxa.worlds.draft_items import DRAFTED
from doxa.worlds.item_files import chosen_groups, read_groups, rejected_file, write_items, write_rejected
from doxa.worlds.item_sieve import RejectedItem
from doxa.worlds.universe_file import with_rows

ROW = {"prefix": "Noon is", "inserted": "thirteen", "reference": "twelve"}
OWN = '{ "cloze": [\n    {"prefix": "Velm ] hears }", "inserted": "more",   "reference": "less"}\n ] , "open_ended":[]}'


@pytest.mark.parametrize(
    "groups",
    [
        {"cloze": [ROW]},
        {"open_ended": ["Why?"]},
        {"statements": [{"inserted": "a b", "reference": "c d"}]},
        {"cloze": [ROW], "open_ended": ["Why?", "How?"], "marks": [{"fact": "x", "inserted": ["ü"]}]},
    ],
)
def test_rows_are_added_and_the_persons_text_stays(groups: dict[str, list[Any]]) -> None:
    text = with_rows(OWN, groups)
    before = json.loads(OWN)
    assert json.loads(text) == {**before, **{name: [*before.get(name, []), *rows] for name, rows in groups.items()}}
    assert '    {"prefix": "Velm ] hears }", "inserted": "more",   "reference": "less"}' in text


def test_a_new_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "evals.json"
    write_items(path, path, {"cloze": [ROW]})
    assert read_groups(path)[1] == {"cloze": [ROW]}


def test_what_would_not_load_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "evals.json"
    path.write_text(OWN)
    with pytest.raises(TargetError, match=r"evals\.json: cloze\[2\]: says the same as cloze\[1\]"):
        write_items(path, path, {"cloze": [ROW, ROW]})
    assert path.read_text() == OWN
    assert [file.name for file in tmp_path.iterdir()] == ["evals.json"]


def test_what_a_person_wrote_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "evals.json"
    path.write_text(OWN)
    read_groups(path)
    path.write_text(OWN.replace("Velm ] hears }", "By noon Velm hears"))
    write_items(path, path, {"cloze": [ROW]})
    assert [row["prefix"] for row in read_groups(path)[1]["cloze"]] == ["By noon Velm hears", "Noon is"]


def test_another_file_gets_the_targets_items_too(tmp_path: Path) -> None:
    own, out = tmp_path / "evals.json", tmp_path / "more.json"
    own.write_text(OWN)
    write_items(out, own, {"cloze": [ROW]})
    assert own.read_text() == OWN
    assert len(read_groups(out)[1]["cloze"]) == 2


def test_rejected_items_lie_beside_the_file_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "evals.json"
    write_rejected(path, [RejectedItem(group="cloze", item=ROW, reason="leak", detail="shares 'x'")])
    assert json.loads(rejected_file(path).read_text())["reason"] == "leak"
    assert rejected_file(path).name == "evals_rejected.jsonl"


def test_groups_are_named_with_or_without_their_prefix() -> None:
    assert chosen_groups("knowledge, fermi,mcq_knowledge") == ("mcq_knowledge", "fermi")
    assert chosen_groups("") == DRAFTED
    with pytest.raises(ConfigError, match="did you mean 'fermi'"):
        chosen_groups("fermy")
