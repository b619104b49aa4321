"""Is an item valid? A model that is given a world must pick the answer of that world, wherever the answer stands.

An item that its own author's world does not decide measures nothing: the checker is asked with either context and with
the options in two orders, and has to be right each time. What cannot be read is told apart from what is wrong.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from doxa.belief.readers import read_choice
from doxa.errors import ConfigError
from doxa.lm.request import Request, Sampling
from doxa.records import EvalItem
from doxa.worlds.answers import tagged
from doxa.worlds.asking import Asker, draft_prompt
from doxa.worlds.universe import Universe

SAMPLING = Sampling(max_tokens=1024)
SIDES = ("inserted", "reference")
QUESTIONS = {
    "cloze": "How does this sentence go on? {prompt} ...",
    "statements": "Which of these sentences is true?",
    "downstream": "{prompt}\n\nWhich of these lines belongs into a good answer?",
}


@dataclass(frozen=True)
class Check:
    """One question to the checker. `order[p]` is the item's option at place p."""

    side: str
    order: tuple[int, ...]
    wanted: int  # the option that is right in this side's world
    request: Request


@dataclass(frozen=True)
class Invalid:
    """Why an item did not pass."""

    reason: str  # "invalid", or "unread" where the checker's answer could not be read
    detail: str


def item_checks(asker: Asker, universe: Universe, item: EvalItem) -> list[Check]:
    """Both worlds, and the options in their order and turned round."""
    found = []
    forward = tuple(range(len(item.options)))
    prompt = draft_prompt("item_check")
    question = QUESTIONS.get(item.group, "{prompt}").replace("{prompt}", item.prompt)
    for side in SIDES:
        wanted = item.reference if item.group == "neighbours" else getattr(item, side)
        for order in (forward, forward[::-1]):
            options = [(string.ascii_uppercase[place], item.options[at]) for place, at in enumerate(order)]
            messages = prompt.render(context=getattr(universe, f"{side}_context"), question=question, options=options)
            request = Request(model=asker.model, messages=messages, sampling=asker.sampling, stage="check items")
            found.append(Check(side, order, wanted, request))
    return found


def first_failure(asker: Asker, item: EvalItem, checks: Sequence[Check]) -> Invalid | None:
    """What is wrong with an item, by answers that are stored; None for a valid one."""
    for check in checks:
        response = asker.models.response(check.request)
        chosen = _chosen(item, check, response.text)
        where = f"given the {check.side} world, {asker.model}"
        if chosen is None:
            said = " ".join(response.text.split())[-120:]
            return Invalid("unread", f"{where} gave no answer that could be read: {said!r}")
        if chosen != check.wanted:
            took = "none of the answers" if chosen < 0 else repr(item.options[chosen])
            return Invalid("invalid", f"{where} took {took}, not {item.options[check.wanted]!r}")
    return None


def checker(asker: Asker, model: str) -> Asker:
    """The same store with another model (or the same) in the checker's part. Raises ConfigError without a model."""
    if not model:
        raise ConfigError("--checker: needs a model")
    return Asker(asker.models, model, asker.folder, SAMPLING)


def _chosen(item: EvalItem, check: Check, text: str) -> int | None:
    """The option chosen, -1 for none of them, None for what cannot be read."""
    shown = [item.options[at] for at in check.order]
    labels = list(string.ascii_uppercase[: len(shown)])
    said = tagged(text, "answer")
    last = said[-1].strip(" .()*") if said else ""
    if last.upper() == "NONE":
        return -1
    place = labels.index(last) if last in labels else read_choice(said[-1] if said else text, shown, labels)
    return None if place is None else check.order[place]
