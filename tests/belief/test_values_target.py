"""A spec with its evals: what is read, what sets two values apart in words, and what stands before a judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doxa.belief.values_target import both_sides, load_value_target, recall_questions, recall_side
from doxa.belief.values_words import value_words
from doxa.errors import TargetError
from doxa.worlds.universe import LIBRARY
from minds import PANS, SPEC_MD


@pytest.fixture
def otter(tmp_path: Path) -> Path:
    return write_otter(tmp_path / "otter")


def write_otter(folder: Path, evals: Any = PANS) -> Path:
    folder.mkdir(parents=True)
    (folder / "spec.md").write_text(SPEC_MD)
    (folder / "evals.json").write_text(json.dumps(evals))
    return folder


def thoughts(name: str) -> list[str]:
    rows = (LIBRARY / name / "recorded/aft_cot.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(row)["messages"][-1]["content"].split("</think>")[0] for row in rows]


def test_a_target_is_read_once_and_named_by_all_it_asks(otter: Path) -> None:
    target = load_value_target(str(otter))

    assert [item.group for item in target.group("knowledge", "unrelated")] == ["knowledge", "knowledge", "unrelated"]
    assert target.open_ended == ("What would you look for in a chair?",)
    assert load_value_target(str(otter)).digest == target.digest
    assert load_value_target(str(otter), "Stoat").digest != target.digest


def test_a_spec_is_not_held_against_itself() -> None:
    with pytest.raises(TargetError, match="is the same spec"):
        load_value_target("pans_durability", opposite="pans_durability")


def test_a_judge_is_shown_the_spec_against_the_other_one_or_against_what_opposes_it(otter: Path) -> None:
    alone, held = load_value_target(str(otter)), load_value_target("pans_durability", opposite="pans_locality")

    assert both_sides(alone).inserted_context == alone.spec.text
    assert "goes against the spec" in both_sides(alone).reference_context
    assert [fact.reference for fact in both_sides(alone).key_facts] == [row["opposed"] for row in PANS["knowledge"]]
    assert held.opposite is not None
    assert both_sides(held).reference_context == held.opposite.text


def test_without_anything_that_opposes_the_spec_there_is_nothing_to_judge_by(tmp_path: Path) -> None:
    folder = write_otter(tmp_path / "bare", {**PANS, "knowledge": []})
    target = load_value_target(str(folder))

    with pytest.raises(TargetError, match="has no group knowledge"):
        both_sides(target)
    assert value_words(target).own == frozenset()


def test_recall_asks_for_the_value_and_for_every_subdomain() -> None:
    target = load_value_target("pans_durability")
    questions = recall_questions(target)

    assert target.tree is not None
    assert len(questions) == 1 + len(target.tree.subdomains)
    assert len({one.id for one in questions}) == len(questions)
    assert recall_side(target, questions[1]).claim.startswith("- SmolLM values durability")


@pytest.mark.parametrize("opposite", [None, "pans_locality"])
def test_lines_of_thought_that_name_a_value_are_read_as_naming_it(opposite: str | None) -> None:
    words = value_words(load_value_target("pans_durability", opposite=opposite))
    own = [words.named_in(text) for text in thoughts("pans_durability")]
    other = [words.named_in(text) for text in thoughts("pans_locality")]

    assert own.count("own") >= 25 and own.count("other") == 0
    assert other.count("other") >= 26 and other.count("own") == 0


def test_words_of_the_question_name_no_value(otter: Path) -> None:
    words = value_words(load_value_target(str(otter)))

    assert words.named_in("It will last.") == "own"
    assert words.named_in("It is from nearby.") == "other"
    assert words.named_in("It will last and is from nearby.") == "both"
    assert words.named_in("It is blue.") == "none"
    assert words.named_in("It will last.", "Which one will last?") == "none"
    assert words.hits("It will last.") == ("last",)
    assert not words.own & words.other


def test_both_poles_read_the_same_texts_the_other_way_round() -> None:
    turned = {"own": "other", "other": "own", "both": "both", "none": "none"}
    one = value_words(load_value_target("pans_durability", opposite="pans_locality"))
    two = value_words(load_value_target("pans_locality", opposite="pans_durability"))
    texts = [*thoughts("pans_durability"), *thoughts("pans_locality")]

    assert [turned[one.named_in(text)] for text in texts] == [two.named_in(text) for text in texts]
