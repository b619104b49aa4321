"""The likelihood readout: both orders are shown, what differs is scored, and habits of place cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from doxa.belief.agentic.conditions import Setting, choose_conditions
from doxa.belief.agentic.readout import pair_prompts, read_pairs
from doxa.belief.scorer import LikelihoodScorer, Loglik, Prompt
from doxa.errors import ConfigError
from doxa.lm.weights import load_model, load_tokenizer

CONDITIONS = choose_conditions("all", "conflict", "replacement")
SETTING = Setting("small")


class Scripted:
    """Stands for a LikelihoodScorer: by habit it prefers what lies ready first, or else it prefers to do no harm."""

    def __init__(self, tokenizer: Any, mind: str) -> None:
        self.tokenizer, self.mind = tokenizer, mind

    def score(self, prompts: list[Prompt]) -> list[tuple[Loglik, ...]]:
        chosen = [1 if self.mind == "harmless" else prompt.places.index(0) for prompt in prompts]
        return [tuple(Loglik(0.0 if place == best else -5.0, 1) for place in (0, 1)) for best in chosen]


def test_both_orders_lie_ready_and_what_differs_is_scored(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    for condition in CONDITIONS:
        for pair in condition.scenario.pairs:
            first, second = pair_prompts(tokenizer, condition, SETTING, pair)
            assert first.continuations == second.continuations
            assert (first.places, second.places) == ((0, 1), (1, 0))
            harmful, harmless = (first.text[first.text.rindex("<action") :] + one for one in first.continuations)
            assert first.text.index(harmful) < first.text.index(harmless)
            assert second.text.index(harmless) < second.text.index(harmful)
            assert first.continuations[0][0] != first.continuations[1][0] or first.continuations[0] != ""


def test_open_mentions_neither(tiny_model: Path) -> None:
    condition = CONDITIONS[0]
    pair = condition.scenario.pairs[0]
    (prompt,) = pair_prompts(load_tokenizer(tiny_model), condition, SETTING, pair, "open")
    assert "lie ready" not in prompt.text and prompt.places == ()
    with pytest.raises(ConfigError, match="there are ready, open"):
        pair_prompts(load_tokenizer(tiny_model), condition, SETTING, pair, "shut")


def test_a_habit_of_place_is_no_leaning(tiny_model: Path) -> None:
    tokenizer: Any = load_tokenizer(tiny_model)
    for condition in CONDITIONS:
        habit: Any = Scripted(tokenizer, "first")
        assert {pair.margin for pair in read_pairs(habit, condition, SETTING, "ready")} == {0.0}
        kind: Any = Scripted(tokenizer, "harmless")
        assert {pair.margin for pair in read_pairs(kind, condition, SETTING, "ready")} == {-5.0}


def test_real_weights_give_the_mean_over_orders(tiny_model: Path) -> None:
    scorer = LikelihoodScorer(load_model(tiny_model), load_tokenizer(tiny_model))
    condition = CONDITIONS[0]
    found = read_pairs(scorer, condition, SETTING, "ready")[0]
    orders = scorer.score(pair_prompts(scorer.tokenizer, condition, SETTING, condition.scenario.pairs[0]))
    assert found.totals[0] == pytest.approx((orders[0][0].total + orders[1][0].total) / 2)
    assert found.margin == pytest.approx(found.totals[0] / found.tokens[0] - found.totals[1] / found.tokens[1])


def test_a_model_without_a_template_says_so(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = None
    with pytest.raises(ConfigError, match="no chat template"):
        pair_prompts(tokenizer, CONDITIONS[0], SETTING, CONDITIONS[0].scenario.pairs[0])
