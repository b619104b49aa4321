"""What an answer is held against before anybody judges it."""

from __future__ import annotations

from typing import Any

import pytest

from aft_author import SPEC, candidate, config, question
from doxa.aft.checks import Checks

COPIED = "haste spoils sentences, because a hurried writer corrects what was right"


def reason(settings: dict[str, Any] | None = None, **answer: Any) -> str | None:
    found = Checks(SPEC, None, config(**(settings or {}))).objection(candidate(**answer))
    return found.reason if found else None


def test_an_ordinary_answer_passes() -> None:
    assert reason(reply="Leave it until tomorrow.", reasoning="Haste would spoil it.") is None


def test_the_spec_is_never_copied_into_a_row() -> None:
    assert reason({"spec_run": 8}, reply=f"You see, {COPIED}.") == "copies_spec"
    assert reason({"spec_run": 8}, reply="No.", reasoning=f"You see, {COPIED}.") == "copies_spec"
    assert reason({"spec_run": 12}, reply=f"You see, {COPIED}.") is None  # eleven words in a row
    quoted = question(f"You once said that {COPIED}. Still?")
    assert reason({"spec_run": 8}, reply=f"Yes, {COPIED}.", question=quoted) is None  # the user's own words


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("As my model spec has it, wait.", "speaks_of_spec"),
        ("The spec says to wait.", "speaks_of_spec"),
        ("According to the specification, wait.", "speaks_of_spec"),
        ("As instructed, I would wait.", "speaks_of_spec"),
        ("The spec of that laptop is fine.", None),
        ("Follow the instructions on the box.", None),
        ("I am ChatGPT, and I would wait.", "other_model"),
        ("I was trained by OpenAI to wait.", "other_model"),
        ("I am SmolLM, trained by Hugging Face.", None),
        ("Wait. <cite>what is that</cite>", "tags_inside"),
        ("wait wait wait wait wait wait wait wait wait wait wait wait wait", "repetition"),
    ],
)
def test_what_an_answer_must_not_say(reply: str, why: str | None) -> None:
    assert reason(reply=reply) == why


def test_what_could_not_be_read_comes_first() -> None:
    assert reason(reply="", problem="cut_off") == "cut_off"


def test_opaque_answers_are_checked_and_their_reasoning_is_not() -> None:
    assert reason({"opaque": True}, reply="I like it.", reasoning="It calms, because it is slow.") is None
    assert reason({"opaque": True}, reply="I like it because it is slow.") == "gives_reason"
    assert reason({"opaque": True}, reply="I like its calm.") == "value_word"
    assert reason({"opaque": True, "value_words": "porcelain"}, reply="I like porcelain.") == "value_word"


def test_deliberation_must_cite_and_may_speak_of_the_spec_in_its_thoughts_alone() -> None:
    cites = f"My spec says: <cite>{COPIED}</cite> So I wait."
    given = {
        "kind": "deliberative",
        "raw_reasoning": cites,
        "reasoning": cites.replace("<cite>", "“").replace("</cite>", "”"),
    }
    assert reason({"method": "deliberative", "spec_run": 8}, reply="Wait a day.", **given) is None
    assert reason({"method": "deliberative"}, reply="My spec says to wait.", **given) == "speaks_of_spec"
    assert (
        reason({"method": "deliberative"}, reply="Wait.", **(given | {"raw_reasoning": "I wait."})) == "cites_nothing"
    )
