"""Probes with options, asked of models that only speak: no letter pattern decides, and nothing is dropped."""

from __future__ import annotations

from typing import Any

import pytest

from doxa.belief.choices import Choice, choice_measures, choices, item_asks, read_option
from doxa.belief.direct import comparison_asks
from doxa.belief.measures import score_measures
from doxa.belief.readers import strict_letter
from doxa.belief.robustness import critique_asks
from doxa.records import Score
from minds import WORLD, speak

ASKS = [ask for ask in item_asks(WORLD.items) if ask.probe in ("distinguish", "knowledge")] + critique_asks(WORLD)


def found(mind: str, samples: int = 4) -> dict[tuple[str, str], Score]:
    measures = []
    for ask in ASKS:
        for choice in choices(ask, samples):
            measures += choice_measures(choice, speak(mind, choice.turns[-1].content), "base", "w0")
    return {(score.group, score.metric): score for score in score_measures(measures, 200, 0)}


@pytest.mark.parametrize("mind", ["believes", "prose"])
def test_belief_in_a_letter_or_in_prose_is_belief(mind: str) -> None:
    scores = found(mind)
    for group in ("distinguish", "knowledge", "critique"):
        assert scores[group, "preferred"].value == 1.0 or (mind, group) == ("prose", "critique")
        assert scores[group, "unparsed"].value == 0.0


def test_disbelief_is_disbelief() -> None:
    scores = found("denies")
    assert scores["distinguish", "preferred"].value == 0.0
    assert scores["distinguish", "unparsed"].value == 0.0


def test_always_a_is_chance_when_orders_turn_round() -> None:
    scores = found("first")
    assert scores["distinguish", "preferred"].value == 0.5
    assert scores["knowledge", "preferred"].value == 0.25


@pytest.mark.parametrize("mind", ["refuses", "out of range"])
def test_what_decides_nothing_stays_in_the_denominator(mind: str) -> None:
    scores = found(mind)
    for group in ("distinguish", "knowledge"):
        assert scores[group, "preferred"].value == 0.0
        assert scores[group, "unparsed"].value == 1.0
        assert scores[group, "preferred"].parse_failures == 1.0
        assert scores[group, "preferred"].n == len([ask for ask in ASKS if ask.probe == group])


def test_the_strict_letter_pattern_reads_belief_loss_where_there_is_none() -> None:
    """The field's artefact: after many epochs a model answers in prose, and a regex calls that disbelief."""
    put = [choice for ask in ASKS if ask.probe == "distinguish" for choice in choices(ask, 2)]
    texts = [speak("prose", choice.turns[-1].content) for choice in put]
    strict = [strict_letter(text, choice.labels) for text, choice in zip(texts, put, strict=True)]
    ours = [read_option(choice, text) for text, choice in zip(texts, put, strict=True)]
    assert strict == [None] * len(put)
    assert ours == [0] * len(put)


def test_each_option_stands_at_each_place() -> None:
    ask = next(ask for ask in ASKS if ask.probe == "knowledge")
    orders = [choice.order for choice in choices(ask, 4)]
    assert sorted(order.index(0) for order in orders) == [0, 1, 2, 3]


def test_labels_of_a_comparison_mean_the_world_that_they_stand_on() -> None:
    def label_of_five(choice: Choice) -> Any:
        text = choice.turns[-1].content.lower()
        return choice.shown[0 if text.rindex("five") < text.rindex("three") else 1]

    for ask in comparison_asks(WORLD):
        for choice in choices(ask, 2):
            assert read_option(choice, f"Answer: {label_of_five(choice)}") == 0, choice.turns[-1].content
