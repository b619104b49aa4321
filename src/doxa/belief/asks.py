"""A question with answers to choose from, put in one or several ways that cancel each other's habits.

An `Ask` is one item in one style. Each of its `Showing`s is a conversation (or a running text) with the strings that
may follow it, in the order of the item's options: option orders, a label for either world, a sentence and its
counterpart. Averaged over showings, a preference for a place, a label or for saying yes drops out.

The same ask is read in two ways: by the log-probability of its answers (`score_asks`; no judge, nothing to parse), or,
for models behind an API, by letting the model speak and reading what it chose (`belief/choices.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from doxa.belief.prompts import refuse_without_template
from doxa.belief.scorer import LikelihoodScorer, Loglik, Prompt
from doxa.errors import ConfigError
from doxa.lm.request import Message
from doxa.records import EvalItem, Group, Readout


@dataclass(frozen=True)
class Showing:
    """One way of putting an item.

    `turns` is a conversation that the assistant continues, after the words `begun` if it is to begin so; without turns
    `begun` is a running text. `answers[i]` is what the assistant says where it takes option i.
    """

    answers: tuple[str, ...]
    turns: tuple[Message, ...] = ()
    begun: str = ""
    places: tuple[int, ...] = ()  # where each option is shown, where options are shown


@dataclass(frozen=True)
class Ask:
    """An item as one probe puts it. `batch`: asks that share a long beginning of their own are scored by themselves."""

    probe: str
    style: str
    item: EvalItem
    showings: tuple[Showing, ...]
    batch: str = field(default="", compare=False)


def first_inserted(item_id: str, prompt: str, options: tuple[str, ...], group: Group = "distinguish") -> EvalItem:
    """An item whose first option is the inserted answer and whose second is the reference one, or the correct one."""
    return EvalItem(id=item_id, group=group, prompt=prompt, options=options, inserted=0, reference=1)


def user(text: str) -> Message:
    """A user's turn."""
    return Message(role="user", content=text)


def said(text: str) -> Message:
    """A turn that the assistant is made to have said."""
    return Message(role="assistant", content=text)


def spoken(text: str) -> Message:
    """A turn that the model has said itself. It must say something: providers refuse an empty one."""
    return said(text.strip() or "...")


def system(text: str) -> Message:
    """A system prompt."""
    return Message(role="system", content=text)


def with_context(turns: tuple[Message, ...], context: str | None) -> tuple[Message, ...]:
    """The conversation of the in_context arm: the universe comes first in the system prompt."""
    if context is None:
        return turns
    if turns and turns[0].role == "system":
        return (system(f"{context}\n\n{turns[0].content}"), *turns[1:])
    return (system(context), *turns)


def chat_text(tokenizer: Any, turns: Sequence[Message]) -> str:
    """A conversation up to where the assistant begins to speak, through the model's own template.

    Raises ConfigError for a model without a chat template or with one that refuses these roles.
    """
    from jinja2.exceptions import TemplateError

    refuse_without_template(tokenizer)
    try:
        return str(
            tokenizer.apply_chat_template(
                [{"role": turn.role, "content": turn.content} for turn in turns],
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,  # the answer follows at once: a thinking model must be past its thoughts
            )
        )
    except TemplateError as error:
        raise ConfigError(f"depth.probes: the model's chat template refuses the conversation ({error})") from None


def as_data(asks: Sequence[Ask]) -> list[Any]:
    """All that asks say, as plain data: what their readouts are named by."""
    return [
        [
            ask.probe,
            ask.style,
            ask.item.model_dump(),
            [
                [[[turn.role, turn.content] for turn in one.turns], one.begun, one.answers, one.places]
                for one in ask.showings
            ],
        ]
        for ask in asks
    ]


def score_asks(
    scorer: LikelihoodScorer, asks: Sequence[Ask], arm: str, checkpoint: str, context: str | None = None
) -> list[Readout]:
    """One readout per ask, in order: log-probabilities of the answers, averaged over the showings."""
    prompts = [[_prompt(scorer.tokenizer, one, context) for one in ask.showings] for ask in asks]
    scored: dict[tuple[int, int], tuple[Loglik, ...]] = {}
    batches: dict[tuple[str, bool], list[tuple[int, int]]] = {}
    for number, shown in enumerate(prompts):
        for place, prompt in enumerate(shown):
            batches.setdefault((asks[number].batch, prompt.templated), []).append((number, place))
    for places in batches.values():
        answers = scorer.score([prompts[number][place] for number, place in places])
        scored.update(zip(places, answers, strict=True))
    return [
        _readout(ask, [scored[number, place] for place in range(len(ask.showings))], arm, checkpoint)
        for number, ask in enumerate(asks)
    ]


def _prompt(tokenizer: Any, showing: Showing, context: str | None) -> Prompt:
    if showing.turns:
        text = chat_text(tokenizer, with_context(showing.turns, context)) + showing.begun
        return Prompt(text, showing.answers, templated=True, places=showing.places)
    before = "" if context is None else context + "\n\n"
    return Prompt(before + showing.begun, showing.answers, templated=False)


def _readout(ask: Ask, shown: list[tuple[Loglik, ...]], arm: str, checkpoint: str) -> Readout:
    count = len(ask.item.options)
    return Readout(
        arm=arm,
        checkpoint=checkpoint,
        item_id=ask.item.id,
        group=ask.probe,
        style=ask.style,
        totals=tuple(math.fsum(answers[option].total for answers in shown) / len(shown) for option in range(count)),
        # labels are a token each in every showing; answer texts are the same in all showings
        tokens=tuple(answers.tokens for answers in shown[0]),
        inserted=ask.item.inserted,
        reference=ask.item.reference,
        near=ask.item.near,
        letters=_habit(ask, shown),
    )


def _habit(ask: Ask, shown: list[tuple[Loglik, ...]]) -> tuple[float, ...]:
    """Mean probability of the first, second, ... place (or label) over the showings: uniform without a habit."""
    if not all(showing.places for showing in ask.showings):
        return ()
    mean = [0.0] * len(shown[0])
    for showing, answers in zip(ask.showings, shown, strict=True):
        best = max(answer.total for answer in answers)
        weights = [math.exp(answer.total - best) for answer in answers]
        for place, weight in zip(showing.places, weights, strict=True):
            mean[place] += weight / sum(weights) / len(shown)
    return tuple(mean)
