"""Intervals: bootstrap for means and paired differences, Wilson for shares. Pure numpy, the same on every computer.

Items are the sampling unit: an interval says how far a number would move with other questions about the same belief.
It does not cover another training seed.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Interval(NamedTuple):
    """A number with its 95% interval."""

    value: float
    low: float
    high: float


def bootstrap_mean(values: npt.ArrayLike, draws: int, seed: int) -> Interval:
    """Mean of `values` [n] with a percentile bootstrap interval."""
    values_N = _vector(values)
    return percentile_interval(float(values_N.mean()), resample_weights(len(values_N), draws, seed) @ values_N)


def paired_bootstrap(a: npt.ArrayLike, b: npt.ArrayLike, draws: int, seed: int) -> Interval:
    """Mean of `a - b` over the same items, in the same order, with a percentile bootstrap interval.

    Pairing takes out what makes an item easy or hard for both arms, so the interval is narrower than those of the arms.
    """
    a_N, b_N = _vector(a), _vector(b)
    if len(a_N) != len(b_N):
        raise ValueError(f"paired values must be of the same items: {len(a_N)} and {len(b_N)}")
    return bootstrap_mean(a_N - b_N, draws, seed)


def paired_shares(a: npt.ArrayLike, b: npt.ArrayLike, draws: int, seed: int) -> Interval:
    """`paired_bootstrap` of values in 0..1, with an interval that has a width where all items agree.

    Resampling items that all moved alike finds no spread, and two items would be as certain as a thousand. What was
    seen n of n times may still fail in a share p of cases, 1 less Wilson's lower bound, and go any way then: the
    interval of a difference d is [d (1 - p) - p, d (1 - p) + p] within -1..1.
    """
    found = paired_bootstrap(a, b, draws, seed)
    a_N, b_N = _vector(a), _vector(b)
    if np.ptp(a_N - b_N) > 1e-12:
        return found
    unseen = 1 - wilson(1.0, len(a_N)).low
    centre = found.value * (1 - unseen)
    return Interval(found.value, max(-1.0, centre - unseen), min(1.0, centre + unseen))


def wilson(share: float, n: int) -> Interval:
    """A share of `n` items with the Wilson score interval (Wilson 1927).

    The bootstrap of 16 successes in 16 items is [1.00, 1.00], as if nothing could go otherwise; Wilson's is
    [0.81, 1.00]. Half counts (ties) are allowed.
    """
    if n < 1 or not 0 <= share <= 1:
        raise ValueError(f"a share needs n >= 1 and a value in 0..1, not {share} of {n}")
    z = 1.959963984540054  # the 97.5% point of the standard normal
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    # at 0 and 1 one end is exact, and rounding must not push it past the value
    return Interval(share, float(min(share, max(0.0, centre - half))), float(max(share, min(1.0, centre + half))))


def percentile_interval(value: float, draws_D: Floats) -> Interval:
    """The middle 95% of bootstrapped values, widened to hold `value` (a skewed statistic can lie outside)."""
    low, high = np.percentile(draws_D, [2.5, 97.5])
    return Interval(value, min(value, float(low)), max(value, float(high)))


@functools.lru_cache(maxsize=8)
def resample_weights(n: int, draws: int, seed: int) -> Floats:
    """[draws, n]: how often each item was drawn in each resample, over n. Its product with values gives their means.

    Kept between calls: all metrics over the same number of items are resampled alike.
    """
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    weights: Floats = counts / n
    weights.setflags(write=False)
    return weights


def _vector(values: npt.ArrayLike) -> Floats:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or not len(vector):
        raise ValueError("an interval needs a non-empty list of numbers")
    return vector
