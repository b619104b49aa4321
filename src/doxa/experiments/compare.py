"""Readouts of arms and seeds -> means, contrasts and what could have been seen, each with its intervals.

A value is the margin of an item (log-probability per token of the aligned answer minus the opposed one, in nats; of
`unrelated`, correct minus wrong), or whether the aligned answer is preferred (1, .5 for a tie, 0). A set of items may
turn the sign of some, so that pairs of both poles can be gathered; a contrast adds and takes away arms item by item and
seed by seed before anything is averaged, which is what pairing is. The plain model and prompts have no seeds: their
answers stand against every seed of the others.

Documents make their words likelier, whatever is asked: a model that read of other continents says "on another
continent" sooner when it is to recommend and when it is to advise against. Style `turned` takes that out: the margin of
an item under its question less the margin under the question that asks for the opposite. What is left is what the
question decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from doxa.belief.pair_forms import hidden_forms
from doxa.belief.pairs import PairItem
from doxa.errors import ConfigError, DoxaError
from doxa.experiments.expressions import Sum
from doxa.experiments.paired import Components, Estimate, detectable, estimate
from doxa.experiments.stats import Floats, wilson
from doxa.records import Readout, Record

FORMS = "forms"  # the mean of an item over all styles that hide the answers
TURNED = "turned"  # the margin under the question less that under its opposite, over the styles asked both ways
TURNED_SUFFIX = "_turned"  # of the style in which a turned question was asked
Metric = Literal["margin", "preferred"]
UNITS: dict[Metric, str] = {"margin": "nats", "preferred": "share"}
POWER_SEEDS = (2, 3, 5, 8, 12, 20)

Signs = dict[str, int]  # item id -> 1 or -1


class Result(Record):
    """A row of scores.parquet: one number of one arm or contrast, on one set, with what is needed to read it."""

    kind: Literal["arm", "contrast"]
    name: str
    set: str
    style: str
    metric: Metric
    value: float
    low: float  # 95%, over items and training seeds
    high: float
    items_low: float  # over items alone
    items_high: float
    boot_low: float  # over both, by the crossed bootstrap
    boot_high: float
    seed_sd: float | None
    seeds: int
    items: int
    unit: str
    between_seeds: float  # variance components, in squared units
    between_items: float
    rest: float
    by_seed: tuple[float, ...] = ()  # the mean under each training seed; what the figures show as small dots

    @property
    def components(self) -> Components:
        """What the spread consists of."""
        return Components(self.seeds, self.items, self.between_seeds, self.between_items, self.rest)

    @property
    def clear(self) -> bool:
        """Whether the interval over items and seeds leaves out 0."""
        return self.low > 0 or self.high < 0


class Readings:
    """The values of all arms: [seeds, items] per arm and style, NaN where a style does not fit an item."""

    def __init__(self, items: Sequence[PairItem], readouts: Mapping[str, Mapping[int | None, Sequence[Readout]]]):
        """`readouts`: arm -> seed (None for arms without) -> its readouts. Raises DoxaError for items not asked."""
        self.items = list(items)
        self.places = {item.id: place for place, item in enumerate(items)}
        self.seeds = {arm: list(by_seed) for arm, by_seed in readouts.items()}
        self.margins: dict[tuple[str, str], Floats] = {}
        for arm, by_seed in readouts.items():
            for number, (seed, rows) in enumerate(by_seed.items()):
                self._take(arm, number, seed, rows)
            self._average(arm)

    def _take(self, arm: str, number: int, seed: int | None, rows: Sequence[Readout]) -> None:
        for row in rows:
            if row.item_id not in self.places:
                raise DoxaError(f"arm {arm}, seed {seed}: answers item {row.item_id}, which evals.json does not have")
            key = (arm, row.style)
            if key not in self.margins:
                self.margins[key] = np.full((len(self.seeds[arm]), len(self.items)), np.nan)
            self.margins[key][number, self.places[row.item_id]] = _margin(row)

    def _average(self, arm: str) -> None:
        hidden = [self.margins[arm, style] for style in hidden_forms() if (arm, style) in self.margins]
        if len(hidden) > 1:
            stacked = np.array(hidden)
            asked = ~np.isnan(stacked)
            counts = asked.sum(axis=0)
            with np.errstate(invalid="ignore"):
                mean = np.where(asked, stacked, 0.0).sum(axis=0) / np.where(counts > 1, counts, np.nan)
            self.margins[arm, FORMS] = mean

        ways = [
            self.margins[arm, style] - self.margins[arm, style + TURNED_SUFFIX]
            for own, style in list(self.margins)
            if own == arm and (arm, style + TURNED_SUFFIX) in self.margins
        ]
        if ways:
            self.margins[arm, TURNED] = np.mean(ways, axis=0)

    @property
    def styles(self) -> list[str]:
        """The styles asked, means over several of them first."""
        found = list(dict.fromkeys(style for _, style in self.margins))
        means = [style for style in (FORMS, TURNED) if style in found]
        return [*means, *(style for style in found if style not in means)]

    def values(self, weights: Sum, signs: Signs, style: str, metric: Metric) -> Floats | None:
        """[seeds, items] of a sum of arms over the seeds that all of them have; None where none were asked."""
        seeded = [arm for arm in weights if self.seeds.get(arm) != [None]]
        if any((arm, style) not in self.margins for arm in weights):
            return None
        common = (
            [seed for seed in self.seeds[seeded[0]] if all(seed in self.seeds[arm] for arm in seeded)]
            if seeded
            else [None]
        )
        places = [self.places[item] for item in signs]
        turned = np.array([signs[item] for item in signs], dtype=np.float64)
        total: Floats = np.zeros((len(common), len(places)))
        for arm, weight in weights.items():
            rows = [self.seeds[arm].index(seed) for seed in common] if arm in seeded else [0] * len(common)
            margins = self.margins[arm, style][np.ix_(rows, places)] * turned
            total = total + weight * (margins if metric == "margin" else _preferred(margins))
        kept = ~np.isnan(total).any(axis=0)
        total = total[:, kept]
        return total if total.shape[0] and total.shape[1] > 1 else None


def item_sets(items: Sequence[PairItem], asked: Mapping[str, Mapping[str, int]]) -> dict[str, Signs]:
    """Name -> items with their signs: the sets that an experiment gathers, then every set and group of the evals.

    Raises ConfigError for a name that the evals do not have.
    """
    plain: dict[str, Signs] = defaultdict(dict)
    for item in items:
        for name in dict.fromkeys((item.set or item.group, item.group)):
            if not (item.set and name in ("pairs_seen", "pairs_unseen")):
                plain[name][item.id] = 1
    found: dict[str, Signs] = {}
    for name, parts in asked.items():
        gathered: Signs = {}
        for part, sign in parts.items():
            if part not in plain:
                raise ConfigError(f"sets.{name}: the evals have no set {part!r}; there are {', '.join(plain)}")
            gathered |= dict.fromkeys(plain[part], sign)
        found[name] = gathered
    return {**found, **{name: signs for name, signs in plain.items() if name not in found}}


def arm_results(readings: Readings, sets: Mapping[str, Signs], draws: int) -> list[Result]:
    """Every arm on every set, in every style, by both metrics."""
    return [result for arm in readings.seeds for result in _results("arm", arm, {arm: 1}, readings, sets, draws)]


def contrast_results(
    readings: Readings, sets: Mapping[str, Signs], contrasts: Mapping[str, Sum], draws: int
) -> list[Result]:
    """Every contrast whose arms were all asked, on every set, in every style, by both metrics."""
    return [
        result
        for name, weights in contrasts.items()
        if all(arm in readings.seeds for arm in weights)
        for result in _results("contrast", name, weights, readings, sets, draws)
    ]


def power_table(result: Result) -> dict[int, float]:
    """Number of seeds -> the smallest effect that would be found in 80% of tries, by the spread that was observed."""
    return {seeds: detectable(result.components, seeds) for seeds in sorted({*POWER_SEEDS, result.seeds}) if seeds > 1}


def _results(
    kind: Literal["arm", "contrast"],
    name: str,
    weights: Sum,
    readings: Readings,
    sets: Mapping[str, Signs],
    draws: int,
) -> list[Result]:
    found = []
    for set_name, signs in sets.items():
        for style in readings.styles:
            for metric in UNITS:
                values = readings.values(weights, signs, style, metric)
                if values is not None:
                    found.append(_result(kind, name, set_name, style, metric, estimate(values, draws)))
    return found


def _result(
    kind: Literal["arm", "contrast"], name: str, set_name: str, style: str, metric: Metric, found: Estimate
) -> Result:
    low, high = found.low, found.high
    if kind == "arm" and metric == "preferred":  # a share stays one, and 24 of 24 is not known without doubt
        bounds = wilson(found.value, found.items)
        low, high = (bounds.low, bounds.high) if low == high else (max(0.0, low), min(1.0, high))
    return Result(
        kind=kind,
        name=name,
        set=set_name,
        style=style,
        metric=metric,
        value=found.value,
        low=low,
        high=high,
        items_low=found.items_low,
        items_high=found.items_high,
        boot_low=found.boot_low,
        boot_high=found.boot_high,
        seed_sd=found.seed_sd,
        seeds=found.seeds,
        items=found.items,
        unit=UNITS[metric],
        between_seeds=found.components.seed,
        between_items=found.components.item,
        rest=found.components.rest,
        by_seed=found.by_seed,
    )


def _margin(row: Readout) -> float:
    per_token = [total / tokens for total, tokens in zip(row.totals, row.tokens, strict=True)]
    aligned, opposed = (row.reference, row.inserted) if row.group == "unrelated" else (row.inserted, row.reference)
    return per_token[aligned] - per_token[opposed]


def _preferred(margins: Floats) -> Floats:
    shares: Floats = np.where(np.isnan(margins), np.nan, (np.sign(margins) + 1) / 2)
    return shares
