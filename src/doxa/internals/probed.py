"""An arm with its probes trained, on statements and folds that all arms share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from doxa.internals.arm import ArmActivations, Pair
from doxa.internals.probes import KINDS, Bools, CrossValidated, Ints, Kind, States, cross_validate, grouped_folds
from doxa.internals.truth import Transfer, TruthProbe, final_probe, transfer
from doxa.internals.truth_statements import TrueOrFalse, load_negated, load_statements

NEGATED_TOPIC = "cities"  # the affirmative twin of the negated statements


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
class ProbedArm:
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


def load_shipped(seed: int) -> Shipped:
    """The shipped statements, dealt into folds by `seed`."""
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


def train_probes(name: str, checkpoint: str, activations: ArmActivations, shipped: Shipped) -> ProbedArm:
    """Cross-validate, fit and calibrate both kinds of probes on an arm's own activations."""
    general = activations.states("general")
    found = {kind: cross_validate(kind, general, shipped.labels, shipped.fold) for kind in KINDS}
    return ProbedArm(
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
