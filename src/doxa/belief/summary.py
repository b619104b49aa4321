"""Readouts -> scores: what share of items goes the inserted way, by how much, and how far the arms lie apart.

Metrics, per arm, group and style:

- `preferred`: share of items whose inserted answer has the highest log-probability per token among *all* options
  (chance: 1/4 for knowledge, 1/2 elsewhere); `preferred_total`: the same by the answer's whole log-probability, which
  favours short answers. k answers tied for the top count 1/k, a half for a pair.
- `preferred_pair`, knowledge alone: the inserted against the reference answer, leaving the distractors out.
- `margin`: mean of inserted minus reference log-probability per token, in nats; `margin_total`: of the whole answers.
- neighbours ask what both universes agree on, so there the numbers point the other way: `correct`, `correct_total`
  and a margin of correct minus wrong. Where items say whether they are near the planted topic, `neighbours_near` and
  `neighbours_far` stand beside the whole.
- `letter_bias`, letters alone: total variation distance between the mean distribution over A, B, ... and the uniform
  one. Orders rotate, so content cancels out and what remains is habit: 0 none, 1 - 1/k always the same letter.

Intervals: Wilson for shares, percentile bootstrap over items for the rest and for all differences (same items, paired;
where all items agree, differences of shares take their width from Wilson too).
A difference that is the same for every item has an interval of no width: n stands beside it for that reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from doxa.belief.axes import CORRECT
from doxa.errors import DoxaError
from doxa.experiments.stats import (
    Floats,
    Interval,
    bootstrap_mean,
    paired_bootstrap,
    paired_shares,
    percentile_interval,
    resample_weights,
    wilson,
)
from doxa.records import Readout, Score

# each later arm is compared with each earlier one
ARM_ORDER = ("base", "in_context", "trained")
SHARES = frozenset({"preferred", "preferred_total", "preferred_pair", "correct", "correct_total"})

Cell = dict[str, Readout]  # item id -> readout


def summarise(readouts: Sequence[Readout], bootstrap: int, seed: int) -> list[Score]:
    """All scores of a suite, differences between arms included, in a stable order.

    `bootstrap` is the number of resamples. Raises DoxaError when two arms were asked different items of a group.
    """
    scores = []
    arms = sorted({readout.arm for readout in readouts}, key=arm_rank)
    for (group, style), cells in _cells(readouts).items():
        for position, arm in enumerate(arms):
            if arm not in cells:
                continue  # an arm may be asked in fewer styles
            scores += _cell_scores(cells[arm], arm, group, style, bootstrap, seed)
            for versus in arms[:position]:
                if versus in cells:
                    scores += _difference_scores(cells[arm], cells[versus], arm, versus, group, style, bootstrap, seed)
    return scores


def _cells(readouts: Sequence[Readout]) -> dict[tuple[str, str], dict[str, Cell]]:
    """(group, style) -> arm -> item id -> readout."""
    cells: dict[tuple[str, str], dict[str, Cell]] = defaultdict(lambda: defaultdict(dict))
    for readout in readouts:
        groups: list[str] = [readout.group]
        if readout.group == "neighbours" and readout.near is not None:
            groups.append("neighbours_near" if readout.near else "neighbours_far")
        for group in groups:
            cell = cells[group, readout.style][readout.arm]
            if readout.item_id in cell:
                raise DoxaError(f"item {readout.item_id} was read twice in style {readout.style}, arm {readout.arm}")
            cell[readout.item_id] = readout
    return cells


def _cell_scores(cell: Cell, arm: str, group: str, style: str, bootstrap: int, seed: int) -> list[Score]:
    rows = list(cell.values())
    values = {name: _column(metric, rows) for name, metric in _metrics(rows).items()}
    found = {
        name: wilson(float(column.mean()), len(rows)) if name in SHARES else bootstrap_mean(column, bootstrap, seed)
        for name, column in values.items()
    }
    if all(row.letters for row in rows):
        habit = _habit(rows)
        draws = _total_variation(resample_weights(len(rows), bootstrap, seed) @ habit)
        found["letter_bias"] = percentile_interval(float(_total_variation(habit.mean(axis=0))), draws)
    return [_score(name, interval, rows, arm, group, style, None) for name, interval in found.items()]


def _difference_scores(
    cell: Cell, other: Cell, arm: str, versus: str, group: str, style: str, bootstrap: int, seed: int
) -> list[Score]:
    if set(cell) != set(other):
        raise DoxaError(
            f"arms {arm} and {versus} were asked different items of {group} ({style}): evaluate both again on one "
            "evals.json"
        )
    rows, others = list(cell.values()), [other[item] for item in cell]
    found = {
        name: (paired_shares if name in SHARES else paired_bootstrap)(
            _column(metric, rows), _column(metric, others), bootstrap, seed
        )
        for name, metric in _metrics(rows).items()
    }
    if all(row.letters for row in (*rows, *others)):
        weights = resample_weights(len(rows), bootstrap, seed)
        mine, theirs = _habit(rows), _habit(others)
        value = float(_total_variation(mine.mean(axis=0)) - _total_variation(theirs.mean(axis=0)))
        draws = _total_variation(weights @ mine) - _total_variation(weights @ theirs)
        found["letter_bias"] = percentile_interval(value, draws)
    return [_score(name, interval, rows, arm, group, style, versus) for name, interval in found.items()]


def _score(
    name: str, interval: Interval, rows: list[Readout], arm: str, group: str, style: str, versus: str | None
) -> Score:
    return Score(
        arm=arm,
        checkpoint=rows[0].checkpoint,
        group=group,
        style=style,
        metric=name,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=len(rows),
        unit="nats" if name.startswith("margin") else "share",
        versus=versus,
    )


Metric = Callable[[Readout], float]


def _metrics(rows: list[Readout]) -> dict[str, Metric]:
    """The metrics that fit a group: name -> function of one readout."""
    if rows[0].group in CORRECT:
        return {
            "correct": lambda row: top_share(normalised(row), row.reference),
            "correct_total": lambda row: top_share(row.totals, row.reference),
            "margin": lambda row: -margin(normalised(row), row),
            "margin_total": lambda row: -margin(row.totals, row),
        }
    metrics: dict[str, Metric] = {
        "preferred": lambda row: top_share(normalised(row), row.inserted),
        "preferred_total": lambda row: top_share(row.totals, row.inserted),
        "margin": lambda row: margin(normalised(row), row),
        "margin_total": lambda row: margin(row.totals, row),
    }
    if any(len(row.totals) > 2 for row in rows):
        metrics["preferred_pair"] = lambda row: top_share(
            [normalised(row)[row.inserted], normalised(row)[row.reference]], 0
        )
    return metrics


def _column(metric: Metric, rows: list[Readout]) -> Floats:
    return np.array([metric(row) for row in rows], dtype=np.float64)


def normalised(row: Readout) -> list[float]:
    return [total / tokens for total, tokens in zip(row.totals, row.tokens, strict=True)]


def margin(values: Sequence[float], row: Readout) -> float:
    return values[row.inserted] - values[row.reference]


def top_share(values: Sequence[float], index: int) -> float:
    """1 where the option alone is highest, 1/k where k options tie for it, else 0."""
    best = max(values)
    return float(values[index] == best) / sum(value == best for value in values)


def _habit(rows: list[Readout]) -> Floats:
    """[n, letters]: each item's letter probabilities less the uniform ones; letters an item doesn't have are 0."""
    habit = np.zeros((len(rows), max(len(row.letters) for row in rows)))
    for index, row in enumerate(rows):
        habit[index, : len(row.letters)] = np.array(row.letters) - 1 / len(row.letters)
    return habit


def _total_variation(excess: Floats) -> Floats:
    distance: Floats = np.abs(excess).sum(axis=-1) / 2
    return distance


def arm_rank(arm: str) -> tuple[int, str]:
    """The known arms in their order, arms of one's own after them by name."""
    return (ARM_ORDER.index(arm) if arm in ARM_ORDER else len(ARM_ORDER), arm)
