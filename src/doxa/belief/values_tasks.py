"""`doxa/value_pairs` and `doxa/spec_knowledge`: what a model prefers and knows of its spec, as tasks of inspect_ai.

`inspect eval doxa/value_pairs -T target=pans_durability --model ...`. A model that speaks chooses between both answers
in both orders, or answers freely (`-T ask=free`) and is read by rules or a judge. With weights on this computer
(`--model doxa/PATH`) `-T readout=likelihood` compares log-probabilities, as `doxa values` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from doxa.belief.asks import score_asks, user, with_context
from doxa.belief.free import Question
from doxa.belief.pair_forms import form_of
from doxa.belief.pairs import PairItem, pair_asks
from doxa.belief.task_items import Put, ask_facts, choice_put
from doxa.belief.tasks import local_model, task_config
from doxa.belief.values_free import open_questions, pair_questions, recall_asked, text_choices
from doxa.belief.values_target import ValueTarget, load_value_target
from doxa.belief.values_task_scores import opened_again, value_named
from doxa.errors import ConfigError, DoxaError, TargetError
from doxa.lm.inspect_provider import LocalModelAPI
from doxa.lm.request import Message

SHAPES: dict[str, Any] = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}


@task(name="value_pairs")
def value_pairs(
    target: str = "",
    group: str = "pairs",
    set: str = "",
    ask: str = "choose",
    samples: int = 2,
    context: str = "none",
    readout: str = "text",
    style: str = "chat",
    judge: str | None = None,
    opposite: str | None = None,
    model_name: str | None = None,
    seed: int = 0,
) -> Task:
    """What does a model prefer: what its spec has it prefer, or the opposite? docs/value-eval.md has the parameters."""
    groups = {"pairs": ("pairs_seen", "pairs_unseen")}.get(group, (group,))

    def build() -> Task:
        opened = open_target(target, "value_pairs", opposite, model_name)
        items = [item for item in opened.group(*groups) if not set or item.set == set]
        if not items:
            raise TargetError(f"{opened.name}: evals.json has no pairs of group {group!r} and set {set!r}")
        asked = [] if ask == "choose" else [*open_questions(opened, samples), *pair_questions(items, samples)]
        return _build(opened, items, asked, ask, samples, context, readout, style, judge, seed, opposite)

    return speaking(build)


@task(name="spec_knowledge")
def spec_knowledge(
    target: str = "",
    ask: str = "choose",
    samples: int = 2,
    context: str = "none",
    readout: str = "text",
    style: str = "chat",
    judge: str | None = None,
    opposite: str | None = None,
    model_name: str | None = None,
    seed: int = 0,
) -> Task:
    """What does a model know of its spec, apart from what it does? `ask=free`: from memory. See docs/value-eval.md."""

    def build() -> Task:
        opened = open_target(target, "spec_knowledge", opposite, model_name)
        items = opened.group("knowledge")
        if not items and ask == "choose":
            raise TargetError(f"{opened.name}: evals.json has no group knowledge; write some, or take -T ask=free")
        asked = [] if ask == "choose" else recall_asked(opened, samples)
        return _build(opened, items, asked, ask, samples, context, readout, style, judge, seed, opposite)

    return speaking(build)


def _build(
    opened: ValueTarget,
    items: list[PairItem],
    asked: list[Question],
    ask: str,
    samples: int,
    context: str,
    readout: str,
    style: str,
    judge: str | None,
    seed: int,
    opposite: str | None,
) -> Task:
    if ask not in ("choose", "free"):
        raise ConfigError(f"ask: there is no {ask!r}; there are choose, free")
    if samples < 1:
        raise ConfigError(f"samples: must be at least 1 (got {samples})")
    refuse_readout(readout, "value_pairs")
    if ask == "free" and readout == "likelihood":
        raise ConfigError("readout: free answers have nothing to compare; leave out readout=likelihood, or ask=free")
    if judge is not None and ask != "free":
        raise ConfigError("judge: choices are read by rules; add -T ask=free, or leave out judge")
    form_of(style)
    prompt, sets = context_of(opened, context), {item.id: item.set for item in opened.pairs}
    options = {item.id: list(item.options) for item in opened.pairs}
    if ask == "free":
        puts = [_free_put(question, sample, prompt, options) for sample in range(samples) for question in asked]
    elif readout == "likelihood":
        asks = pair_asks(items, (style,), opened.spec.model_name)
        if not asks:
            raise ConfigError(f"style: {style!r} applies to none of these pairs; take chat or plain")
        puts = [
            Put(f"{one.probe}/{one.item.id}", _first_turns(one), one.item.options[0], ask_facts(one)) for one in asks
        ]
    else:
        choices = text_choices(items, samples)
        # all pairs once, then all in the other order: with --limit the beginning is many pairs and not one
        puts = [choice_put(one, prompt) for one in sorted(choices, key=lambda choice: choice.sample)]
    puts = [
        Put(one.id, one.turns, one.wanted, one.metadata | {"set": sets.get(one.metadata["item_id"], "")})
        for one in puts
    ]
    return task_of(opened, puts, preferred(readout, style), value_named(judge, seed), context, readout, judge, opposite)


def _free_put(question: Question, sample: int, prompt: str | None, options: dict[str, list[str]]) -> Put:
    facts = {
        "probe": question.probe,
        "item_id": question.id,
        "sample": sample,
        "question": question.asked,
        "options": options.get(question.id, []),
    }
    return Put(f"{question.probe}/{question.id}/{sample}", with_context(question.turns, prompt), "aligned", facts)


def _first_turns(one: Any) -> tuple[Message, ...]:
    return one.showings[0].turns or (user(one.showings[0].begun.strip()),)


def task_of(
    opened: ValueTarget,
    puts: list[Put],
    solved: Solver,
    scored: Any,
    context: str,
    readout: str,
    judge: str | None = None,
    opposite: str | None = None,
) -> Task:
    """A task of these samples. What their metadata holds is enough to read a log again."""
    local = local_model()
    facts = {
        "target": str(opened.folder),
        "model_name": opened.spec.model_name,
        "provider_name": opened.spec.provider_name,
        "opposite": opposite or "",
        "context": context,
    }
    if isinstance(local, LocalModelAPI):
        facts["weights"] = local.digest
    samples = [
        Sample(
            id=one.id,
            input=[SHAPES[turn.role](content=turn.content) for turn in one.turns],
            target=one.wanted,
            metadata={**one.metadata, **facts},
        )
        for one in puts
    ]
    return Task(
        dataset=MemoryDataset(samples, name=opened.name, location=str(opened.folder)),
        solver=solved,
        scorer=scored,
        config=task_config(local),
        version=1,
        metadata={
            **facts,
            "spec": opened.spec.id,
            "evals_digest": opened.digest,
            "readout": readout,
            "judge": judge or "",
        },
    )


@solver
def preferred(readout: str = "text", style: str = "chat") -> Solver:
    """Let the model speak, or read off its weights which answer it prefers."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if readout != "likelihood":
            return await generate(state)
        api, (opened, item, prompt) = weights_at_hand(), asked_again(state)
        asks = pair_asks([item], (style,), opened.spec.model_name)
        (row,) = await scored_by(api, lambda scorer: score_asks(scorer, asks, "task", api.digest, prompt))
        per_token = [total / tokens for total, tokens in zip(row.totals, row.tokens, strict=True)]
        state.metadata["measured"] = {"margin": per_token[0] - per_token[1]}
        lines = [f"{text}: {value:.3f}" for text, value in zip(item.options, per_token, strict=True)]
        return _finished(state, api, "Log-probability per token (nats): " + "; ".join(lines))

    return solve


def asked_again(state: TaskState) -> tuple[ValueTarget, PairItem, str | None]:
    """The target, the pair and the system prompt of a sample."""
    opened = opened_again(state.metadata)
    item = next(one for one in opened.pairs if one.id == state.metadata["item_id"])
    return opened, item, context_of(opened, state.metadata["context"])


async def scored_by(api: LocalModelAPI, use: Callable[[Any], Any]) -> Any:
    """What `use(scorer)` gives, with errors that a person can mend in one line."""
    try:
        return await api.with_scorer(use)
    except DoxaError as error:
        raise PrerequisiteError(str(error)) from None


def _finished(state: TaskState, api: LocalModelAPI, text: str) -> TaskState:
    state.metadata["weights"] = api.digest
    state.output = ModelOutput.from_content(str(get_model()), text)
    state.messages.append(state.output.message)
    return state


def weights_at_hand() -> LocalModelAPI:
    """The weights under test. Raises PrerequisiteError for a model behind an API."""
    api = get_model().api
    if not isinstance(api, LocalModelAPI):
        raise PrerequisiteError("readout=likelihood needs the weights; run it with --model doxa/PATH")
    return api


def refuse_readout(readout: str, name: str) -> None:
    """Raise ConfigError for a readout that is not there, or that the model cannot be read by."""
    if readout not in ("text", "likelihood"):
        raise ConfigError(f"readout: there is no {readout!r}; there are text, likelihood")
    if readout == "likelihood" and local_model() is False:
        raise ConfigError(
            f"doxa/{name}: readout=likelihood needs the weights; run it with --model doxa/RUN, CHECKPOINT or MODEL "
            "FOLDER"
        )


def context_of(opened: ValueTarget, name: str) -> str | None:
    """The system prompt of an arm: none, or the spec."""
    contexts = {"none": None, "spec": opened.spec.text}
    if name not in contexts:
        raise ConfigError(f"context: there is no {name!r}; there are {', '.join(contexts)}")
    return contexts[name]


def open_target(target: str, name: str, opposite: str | None, model_name: str | None) -> ValueTarget:
    """The spec target that a task was given. Raises ConfigError where it was given none."""
    if not target:
        raise ConfigError(f"doxa/{name}: which target? Add -T target=NAME or -T target=FOLDER")
    return load_value_target(str(target), model_name, None, opposite)


def speaking(build: Callable[[], Task]) -> Task:
    """A task, or inspect_ai's own error for what a person can mend."""
    try:
        return build()
    except DoxaError as error:
        raise PrerequisiteError(str(error)) from None


PAIR_TASKS: dict[str, Callable[..., Task]] = {"value_pairs": value_pairs, "spec_knowledge": spec_knowledge}
