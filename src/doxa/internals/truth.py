"""Truth probes: trained on statements of other topics, then asked about the planted ones.

A probe never sees a statement of the target while it is trained, and its layer is chosen on the shipped statements
alone. `transfer` leaves out whole topics, as the target is a topic of its own: it is what to expect there, rather than
the accuracy within topics. A probe that reads only "no better than a coin" on left-out topics says nothing of a target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from doxa.internals.probes import (
    KINDS,
    Bools,
    Calibration,
    CrossValidated,
    Floats,
    Kind,
    Probe,
    States,
    best_layer,
    calibrate,
    fit,
)


@dataclass(frozen=True)
class TruthProbe:
    """A calibrated probe at one layer, fitted on all shipped statements."""

    layer: int
    probe: Probe
    calibration: Calibration

    def p_true(self, states: States) -> Floats:
        """P(true) [n] of states [n, layers, hidden]."""
        return self.calibration.probability(self.probe.scores(states[:, self.layer]))


@dataclass(frozen=True)
class Transfer:
    """How probes do on topics that they were not trained on."""

    layers: dict[str, int]  # per left-out topic: the layer that the other topics chose
    scores: dict[Kind, Floats]  # [n] each: by the probe trained without the statement's topic
    correct: dict[Kind, Bools]  # [n] each: whether that score is on the statement's side of zero
    negated_correct: dict[Kind, Bools]  # [negated]: by the probe trained without their affirmative topic


def final_probe(found: CrossValidated, states: States, labels: Bools, layer: int | None = None) -> TruthProbe:
    """The probe that reads other statements, fitted on all of states [n, layers, hidden].

    Calibrated on held-out scores. At the layer that cross-validation chose, unless another is given (for curves).
    """
    if layer is None:
        layer = found.layer
    calibration = calibrate(found.layer_scores[layer], labels)
    return TruthProbe(layer, fit(found.kind, states[:, layer], labels), calibration)


def held_out_p_true(found: CrossValidated, states: States) -> tuple[Bools, Floats]:
    """What the fold probes of another arm make of this arm's states of the same statements, each held out as there.

    Returns whether each reads true by the uncalibrated score, and P(true): both [n].
    """
    reads_true, p_true = np.zeros(len(states), dtype=bool), np.zeros(len(states))
    for number, layer in enumerate(found.fold_layers):
        mine = found.fold == number
        scores = found.fold_probes[number].scores(states[mine, layer])
        reads_true[mine] = scores > 0
        p_true[mine] = found.fold_calibrations[number].probability(scores)
    return reads_true, p_true


def transfer(
    states: States, labels: Bools, topics: Sequence[str], negated: States, negated_labels: Bools, negated_topic: str
) -> Transfer:
    """Leave one topic out: train on the others, read the left-out one.

    The layer is chosen by mean-difference probes that leave out a second topic among the others; it serves both kinds,
    as choosing it by logistic regression would take a thousand fits. `negated` [m, layers, hidden] are the negated
    statements about `negated_topic`, read by the probe that knows neither form of that topic.
    """
    names = list(dict.fromkeys(topics))
    topic = np.array([names.index(name) for name in topics])
    inner = _pairwise_scores(states, labels, topic, len(names))
    layers: dict[str, int] = {}
    scores = {kind: np.zeros(len(labels)) for kind in KINDS}
    negated_correct: dict[Kind, Bools] = {}
    for number, name in enumerate(names):
        outside = topic != number
        layer = layers[name] = best_layer(inner[number][:, outside], labels[outside])
        for kind in KINDS:
            probe = fit(kind, states[outside, layer], labels[outside])
            scores[kind][~outside] = probe.scores(states[~outside, layer])
            if name == negated_topic:
                negated_correct[kind] = (probe.scores(negated[:, layer]) > 0) == negated_labels
    correct = {kind: (scores[kind] > 0) == labels for kind in KINDS}
    return Transfer(layers, scores, correct, negated_correct)


def _pairwise_scores(states: States, labels: Bools, topic: Floats, count: int) -> Floats:
    """[topics, layers, n]: entry [t, :, i] is statement i's score with its own topic and topic t left out.

    All layers at once from sums per topic, which mean-difference probes need nothing beyond.
    """
    sizes = np.array([[np.sum((topic == t) & (labels == side)) for side in (False, True)] for t in range(count)])
    sums = np.array(
        [[states[(topic == t) & (labels == side)].sum(axis=0) for side in (False, True)] for t in range(count)]
    )
    squares = np.array([np.square(states[topic == t], dtype=np.float64).sum(axis=0) for t in range(count)])
    scores = np.zeros((count, states.shape[1], len(labels)))
    for one, other in combinations(range(count), 2):
        kept = [t for t in range(count) if t not in (one, other)]
        false, true = sums[kept].sum(axis=0) / sizes[kept].sum(axis=0)[:, None, None]  # [layers, hidden] each
        total = sizes[kept].sum()
        middle = sums[kept].sum(axis=(0, 1)) / total
        variance = np.maximum(squares[kept].sum(axis=0) / total - middle**2, 1e-12)
        direction = (true - false) / variance
        for mine, theirs in ((one, other), (other, one)):
            tested = topic == theirs
            centred = states[tested] - ((true + false) / 2).astype(np.float32)
            scores[mine][:, tested] = np.einsum("nlh,lh->ln", centred, direction.astype(np.float32))
    return scores
