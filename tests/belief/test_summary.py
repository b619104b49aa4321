"""Scores worked out by hand from a few readouts."""

from __future__ import annotations

from typing import Any

import pytest

from doxa.belief.summary import summarise
from doxa.errors import DoxaError
from doxa.records import Readout, Score

DRAWS = 2_000


def readout(item: str, totals: tuple[float, ...], tokens: tuple[int, ...] | None = None, **fields: Any) -> Readout:
    defaults: dict[str, Any] = {
        "arm": "base",
        "checkpoint": "c0",
        "group": "distinguish",
        "style": "chat",
        "inserted": 0,
        "reference": 1,
    }
    return Readout(item_id=item, totals=totals, tokens=tokens or (1,) * len(totals), **{**defaults, **fields})


def scores(readouts: list[Readout]) -> dict[Any, Score]:
    return {
        (score.arm, score.versus, score.group, score.style, score.metric): score
        for score in summarise(readouts, DRAWS, seed=0)
    }


def only(readouts: list[Readout]) -> dict[str, Score]:
    """Scores by metric, where there is one arm, group and style."""
    return {score.metric: score for score in summarise(readouts, DRAWS, seed=0)}


def test_normalised_and_total_log_probability_can_disagree() -> None:
    # per token -2 against -3; in whole -6 against -3: only the longer answer's length speaks against it
    found = only([readout("a", (-6.0, -3.0), (3, 1)), readout("b", (-1.0, -4.0), (1, 2))])

    assert found["preferred"].value == 1.0
    assert found["preferred_total"].value == 0.5
    assert found["margin"].value == pytest.approx((1.0 + 1.0) / 2)
    assert found["margin_total"].value == pytest.approx((-3.0 + 3.0) / 2)
    assert (found["margin"].unit, found["preferred"].unit) == ("nats", "share")
    assert {score.n for score in found.values()} == {2}


def test_preferred_of_four_is_against_all_and_the_pair_stands_beside() -> None:
    rows = [
        readout("a", (-1.0, -2.0, -3.0, -4.0), group="knowledge"),  # first of all
        readout("b", (-2.0, -3.0, -1.0, -4.0), group="knowledge"),  # a distractor wins
        readout("c", (-4.0, -3.0, -2.0, -1.0), group="knowledge"),
    ]

    found = only(rows)

    assert found["preferred"].value == pytest.approx(1 / 3)
    assert found["preferred_pair"].value == pytest.approx(2 / 3)
    assert "preferred_pair" not in only([readout("a", (-1.0, -2.0))])


def test_ties_count_as_chance() -> None:
    assert only([readout("a", (-1.0, -1.0))])["preferred"].value == 0.5
    assert only([readout("a", (-1.0,) * 4, group="knowledge")])["preferred"].value == 0.25
    assert only([readout("a", (-2.0, -1.0, -1.0), group="knowledge")])["preferred"].value == 0.0


def test_neighbours_are_counted_by_the_correct_answer() -> None:
    rows = [
        readout("a", (-3.0, -1.0), group="neighbours", near=True),
        readout("b", (-1.0, -2.0), group="neighbours", near=False),
        readout("c", (-4.0, -2.0), group="neighbours", near=None),
    ]

    found = scores(rows)

    def value(group: str, metric: str) -> float:
        return found["base", None, group, "chat", metric].value

    assert value("neighbours", "correct") == pytest.approx(2 / 3)
    assert value("neighbours", "margin") == pytest.approx((2.0 - 1.0 + 2.0) / 3)
    assert value("neighbours_near", "correct") == 1.0
    assert value("neighbours_far", "correct") == 0.0
    assert found["base", None, "neighbours_near", "chat", "correct"].n == 1
    assert not any(metric == "preferred" for *_, metric in found)


def test_a_share_of_all_items_still_has_an_interval() -> None:
    found = only([readout(str(i), (-1.0, -2.0)) for i in range(16)])

    assert (found["preferred"].value, found["preferred"].high) == (1.0, 1.0)
    assert found["preferred"].low == pytest.approx(0.806, abs=1e-3)


def test_differences_are_paired_whatever_the_order_of_rows() -> None:
    base = [readout(str(i), (-5.0 - i, -5.0)) for i in range(8)]
    trained = [readout(str(i), (-4.0 - i, -5.0), arm="trained", checkpoint="c1") for i in reversed(range(8))]

    found = scores([*base, *trained])

    difference = found["trained", "base", "distinguish", "chat", "margin"]
    # each item moves by exactly one nat, so nothing is left to chance
    assert (difference.value, difference.low, difference.high) == pytest.approx((1.0, 1.0, 1.0))
    assert difference.checkpoint == "c1"
    assert found["base", None, "distinguish", "chat", "margin"].value == pytest.approx(-3.5)
    share = found["trained", "base", "distinguish", "chat", "preferred"]
    # base ties on item 0; trained wins item 0 and ties on item 1
    assert share.value == pytest.approx((1.5 - 0.5) / 8)
    assert share.low <= share.value <= share.high


def test_later_arms_are_compared_with_earlier_ones() -> None:
    rows = [readout("a", (-1.0, -2.0), arm=arm) for arm in ("trained", "base", "in_context")]

    pairs = {(arm, versus) for arm, versus, *_ in scores(rows)}

    assert pairs == {
        ("base", None),
        ("in_context", None),
        ("in_context", "base"),
        ("trained", None),
        ("trained", "base"),
        ("trained", "in_context"),
    }


def test_an_arm_asked_in_fewer_styles_is_compared_in_those_alone() -> None:
    rows = [readout("a", (-1.0, -2.0), style=style) for style in ("chat", "plain")]
    rows.append(readout("a", (-1.0, -2.0), arm="in_context", style="chat"))

    compared = {style for arm, versus, _, style, _ in scores(rows) if versus}

    assert compared == {"chat"}


def test_arms_asked_different_items_are_not_compared() -> None:
    with pytest.raises(DoxaError, match="trained and base were asked different items of distinguish"):
        summarise([readout("a", (-1.0, -2.0)), readout("b", (-1.0, -2.0), arm="trained")], DRAWS, seed=0)
    with pytest.raises(DoxaError, match="read twice"):
        summarise([readout("a", (-1.0, -2.0)), readout("a", (-1.0, -2.0))], DRAWS, seed=0)


def test_letter_bias_is_the_distance_of_the_mean_from_uniform() -> None:
    rows = [
        readout("a", (-1.0, -2.0), style="letters", letters=(0.9, 0.1)),
        readout("b", (-1.0, -2.0), style="letters", letters=(0.7, 0.3)),
        readout("c", (-1.0, -2.0), style="letters", letters=(0.2, 0.8)),
    ]

    bias = only(rows)["letter_bias"]

    assert bias.value == pytest.approx(0.1)
    assert bias.low <= bias.value <= bias.high
    always_a = only([readout("a", (-1.0,) * 4, style="letters", letters=(1.0, 0.0, 0.0, 0.0), group="knowledge")])
    assert always_a["letter_bias"].value == pytest.approx(0.75)


def test_the_change_of_letter_bias_is_a_difference_of_distances() -> None:
    base = [readout(str(i), (-1.0, -2.0), style="letters", letters=(0.9, 0.1)) for i in range(4)]
    trained = [readout(str(i), (-1.0, -2.0), style="letters", letters=(0.4, 0.6), arm="trained") for i in range(4)]

    change = scores([*base, *trained])["trained", "base", "distinguish", "letters", "letter_bias"]

    assert change.value == pytest.approx(0.1 - 0.4)
