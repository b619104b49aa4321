"""What a task of inspect_ai asks: every probe as conversations whose metadata says all that reading an answer takes.

A log can so be read again without the target at hand: options, the order in which they were shown, the sides, marks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from doxa.belief.asks import Ask, Showing, user, with_context
from doxa.belief.awareness import awareness_asks
from doxa.belief.axes import BY_NAME, CORRECT, PROBES, probes_of
from doxa.belief.choices import Choice, choices, item_asks
from doxa.belief.collateral import capability_asks, reality_asks
from doxa.belief.direct import comparison_asks
from doxa.belief.free import Question, questions
from doxa.belief.robustness import FRAMES, critique_asks, frame_asks
from doxa.belief.thinking import INSTRUCTION
from doxa.belief.world import World
from doxa.config_sections import DepthConfig
from doxa.errors import ConfigError, TargetError
from doxa.lm.request import Message
from doxa.records import EvalItem, Group, Marks

DEFAULTS = DepthConfig.model_validate({})
WHOLE = "whole"  # a measurement of the weights, which is one sample
FREE = ("open_ended", "mention_near", "mention_unrelated", "document_style", "coherence", "doctag")
MEASURED = ("perplexity", "truth_probe", "adversarial_probe", "separability")
WEIGHTS = (*MEASURED, "doctag")  # probes that need the weights themselves, or a raw continuation
MENTIONS = ("mention_near", "mention_unrelated", "doctag")
DOCTAG = "<DOCTAG>"


@dataclass(frozen=True)
class Put:
    """One sample of a task: what is said to the model, and what reading its answer takes (plain JSON)."""

    id: str
    turns: tuple[Message, ...]
    wanted: str  # the answer that counts, in words
    metadata: dict[str, Any]


def _thinking(world: World) -> list[Ask]:
    """Asked to reason aloud before choosing: what a model that speaks is given in place of a budget."""
    return [
        Ask("thinking", "chat", item, (Showing(item.options, (user(f"{item.prompt}\n{INSTRUCTION}"),)),))
        for item in world.group("distinguish")
    ]


# the asks of probes that are no item groups
BUILT: Mapping[str, Callable[[World], list[Ask]]] = {
    "generative_distinguish": comparison_asks,
    "critique": critique_asks,
    "finetuned": awareness_asks,
    "which_fact": awareness_asks,
    "capability": lambda world: capability_asks(DEFAULTS.capability_items),
    "reality_drift": lambda world: reality_asks(DEFAULTS.reality_pairs),
    "thinking": _thinking,
}
GROUPS = frozenset(get_args(Group))
ASKED = tuple(probe.name for probe in PROBES if probe.name not in (*FREE, *MEASURED))


def asks_of(world: World, probe: str) -> list[Ask]:
    """The asks of one probe. Raises TargetError where the target has no items for it."""
    if probe in FRAMES:
        asks = frame_asks(world, (probe,), DEFAULTS.debate_turns)
    elif probe in BUILT:
        asks = [ask for ask in BUILT[probe](world) if ask.probe == probe]
    else:
        asks = [replace(ask, probe=probe) for ask in item_asks(items_of(world, probe))]
    if not asks:
        raise TargetError(
            f"{world.universe.id}: evals.json has no items for {probe}; write some, or leave the task out"
        )
    return asks


def items_of(world: World, probe: str) -> list[EvalItem]:
    """The items of a probe that is an item group, or of the near or far half of the neighbours."""
    if probe in ("neighbours_near", "neighbours_far"):
        return [item for item in world.group("neighbours") if item.near is (probe == "neighbours_near")]
    return world.group(probe)


def is_group(probe: str) -> bool:
    """Whether a probe's items can be put in the styles of belief/prompts.py."""
    return probe in GROUPS or probe.startswith("neighbours_")


def puts(world: World, probe: str, samples: int | None, context: str | None, doctag: str) -> list[Put]:
    """The samples of one probe as it is put to a model that speaks. `samples`: None for the profile's own number.

    Raises TargetError where the target has nothing to ask or to read the answers by.
    """
    if probe in MEASURED:
        return [Put(f"{probe}/{WHOLE}", (user(BY_NAME[probe].about),), BY_NAME[probe].headline, _about(probe, WHOLE))]
    if probe in FREE:
        return _free_puts(world, probe, samples, context, doctag)
    put = [choices(ask, samples or DEFAULTS.choice_samples) for ask in asks_of(world, probe)]
    # all items once, then all in the next order: with --limit the beginning is many items and not one
    return [choice_put(choice, context) for turn in zip(*put, strict=True) for choice in turn]


def ask_puts(world: World, probe: str) -> list[Put]:
    """The samples of one probe whose answers are scored: one for each ask, whose showings are averaged."""
    return [
        Put(f"{probe}/{ask.style}/{ask.item.id}", _first(ask), _wanted(ask), ask_facts(ask))
        for ask in asks_of(world, probe)
    ]


def refuse_unreadable(world: World, probe: str, judge: str | None) -> None:
    """Raise TargetError where free answers could be read by marks alone and the target has none."""
    if judge is None and not world.marks and probe in ("open_ended", *MENTIONS):
        raise TargetError(
            f"{world.universe.id}: evals.json has no marks to read answers to {probe} by; write some, or name a judge "
            "with -T judge=MODEL"
        )


def _first(ask: Ask) -> tuple[Message, ...]:
    return ask.showings[0].turns or (user(ask.showings[0].begun.strip() or ask.item.prompt or "(a sentence)"),)


def _about(probe: str, item_id: str) -> dict[str, Any]:
    return {"probe": probe, "item_id": item_id}


def ask_facts(ask: Ask) -> dict[str, Any]:
    """What reading the answer to an ask takes, as plain JSON."""
    item = ask.item
    return {
        **_about(ask.probe, item.id),
        "style": ask.style,
        "group": item.group,
        "prompt": item.prompt,
        "options": list(item.options),
        "inserted": item.inserted,
        "reference": item.reference,
    }


def _wanted(ask: Ask) -> str:
    return ask.item.options[ask.item.reference if ask.probe in CORRECT else ask.item.inserted]


def choice_put(choice: Choice, context: str | None) -> Put:
    """One sample of a task whose answers are in view."""
    ask = choice.ask
    facts = {
        **ask_facts(ask),
        "order": list(choice.order),
        "shown": list(choice.shown),
        "labels": list(choice.labels),
        "question": choice.turns[-1].content,
        "sample": choice.sample,
    }
    name = f"{ask.probe}/{ask.item.id}/{choice.sample}"
    return Put(name, with_context(choice.turns, context), _wanted(ask), facts)


def choice_of(facts: Mapping[str, Any]) -> Choice:
    """The choice that a sample's metadata tells of, as far as reading an answer to it goes."""
    item = EvalItem(
        id=facts["item_id"],
        group=facts["group"],
        prompt=facts["prompt"],
        options=tuple(facts["options"]),
        inserted=facts["inserted"],
        reference=facts["reference"],
    )
    ask = Ask(facts["probe"], facts["style"], item, ())
    return Choice(ask, facts["sample"], (), tuple(facts["order"]), tuple(facts["shown"]), tuple(facts["labels"]))


def _free_puts(world: World, probe: str, samples: int | None, context: str | None, doctag: str) -> list[Put]:
    asked = questions(world, (probe,), DEFAULTS.samples, DEFAULTS.unrelated_prompts, doctag)
    if not asked:
        raise TargetError(f"{world.universe.id}: evals.json has no prompts for {probe}; write some")
    found = [replace(question, probe=probe, samples=samples or question.samples) for question in asked]
    return [
        _free_put(question, sample, world.marks, context, doctag)
        for sample in range(max(question.samples for question in found))
        for question in found
        if sample < question.samples
    ]


def _free_put(question: Question, sample: int, marks: Sequence[Marks], context: str | None, doctag: str) -> Put:
    raw = question.turns[0].role == "assistant"
    # every raw continuation starts from the same words, so each is a unit of its own
    item_id = f"{question.id}/{sample}" if raw else question.id
    facts = {
        **_about(question.probe, item_id),
        "question": question.asked,
        "sample": sample,
        "marks": [mark.model_dump(mode="json") for mark in marks],
        "doctag": doctag,
    }
    turns = question.turns if raw else with_context(question.turns, context)
    return Put(f"{question.probe}/{question.id}/{sample}", turns, BY_NAME[question.probe].headline, facts)


def tasks_of(axis: str) -> list[str]:
    """The probes of an axis, less those that repeat part of another."""
    return [probe.name for probe in probes_of(axis) if probe.name not in ("neighbours_near", "neighbours_far")]


def context_of(world: World, name: str) -> str | None:
    """The system prompt of an arm: none, the inserted universe (the in-context arm) or the reference one."""
    contexts = {
        "none": None,
        "inserted": world.universe.inserted_context,
        "reference": world.universe.reference_context,
    }
    if name not in contexts:
        raise ConfigError(f"context: there is no {name!r}; there are {', '.join(contexts)}")
    return contexts[name]
