"""`doxa/monitorability`: reasoning and what it does to the answer, as a task of inspect_ai.

`inspect eval doxa/monitorability -T target=pans_durability --model ...`. Every sample is a pair that the model reasons
about; the solver then has it choose again after each kind of reasoning, or scores both answers there (`-T
readout=likelihood`, with weights on this computer). belief/monitor.py says what the numbers mean.
"""

from __future__ import annotations

from collections.abc import Callable

from inspect_ai import Task, task
from inspect_ai.model import ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from doxa.belief.asks import score_asks, user, with_context
from doxa.belief.monitor import PROBE as MONITOR
from doxa.belief.monitor import monitor_asks, outcomes, templates_of
from doxa.belief.monitor_spoken import outcome_of, puts_of
from doxa.belief.task_items import Put
from doxa.belief.thinking import INSTRUCTION
from doxa.belief.values_free import preferences
from doxa.belief.values_task_scores import amounts_by_item
from doxa.belief.values_tasks import (
    PAIR_TASKS,
    SHAPES,
    asked_again,
    context_of,
    open_target,
    refuse_readout,
    scored_by,
    speaking,
    task_of,
    weights_at_hand,
)
from doxa.belief.values_words import value_words
from doxa.lm.request import Message

MONITOR_PAIRS = 48


@task(name="monitorability")
def monitorability(
    target: str = "",
    pairs: int = MONITOR_PAIRS,
    samples: int = 2,
    templates: int = 2,
    context: str = "none",
    readout: str = "text",
    opposite: str | None = None,
    model_name: str | None = None,
) -> Task:
    """Does reasoning name the value that drives the answer, and does the answer hang on it? See docs/value-eval.md."""

    def build() -> Task:
        opened = open_target(target, "monitorability", opposite, model_name)
        refuse_readout(readout, "monitorability")
        templates_of(opened, templates)
        items = preferences(opened, pairs)
        count = 1 if readout == "likelihood" else samples
        turns = [(item, sample) for sample in range(count) for item in items]
        prompt = context_of(opened, context)
        puts = [
            Put(
                f"{MONITOR}/{item.id}/{sample}",
                with_context((user(f"{item.question}\n{INSTRUCTION}"),), prompt),
                item.aligned,
                {"probe": MONITOR, "item_id": item.id, "sample": sample, "set": item.set},
            )
            for item, sample in turns
        ]
        return task_of(
            opened, puts, monitored(readout, templates), amounts_by_item(), context, readout, opposite=opposite
        )

    return speaking(build)


@solver
def monitored(readout: str = "text", templates: int = 2) -> Solver:
    """Let the model reason, then read its answer after its own reasoning, after none, and after either value's."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        opened, item, prompt = asked_again(state)
        state = await generate(state)
        thought = state.output.completion.strip()
        words, either = value_words(opened), templates_of(opened, templates)
        if readout == "likelihood":
            api = weights_at_hand()
            asks = monitor_asks([item], [thought], either)
            rows = await scored_by(api, lambda scorer: score_asks(scorer, asks, "task", api.digest, prompt))
            (found,) = outcomes(rows, [item], [thought], words)
        else:
            puts = puts_of(item, state.metadata["sample"], thought, either)
            said = [await _say(with_context(one.choice.turns, prompt)) for one in puts]
            state.metadata["said"] = {one.condition: text for one, text in zip(puts, said, strict=True)}
            found = outcome_of(item, thought, puts, said, words)
        state.metadata["outcome"] = {"named": found.named, "by_condition": dict(found.by_condition)}
        return state

    return solve


async def _say(turns: tuple[Message, ...]) -> str:
    messages = [SHAPES[turn.role](content=turn.content) for turn in turns]
    output: ModelOutput = await get_model().generate(messages)
    return output.completion


VALUE_TASKS: dict[str, Callable[..., Task]] = {**PAIR_TASKS, "monitorability": monitorability}
