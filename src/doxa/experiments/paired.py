"""Intervals over training seeds and items at once, and how large an effect a comparison could have seen.

Values of one arm (or of a contrast of arms, taken item by item and seed by seed) are a matrix [seeds, items]. Both are
samples: another seed would have given other weights, another author other questions. Items alone make intervals too
narrow by about half (retraining spread .053 against .046 from items at n = 400; docs/msm.md), seeds alone say nothing
of other questions.

`crossed` is the interval that conclusions hang on: the two-way random-effects estimate of the mean's variance
(Searle, Casella & McCulloch 1992, section 4.3), with Satterthwaite's degrees of freedom. With five seeds a percentile
bootstrap covers about 85%, since five draws of five values vary too little and know nothing of Student's t;
`crossed_bootstrap` (Owen 2007, the pigeonhole bootstrap) stands beside it for who wants no normal theory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from doxa.experiments.stats import Floats, Interval, percentile_interval, resample_weights

LEVEL = 0.95
POWER = 0.8


@dataclass(frozen=True)
class Components:
    """Variance components of a matrix [seeds, items], none below 0, in squared units of the values."""

    seeds: int
    items: int
    seed: float  # between training seeds
    item: float  # between items
    rest: float  # what seeds and items do not explain apart, sampling noise included

    def variance(self, seeds: int, items: int) -> float:
        """Of the mean over so many seeds and items."""
        return self.seed / seeds + self.item / items + self.rest / (seeds * items)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and items with what is needed to read it."""

    value: float
    low: float  # 95%, over seeds and items
    high: float
    items_low: float  # 95%, over items alone: the seeds that were trained are all there are
    items_high: float
    boot_low: float  # the crossed bootstrap's
    boot_high: float
    seed_sd: float | None  # of the seeds' means; None with one seed
    seeds: int
    items: int
    components: Components
    by_seed: tuple[float, ...]

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def estimate(values_SI: npt.ArrayLike, draws: int = 4000, seed: int = 0) -> Estimate:
    """Mean of a matrix [seeds, items] with its intervals. One seed: items alone, and nothing is said of others."""
    values = _matrix(values_SI)
    seeds, items = values.shape
    mean = float(values.mean())
    parts = components(values)
    low, high = crossed(values)
    alone = _student(mean, float(values.mean(axis=0).var(ddof=1)) / items if items > 1 else math.nan, items - 1)
    boot = crossed_bootstrap(values, draws, seed)
    return Estimate(
        value=mean,
        low=low,
        high=high,
        items_low=alone.low,
        items_high=alone.high,
        boot_low=boot.low,
        boot_high=boot.high,
        seed_sd=float(values.mean(axis=1).std(ddof=1)) if seeds > 1 else None,
        seeds=seeds,
        items=items,
        components=parts,
        by_seed=tuple(float(mean) for mean in values.mean(axis=1)) if seeds > 1 else (),
    )


def crossed(values_SI: npt.ArrayLike) -> tuple[float, float]:
    """The 95% interval of the mean over seeds and items."""
    values = _matrix(values_SI)
    seeds, items = values.shape
    mean = float(values.mean())
    if items < 2:
        raise ValueError("an interval over items needs at least two of them")
    of_seeds, of_items, of_rest = _mean_squares(values)
    if seeds == 1:
        found = _student(mean, of_items / items, items - 1)
        return found.low, found.high
    cells = seeds * items
    parts = (of_seeds / cells, of_items / cells, of_rest / cells)
    # the sum is unbiased; where noise makes it smaller than its largest part would be alone, that part stands
    variance = max(parts[0] + parts[1] - parts[2], parts[0], parts[1])
    spread = parts[0] ** 2 / (seeds - 1) + parts[1] ** 2 / (items - 1) + parts[2] ** 2 / ((seeds - 1) * (items - 1))
    freedom = variance**2 / spread if spread else math.inf
    found = _student(mean, variance, max(freedom, 1.0))
    return found.low, found.high


def components(values_SI: npt.ArrayLike) -> Components:
    """How much of the spread lies between seeds, between items, and in neither; by the mean squares' expectations."""
    values = _matrix(values_SI)
    seeds, items = values.shape
    of_seeds, of_items, of_rest = _mean_squares(values)
    if seeds == 1:
        return Components(seeds, items, 0.0, of_items, 0.0)
    return Components(
        seeds, items, max(0.0, (of_seeds - of_rest) / items), max(0.0, (of_items - of_rest) / seeds), of_rest
    )


def crossed_bootstrap(values_SI: npt.ArrayLike, draws: int, seed: int) -> Interval:
    """Percentile interval of the mean when seeds and items are both drawn anew."""
    values = _matrix(values_SI)
    rows = resample_weights(values.shape[0], draws, seed)
    columns = resample_weights(values.shape[1], draws, seed + 1)
    means: Floats = np.einsum("ds,si,di->d", rows, values, columns, optimize=True)
    return percentile_interval(float(values.mean()), means)


def detectable(parts: Components, seeds: int, items: int | None = None) -> float:
    """The smallest true effect that a comparison of so many seeds would find in 80% of tries, at 5% two-sided.

    By the variance that was observed, so it is itself an estimate. Infinite with one seed where seeds differ.
    """
    from scipy.stats import t

    if seeds < 2:
        return math.inf
    items = parts.items if items is None else items
    terms = (parts.seed / seeds + parts.rest / (seeds * items), parts.item / items)
    variance = sum(terms)
    if not variance:
        return 0.0
    spread = terms[0] ** 2 / (seeds - 1) + terms[1] ** 2 / max(items - 1, 1)
    freedom = variance**2 / spread if spread else math.inf
    return float((t.ppf(0.5 + LEVEL / 2, freedom) + t.ppf(POWER, freedom)) * math.sqrt(variance))


def _mean_squares(values: Floats) -> tuple[float, float, float]:
    """Of seeds, of items and of the rest (0 with one seed)."""
    seeds, items = values.shape
    by_seed, by_item, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    of_items = seeds * float(((by_item - mean) ** 2).sum()) / max(items - 1, 1)
    if seeds == 1:
        return 0.0, of_items, 0.0
    of_seeds = items * float(((by_seed - mean) ** 2).sum()) / (seeds - 1)
    residual = values - by_seed[:, None] - by_item[None, :] + mean
    of_rest = float((residual**2).sum()) / max((seeds - 1) * (items - 1), 1)
    return of_seeds, of_items, of_rest


def _student(mean: float, variance: float, freedom: float) -> Interval:
    from scipy.stats import norm, t

    quantile = norm.ppf(0.5 + LEVEL / 2) if math.isinf(freedom) else t.ppf(0.5 + LEVEL / 2, freedom)
    half = float(quantile) * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half)


def _matrix(values_SI: npt.ArrayLike) -> Floats:
    values = np.asarray(values_SI, dtype=np.float64)
    if values.ndim != 2 or not values.size:
        raise ValueError("values over seeds and items are a matrix [seeds, items] that is not empty")
    return values
