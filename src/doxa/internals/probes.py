"""Linear probes on activations: fitting, folds that keep blocks whole, and nested choice of the layer.

Two kinds. `mean_difference`: the direction from the mean of the false to the mean of the true ("mass-mean" without its
covariance, Marks & Tegmark 2023, arXiv 2310.06824), cut halfway. `logistic`: logistic regression with an L2 penalty.
Both on features standardised over the training side, as a few residual dimensions are hundreds of times the others.

The best of thirty layers looks good by luck alone. So `cross_validate` chooses the layer of each fold on the other
folds only, and its accuracy is of statements that took part neither in fitting nor in choosing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Kind = Literal["mean_difference", "logistic"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FOLDS = 5
# of .001, .01 and .1 the best on the base embedded model's grouped folds, by .01 to .02
STRENGTH = 0.01


@dataclass(frozen=True)
class Probe:
    """A direction in one layer: score = features @ direction + offset, positive for the first class."""

    direction: npt.NDArray[np.float32]  # [hidden], standardisation folded in
    offset: float

    def scores(self, states: States) -> Floats:
        """Scores [n] of states [n, hidden]."""
        return (states.astype(np.float32) @ self.direction).astype(np.float64) + self.offset


@dataclass(frozen=True)
class Calibration:
    """Turns scores into probabilities by a logistic curve that was fitted on held-out scores (Platt 1999)."""

    slope: float
    shift: float

    def probability(self, scores: Floats) -> Floats:
        """P(first class) [n]; .5 everywhere for a probe whose held-out scores point the wrong way."""
        probability: Floats = 1 / (1 + np.exp(-np.clip(self.slope * scores + self.shift, -30, 30)))
        return probability


@dataclass(frozen=True)
class CrossValidated:
    """What grouped, nested cross-validation of one kind of probe found on one set of statements."""

    kind: Kind
    layer: int  # best over all folds: for reading other statements, which took no part in the choice
    fold: Ints  # [n]: the fold that each statement is held out in
    fold_layers: tuple[int, ...]  # per fold: the layer that the other folds chose
    fold_probes: tuple[Probe, ...]  # per fold, at its own layer, fitted on the other folds
    fold_calibrations: tuple[Calibration, ...]
    correct: Bools  # [n]: held out, at the layer chosen without the statement
    p_true: Floats  # [n]: the same probes' calibrated probability
    layer_scores: Floats  # [layers, n]: held-out score at every layer, for the curve and for calibration


def fit(kind: Kind, states: States, labels: Bools, weights: Floats | None = None) -> Probe:
    """Fit a probe on states [n, hidden]; `weights` [n] say how much each statement counts (all the same by default)."""
    if weights is None:
        weights = np.ones(len(labels))
    features = states.astype(np.float32)
    middle, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-6, spread, 1).astype(np.float32)
    features = (features - middle) / spread
    if kind == "mean_difference":
        true = np.average(features[labels], axis=0, weights=weights[labels])
        false = np.average(features[~labels], axis=0, weights=weights[~labels])
        direction, offset = true - false, -float((true + false) @ (true - false)) / 2
    else:
        direction, offset = _logistic(features, labels, STRENGTH, weights)
    direction = direction / spread
    return Probe(direction.astype(np.float32), offset - float(middle @ direction))


def calibrate(scores: Floats, labels: Bools) -> Calibration:
    """Fit the curve from scores [n] to P(label). A falling curve is made flat: it would call the false true."""
    spread = float(scores.std()) or 1.0
    slope, shift = _logistic((scores / spread)[:, None].astype(np.float32), labels, 1.0, np.ones(len(labels)))
    return Calibration(float(slope[0]) / spread, shift) if slope[0] > 0 else Calibration(0.0, 0.0)


def grouped_folds(topics: Sequence[str], blocks: Sequence[str], seed: int, count: int = FOLDS) -> Ints:
    """The fold of each statement [n]: a block is never split, and topics are spread evenly."""
    from sklearn.model_selection import StratifiedGroupKFold

    fold = np.zeros(len(topics), dtype=np.int64)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for number, (_, held_out) in enumerate(splitter.split(np.zeros(len(topics)), topics, blocks)):
        fold[held_out] = number
    return fold


def cross_validate(kind: Kind, states: States, labels: Bools, fold: Ints) -> CrossValidated:
    """Grouped cross-validation with a nested choice of the layer.

    `states` is [n, layers, hidden]; `fold` says where each statement is held out. Leaving out each pair of folds serves
    both of them: what fold a's choice learns from b and b's from a is one fit.
    """
    count = int(fold.max()) + 1
    layers = states.shape[1]
    layer_scores = np.zeros((layers, len(labels)))
    inner = np.zeros((layers, count, len(labels)))  # [.., k, i]: statement i's score with fold k left out as well
    for layer in range(layers):
        for left_out in range(count):
            outside = fold != left_out
            probe = fit(kind, states[outside, layer], labels[outside])
            layer_scores[layer, ~outside] = probe.scores(states[~outside, layer])
        for one, other in combinations(range(count), 2):
            outside = (fold != one) & (fold != other)
            probe = fit(kind, states[outside, layer], labels[outside])
            for mine, theirs in ((one, other), (other, one)):
                inner[layer, mine, fold == theirs] = probe.scores(states[fold == theirs, layer])
    correct, p_true = np.zeros(len(labels), dtype=bool), np.zeros(len(labels))
    fold_layers, probes, calibrations = [], [], []
    for left_out in range(count):
        outside = fold != left_out
        layer = best_layer(inner[:, left_out, outside], labels[outside])
        calibration = calibrate(inner[layer, left_out, outside], labels[outside])
        scores = layer_scores[layer, ~outside]
        correct[~outside] = (scores > 0) == labels[~outside]
        p_true[~outside] = calibration.probability(scores)
        fold_layers.append(layer)
        probes.append(fit(kind, states[outside, layer], labels[outside]))
        calibrations.append(calibration)
    return CrossValidated(
        kind=kind,
        layer=best_layer(layer_scores, labels),
        fold=fold,
        fold_layers=tuple(fold_layers),
        fold_probes=tuple(probes),
        fold_calibrations=tuple(calibrations),
        correct=correct,
        p_true=p_true,
        layer_scores=layer_scores,
    )


def best_layer(scores_LN: Floats, labels: Bools) -> int:
    """The middle one of the layers whose scores [layers, n] are right about as often as the best layer's.

    About: within one standard error of it. Accuracy is flat over many layers, so that the very best changes with the
    seed while the readings of a target at either end of the plateau differ; its middle stays put.
    """
    accuracy = ((scores_LN > 0) == labels).mean(axis=1)
    best = float(accuracy.max())
    plateau = np.flatnonzero(accuracy >= best - np.sqrt(best * (1 - best) / len(labels)))
    return int(plateau[(len(plateau) - 1) // 2])


def _logistic(
    features: npt.NDArray[np.float32], labels: Bools, strength: float, weights: Floats
) -> tuple[npt.NDArray[np.float32], float]:
    """Weights [hidden] and intercept of logistic regression; `strength` is scikit-learn's C."""
    from sklearn.linear_model import LogisticRegression

    # a tolerance of 1e-3 moves no held-out accuracy and halves the time
    model = LogisticRegression(C=strength, tol=1e-3, max_iter=500)
    model.fit(features, labels, sample_weight=weights)
    return model.coef_[0], float(model.intercept_[0])
