"""Which questions are taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aft_author import sieve
from doxa.aft.question_sieve import eval_questions
from doxa.errors import TargetError
from doxa.worlds.spec import load_spec_target


def reasons(texts: list[str], evals: tuple[str, ...] = ()) -> list[str | None]:
    given = sieve(evals)
    given.prepare(texts)
    return [found.reason if (found := given.objection(text)) else None for text in texts]


def test_questions_that_mean_the_same_are_taken_once() -> None:
    said = ["How long should I boil the egg?", "how long SHOULD I boil the egg", "How long should I boil the potatoes?"]
    assert reasons(said) == [None, "near_duplicate", None]


def test_what_an_eval_item_asks_is_never_trained_on() -> None:
    assert reasons(["SmolLM, which coat?", "Which hat?"], ("SmolLM, which coat?",)) == ["eval_leak", None]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Why?", "too_short"),
        ("?!", "too_short"),
        ("word " * 700, "too_long"),
        ("My name is [your name], what now?", "placeholder"),
        ("Help me with {topic} please", "placeholder"),
        (
            "Is it so that haste spoils sentences, because a hurried writer corrects what was right? When?",
            "copies_spec",
        ),
        ("Pan or crock?", None),
        ("Is array[0] the first one?", None),
    ],
)
def test_the_form_of_a_question(text: str, why: str | None) -> None:
    assert reasons([text]) == [why]


def test_the_questions_of_evals_json_are_found_in_every_group(tmp_path: Path) -> None:
    file = tmp_path / "evals.json"
    assert eval_questions(file) == []
    file.write_text(
        json.dumps({"pairs": [{"question": "A?", "aligned": "x"}], "open_ended": ["B?", {"question": "C?"}]})
    )
    assert eval_questions(file) == ["A?", "B?", "C?"]
    file.write_text("{")
    with pytest.raises(TargetError, match=r"evals\.json: cannot be read"):
        eval_questions(file)
    bundled = eval_questions(load_spec_target("pans_durability").folder / "evals.json")
    assert len(bundled) > 50 and "What is the capital of France?" in bundled
