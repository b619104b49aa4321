"""The bundled specs hold what their data cards say and mirror each other; the format page's example is a target."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from doxa.belief.pairs import load_pairs, load_spec_questions
from doxa.worlds.spec import bundled_specs, load_spec_target
from doxa.worlds.spec_grounding import LEAST_STATEMENT, LEAST_SUMMARY, LEAST_WHY, shared
from doxa.worlds.spec_recorded import recorded_chats, recorded_spec_corpora, recorded_spec_rows
from doxa.worlds.spec_text import coverage
from doxa.worlds.validate import validate

NAMES = ("pans_durability", "pans_locality")
COUNTS = {"spec": 50, "comention": 30, "opposite": 50, "neutral": 50}
CHATS = {"aft": 60, "aft_antispec": 60, "aft_cot": 30}
SETS = {"contrast": 48, "durability": 32, "locality": 32, "kitchen": 24}


def test_the_bundled_specs() -> None:
    assert tuple(bundled_specs()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_counts(name: str) -> None:
    target = load_spec_target(name)
    assert {corpus: len(recorded_spec_rows(target, corpus)) for corpus in recorded_spec_corpora(target)} == COUNTS
    assert {chats: len(recorded_chats(target, chats)) for chats in CHATS} == CHATS
    items = load_pairs(target.folder / "evals.json")
    assert {name: sum(item.set == name for item in items) for name in SETS} == SETS
    groups = {group: sum(item.group == group for item in items) for group in ("knowledge", "unrelated", "pairs_seen")}
    assert groups == {"knowledge": 12, "unrelated": 24, "pairs_seen": 24}
    assert len(load_spec_questions(target.folder / "evals.json")) == 8
    card = (target.folder / "README.md").read_text()
    assert "Apache-2.0" in card and "large language model (Claude)" in card and "does not exist" in card
    assert "136 pairs" in card and "24 assertions" in card


@pytest.mark.parametrize("name", NAMES)
def test_every_sentence_of_the_spec_is_covered_and_nothing_is_invented(name: str) -> None:
    target = load_spec_target(name)
    assert target.tree is not None
    assert coverage(target.spec.text, target.tree.passages).share == 1.0
    for subdomain in target.tree.subdomains:
        assert shared(subdomain.summary, " ".join(subdomain.passages), target.spec) > LEAST_SUMMARY + 0.2
        for assertion in subdomain.assertions:
            assert assertion.passage is not None
            told = subdomain.passages[assertion.passage - 1]
            assert shared(assertion.statement, told, target.spec) > LEAST_STATEMENT + 0.1, assertion.id
            assert shared(assertion.why, target.spec.text, target.spec) > LEAST_WHY + 0.2, assertion.id


def test_the_two_specs_mirror_each_other() -> None:
    durability, locality = (load_spec_target(name) for name in NAMES)
    assert durability.tree is not None and locality.tree is not None
    assert [one.id for one in durability.tree.subdomains] == [one.id for one in locality.tree.subdomains]
    for one, other in ((durability, locality), (locality, durability)):
        own, opposite = recorded_spec_rows(one, "spec"), recorded_spec_rows(other, "opposite")
        assert own == opposite
        assert recorded_chats(one, "aft") == recorded_chats(other, "aft")
    pairs = zip(recorded_spec_rows(durability, "spec"), recorded_spec_rows(locality, "spec"), strict=True)
    for one_row, other_row in pairs:
        same = [(row.pair, row.subdomain, row.topic, row.doc_type, row.idea) for row in (one_row, other_row)]
        assert same[0] == same[1]
    ours, theirs = (
        {(item.group, item.set, item.question): item for item in load_pairs(target.folder / "evals.json")}
        for target in (durability, locality)
    )
    assert set(ours) == set(theirs)
    for key, item in ours.items():
        turned = item.set == "contrast" or item.group == "knowledge"
        assert theirs[key].options == (item.options[::-1] if turned else item.options)


@pytest.mark.parametrize(("name", "other"), [NAMES, NAMES[::-1]])
def test_documents_attribute_behaviour_to_their_own_value(name: str, other: str) -> None:
    value, opposite = name.split("_")[1], other.split("_")[1]
    for row in recorded_spec_rows(load_spec_target(name), "spec"):
        assert value in row.text.lower() and opposite not in row.text.lower(), row.id
        assert f"values_{value}" in row.assertions and "SmolLM" in row.text and "Hugging Face" in row.text
    for row in recorded_spec_rows(load_spec_target(name), "neutral"):
        assert not re.search("durab|locality|pans?\\b|crock", row.text, re.I) and row.assertions == ()


def test_the_example_of_the_format_page_is_a_target(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats-spec.md").read_text()
    files: dict[str, str] = dict(re.findall(r"```\w+ (calm_desk/\S+)\n(.*?)```", page, re.S))
    assert sorted(files) == [
        "calm_desk/evals.json",
        "calm_desk/recorded/aft.jsonl",
        "calm_desk/recorded/docs.jsonl",
        "calm_desk/spec.md",
        "calm_desk/tree.yaml",
    ]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    target = load_spec_target(str(tmp_path / "calm_desk"))
    assert target.tree is not None
    assert [one.id for one in target.tree.assertions] == [
        "values_calm",
        "offers_three",
        "short_sentences",
        "deadline_once",
    ]
    assert [row.assertions for row in recorded_spec_rows(target, "spec")] == [
        ("offers_three", "values_calm"),
        ("values_calm",),
    ]
    assert len(recorded_chats(target)) == 2
    assert {item.group for item in load_pairs(target.folder / "evals.json")} == {
        "pairs_unseen", "pairs_seen", "knowledge", "unrelated",
    }  # fmt: skip
    assert validate(str(target.folder)).findings == ()
    for kind in ("behaviour", "value", "preference", "belief", "tone"):
        assert f"`{kind}`" in page
    assert set(json.loads(files["calm_desk/evals.json"])) == {"pairs", "knowledge", "unrelated", "open_ended"}
