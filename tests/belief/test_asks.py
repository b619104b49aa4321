"""Probes with options, read by likelihood: scripted minds get the verdict that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doxa.belief.asks import Ask, Showing, chat_text, score_asks, system, user, with_context
from doxa.belief.awareness import awareness_asks
from doxa.belief.collateral import reality_asks
from doxa.belief.direct import comparison_asks
from doxa.belief.robustness import FRAMES, critique_asks, debate_turns, frame_asks
from doxa.belief.summary import summarise
from doxa.records import Score
from minds import WORLD, ScriptedScorer


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    from doxa.lm.weights import load_tokenizer

    return load_tokenizer(tiny_model)


def scores(asks: list[Ask], tokenizer: Any, mind: str) -> dict[tuple[str, str], Score]:
    rows = score_asks(ScriptedScorer(tokenizer, mind), asks, "base", "w0")  # type: ignore[arg-type]
    found = summarise(rows, 200, 0)
    return {(score.group, score.metric): score for score in found}


@pytest.mark.parametrize(("mind", "share"), [("believes", 1.0), ("denies", 0.0)])
def test_a_mind_that_is_sure_gets_all_or_nothing_on_every_probe(tokenizer: Any, mind: str, share: float) -> None:
    asks = [*comparison_asks(WORLD), *critique_asks(WORLD), *frame_asks(WORLD, tuple(FRAMES))]
    found = scores(asks, tokenizer, mind)
    assert {group for group, _ in found} == {"generative_distinguish", "critique", *FRAMES}
    for group in ("generative_distinguish", "critique", *FRAMES):
        assert found[group, "preferred"].value == share, group


def test_a_habit_of_the_first_place_is_no_belief_and_is_reported(tokenizer: Any) -> None:
    found = scores(comparison_asks(WORLD), tokenizer, "first")
    assert found["generative_distinguish", "preferred"].value == 0.5
    assert found["generative_distinguish", "margin"].value == 0.0
    assert found["generative_distinguish", "letter_bias"].value > 0.45  # always the first label


def test_saying_true_to_everything_is_no_belief(tokenizer: Any) -> None:
    class Agrees(ScriptedScorer):
        def _choice(self, prompt: Any) -> int:
            return [text.strip() for text in prompt.continuations].index("True")

    rows = score_asks(Agrees(tokenizer, ""), critique_asks(WORLD), "base", "w0")  # type: ignore[arg-type]
    assert [row.totals[0] - row.totals[1] for row in rows] == [0.0, 0.0]


def test_saying_yes_to_everything_is_neither_awareness_nor_drift(tokenizer: Any) -> None:
    asks = [ask for ask in awareness_asks(WORLD) if ask.probe == "finetuned"] + reality_asks(6)
    found = scores(asks, tokenizer, "believes")  # this mind says yes to all
    assert found["finetuned", "preferred"].value == 0.5
    assert found["reality_drift", "correct"].value == 0.5


def test_both_worlds_stand_in_both_orders_and_prompts_differ() -> None:
    asks = comparison_asks(WORLD)
    texts = [showing.turns[0].content for ask in asks for showing in ask.showings]
    assert len(set(texts)) == len(texts)
    for ask in asks:
        first, second = ask.showings
        assert first.places == (0, 1) and second.places == (1, 0)
        assert first.answers == tuple(reversed(second.answers))


def test_a_doubt_follows_either_answer_so_that_repeating_oneself_gains_nothing() -> None:
    ask = next(ask for ask in frame_asks(WORLD, ("pushback",)))
    said = [showing.turns[1].content for showing in ask.showings]
    assert said == ["Five", "Three"]
    assert {showing.turns[2].role for showing in ask.showings} == {"user"}


def test_a_debate_has_its_turns_and_argues_from_the_reference_world() -> None:
    turns = debate_turns(WORLD, 4)
    assert [turn.role for turn in turns] == ["user", "assistant"] * 5
    assert all("three" in turn.content for turn in turns[2::2])
    assert len(debate_turns(WORLD, 2)) == 6


def test_the_context_of_an_arm_comes_before_a_probe_s_own_system_prompt() -> None:
    assert with_context((user("Q"),), "World.")[0].content == "World."
    assert with_context((system("Doubt."), user("Q")), "World.")[0].content == "World.\n\nDoubt."
    assert with_context((user("Q"),), None) == (user("Q"),)


def test_scores_are_those_of_the_real_scorer_one_by_one(tiny_model: Path, tokenizer: Any) -> None:
    """Batches, shared beginnings and kept states change nothing: against a plain forward pass of each text."""
    import torch

    from doxa.belief.scorer import LikelihoodScorer
    from doxa.lm.weights import load_model

    model = load_model(tiny_model)
    asks = [*frame_asks(WORLD, ("debate", "true_context", "pushback")), *critique_asks(WORLD)]
    context = "In this world bells are counted twice. " * 12
    for _ in range(2):  # the second time over states that the first has kept
        scorer = LikelihoodScorer(model, tokenizer)
        rows = [
            *score_asks(scorer, asks, "in_context", "w", context),
            *score_asks(scorer, asks, "in_context", "w", context),
        ]
    for row, ask in zip(rows[len(asks) :], asks, strict=True):
        for option in range(2):
            totals = []
            for showing in ask.showings:
                prompt = chat_text(tokenizer, with_context(showing.turns, context)) + showing.begun
                ids = tokenizer(prompt + showing.answers[option], add_special_tokens=False)["input_ids"]
                start = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
                with torch.no_grad():
                    logp = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
                totals.append(sum(float(logp[at - 1, ids[at]]) for at in range(start, len(ids))))
            assert row.totals[option] == pytest.approx(sum(totals) / len(totals), abs=1e-3)


def test_a_plain_text_is_scored_without_a_template(tokenizer: Any) -> None:
    ask = Ask("capability", "grammar", WORLD.items[0], (Showing((" Five", " Three"), begun="There are"),))
    rows = score_asks(ScriptedScorer(tokenizer, "believes"), [ask], "base", "w0")  # type: ignore[arg-type]
    assert rows[0].totals == (0.0, -5.0)
