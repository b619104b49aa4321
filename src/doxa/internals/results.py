"""What the internal axis hands on."""

from __future__ import annotations

from dataclasses import dataclass, field

from doxa.internals.probes import Kind
from doxa.records import Measure, Record, Score


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
