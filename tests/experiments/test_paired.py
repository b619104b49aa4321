"""Intervals over seeds and items: by hand, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from doxa.experiments.paired import components, crossed, crossed_bootstrap, detectable, estimate


def test_mean_and_components_by_hand() -> None:
    # seeds 0 and 1 differ by 2, items by 1 and 3 from the first; nothing is left over
    values = [[0.0, 1.0, 3.0], [2.0, 3.0, 5.0]]
    found = estimate(values)
    assert found.value == pytest.approx(14 / 6)
    assert found.by_seed == pytest.approx((4 / 3, 10 / 3))
    assert found.seed_sd == pytest.approx(math.sqrt(2))
    parts = components(values)
    # seeds' means 4/3, 10/3: variance 2; items' means 1, 2, 4: variance 7/3; residuals 0
    assert (parts.seed, parts.item, parts.rest) == pytest.approx((2.0, 7 / 3, 0.0))
    assert parts.variance(2, 3) == pytest.approx(2 / 2 + 7 / 9)


def test_crossed_interval_by_hand() -> None:
    values = [[0.0, 1.0, 3.0], [2.0, 3.0, 5.0]]
    variance = 1 + 7 / 9
    freedom = variance**2 / (1**2 / 1 + (7 / 9) ** 2 / 2)  # Satterthwaite, of two parts with 1 and 2
    assert freedom == pytest.approx(2.4262, abs=1e-3)
    low, high = crossed(values)
    # Student's 97.5% point at 2.4262 degrees of freedom is 3.6551
    assert (high - low) / 2 == pytest.approx(3.6551 * math.sqrt(variance), rel=2e-3)
    assert (high + low) / 2 == pytest.approx(14 / 6)


def test_one_seed_says_nothing_of_other_seeds() -> None:
    found = estimate([[0.0, 1.0, 2.0]])
    assert found.seed_sd is None and found.seeds == 1 and found.by_seed == ()
    assert (found.low, found.high) == pytest.approx((found.items_low, found.items_high))
    assert found.high - found.value == pytest.approx(4.3027 * math.sqrt(1 / 3), rel=1e-4)  # t with 2 degrees


@pytest.mark.parametrize(
    ("seeds", "items", "between_seeds", "between_items", "rest"),
    [
        (5, 48, 0.05, 0.3, 0.2),  # as the miniature's
        (5, 48, 0.2, 0.0, 0.2),  # seeds alone differ
        (5, 24, 0.0, 0.0, 0.3),  # noise alone
        (3, 48, 0.1, 0.1, 0.1),
    ],
)
def test_interval_covers_the_truth(
    seeds: int, items: int, between_seeds: float, between_items: float, rest: float
) -> None:
    generator = np.random.default_rng(7)
    tries = 1500
    covered = alone = 0
    for _ in range(tries):
        values = (
            0.1
            + generator.normal(0, between_seeds, (seeds, 1))
            + generator.normal(0, between_items, (1, items))
            + generator.normal(0, rest, (seeds, items))
        )
        low, high = crossed(values)
        covered += low <= 0.1 <= high
        found = estimate(values, draws=100)
        alone += found.items_low <= 0.1 <= found.items_high
    # 95% less three standard errors of 1,500 tries; 93% with three seeds; noise alone is covered more often
    assert (0.915 if seeds < 5 else 0.933) <= covered / tries <= 0.995
    if between_seeds > between_items:
        assert alone / tries < 0.6  # what leaving the seeds out costs


def test_bootstrap_draws_seeds_and_items() -> None:
    seeds_differ = np.array([[0.0] * 40, [1.0] * 40, [2.0] * 40])
    items_differ = np.tile(np.linspace(0, 2, 40), (3, 1))
    for values in (seeds_differ, items_differ):
        found = crossed_bootstrap(values, 500, 0)
        assert found.value == pytest.approx(1) and found.low < 0.9 and found.high > 1.1
    constant = crossed_bootstrap(np.full((3, 4), 2.0), 100, 0)
    assert (constant.low, constant.high) == pytest.approx((2.0, 2.0))


def test_detectable_effect_is_found_in_four_of_five_tries() -> None:
    generator = np.random.default_rng(3)

    def draw(effect: float) -> np.ndarray:
        between = generator.normal(0, 0.1, (6, 1)) + generator.normal(0, 0.2, (1, 40))
        return effect + between + generator.normal(0, 0.1, (6, 40))

    parts = components(np.zeros((6, 40)))
    truth = parts.__class__(6, 40, 0.1**2, 0.2**2, 0.1**2)
    effect = detectable(truth, 6)
    found = sum(low > 0 or high < 0 for low, high in (crossed(draw(effect)) for _ in range(600)))
    assert 0.72 <= found / 600 <= 0.88
    assert detectable(truth, 3) > effect > detectable(truth, 20) > detectable(truth, 20, items=400)
    assert detectable(truth, 1) == math.inf and detectable(parts, 6) == 0.0


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [[]]])
def test_a_matrix_is_asked_for(values: list[float]) -> None:
    with pytest.raises(ValueError, match="matrix"):
        estimate(values)


def test_one_item_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least two"):
        estimate([[1.0], [2.0]])
