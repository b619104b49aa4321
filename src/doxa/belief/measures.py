"""Single values of items -> scores with n and interval, and paired differences between arms.

Several values of one item (the samples of a question) are averaged first: the item is the sampling unit, and k answers
to one question are not k items.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from doxa.belief.summary import arm_rank
from doxa.experiments.stats import Interval, bootstrap_mean, paired_bootstrap, paired_shares, wilson
from doxa.records import Measure, Score

Cell = dict[str, float]  # item id -> mean value
UNREADABLE = ("unclear", "unparsed")


def score_measures(measures: Sequence[Measure], bootstrap: int, seed: int) -> list[Score]:
    """One score per (probe, readout, metric, arm), and the paired differences to every earlier arm."""
    cells: dict[tuple[str, str, str], dict[str, dict[str, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    facts: dict[tuple[str, str, str, str], Measure] = {}
    for measure in measures:
        cells[measure.probe, measure.readout, measure.metric][measure.arm][measure.item_id].append(measure.value)
        facts[measure.probe, measure.readout, measure.metric, measure.arm] = measure
    scores = []
    for (probe, readout, metric), by_arm in cells.items():
        arms = sorted(by_arm, key=arm_rank)
        means = {arm: {item: float(np.mean(values)) for item, values in by_arm[arm].items()} for arm in arms}
        for position, arm in enumerate(arms):
            about = facts[probe, readout, metric, arm]
            scores.append(_score(about, means[arm], None, _interval(about.unit, means[arm], bootstrap, seed)))
            for versus in arms[:position]:
                shared = [item for item in means[arm] if item in means[versus]]
                if shared:
                    mine, theirs = ([means[one][item] for item in shared] for one in (arm, versus))
                    shares = about.unit == "share" and all(0 <= value <= 1 for value in (*mine, *theirs))
                    paired = paired_shares if shares else paired_bootstrap
                    difference = paired(mine, theirs, bootstrap, seed)
                    scores.append(_score(about, dict.fromkeys(shared, 0.0), versus, difference))
    return _with_failures(scores)


def _interval(unit: str, values: Cell, bootstrap: int, seed: int) -> Interval:
    column = list(values.values())
    if unit == "share" and all(0 <= value <= 1 for value in column):
        return wilson(float(np.mean(column)), len(column))
    return bootstrap_mean(column, bootstrap, seed)


def _score(about: Measure, values: Cell, versus: str | None, interval: Interval) -> Score:
    return Score(
        arm=about.arm,
        checkpoint=about.checkpoint,
        group=about.probe,
        style=about.readout,
        metric=about.metric,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=len(values),
        unit=about.unit,
        versus=versus,
    )


def _with_failures(scores: list[Score]) -> list[Score]:
    """Scores of verdicts carry the share that could not be read; what is unclear has a score of its own beside it."""
    unread = {
        (score.arm, score.group, score.style): score.value
        for score in scores
        if score.metric == "unparsed" and score.versus is None
    }
    return [
        score.model_copy(update={"parse_failures": unread[score.arm, score.group, score.style]})
        if (score.arm, score.group, score.style) in unread and score.versus is None
        else score
        for score in scores
    ]
