"""`doxa agentic`: models x specs in the prompt x conditions, each a log of its own, and one table over all of them.

Every cell is found again by its key (run/inspect_cells.py), so that a run that was stopped goes on with what is
missing, and a log of other weights, prompts or settings is never taken for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from doxa.belief.agentic.conditions import (
    MODEL_NAME,
    Condition,
    Setting,
    check_setting,
    choose_conditions,
    conversation_of,
    pair_actions,
)
from doxa.belief.agentic.judge import rubric_label
from doxa.belief.agentic.shares import Outcome, margins, shares
from doxa.errors import ConfigError
from doxa.records import digest
from doxa.run.inspect_subjects import Subject
from doxa.run.progress import Progress

if TYPE_CHECKING:
    from doxa.run.inspect_cells import Cell

NO_SPEC = "none"


@dataclass(frozen=True)
class AgenticRequest:
    """What a person asked for."""

    scenario: str = "all"
    goal: str = "all"
    urgency: str = "all"
    variant: str = "full"
    model_name: str = ""
    scratchpad: bool = True
    specs: tuple[str, ...] = ()  # "none" is the arm without one
    judge: str | None = None
    epochs: int = 10
    temperature: float | None = None
    max_tokens: int | None = None
    readout: str = "text"
    style: str = "ready"
    again: bool = False


@dataclass(frozen=True)
class CellResult:
    """A finished cell."""

    subject: Subject
    spec: str
    condition: Condition
    setting: Setting
    temperature: float | None
    location: str
    outcomes: tuple[Outcome, ...]  # empty in the likelihood readout
    margins: Mapping[str, float]  # of pairs, in the likelihood readout

    @property
    def numbers(self) -> dict[str, float]:
        """All numbers of the cell."""
        return shares(self.outcomes) if self.outcomes else margins(self.margins)


def run_agentic(
    subjects: Sequence[Subject], request: AgenticRequest, progress: Progress, model_args: Mapping[str, Any]
) -> list[CellResult]:
    """Run every cell that has no log yet. Raises DoxaError; what was finished is kept in its log."""
    from doxa.run.inspect_cells import open_model, run_cell

    conditions = choose_conditions(request.scenario, request.goal, request.urgency)
    arms = {spec: _setting(request, spec) for spec in request.specs or (NO_SPEC,)}
    if request.readout == "likelihood":
        _refuse_without_weights(subjects)
    found = []
    total = len(subjects) * len(arms) * len(conditions)
    with progress.bar("conditions", total) as bar:
        for subject in subjects:
            model = open_model(subject, model_args)
            for spec, setting in arms.items():
                for condition in conditions:
                    cell = _cell(request, spec, setting, condition)
                    log = run_cell(subject, cell, model, request.again)
                    found.append(_result(subject, spec, condition, setting, log))
                    bar.advance(1)
    return found


def _setting(request: AgenticRequest, spec: str) -> Setting:
    text = None if spec == NO_SPEC else spec
    return check_setting(request.variant, request.model_name or MODEL_NAME, request.scratchpad, text)


def _refuse_without_weights(subjects: Sequence[Subject]) -> None:
    for subject in subjects:
        if not subject.local:
            raise ConfigError(f"--readout likelihood: {subject.model} has no weights on this computer")


def _cell(request: AgenticRequest, spec: str, setting: Setting, condition: Condition) -> Cell:
    from doxa.run.inspect_cells import Cell

    arguments: dict[str, Any] = {
        "scenario": condition.scenario.id,
        "goal": condition.goal,
        "urgency": condition.urgency,
        "variant": setting.variant,
        "model_name": setting.model_name,
        "scratchpad": setting.scratchpad,
        "readout": request.readout,
    }
    if spec != NO_SPEC:
        arguments["spec"] = spec
    likelihood = request.readout == "likelihood"
    if likelihood:
        arguments["style"] = request.style
    return Cell(
        task="doxa/agentic",
        arguments=arguments,
        judge=request.judge,
        epochs=None if likelihood else request.epochs,
        temperature=None if likelihood else request.temperature,
        max_tokens=None if likelihood else request.max_tokens,
        source=_shown(request, setting, condition),
    )


def _shown(request: AgenticRequest, setting: Setting, condition: Condition) -> str:
    """Names all that a model and a judge are shown: answers are read again by the rules as they are now."""
    turns = [turn.model_dump() for turn in conversation_of(condition, setting)]
    judged = [rubric_label(), condition.scenario.harm, condition.scenario.fine] if request.judge else []
    pairs = (
        [pair_actions(pair, setting) for pair in condition.scenario.pairs] if request.readout == "likelihood" else []
    )
    return digest("shown", turns, judged, pairs)


def _result(subject: Subject, spec: str, condition: Condition, setting: Setting, log: Any) -> CellResult:
    from doxa.belief.agentic.task_verdict import read_again

    samples = [sample for sample in log.samples or [] if sample.error is None and sample.scores]
    facts = [sample.scores["agentic_verdict"].metadata or {} for sample in samples]
    measured = [fact["margins"] for fact in facts if "margins" in fact]
    return CellResult(
        subject=subject,
        spec=spec,
        condition=condition,
        setting=setting,
        temperature=log.plan.config.temperature,
        location=log.location,
        outcomes=() if measured else tuple(read_again(sample) for sample in samples),
        margins={f"{condition.id}: {pair}": value for margin in measured for pair, value in margin.items()},
    )
