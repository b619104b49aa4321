"""Intervals of numbers whose statements come in blocks: blocks are drawn, with all that is in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from doxa.experiments.stats import Floats, Interval, percentile_interval, resample_weights

Bools = npt.NDArray[np.bool_]

DRAWS = 2_000


def clustered_mean(values: npt.ArrayLike, clusters: Sequence[str], seed: int) -> Interval:
    """Mean of `values` [n] with a percentile bootstrap interval over clusters."""
    column = np.asarray(values, dtype=np.float64)
    weights = resample_weights(len(set(clusters)), DRAWS, seed)
    member = _membership(clusters)
    return percentile_interval(float(column.mean()), (weights @ (member @ column)) / (weights @ member.sum(axis=1)))


def clustered_auroc(
    scores: Floats, labels: Bools, clusters: Sequence[str], seed: int, minus: Floats | None = None
) -> Interval:
    """Area under the ROC curve of `scores` [n] for `labels`, with a percentile bootstrap interval over clusters.

    With `minus`, the difference to the area under another arm's scores of the same statements. Ties count half. Draws
    that hold one class alone say nothing and are left out.
    """
    weights = resample_weights(len(set(clusters)), DRAWS, seed) @ _membership(clusters)
    wins = _wins(scores, labels) if minus is None else _wins(scores, labels) - _wins(minus, labels)
    of_true, of_false = weights[:, labels], weights[:, ~labels]
    pairs = of_true.sum(axis=1) * of_false.sum(axis=1)
    draws = ((of_true @ wins) * of_false).sum(axis=1)[pairs > 0] / pairs[pairs > 0]
    return percentile_interval(float(wins.mean()), draws)


def cluster_means(values: npt.ArrayLike, clusters: Sequence[str]) -> dict[str, float]:
    """The mean of each cluster, in order of first appearance."""
    column = np.asarray(values, dtype=np.float64)
    member = _membership(clusters)
    return dict(zip(dict.fromkeys(clusters), (member @ column / member.sum(axis=1)).tolist(), strict=True))


def _wins(scores: Floats, labels: Bools) -> Floats:
    """[true, false]: 1 where the true statement's score is above the false one's, a half where they tie."""
    true, false = scores[labels][:, None], scores[~labels][None, :]
    wins: Floats = (true > false) + (true == false) / 2
    return wins


def _membership(clusters: Sequence[str]) -> Floats:
    """[clusters, n]: 1 where the statement belongs to the cluster."""
    names = np.array(list(dict.fromkeys(clusters)))
    member: Floats = (names[:, None] == np.array(clusters)[None, :]).astype(np.float64)
    return member
