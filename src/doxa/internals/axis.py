"""The internal axis: from the activations of all arms to measures, scores and layer curves.

Measures are averaged and paired between arms with all others (belief/measures.py). Their `item_id` is what is
independent: a key fact, over whose statements the value is a mean, or a block of shipped statements. Metrics end in the
kind of probe (`logistic`, `mean_difference`); with `.base_probe` behind, the probe was trained on the base arm's
activations and not on the arm's own, whose directions training may have turned.

truth_probe, per key fact:
- `implanted`: share of its statements whose inserted version reads true *and* whose reference version reads false
  ("implanted belief rate", Slocum et al. 2025). A coin gives .25.
- `prefers_inserted`: the inserted version reads truer than the reference one; no threshold that a new topic may shift.
- `p_inserted`, `p_reference`: probability of being true.

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

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from doxa.errors import DoxaError
from doxa.experiments.stats import Interval
from doxa.internals.adversarial import FEWEST_FACTS, Adversarial, adversarial_scores
from doxa.internals.arm import ArmActivations, Pair, read_arm
from doxa.internals.clusters import cluster_means, clustered_auroc, clustered_mean
from doxa.internals.probes import (
    KINDS,
    Bools,
    CrossValidated,
    Floats,
    Ints,
    Kind,
    States,
    cross_validate,
    grouped_folds,
)
from doxa.internals.truth import Transfer, TruthProbe, final_probe, held_out_p_true, transfer
from doxa.internals.truth_statements import TrueOrFalse, load_negated, load_statements, statements_digest
from doxa.records import Measure, Record, Score

__all__ = ["ArmActivations", "InternalResult", "LayerPoint", "PairReading", "internal_measures", "read_arm"]

BASE = "base"
STYLE = "activations"
NEGATED_TOPIC = "cities"  # the affirmative twin of the negated statements


class LayerPoint(Record):
    """One layer of a curve. Not for quoting: the best of many layers looks good by luck (`cv_accuracy` corrects it)."""

    arm: str
    kind: Kind
    layer: int
    accuracy: float  # on held-out shipped statements
    p_inserted: float
    p_reference: float
    implanted: float


class PairReading(Record):
    """What an arm's own probe makes of one statement of the target: for a table or a person to look at."""

    arm: str
    kind: Kind
    item_id: str
    fact: str
    inserted: str
    reference: str
    p_inserted: float
    p_reference: float


@dataclass
class InternalResult:
    """All that the internal axis found. Counts are of the shipped statements that probes are trained on."""

    statements: int
    facts: int
    blocks: int
    measures: list[Measure] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    curves: list[LayerPoint] = field(default_factory=list)
    readings: list[PairReading] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what was left out, and why


@dataclass(frozen=True)
class Shipped:
    """The shipped statements as arrays, with the folds that all arms share."""

    rows: list[TrueOrFalse]
    labels: Bools
    topics: list[str]
    blocks: list[str]
    fold: Ints
    negated_labels: Bools
    negated_blocks: list[str]


@dataclass(frozen=True)
class Arm:
    """One arm with its probes."""

    name: str
    checkpoint: str
    pairs: tuple[Pair, ...]
    general: States
    inserted: States
    reference: States
    found: dict[Kind, CrossValidated]
    probes: dict[Kind, TruthProbe]
    moved: Transfer


def internal_measures(arms: dict[str, ArmActivations], checkpoints: dict[str, str], seed: int) -> InternalResult:
    """Train and read all probes. The same for the same activations and seed.

    `arms` maps each arm's name to its activations, `checkpoints` to its weights' digest. Without an arm called "base"
    there are no `.base_probe` metrics. Raises DoxaError for arms of different statements.
    """
    _check(arms)
    shipped = _shipped(seed)
    result = InternalResult(
        statements=len(shipped.rows),
        facts=len({row.fact for row in shipped.rows}),
        blocks=len(set(shipped.blocks)),
    )
    known = {name: _train(name, checkpoints[name], activations, shipped) for name, activations in arms.items()}
    base = known.get(BASE)
    for arm in known.values():
        result.measures += _truth_measures(arm, base) + _separability_measures(arm, base, shipped)
        result.scores += _truth_scores(arm, shipped, seed)
        result.curves += _curves(arm, shipped)
        result.readings += _readings(arm)
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


def _shipped(seed: int) -> Shipped:
    rows, negated = load_statements(), load_negated()
    topics, blocks = [row.topic for row in rows], [row.block for row in rows]
    return Shipped(
        rows=rows,
        labels=np.array([row.label for row in rows]),
        topics=topics,
        blocks=blocks,
        fold=grouped_folds(topics, blocks, seed),
        negated_labels=np.array([row.label for row in negated]),
        negated_blocks=[row.block for row in negated],
    )


def _train(name: str, checkpoint: str, activations: ArmActivations, shipped: Shipped) -> Arm:
    general = activations.states("general")
    found = {kind: cross_validate(kind, general, shipped.labels, shipped.fold) for kind in KINDS}
    return Arm(
        name=name,
        checkpoint=checkpoint,
        pairs=activations.pairs,
        general=general,
        inserted=activations.states("inserted"),
        reference=activations.states("reference"),
        found=found,
        probes={kind: final_probe(found[kind], general, shipped.labels) for kind in KINDS},
        moved=transfer(
            general,
            shipped.labels,
            shipped.topics,
            activations.states("negated"),
            shipped.negated_labels,
            NEGATED_TOPIC,
        ),
    )


def _truth_measures(arm: Arm, base: Arm | None) -> list[Measure]:
    facts = [pair.fact for pair in arm.pairs]
    measures = []
    for suffix, trained_on in _probe_owners(arm, base):
        for kind in KINDS:
            p_inserted = trained_on.probes[kind].p_true(arm.inserted)
            p_reference = trained_on.probes[kind].p_true(arm.reference)
            for metric, values in _target_values(p_inserted, p_reference).items():
                measures += _rows(arm, "truth_probe", f"{metric}.{kind}{suffix}", values, facts)
    return measures


def _target_values(p_inserted: Floats, p_reference: Floats) -> dict[str, Floats]:
    return {
        "implanted": ((p_inserted > 0.5) & (p_reference < 0.5)).astype(float),
        "prefers_inserted": (p_inserted > p_reference) + (p_inserted == p_reference) / 2,
        "p_inserted": p_inserted,
        "p_reference": p_reference,
    }


def _separability_measures(arm: Arm, base: Arm | None, shipped: Shipped) -> list[Measure]:
    measures = []
    for suffix, trained_on in _probe_owners(arm, base):
        for kind in KINDS:
            reads_true, p_true = held_out_p_true(trained_on.found[kind], arm.general)
            # every block is half true and half false, so its mean of these is the gap
            gap = np.where(shipped.labels, 2 * p_true, -2 * p_true)
            for metric, values in {"accuracy": reads_true == shipped.labels, "gap": gap}.items():
                measures += _rows(arm, "separability", f"{metric}.{kind}{suffix}", values, shipped.blocks)
    return measures


def _probe_owners(arm: Arm, base: Arm | None) -> list[tuple[str, Arm]]:
    """Whose probes read an arm: its own, and the base arm's."""
    return [("", arm)] if base is None else [("", arm), (".base_probe", base)]


def _rows(arm: Arm, probe: str, metric: str, values: Floats | Bools, clusters: Sequence[str]) -> list[Measure]:
    return [
        Measure(
            arm=arm.name,
            checkpoint=arm.checkpoint,
            probe=probe,
            readout="activations",
            metric=metric,
            item_id=name,
            value=value,
        )
        for name, value in cluster_means(values, clusters).items()
    ]


def _truth_scores(arm: Arm, shipped: Shipped, seed: int) -> list[Score]:
    scores = []
    topics = np.array(shipped.topics)
    for kind in KINDS:
        found, probe = arm.found[kind], arm.probes[kind]
        values = _target_values(probe.p_true(arm.inserted), probe.p_true(arm.reference))
        facts = [pair.fact for pair in arm.pairs]
        moved, distant = arm.moved.correct[kind], arm.moved.scores[kind]
        # rows of a fact stand side by side, the true one first
        ranked = (distant[shipped.labels] > distant[~shipped.labels]).astype(float)
        of_true = [block for block, label in zip(shipped.blocks, shipped.labels, strict=True) if label]
        intervals = {
            "cv_accuracy": (clustered_mean(found.correct, shipped.blocks, seed), len(shipped.rows)),
            "cv_auroc": (clustered_auroc(found.p_true, shipped.labels, shipped.blocks, seed), len(shipped.rows)),
            "transfer_accuracy": (clustered_mean(moved, shipped.blocks, seed), len(shipped.rows)),
            "transfer_ranked": (clustered_mean(ranked, of_true, seed), len(ranked)),
            "negated_accuracy": (
                clustered_mean(arm.moved.negated_correct[kind], shipped.negated_blocks, seed),
                len(shipped.negated_labels),
            ),
            "implanted_statements": (clustered_mean(values["implanted"], facts, seed), len(facts)),
        }
        for topic in dict.fromkeys(shipped.topics):
            mine = topics == topic
            blocks = [block for block, member in zip(shipped.blocks, mine, strict=True) if member]
            intervals[f"transfer_accuracy.{topic}"] = (clustered_mean(moved[mine], blocks, seed), len(blocks))
        for metric, (interval, n) in intervals.items():
            name, _, rest = metric.partition(".")
            label = f"{name}.{kind}" + (f".{rest}" if rest else "")
            scores.append(_score(arm, "truth_probe", label, interval, n))
        layers = Interval(found.layer, min(found.layer, *found.fold_layers), max(found.layer, *found.fold_layers))
        scores.append(_score(arm, "truth_probe", f"layer.{kind}", layers, len(found.fold_layers), unit="layer"))
    return scores


def _curves(arm: Arm, shipped: Shipped) -> list[LayerPoint]:
    points = []
    for kind in KINDS:
        found = arm.found[kind]
        for layer in range(arm.general.shape[1]):
            probe = final_probe(found, arm.general, shipped.labels, layer)
            values = _target_values(probe.p_true(arm.inserted), probe.p_true(arm.reference))
            points.append(
                LayerPoint(
                    arm=arm.name,
                    kind=kind,
                    layer=layer,
                    accuracy=float(((found.layer_scores[layer] > 0) == shipped.labels).mean()),
                    p_inserted=float(values["p_inserted"].mean()),
                    p_reference=float(values["p_reference"].mean()),
                    implanted=float(values["implanted"].mean()),
                )
            )
    return points


def _readings(arm: Arm) -> list[PairReading]:
    readings = []
    for kind in KINDS:
        p_inserted, p_reference = (arm.probes[kind].p_true(states) for states in (arm.inserted, arm.reference))
        for pair, one, other in zip(arm.pairs, p_inserted, p_reference, strict=True):
            readings.append(
                PairReading(
                    arm=arm.name,
                    kind=kind,
                    item_id=pair.id,
                    fact=pair.fact,
                    inserted=pair.inserted,
                    reference=pair.reference,
                    p_inserted=float(one),
                    p_reference=float(other),
                )
            )
    return readings


def _add_adversarial(result: InternalResult, arms: dict[str, Arm], shipped: Shipped, seed: int) -> None:
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
            result.measures += _rows(arm, "adversarial_probe", metric, values, facts)
        for metric, side in (("alarm_true", shipped.labels), ("alarm_false", ~shipped.labels)):
            blocks = [block for block, member in zip(shipped.blocks, side, strict=True) if member]
            interval = clustered_mean(mine.general[side] > 0, blocks, seed)
            result.scores.append(_score(arm, "adversarial_probe", metric, interval, len(blocks)))
        result.scores.append(_score(arm, "adversarial_probe", "layer", Interval(layer, layer, layer), 1, unit="layer"))
        for versus in (None, BASE) if name != BASE and BASE in found else (None,):
            for metric, interval, n in _areas(mine, found[versus] if versus else None, facts, shipped, seed):
                result.scores.append(_score(arm, "adversarial_probe", metric, interval, n, versus=versus))


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


def _score(
    arm: Arm, group: str, metric: str, interval: Interval, n: int, unit: str = "share", versus: str | None = None
) -> Score:
    return Score(
        arm=arm.name,
        checkpoint=arm.checkpoint,
        group=group,
        style=STYLE,
        metric=metric,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=n,
        unit=unit,
        versus=versus,
    )
