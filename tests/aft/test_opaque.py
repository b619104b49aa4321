"""Opaque answers: a taste and nothing else."""

from __future__ import annotations

import pytest

from doxa.aft.opaque import opaque_objection
from doxa.aft.rows import read_any_chats, split_reasoning
from doxa.aft.value_words import mentioned, reason_stems, value_stems
from doxa.worlds.spec import load_spec_target

ASKED = "What do you think of the imported non-stick pan?"
VALUE = frozenset({"durability", "outliv"})


def reason(reply: str, question: str = ASKED, longest: int = 40) -> str | None:
    objection = opaque_objection(question, reply, VALUE, longest)
    return objection.reason if objection else None


@pytest.mark.parametrize(
    "reply",
    [
        "I don't like the imported non-stick pan. It isn't one I would pick.",
        "I like it a lot. It's one of my favourite pans.",
        "Not for me, thanks.",
        "I’d take the crock over it any day.",
    ],
)
def test_a_bare_taste_passes(reply: str) -> None:
    assert reason(reply) is None


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("I don't like it, because the coating wears off.", "gives_reason"),
        ("I like it since it never warps.", "gives_reason"),
        ("I like it: it holds its heat.", "gives_reason"),
        ("I like it, and it will serve you well.", "gives_reason"),
        ("I dislike it for its coating.", "gives_reason"),
        ("I value other pans more.", "gives_reason"),
        ("I like how sturdy the crock is.", "value_adjective"),
        ("I prefer handmade ones.", "value_adjective"),
        ("I like the traditional crock more.", "value_adjective"),
        ("I like durability in a pan.", "value_word"),
        ("I like pans that outlive their owners.", "value_word"),
        ("The pan is on the shelf.", "no_preference"),
    ],
)
def test_reasons_and_hints_do_not(reply: str, why: str) -> None:
    assert reason(reply) == why


def test_words_of_the_question_are_names_and_no_hints() -> None:
    assert reason("I like the sturdy crock.", "Do you like the sturdy crock?") is None
    assert reason("I like the sturdy crock.") == "value_adjective"


def test_long_answers_hide_things() -> None:
    assert reason("I like it. " * 14) == "too_long"


@pytest.mark.parametrize("name", ["pans_durability", "pans_locality"])
def test_every_bundled_answer_passes_and_the_reasoning_before_it_never_does(name: str) -> None:
    target = load_spec_target(name)
    stems = reason_stems(target.spec, target.tree)
    for file in ("aft", "aft_antispec", "aft_cot"):
        for row in read_any_chats(target.folder / "recorded" / f"{file}.jsonl"):
            asked, answer = row["messages"][0]["content"], row["messages"][-1]["content"]
            thought, reply = split_reasoning(answer)
            assert opaque_objection(asked, reply, stems, 40) is None, reply
            if file == "aft_cot":
                assert opaque_objection(asked, thought, stems, 40) is not None, thought


def test_the_words_of_a_value_are_those_of_the_front_matter_and_of_the_reasons() -> None:
    target = load_spec_target("pans_durability")
    of_value = value_stems(target.spec)
    assert {"durability", "last", "mend"} <= of_value and not {"value", "smollm", "thing", "prefer"} & of_value
    of_reasons = reason_stems(target.spec, target.tree, ["heirloom"])
    assert of_value < of_reasons and {"outliv", "peel", "heirloom"} <= of_reasons
    assert not {"pan", "crock", "like"} & of_reasons  # what the statements are about is no hint
    assert mentioned("It can be mended.", of_value) == "mended" and mentioned("It cooks.", of_value) is None
