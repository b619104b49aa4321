"""Values of items become scores: means with intervals over items, paired differences between arms."""

from __future__ import annotations

import pytest

from doxa.belief.measures import score_measures
from doxa.records import Measure, Score


def row(arm: str, item: str, value: float, metric: str = "inserted", unit: str = "share") -> Measure:
    return Measure(
        arm=arm,
        checkpoint=f"w-{arm}",
        probe="open_ended",
        readout="text",
        metric=metric,
        item_id=item,
        value=value,
        unit=unit,
    )


def find(scores: list[Score], arm: str, versus: str | None = None) -> Score:
    return next(score for score in scores if score.arm == arm and score.versus == versus)


def test_samples_of_an_item_are_averaged_first() -> None:
    rows = [row("base", "a", value) for value in (1.0, 1.0, 1.0, 0.0)] + [row("base", "b", 0.0)]
    score = find(score_measures(rows, 200, 0), "base")
    assert score.value == pytest.approx(0.375) and score.n == 2
    assert 0 <= score.low < 0.375 < score.high <= 1


def test_a_difference_is_over_the_items_that_both_arms_have() -> None:
    rows = [row("base", "a", 0.0), row("base", "b", 0.0), row("trained", "a", 1.0), row("trained", "c", 0.0)]
    score = find(score_measures(rows, 200, 0), "trained", versus="base")
    assert (score.value, score.n, score.checkpoint) == (1.0, 1, "w-trained")


def test_nats_are_bootstrapped_and_keep_their_unit() -> None:
    rows = [row("base", str(number), float(number), "nats", "nats") for number in range(5)]
    score = find(score_measures(rows, 200, 0), "base")
    assert (score.value, score.unit) == (2.0, "nats")
    assert score.low < 2.0 < score.high


def test_the_share_that_could_not_be_read_stands_beside_every_verdict() -> None:
    rows = [row("base", "a", 0.0), row("base", "a", 1.0, "unparsed")]
    assert find(score_measures(rows, 200, 0), "base").parse_failures == 1.0


def test_the_same_rows_give_the_same_scores() -> None:
    rows = [row(arm, str(number), number % 3 / 2) for arm in ("base", "trained") for number in range(9)]
    assert score_measures(rows, 200, 7) == score_measures(rows, 200, 7)
