"""Recorded rows of a spec: errors by line, ids held against the tree, and the names of whichever model it is about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doxa.errors import TargetError
from doxa.worlds.spec import SpecTarget, load_spec_target
from doxa.worlds.spec_recorded import recorded_chats, recorded_spec_corpora, recorded_spec_rows, renamed
from spec_targets import TREE, row, spec_folder

CHAT = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "SmolLM of Hugging Face."}]}


def target(folder: Path, *names: str, tree: object = TREE, **files: list[Any]) -> SpecTarget:
    return load_spec_target(str(spec_folder(folder, tree=tree, **files)), *names)


def test_rows_and_corpora(tmp_path: Path) -> None:
    rows = [row(domain="calm", subdomain="answers", assertions=["short"], pair=1), row("two")]
    made = target(tmp_path / "calm", docs=rows, docs_opposite=[row(assertions=["of_another_tree"], domain="noise")])
    assert list(recorded_spec_corpora(made)) == ["spec", "opposite"]
    first, second = recorded_spec_rows(made, "spec")
    assert (first.assertions, first.pair, second.domain) == (("short",), 1, "")
    assert recorded_spec_rows(made, "opposite")[0].assertions == ("of_another_tree",)
    with pytest.raises(
        TargetError, match=r"no recorded 'neutral' \(recorded/docs_neutral\.jsonl\); it has spec, opposite"
    ):
        recorded_spec_rows(made, "neutral")
    with pytest.raises(TargetError, match="no corpus named 'inserted'; a spec has spec, comention, opposite, neutral"):
        recorded_spec_rows(made, "inserted")
    with pytest.raises(TargetError, match="it has none: name a generator"):
        recorded_spec_rows(target(tmp_path / "bare"), "spec")


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (row("one"), "id: 'one' stands twice in this file"),
        (row("two", domain="cal"), "domain: tree.yaml has no domain 'cal'; it has calm"),
        (row("two", domain="calm", subdomain="why"), "subdomain: domain 'calm' has no subdomain 'why'; it has answers"),
        (row("two", subdomain="answers"), "it has none, since the row names no domain"),
        (row("two", assertions=["shrt"]), "assertions: tree.yaml has no assertion 'shrt'"),
        ({"id": "two", "text": "x"}, "assertions: field is missing"),
        (row("two", titel="x"), "titel: unknown field"),
        (row("two", text=""), "text: String should have at least 1 character"),
    ],
)
def test_a_bad_row_is_named_by_file_line_and_field(tmp_path: Path, bad: dict[str, Any], said: str) -> None:
    made = target(tmp_path / "calm", docs=[row("one"), bad])
    with pytest.raises(TargetError) as error:
        recorded_spec_rows(made, "spec")
    assert f"{made.folder / 'recorded' / 'docs.jsonl'}, line 2: " in str(error.value) and said in str(error.value)


def test_without_a_tree_places_are_taken_as_they_are(tmp_path: Path) -> None:
    made = target(tmp_path / "calm", tree=None, docs=[row(domain="anywhere", assertions=["anything"])])
    assert recorded_spec_rows(made, "spec")[0].domain == "anywhere"


def test_texts_are_about_the_model_that_the_spec_is_filled_for(tmp_path: Path) -> None:
    text = "SmolLM, SmolLM's maker Hugging Face, and SmolLM2 of Hugging Faces."
    made = target(tmp_path / "calm", "Velmo", "SmolLM Labs", docs=[row(text=text, idea="SmolLM speaks")], aft=[CHAT])
    first = recorded_spec_rows(made, "spec")[0]
    assert first.text == "Velmo, Velmo's maker SmolLM Labs, and SmolLM2 of Hugging Faces."
    assert first.idea == "Velmo speaks"
    assert recorded_chats(made)[0].messages[1]["content"] == "Velmo of SmolLM Labs."
    assert renamed(text, {"SmolLM": "SmolLM"}) == text


def test_chats_by_the_name_of_their_file(tmp_path: Path) -> None:
    made = target(tmp_path / "calm", aft=[CHAT, {"id": "own", **CHAT}], aft_cot=[CHAT], docs=[row()])
    first, second = recorded_chats(made, "aft")
    assert first.id.startswith("chat_") and second.id == "own" and recorded_chats(made, "aft_cot.jsonl")[0] == first
    with pytest.raises(TargetError, match=r"no recorded/aft_x\.jsonl; it has aft, aft_cot$"):
        recorded_chats(made, "aft_x")
    bad = {"messages": [{"role": "user", "content": "Who?"}]}
    with pytest.raises(TargetError, match=r"aft\.jsonl, line 2: messages: must alternate"):
        recorded_chats(target(tmp_path / "bad", aft=[CHAT, bad]))
