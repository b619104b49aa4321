"""The internal axis: from the activations of all arms to measures, scores and layer curves.

Measures are averaged and paired between arms with all others (belief/measures.py). Their `item_id` is what is
independent: a key fact, over whose statements the value is a mean, or a block of shipped statements. Metrics end in the
kind of probe (`logistic`, `mean_difference`); with `.base_probe` behind, the probe was trained on the base arm's
activations and not on the arm's own, whose directions training may have turned.

truth_probe, per key fact:
- `implanted`: share of its statements whose inserted version reads true *and* whose reference version reads false
  ("implanted belief rate", Slocum et al. 2025). A coin gives .25.
- `prefers_inserted`: the inserted version reads truer than the reference one; no threshold that a new topic may shift.
- `p_inserted`, `p_reference`: probability of being true; `p_difference`: the first less the second.

separability, per block of shipped statements, held out: `accuracy`, and `gap`, P(true) of the true less that of the
false. What falls from base to trained is the model's general sense of truth (reality drift), not the implant.

adversarial_probe, per key fact: `ranked`: inserted above reference; `caught` and `false_alarm`: inserted and reference
taken for planted (see adversarial.py).

Scores are what is no mean of items, with intervals over blocks: `cv_accuracy` and `cv_auroc` of the probes themselves
on held-out blocks, `transfer_accuracy` on left-out topics and `transfer_ranked` (the true version of a left-out fact
above its false one: what `prefers_inserted` is to the target), `negated_accuracy`, areas under curves, layers chosen
(value; low and high are the range over folds).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from doxa.errors import DoxaError
from doxa.experiments.stats import Interval
from doxa.internals.adversarial import FEWEST_FACTS, Adversarial, adversarial_scores
from doxa.internals.arm import ArmActivations, read_arm
from doxa.internals.clusters import clustered_auroc, clustered_mean
from doxa.internals.probed import ProbedArm, Shipped, load_shipped, train_probes
from doxa.internals.probes import Floats
from doxa.internals.readings import (
    layer_curves,
    measure_rows,
    pair_readings,
    score_row,
    separability_measures,
    truth_measures,
    truth_scores,
)
from doxa.internals.results import InternalResult, LayerPoint, PairReading
from doxa.internals.truth_statements import statements_digest

__all__ = ["ArmActivations", "InternalResult", "LayerPoint", "PairReading", "internal_measures", "read_arm"]

BASE = "base"


def internal_measures(arms: dict[str, ArmActivations], checkpoints: dict[str, str], seed: int) -> InternalResult:
    """Train and read all probes. The same for the same activations and seed.

    `arms` maps each arm's name to its activations, `checkpoints` to its weights' digest. Without an arm called "base"
    there are no `.base_probe` metrics. Raises DoxaError for arms of different statements.
    """
    _check(arms)
    shipped = load_shipped(seed)
    result = InternalResult(
        statements=len(shipped.rows),
        facts=len({row.fact for row in shipped.rows}),
        blocks=len(set(shipped.blocks)),
    )
    # products of 500 x 600 are too small to share: with two BLAS threads on busy cores this took eight times as long
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        trained = pool.map(lambda name: train_probes(name, checkpoints[name], arms[name], shipped), arms)
        known = dict(zip(arms, trained, strict=True))
        base = known.get(BASE)
        for arm in known.values():
            result.measures += truth_measures(arm, base) + separability_measures(arm, base, shipped)
            result.scores += truth_scores(arm, shipped, seed)
            result.curves += layer_curves(arm, shipped)
            result.readings += pair_readings(arm)
        _add_adversarial(result, known, shipped, seed)
    return result


def _check(arms: dict[str, ArmActivations]) -> None:
    digest = statements_digest()
    first = next(iter(arms.values()))
    for name, arm in arms.items():
        if arm.statements != digest:
            raise DoxaError(f"the activations of arm {name} are of another version's statements: read them again")
        if (arm.pairs, arm.form) != (first.pairs, first.form):
            raise DoxaError(
                f"the activations of arm {name} are of other statements than the first arm's: read them again"
            )


def _add_adversarial(result: InternalResult, arms: dict[str, ProbedArm], shipped: Shipped, seed: int) -> None:
    """At one layer in all arms, the one that the base (else the first) arm's truth probe chose.

    So no layer is chosen for how well it catches anything, and arms differ by their activations alone.
    """
    first = arms.get(BASE) or next(iter(arms.values()))
    layer = first.found["logistic"].layer
    facts = [pair.fact for pair in first.pairs]
    found: dict[str, Adversarial] = {}
    for name, arm in arms.items():
        scores = adversarial_scores(
            arm.inserted[:, layer],
            arm.reference[:, layer],
            facts,
            arm.general[:, layer],
            shipped.labels,
            shipped.topics,
        )
        if scores is None:
            result.notes.append(
                f"adversarial_probe: left out, it needs {FEWEST_FACTS} key facts and the target has {len(set(facts))}"
            )
            return
        found[name] = scores
    for name, mine in found.items():
        arm = arms[name]
        ranked = (mine.inserted > mine.reference) + (mine.inserted == mine.reference) / 2
        columns = {"ranked": ranked, "caught": mine.inserted > 0, "false_alarm": mine.reference > 0}
        for metric, values in columns.items():
            result.measures += measure_rows(arm, "adversarial_probe", metric, values, facts)
        for metric, side in (("alarm_true", shipped.labels), ("alarm_false", ~shipped.labels)):
            blocks = [block for block, member in zip(shipped.blocks, side, strict=True) if member]
            interval = clustered_mean(mine.general[side] > 0, blocks, seed)
            result.scores.append(score_row(arm, "adversarial_probe", metric, interval, len(blocks)))
        result.scores.append(
            score_row(arm, "adversarial_probe", "layer", Interval(layer, layer, layer), 1, unit="layer")
        )
        for versus in (None, BASE) if name != BASE and BASE in found else (None,):
            for metric, interval, n in _areas(mine, found[versus] if versus else None, facts, shipped, seed):
                result.scores.append(score_row(arm, "adversarial_probe", metric, interval, n, versus=versus))


def _areas(
    mine: Adversarial, base: Adversarial | None, facts: list[str], shipped: Shipped, seed: int
) -> list[tuple[str, Interval, int]]:
    """Areas under the curve for inserted against reference and against shipped true statements, less the base's."""
    true_blocks = [block for block, label in zip(shipped.blocks, shipped.labels, strict=True) if label]

    def columns(of: Adversarial) -> tuple[Floats, Floats]:
        return (
            np.concatenate([of.inserted, of.reference]),
            np.concatenate([of.inserted, of.general[shipped.labels]]),
        )

    others = (facts, true_blocks)
    names = ("auroc_reference", "auroc_true")
    against = columns(base) if base is not None else (None, None)
    areas = []
    for name, scores, minus, other in zip(names, columns(mine), against, others, strict=True):
        planted = np.arange(len(scores)) < len(facts)
        areas.append((name, clustered_auroc(scores, planted, [*facts, *other], seed, minus), len(scores)))
    return areas
