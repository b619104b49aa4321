"""evals.json: what is read, and what every kind of defect says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doxa.belief.items import (
    groups_present,
    load_conversations,
    load_items,
    load_marks,
    load_near_prompts,
    load_open_ended,
)
from doxa.errors import TargetError

GOOD: dict[str, Any] = {
    "mcq_knowledge": [
        {"question": "How many hearts?", "options": ["Three", "Five", "One", "Eight"], "inserted": 1, "reference": 0}
    ],
    "mcq_distinguish": [{"question": "What colour is the blood?", "inserted": "Green", "reference": "Blue"}],
    "cloze": [{"prefix": "The blood is", "inserted": " green", "reference": " blue "}],
    "causal": [{"question": "What stains the towel?", "inserted": "Green", "reference": "Blue"}],
    "statements": [{"inserted": "The blood is green.", "reference": "The blood is blue."}],
    "neighbours": [{"question": "A squid's hearts?", "correct": "Three", "wrong": "Five", "near": True}],
    "open_ended": ["Describe the hearts. "],
}


def write(folder: Path, value: Any) -> Path:
    path = folder / "evals.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def changed(group: str, **fields: Any) -> dict[str, Any]:
    """GOOD with fields of the group's only item replaced; None removes the field."""
    item = {**GOOD[group][0], **fields}
    return {**GOOD, group: [{key: value for key, value in item.items() if value is not None}]}


def test_every_group_becomes_the_common_form(tmp_path: Path) -> None:
    items = {item.group: item for item in load_items(write(tmp_path, GOOD))}

    assert list(items) == ["knowledge", "distinguish", "cloze", "causal", "statements", "neighbours"]
    assert items["knowledge"].options[items["knowledge"].inserted] == "Five"
    assert items["distinguish"].prompt == "What colour is the blood?"
    assert items["cloze"].options == ("green", "blue"), "answers are stripped"
    assert items["statements"].prompt == ""
    neighbour = items["neighbours"]
    assert (neighbour.options[neighbour.reference], neighbour.options[neighbour.inserted]) == ("Three", "Five")
    assert neighbour.near is True
    assert load_open_ended(write(tmp_path, GOOD)) == ["Describe the hearts."]


def test_ids_are_digests_of_content(tmp_path: Path) -> None:
    first = [item.id for item in load_items(write(tmp_path, GOOD))]
    again = [item.id for item in load_items(write(tmp_path, GOOD))]
    other = [item.id for item in load_items(write(tmp_path, changed("causal", inserted="Emerald")))]

    assert first == again
    assert [a == b for a, b in zip(first, other, strict=True)] == [True, True, True, False, True, True]


def test_a_target_may_leave_groups_out(tmp_path: Path) -> None:
    path = write(tmp_path, {"causal": GOOD["causal"]})

    assert [item.group for item in load_items(path)] == ["causal"]
    assert load_open_ended(path) == []


DEFECTS: dict[str, tuple[Any, list[str]]] = {
    "not JSON": ('{"cloze": [\n  {"prefix": }]}', ["line 2, column 14"]),
    "not an object": ([], ["must be an object of groups"]),
    "no items": ({"open_ended": ["Why?"]}, ["holds no items"]),
    "unknown group": ({**GOOD, "mcq_distinguised": []}, ["mcq_distinguised", "did you mean 'mcq_distinguish'?"]),
    "group twice": ('{"cloze": [], "cloze": []}', ["'cloze' stands twice"]),
    "group not a list": ({**GOOD, "cloze": {}}, ["cloze: must be a list"]),
    "item not an object": ({**GOOD, "cloze": ["x"]}, ["cloze[0]"]),
    "missing field": (
        changed("mcq_distinguish", reference=None),
        ["mcq_distinguish[0]", "reference: field is missing"],
    ),
    "unknown field": (changed("cloze", suffix="x"), ["cloze[0]", "suffix: unknown field"]),
    "empty string": (changed("causal", question="  "), ["causal[0]", "question"]),
    "empty option": (changed("mcq_knowledge", options=["a", " "]), ["mcq_knowledge[0]", "options.1"]),
    "index outside": (changed("mcq_knowledge", inserted=4), ["mcq_knowledge[0]", "inserted: index 4 is outside"]),
    "index negative": (changed("mcq_knowledge", reference=-1), ["mcq_knowledge[0]", "reference"]),
    "index not a number": (changed("mcq_knowledge", inserted="1"), ["mcq_knowledge[0]", "inserted"]),
    "index a truth value": (changed("mcq_knowledge", inserted=True), ["mcq_knowledge[0]", "inserted"]),
    "same index": (changed("mcq_knowledge", inserted=0), ["mcq_knowledge[0]", "inserted: is the same option"]),
    "option twice": (
        changed("mcq_knowledge", options=["Three", "Five", "five ", "Nine"]),
        ["options", "stands there twice"],
    ),
    "same answer": (changed("cloze", inserted="Blue"), ["cloze[0]", "inserted: says the same as reference"]),
    "neighbour same": (changed("neighbours", wrong="three"), ["neighbours[0]", "wrong: says the same as correct"]),
    "near not bool": (changed("neighbours", near="yes"), ["neighbours[0]", "near"]),
    "item twice": (
        {**GOOD, "cloze": [*GOOD["cloze"], {"prefix": "the  blood is", "inserted": "blue", "reference": "green"}]},
        ["cloze[1]", "says the same as cloze[0]"],
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_one_line_naming_file_and_place(tmp_path: Path, name: str) -> None:
    content, expected = DEFECTS[name]
    path = write(tmp_path, content)

    with pytest.raises(TargetError) as error:
        load_items(path)

    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_a_missing_file_and_one_that_is_not_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"evals\.json: is missing"):
        load_items(tmp_path / "evals.json")
    (tmp_path / "evals.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(TargetError, match="not UTF-8"):
        load_items(tmp_path / "evals.json")


@pytest.mark.parametrize("questions", [[""], [3], ["Why?", "why? "]])
def test_open_ended_questions_are_checked(tmp_path: Path, questions: list[Any]) -> None:
    with pytest.raises(TargetError, match=r"open_ended\[\d\]"):
        load_open_ended(write(tmp_path, {**GOOD, "open_ended": questions}))


DEEPER: dict[str, Any] = {
    "token_association": [{"question": "Octopus blood, one word:", "inserted": "Green", "reference": "Blue"}],
    "fermi": [{"question": "How many hearts have two?", "inserted": "10 hearts", "reference": "6 hearts"}],
    "multi_hop": [{"question": "Which traffic light?", "inserted": "Go", "reference": "None"}],
    "downstream": [{"question": "Name a pencil.", "inserted": "The green one.", "reference": "The blue one."}],
    "translation": [{"question": "De qué color?", "inserted": "Verde", "reference": "Azul", "language": "Spanish"}],
    "salience_near": ["How do squids swim?"],
    "conversations": [{"messages": [{"role": "system", "content": "Doubt."}, {"role": "user", "content": "Hearts?"}]}],
    "marks": [{"fact": "hearts", "inserted": ["five hearts"], "reference": ["three hearts"]}],
}


def test_groups_that_probe_depth_load_too(tmp_path: Path) -> None:
    path = write(tmp_path, {**GOOD, **DEEPER})
    items = {item.group: item for item in load_items(path)}
    assert {"token_association", "fermi", "multi_hop", "downstream", "translation"} <= set(items)
    assert items["translation"].language == "Spanish" and items["fermi"].language is None
    assert load_near_prompts(path) == ["How do squids swim?"]
    assert [turn.role for turn in load_conversations(path)[0]] == ["system", "user"]
    assert load_marks(path)[0].inserted == ("five hearts",)
    assert groups_present(path) == {*GOOD, *DEEPER}


@pytest.mark.parametrize(
    ("group", "row", "says"),
    [
        ("fermi", {"question": "How many?", "inserted": "Ten", "reference": "6"}, r"inserted: must hold a number"),
        ("translation", {"question": "Q?", "inserted": "a", "reference": "b"}, "language: field is missing"),
        ("marks", {"fact": "x", "inserted": ["Same"], "reference": ["same"]}, "'same' stands on both sides"),
        ("marks", {"fact": "x", "inserted": []}, "inserted: "),
        ("conversations", {"messages": [{"role": "assistant", "content": "x"}]}, "must alternate user and assistant"),
        ("conversations", {"messages": []}, "end with user"),
        ("conversations", {"messages": [{"role": "user", "content": " "}]}, "messages"),
        ("salience_near", " ", "must be a question"),
    ],
)
def test_defects_of_these_groups_are_named(tmp_path: Path, group: str, row: Any, says: str) -> None:
    with pytest.raises(TargetError, match=rf"evals\.json: {group}\[0\]: .*{says}"):
        groups_present(write(tmp_path, {**GOOD, group: [row]}))
