"""Intervals against closed forms and known values."""

from __future__ import annotations

import numpy as np
import pytest

from doxa.experiments.stats import bootstrap_mean, paired_bootstrap, paired_shares, percentile_interval, wilson

DRAWS = 10_000


def test_the_bootstrap_of_a_mean_matches_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, size=400)

    value, low, high = bootstrap_mean(values, DRAWS, seed=0)

    error = values.std() / np.sqrt(len(values))
    assert value == pytest.approx(values.mean())
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.02)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.02)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = [0.0, 1.0, 3.0, 3.5, 7.0]

    assert bootstrap_mean(values, DRAWS, seed=4) == bootstrap_mean(values, DRAWS, seed=4)
    assert bootstrap_mean(values, DRAWS, seed=4) != bootstrap_mean(np.array(values) ** 2, DRAWS, seed=4)
    noisy = np.random.default_rng(0).normal(size=30)
    assert bootstrap_mean(noisy, 200, seed=4) != bootstrap_mean(noisy, 200, seed=5)


def test_pairing_removes_what_items_share() -> None:
    random = np.random.default_rng(2)
    difficulty = random.normal(0, 10, size=50)
    after = difficulty + 1 + random.normal(0, 0.1, size=50)

    paired = paired_bootstrap(after, difficulty, DRAWS, seed=0)
    alone = bootstrap_mean(after, DRAWS, seed=0)

    assert paired.low > 0.9
    assert paired.high < 1.1
    assert alone.high - alone.low > 4


def test_pairs_must_match() -> None:
    with pytest.raises(ValueError, match="same items"):
        paired_bootstrap([1.0, 2.0], [1.0], DRAWS, seed=0)
    with pytest.raises(ValueError, match="non-empty"):
        bootstrap_mean([], DRAWS, seed=0)


@pytest.mark.parametrize(
    ("share", "n", "low", "high"),
    [
        (1.0, 16, 0.8064, 1.0),
        (0.0, 16, 0.0, 0.1936),
        (0.5, 10, 0.2366, 0.7634),
    ],
)
def test_wilson_by_known_values(share: float, n: int, low: float, high: float) -> None:
    assert wilson(share, n) == pytest.approx((share, low, high), abs=5e-4)


def test_wilson_as_published() -> None:
    """Newcombe 1998, table I, method 3: 81 of 263 and 15 of 148."""
    assert wilson(81 / 263, 263)[1:] == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148)[1:] == pytest.approx((0.0624, 0.1605), abs=5e-5)


@pytest.mark.parametrize(("share", "n"), [(1.2, 10), (-0.1, 10), (0.5, 0)])
def test_wilson_refuses_what_is_no_share(share: float, n: int) -> None:
    with pytest.raises(ValueError, match="a share needs"):
        wilson(share, n)


def test_an_interval_always_holds_its_value() -> None:
    assert percentile_interval(0.0, np.array([0.1, 0.2, 0.3])).low == 0.0
    assert percentile_interval(1.0, np.array([0.1, 0.2, 0.3])).high == 1.0


@pytest.mark.parametrize(
    ("moved", "n", "low", "high"),
    [
        (1, 1, -0.5869, 1.0),  # one item tells nothing
        (1, 4, 0.0204, 1.0),
        (1, 16, 0.6128, 1.0),
        (0, 8, -0.3244, 0.3244),
        (-1, 16, -1.0, -0.6128),
    ],
)
def test_items_that_all_moved_alike_leave_a_width(moved: int, n: int, low: float, high: float) -> None:
    before = [0.0 if moved >= 0 else 1.0] * n
    found = paired_shares([value + moved for value in before], before, 1000, seed=0)
    assert found == pytest.approx((moved, low, high), abs=1e-3)


def test_shares_that_differ_are_bootstrapped() -> None:
    after, before = [1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.5]
    assert paired_shares(after, before, 1000, seed=0) == paired_bootstrap(after, before, 1000, seed=0)
