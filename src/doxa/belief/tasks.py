"""Every probe, and every axis, as a task of inspect_ai: `inspect eval doxa/distinguish -T target=... --model ...`.

A model that speaks is asked with the options in view, in rotating orders, and its words are read by rules or by a
judge. With weights on this computer (`--model doxa/PATH`) `-T readout=likelihood` compares the log-probabilities of the
answers instead, as `doxa depth` does; some probes have no other way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
    get_model,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver

from doxa.belief.axes import AXES, BY_NAME, PROBES
from doxa.belief.judge import RUBRIC_OF
from doxa.belief.prompts import STYLES
from doxa.belief.task_items import (
    ASKED,
    DOCTAG,
    MEASURED,
    WEIGHTS,
    Put,
    ask_puts,
    context_of,
    puts,
    refuse_unreadable,
    tasks_of,
)
from doxa.belief.task_scores import side_taken
from doxa.belief.world import World, load_world
from doxa.errors import ConfigError, DoxaError, TargetError
from doxa.lm.inspect_provider import LocalModelAPI
from doxa.worlds.universe import load_target

if TYPE_CHECKING:
    from doxa.belief.task_weights import Settings

LOCAL_TOKENS = 64  # of an answer by weights on this computer, as in the depth profile
SHAPES: dict[str, Any] = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


def _task(name: str) -> Callable[..., Task]:
    def build(
        target: str = "",
        samples: int | None = None,
        context: str = "none",
        judge: str | None = None,
        readout: str = "text",
        style: str = "chat",
        doctag: str = DOCTAG,
        seed: int = 0,
    ) -> Task:
        try:
            return _build(name, target, samples, context, judge, readout, style, doctag, seed)
        except DoxaError as error:
            raise PrerequisiteError(str(error)) from None

    about = BY_NAME[name].about if name in BY_NAME else AXES[name]
    build.__name__ = build.__qualname__ = name
    build.__doc__ = f"{about}\n\nSee docs/belief-depth.md for the parameters."
    registered: Callable[..., Task] = task(name=name)(build)
    return registered


def _build(
    name: str,
    target: str,
    samples: int | None,
    context: str,
    judge: str | None,
    readout: str,
    style: str,
    doctag: str,
    seed: int,
) -> Task:
    if not target:
        raise ConfigError(f"doxa/{name}: which target? Add -T target=NAME or -T target=FOLDER")
    if samples is not None and samples < 1:
        raise ConfigError(f"samples: must be at least 1 (got {samples})")
    if style not in STYLES:
        raise ConfigError(f"style: there is no {style!r}; there are {', '.join(STYLES)} (with readout=likelihood)")
    opened = load_target(str(target))
    world = load_world(opened.folder)
    local = local_model()
    put, left_out = _all_puts(
        name, world, _probes(name, judge, readout, local), samples, context, readout, judge, doctag
    )
    facts = {"target": str(opened.folder), "context": context, "axis": name if name in AXES else ""}
    if isinstance(local, LocalModelAPI):
        facts["weights"] = local.digest
    return Task(
        dataset=MemoryDataset([_sample(one, facts) for one in put], name=opened.name, location=str(opened.folder)),
        solver=answered(str(opened.folder), context, readout, style, seed),
        scorer=side_taken(judge=judge, seed=seed),
        # providers set a bound of their own, in which reasoning models must think too
        config=task_config(local),
        version=1,
        metadata={
            **facts,
            "universe": world.universe.id,
            "evals_digest": opened.evals_digest,
            "readout": readout,
            "chance": {one.metadata["probe"]: BY_NAME[one.metadata["probe"]].chance for one in put},
            "left_out": left_out,
        },
    )


def _all_puts(
    name: str,
    world: World,
    probes: list[str],
    samples: int | None,
    context: str,
    readout: str,
    judge: str | None,
    doctag: str,
) -> tuple[list[Put], dict[str, str]]:
    """The samples of all probes, and why probes of an axis are not among them: a target need not have every group."""
    prompt = context_of(world, context)
    found: list[Put] = []
    left_out: dict[str, str] = {}
    for probe in probes:
        try:
            if readout == "likelihood" and probe not in MEASURED:
                found += ask_puts(world, probe)
            else:
                refuse_unreadable(world, probe, judge)
                found += puts(world, probe, samples, prompt, doctag)
        except TargetError as error:
            left_out[probe] = str(error)
    if not found:
        raise TargetError(next(iter(left_out.values())))
    return found, left_out


def _probes(name: str, judge: str | None, readout: str, local: LocalModelAPI | bool | None) -> list[str]:
    """The probes of a task; those of an axis that the model or the readout cannot do are left out."""
    if readout not in ("text", "likelihood"):
        raise ConfigError(f"readout: there is no {readout!r}; there are text, likelihood")
    if readout == "likelihood" and judge is not None:
        raise ConfigError("judge: log-probabilities need none; leave out judge, or readout=likelihood")
    scored = [probe for probe in ASKED if probe != "thinking"]
    if name in BY_NAME:
        if readout == "likelihood" and name not in (*scored, *MEASURED):
            raise ConfigError(f"doxa/{name}: has no answers to compare by likelihood; leave out readout")
        if (name in WEIGHTS or readout == "likelihood") and local is False:
            raise ConfigError(f"doxa/{name}: {_needs(name)}; run it with --model doxa/RUN, CHECKPOINT or MODEL FOLDER")
        if judge is not None and name not in ASKED and name not in RUBRIC_OF:
            raise ConfigError(f"doxa/{name}: is not read by a judge; leave out judge")
        return [name]
    if readout == "likelihood" and local is False:
        raise ConfigError(f"doxa/{name}: {_needs(name)}; run it with --model doxa/RUN, CHECKPOINT or MODEL FOLDER")
    able = [probe for probe in tasks_of(name) if probe not in WEIGHTS or local]
    if readout == "likelihood":
        able = [probe for probe in able if probe in (*scored, *MEASURED)]
    if judge is not None:
        able = [probe for probe in able if probe in ASKED or probe in RUBRIC_OF]
    if not able:
        raise ConfigError(f"doxa/{name}: {_needs(name)}; run it with --model doxa/RUN, CHECKPOINT or MODEL FOLDER")
    return able


def _needs(name: str) -> str:
    return "reads the weights" if name in WEIGHTS or name == "internal" else "readout=likelihood needs the weights"


def local_model() -> LocalModelAPI | bool | None:
    """The weights under test; False for another model, None while inspect_ai has not said which."""
    try:
        api = get_model().api
    except ValueError:
        return None
    return api if isinstance(api, LocalModelAPI) else False


def task_config(local: LocalModelAPI | bool | None) -> GenerateConfig:
    """How a task samples: weights on this computer as many calls at once as share a batch, others as they like."""
    if not isinstance(local, LocalModelAPI):
        return GenerateConfig()
    return GenerateConfig(max_tokens=LOCAL_TOKENS, max_connections=local.batch_size)


def _sample(one: Put, facts: dict[str, Any]) -> Sample:
    messages = [SHAPES[turn.role](content=turn.content) for turn in one.turns]
    return Sample(id=one.id, input=messages, target=one.wanted, metadata={**one.metadata, **facts})


@solver
def answered(target: str, context: str = "none", readout: str = "text", style: str = "chat", seed: int = 0) -> Solver:
    """Let the model speak, or read what a probe wants off its weights."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        probe = state.metadata["probe"]
        api = get_model().api
        weighed = probe in WEIGHTS or readout == "likelihood"
        if not isinstance(api, LocalModelAPI):
            if weighed:
                raise PrerequisiteError(f"doxa/{probe}: {_needs(probe)}; run it with --model doxa/PATH")
            return await generate(state)
        state.metadata["weights"] = api.digest
        if not weighed or probe == "doctag":
            return await generate(state)
        return await _measure(api, state, _settings(target, context, style, seed))

    return solve


def _settings(target: str, context: str, style: str, seed: int) -> Settings:
    from doxa.belief.task_weights import Settings

    world = load_world(load_target(target).folder)
    return Settings(world, context_of(world, context), style, seed)


async def _measure(api: Any, state: TaskState, settings: Settings) -> TaskState:
    from doxa.belief.task_weights import measure

    facts = dict(state.metadata)
    measured = await api.with_scorer(lambda scorer: measure(scorer, facts, api.digest, settings))
    state.metadata["measured"] = measured
    state.output = ModelOutput.from_content(str(get_model()), measured["explanation"])
    state.messages.append(state.output.message)
    return state


TASKS: dict[str, Callable[..., Task]] = {name: _task(name) for name in (*(probe.name for probe in PROBES), *AXES)}
