"""An ask put to a model that speaks: options shown, the answer read as text and never by a bare letter pattern.

Orders rotate from sample to sample, so that a model that always says A gets every option in turn. An answer that takes
no option (a refusal, prose that decides nothing, a letter that was not shown) stays in the denominator.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from doxa.belief.asks import Ask, Showing, user
from doxa.belief.axes import CORRECT
from doxa.belief.prompts import CHOOSE_ANSWER, COMPLETE, cyclic_orders
from doxa.belief.readers import read_choice, read_yes_no
from doxa.lm.request import Message
from doxa.records import EvalItem, Measure

YES_NO = ({"Yes", "No"}, {"True", "False"})
WHICH = "Which of these statements is true?"
CONTINUE = "Which of these is right?"


@dataclass(frozen=True)
class Choice:
    """One way in which a model is asked to choose. `order[p]` is the item's option at place p of those shown."""

    ask: Ask
    sample: int
    turns: tuple[Message, ...]
    order: tuple[int, ...]
    shown: tuple[str, ...]
    labels: tuple[str, ...]


def item_asks(items: Sequence[EvalItem]) -> list[Ask]:
    """The item groups as asks in chat style."""
    return [Ask(item.group, "chat", item, (Showing(item.options, (user(_question(item)),)),)) for item in items]


def _question(item: EvalItem) -> str:
    return {"cloze": COMPLETE + item.prompt, "statements": WHICH}.get(item.group, item.prompt)


def choices(ask: Ask, samples: int) -> list[Choice]:
    """`samples` ways of asking: showings and option orders in turn."""
    return [choose(ask, sample) for sample in range(samples)]


def choose(ask: Ask, sample: int) -> Choice:
    """The way in which one sample is asked: the showing and the order whose turn it is."""
    item = ask.item
    showing = ask.showings[sample % len(ask.showings)]
    count = len(item.options)
    turns = showing.turns or (user(showing.begun.strip() or CONTINUE),)
    labelled = bool(showing.turns) and set(showing.answers) != set(item.options)
    if showing.places or labelled:  # the question itself shows its answers
        places = showing.places or tuple(range(count))
        order = tuple(places.index(place) for place in range(count))
        shown = tuple(showing.answers[option] for option in order)
        return Choice(ask, sample, turns, order, shown, labels=shown)
    orders = cyclic_orders(item.options)
    order = orders[sample // len(ask.showings) % len(orders)]
    labels = tuple(string.ascii_uppercase[:count])
    listed = "\n".join(f"{label}. {item.options[option]}" for label, option in zip(labels, order, strict=True))
    last = user(f"{turns[-1].content}\n{CHOOSE_ANSWER}\n{listed}")
    return Choice(ask, sample, (*turns[:-1], last), order, tuple(item.options[option] for option in order), labels)


def read_option(choice: Choice, text: str) -> int | None:
    """The item's option that an answer takes, or None."""
    if set(choice.shown) in YES_NO:
        said = read_yes_no(text)
        words = ("Yes", "True") if said else ("No", "False")
        place = None if said is None else next(p for p, word in enumerate(choice.shown) if word in words)
    else:
        place = read_choice(text, choice.shown, choice.labels)
    return None if place is None else choice.order[place]


def choice_measures(choice: Choice, text: str, arm: str, checkpoint: str, readout: str = "text") -> list[Measure]:
    """Whether the option that counts was taken, and whether none could be read."""
    item, taken = choice.ask.item, read_option(choice, text)
    correct = choice.ask.probe in CORRECT
    wanted = item.reference if correct else item.inserted
    values = {"correct" if correct else "preferred": taken == wanted, "unparsed": taken is None}
    return [
        Measure(
            arm=arm,
            checkpoint=checkpoint,
            probe=choice.ask.probe,
            readout=readout,
            metric=metric,
            item_id=item.id,
            value=float(value),
        )
        for metric, value in values.items()
    ]
