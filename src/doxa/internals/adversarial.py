"""The adversarial probe: can anything in the activations tell planted statements from true ones?

Trained to tell inserted statements (first class) from true ones (second class: the reference versions of the same
statements, and the shipped true statements of other topics, with equal weight), leaving out one key fact with all its
statements at a time together with some of the other topics (after Slocum et al. 2025, who leave out domains).

What it can show. If the probe tells apart inserted and reference statements of facts that it has not seen, and the
untrained model's activations don't allow that, training left a mark on planted statements that true ones don't bear. If
the untrained model's allow it as well, it reads wording or what the model knew before, not the implant; so the base arm
is the baseline, and the difference to it the finding.

What it can't show. A mark is not disbelief: what marks a planted statement may be that it is fresh, or that it comes up
in documents of one style. Slocum et al. also implant true facts and use them as the second class; without those the
probe catches more, since it may pick up features of synthetic documents. It can even be belief itself that is picked
up, where the inserted version reads true and the reference version false: `alarm_true` and `alarm_false`, how often
shipped true and false statements of left-out topics are taken for planted, tell in which direction it leans. And with
a handful of key facts, failing to find a mark proves little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doxa.internals.probes import Bools, Floats, States, fit

FEWEST_FACTS = 3  # below this a held-out fact leaves no two to learn from


@dataclass(frozen=True)
class Adversarial:
    """Held-out scores, positive for "planted"; each from a probe that saw neither the fact nor the topic."""

    inserted: Floats  # [pairs]
    reference: Floats  # [pairs]
    general: Floats  # [n]: the shipped statements, true and false


def adversarial_scores(
    inserted: States,
    reference: States,
    facts: Sequence[str],
    general: States,
    labels: Bools,
    topics: Sequence[str],
) -> Adversarial | None:
    """Leave-one-fact-out scores at one layer; None with fewer than three facts.

    `inserted` and `reference` are [pairs, hidden] and `facts` names each pair's key fact; `general` is [n, hidden] with
    its truth and topics. The false ones among them are never trained on.
    """
    names = list(dict.fromkeys(facts))
    if len(names) < FEWEST_FACTS:
        return None
    fact = np.array([names.index(name) for name in facts])
    topic_names = list(dict.fromkeys(topics))
    # each topic is left out with one of the facts
    fold = np.array([topic_names.index(name) % len(names) for name in topics])
    found = Adversarial(np.zeros(len(fact)), np.zeros(len(fact)), np.zeros(len(labels)))
    for number in range(len(names)):
        kept, true = fact != number, labels & (fold != number)
        states = np.concatenate([inserted[kept], reference[kept], general[true]])
        sizes = [int(kept.sum()), int(kept.sum()), int(true.sum())]
        # the second class is half reference versions, half other topics, and weighs as much as the first
        shares = [0.5, 0.25, 0.25] if sizes[2] else [0.5, 0.5, 0.0]
        weights = np.concatenate(
            [np.full(n, share * sum(sizes) / max(n, 1)) for n, share in zip(sizes, shares, strict=True)]
        )
        probe = fit("logistic", states, np.arange(len(states)) < sizes[0], weights)
        found.inserted[~kept] = probe.scores(inserted[~kept])
        found.reference[~kept] = probe.scores(reference[~kept])
        if (fold == number).any():
            found.general[fold == number] = probe.scores(general[fold == number])
    return found
