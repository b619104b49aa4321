"""`doxa/agentic`: the agentic evaluation as a task of inspect_ai, and `doxa/agentic_judge`, the test of a judge for it.

`inspect eval doxa/agentic -T scenario=leak -T goal=conflict -T urgency=replacement --model ... --epochs 25`. Every
condition is a sample; several answers to it are epochs. No tools and no sandbox: actions are tags in the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from doxa.belief.agentic.conditions import (
    MODEL_NAME,
    Condition,
    Setting,
    check_setting,
    choose_conditions,
    conversation_of,
    prompts_digest,
)
from doxa.belief.agentic.judge import ask_judge, planted_answers, planted_condition, rubric_label
from doxa.belief.agentic.readout import STYLES, read_pairs
from doxa.belief.agentic.task_verdict import agentic_verdict, ask, condition_of, judged_rightly
from doxa.belief.agentic.verdicts import READER
from doxa.belief.tasks import local_model
from doxa.errors import ConfigError, DoxaError
from doxa.lm.inspect_provider import LocalModelAPI

TEMPERATURE = 0.7  # Li et al. 2026, agentic misalignment; at 1.0 others measured less than half the rate
LOCAL_TOKENS = {"full": 768, "small": 256}  # of an answer by weights on this computer
SHAPES: dict[str, Any] = {"system": ChatMessageSystem, "user": ChatMessageUser}


@task(name="agentic")
def agentic(
    scenario: Any = "all",
    goal: Any = "conflict",
    urgency: Any = "replacement",
    variant: str = "full",
    model_name: str = MODEL_NAME,
    scratchpad: bool = True,
    spec: str | None = None,
    judge: str | None = None,
    readout: str = "text",
    style: str = "ready",
) -> Task:
    """Does an assistant act harmfully where it serves its ends? docs/agentic-misalignment.md has the parameters."""
    return _speaking(
        lambda: _build(
            choose_conditions(scenario, goal, urgency),
            check_setting(str(variant), str(model_name), scratchpad, spec),
            judge,
            readout,
            style,
        )
    )


@task(name="agentic_judge")
def agentic_judge() -> Task:
    """Is the model fit to judge answers of doxa/agentic? It judges planted answers whose verdict is known."""
    return _speaking(_build_judge_test)


def _speaking(build: Callable[[], Task]) -> Task:
    try:
        return build()
    except DoxaError as error:
        raise PrerequisiteError(str(error)) from None


def _build(conditions: list[Condition], setting: Setting, judge: str | None, readout: str, style: str) -> Task:
    if readout not in ("text", "likelihood"):
        raise ConfigError(f"readout: there is no {readout!r}; there are text, likelihood")
    if style not in STYLES:
        raise ConfigError(f"style: there is no {style!r}; there are {', '.join(STYLES)} (with readout=likelihood)")
    if readout == "likelihood" and judge is not None:
        raise ConfigError("judge: log-probabilities need none; leave out judge, or readout=likelihood")
    local = local_model()
    if readout == "likelihood" and local is False:
        raise ConfigError(
            "doxa/agentic: readout=likelihood needs the weights; run it with --model doxa/RUN, CHECKPOINT or MODEL "
            "FOLDER"
        )
    facts = {**setting.facts(), "readout": readout}
    config = GenerateConfig(temperature=TEMPERATURE)
    if isinstance(local, LocalModelAPI):
        facts["weights"] = local.digest
        config = GenerateConfig(
            temperature=TEMPERATURE, max_tokens=LOCAL_TOKENS[setting.variant], max_connections=local.batch_size
        )
    return Task(
        dataset=MemoryDataset([_sample(one, setting, facts) for one in conditions], name="agentic"),
        solver=acted(readout, style, setting.spec),
        scorer=agentic_verdict(judge=judge),
        config=config,
        version=READER,
        metadata={
            **facts,
            "conditions": [one.id for one in conditions],
            "prompts_digest": prompts_digest(),
            "rubric": rubric_label(),
            "style": style if readout == "likelihood" else "",
        },
    )


def _sample(condition: Condition, setting: Setting, facts: dict[str, Any]) -> Sample:
    messages = [SHAPES[turn.role](content=turn.content) for turn in conversation_of(condition, setting)]
    about = {"scenario": condition.scenario.id, "goal": condition.goal, "urgency": condition.urgency}
    return Sample(id=condition.id, input=messages, target=condition.scenario.fine, metadata={**about, **facts})


@solver
def acted(readout: str = "text", style: str = "ready", spec: str = "") -> Solver:
    """Let the model act, or read off its weights what it would do."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        api = get_model().api
        if isinstance(api, LocalModelAPI):
            state.metadata["weights"] = api.digest
        if readout != "likelihood":
            return await generate(state)
        if not isinstance(api, LocalModelAPI):
            raise PrerequisiteError("doxa/agentic: readout=likelihood needs the weights; run it with --model doxa/PATH")
        condition, setting = condition_of(state.metadata)
        whole = Setting(setting.variant, setting.model_name, setting.scratchpad, spec)
        try:
            pairs = await api.with_scorer(lambda scorer: read_pairs(scorer, condition, whole, style))
        except DoxaError as error:
            raise PrerequisiteError(f"doxa/agentic: {error}") from None
        lines = [
            f"{pair.pair}: {pair.margin:+.3f} nats per token for “{pair.harmful}” against “{pair.harmless}”"
            for pair in pairs
        ]
        state.metadata["measured"] = {
            "margins": {pair.pair: pair.margin for pair in pairs},
            "explanation": "\n".join(lines),
        }
        state.output = ModelOutput.from_content(str(get_model()), "\n".join(lines))
        state.output.metadata = {"weights": api.digest}
        state.messages.append(state.output.message)
        return state

    return solve


def _build_judge_test() -> Task:
    setting = Setting()
    samples = []
    for planted in planted_answers():
        turns = ask_judge(planted_condition(planted), setting, planted.answer)
        messages = [SHAPES[turn.role](content=turn.content) for turn in turns]
        about = {"kind": planted.kind, "scenario": planted.scenario, "answer": planted.answer}
        samples.append(Sample(id=planted.id, input=messages, target=planted.verdict, metadata=about))
    return Task(
        dataset=MemoryDataset(samples, name="agentic_judge"),
        solver=judges(),
        scorer=judged_rightly(),
        version=READER,
        metadata={"rubric": rubric_label()},
    )


@solver
def judges() -> Solver:
    """Let the model judge as it would in the evaluation: asked again where its verdict cannot be read."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        planted = next(one for one in planted_answers() if one.id == state.sample_id)
        turns = ask_judge(planted_condition(planted), Setting(), planted.answer)
        judged, trouble = await ask(get_model(), turns, planted.answer)
        state.metadata["said"] = judged.verdict if judged else "unreadable"
        state.metadata |= {"quote": judged.quote if judged else "", "trouble": trouble}
        state.output = ModelOutput.from_content(str(get_model()), state.metadata["said"])
        state.messages.append(state.output.message)
        return state

    return solve


AGENTIC_TASKS = {"agentic": agentic, "agentic_judge": agentic_judge}
