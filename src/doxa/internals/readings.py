"""Probed arms -> rows: measures, scores, curves and readings of the truth probes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from doxa.experiments.stats import Interval
from doxa.internals.clusters import cluster_means, clustered_auroc, clustered_mean
from doxa.internals.probed import ProbedArm, Shipped
from doxa.internals.probes import KINDS, Bools, Floats
from doxa.internals.results import LayerPoint, PairReading
from doxa.internals.truth import final_probe, held_out_p_true
from doxa.records import Measure, Score

STYLE = "activations"


def truth_measures(arm: ProbedArm, base: ProbedArm | None) -> list[Measure]:
    """What the truth probes make of the target, per key fact."""
    facts = [pair.fact for pair in arm.pairs]
    measures = []
    for suffix, trained_on in _probe_owners(arm, base):
        for kind in KINDS:
            p_inserted = trained_on.probes[kind].p_true(arm.inserted)
            p_reference = trained_on.probes[kind].p_true(arm.reference)
            for metric, values in _target_values(p_inserted, p_reference).items():
                measures += measure_rows(arm, "truth_probe", f"{metric}.{kind}{suffix}", values, facts)
    return measures


def _target_values(p_inserted: Floats, p_reference: Floats) -> dict[str, Floats]:
    return {
        "implanted": ((p_inserted > 0.5) & (p_reference < 0.5)).astype(float),
        "prefers_inserted": (p_inserted > p_reference) + (p_inserted == p_reference) / 2,
        "p_inserted": p_inserted,
        "p_reference": p_reference,
        "p_difference": p_inserted - p_reference,
    }


def separability_measures(arm: ProbedArm, base: ProbedArm | None, shipped: Shipped) -> list[Measure]:
    """How far apart an arm holds shipped true and false statements, per block."""
    measures = []
    for suffix, trained_on in _probe_owners(arm, base):
        for kind in KINDS:
            reads_true, p_true = held_out_p_true(trained_on.found[kind], arm.general)
            # every block is half true and half false, so its mean of these is the gap
            gap = np.where(shipped.labels, 2 * p_true, -2 * p_true)
            for metric, values in {"accuracy": reads_true == shipped.labels, "gap": gap}.items():
                measures += measure_rows(arm, "separability", f"{metric}.{kind}{suffix}", values, shipped.blocks)
    return measures


def _probe_owners(arm: ProbedArm, base: ProbedArm | None) -> list[tuple[str, ProbedArm]]:
    """Whose probes read an arm: its own, and the base arm's."""
    return [("", arm)] if base is None else [("", arm), (".base_probe", base)]


def measure_rows(
    arm: ProbedArm, probe: str, metric: str, values: Floats | Bools, clusters: Sequence[str]
) -> list[Measure]:
    """One measure per cluster: the mean of its values [n]."""
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


def truth_scores(arm: ProbedArm, shipped: Shipped, seed: int) -> list[Score]:
    """How good the probes are: within topics, on left-out topics, on negated statements."""
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
            scores.append(score_row(arm, "truth_probe", label, interval, n))
        layers = Interval(found.layer, min(found.layer, *found.fold_layers), max(found.layer, *found.fold_layers))
        scores.append(score_row(arm, "truth_probe", f"layer.{kind}", layers, len(found.fold_layers), unit="layer"))
    return scores


def layer_curves(arm: ProbedArm, shipped: Shipped) -> list[LayerPoint]:
    """Accuracy and readings at every layer."""
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


def pair_readings(arm: ProbedArm) -> list[PairReading]:
    """Every statement of the target under the arm's own probes."""
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


def score_row(
    arm: ProbedArm, group: str, metric: str, interval: Interval, n: int, unit: str = "share", versus: str | None = None
) -> Score:
    """A score of the internal axis."""
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
