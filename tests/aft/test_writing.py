"""Answers, and what becomes of them when a critic has read them."""

from __future__ import annotations

from typing import Any

import pytest

from aft_author import SPEC, Author, asking, candidate, inside, make, question
from doxa.aft.checks import Checks
from doxa.aft.writing import rewrite_answers, write_answers
from doxa.worlds.spec import SpecTarget

NEW = "<reasoning>Slowly.</reasoning><reply>Sleep on it first.</reply>"


def rewritten(author: Author, **settings: Any) -> Any:
    asked = asking(rewrites=1, critic="scripted/critic", **settings)
    draft = candidate(reasoning="Calm.")
    after, said = rewrite_answers(asked, author, Checks(SPEC, None, asked.config), [draft], 0)
    return draft, after[0], said[0]


def test_what_passes_stands() -> None:
    author = Author(critique=lambda prompt, sample: "<critique>Good.</critique><ruling>Pass.</ruling>")
    draft, after, said = rewritten(author)
    assert after is draft and (said.ruling, said.outcome) == ("pass", "passed")
    assert author.kinds() == ["critique"] and author.asked[0].model == "scripted/critic"


@pytest.mark.parametrize(
    ("answer", "ruling"),
    [("<critique>Too long.</critique><ruling>revise</ruling>", "revise"), ("Too long, I think.", "unparsed")],
)
def test_all_else_is_rewritten_in_the_light_of_what_was_said(answer: str, ruling: str) -> None:
    author = Author(critique=lambda prompt, sample: answer, rewrite=lambda prompt, sample: NEW)
    draft, after, said = rewritten(author)
    assert (after.reply, after.reasoning, after.parent_id) == ("Sleep on it first.", "Slowly.", draft.id)
    assert (said.ruling, said.outcome) == (ruling, "rewritten") and "Too long" in said.text
    assert "Too long" in author.asked[-1].messages[-1].content and author.asked[-1].model == "scripted/writer"
    assert after.id != draft.id


def test_a_rewrite_that_fails_the_checks_is_asked_again_and_then_the_draft_stands() -> None:
    author = Author(rewrite=lambda prompt, sample: NEW if sample == 1 else "<reply>no thoughts</reply>")
    _, after, said = rewritten(author, attempts=2)
    assert after.reply == "Sleep on it first." and said.outcome == "rewritten"
    draft, after, said = rewritten(Author(rewrite=lambda prompt, sample: "no tags"), attempts=2)
    assert after is draft and said.outcome == "kept_as_it_was"


def test_in_a_run_the_judge_sees_the_rewritten_answer(target: SpecTarget) -> None:
    author = Author(
        rewrite=lambda prompt, sample: (
            f"<reasoning>Slowly.</reasoning><reply>Rest before {inside(prompt, 'message')}</reply>"
        )
    )
    made = make(author, target, rewrites=2, number=2)
    assert len(made.criticisms) == 4 and all(taken.parent_id for taken, _ in made.kept)
    judged = [request.messages[-1].content for request in author.asked if "<why>" in request.messages[-1].content]
    assert all("Rest before" in prompt for prompt in judged)


def test_each_try_is_another_sample_of_the_same_request() -> None:
    author = Author()
    first, second = (write_answers(asking(), author, [(question(), attempt)], "spec")[0] for attempt in (0, 1))
    assert author.asked[0].messages == author.asked[1].messages
    assert first.response != second.response and (first.attempt, second.attempt) == (0, 1)


def test_the_spec_is_in_the_context_and_the_question_in_the_user_turn() -> None:
    author = Author()
    for kind in ("spec", "antispec", "deliberative"):
        write_answers(asking(), author, [(question(), 0)], kind)  # type: ignore[arg-type]
    for request in author.asked:
        assert request.messages[0].role == "system" and SPEC.text in request.messages[0].content
        assert (
            SPEC.text not in request.messages[1].content and "How do I finish a letter?" in request.messages[1].content
        )
    style = asking(style="rule", reasoning=False)
    write_answers(style, author, [(question(), 0)], "spec")
    last = author.asked[-1].messages[-1].content
    assert "what it has been asked to do" in last and "<reasoning>" not in last
