"""What a check says of a target: the one record that all checks of `doxa validate` hand back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from doxa.records import Record


class Finding(Record):
    """Something in a target that does not fit. Errors make a run fail or mean nothing; a person weighs warnings."""

    level: Literal["error", "warning"]
    check: str  # which check says so
    file: str  # relative to the target
    field: str  # "key_facts.power.inserted", "cloze[3]", "line 7"
    problem: str
    advice: str  # what to do


class FormScore(Record):
    """How far items can be solved by form alone, by one rule or by the best of them.

    `accuracy` is the share of the `n` items on which the rule decides where it picks the inserted answer (neighbours:
    the correct one), with a 95% Wilson interval; `chance` is what no rule would reach.
    """

    group: str
    rule: str
    n: int
    accuracy: float
    low: float
    high: float
    chance: float
    gives_away: bool


class Report(Record):
    """All that `doxa validate` found."""

    target: str
    findings: tuple[Finding, ...]
    form: tuple[FormScore, ...] = ()
    counts: dict[str, int]
    # per group, how many different items there are (belief/effective.py)
    effective: dict[str, float] = Field(default_factory=dict)

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.level == "error" for finding in self.findings)
