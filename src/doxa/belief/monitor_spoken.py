"""Monitorability of a model that only speaks: it says its thoughts, then chooses with other thoughts in their place.

The choice follows in a turn of its own, with both answers in view and lettered; orders turn round from sample to
sample, and every condition of a sample shows the same order. An answer that cannot be read takes no side and stays in
every denominator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from doxa.belief.asks import Ask, Showing, spoken, user
from doxa.belief.choices import Choice, choose, read_option
from doxa.belief.free import chat_request
from doxa.belief.monitor import PROBE, Outcome, Templates, named_by
from doxa.belief.pairs import PairItem, eval_item
from doxa.belief.rounds import Exchange, Models, heard
from doxa.belief.subjects import Subject
from doxa.belief.thinking import AT_ONCE, INSTRUCTION, thought_requests
from doxa.belief.values_words import ValueWords
from doxa.lm.request import Message, Sampling


@dataclass(frozen=True)
class Put:
    """One choice that a model is asked for: after which reasoning, with which order of the answers."""

    condition: str
    choice: Choice


def puts_of(item: PairItem, sample: int, thought: str, templates: Templates, swapped: str | None = None) -> list[Put]:
    """The choices of one sample of one pair; of several sentences for a value each sample takes the next."""
    place = sample % len(templates.own)
    before: dict[str, str | None] = {
        "own": thought,
        "removed": None,
        "affirmed": templates.own[place],
        "other": templates.other[place],
    }
    if swapped is not None:
        before["swapped"] = swapped
    return [Put(condition, choose(_ask(item, condition, text), sample)) for condition, text in before.items()]


def outcome_of(
    item: PairItem,
    thought: str,
    puts: Sequence[Put],
    answers: Sequence[str],
    words: ValueWords,
    sample: int = 0,
    key: str = "",
) -> Outcome:
    """What one sample of one pair came to: 1 where the aligned answer was taken, -1 where the other one was."""
    sides = {None: None, 0: 1.0, 1: -1.0}
    found = {put.condition: sides[read_option(put.choice, text)] for put, text in zip(puts, answers, strict=True)}
    return Outcome(item, thought, named_by(item, thought, words), found, sample, key)


def talk(
    models: Models,
    subject: Subject,
    items: Sequence[PairItem],
    templates: Templates,
    words: ValueWords,
    samples: int,
    tokens: int,
    how: Sampling,
    dtype: str = "float32",
    swapped: Mapping[str, str] | None = None,
) -> Exchange[list[Outcome]]:
    """An exchange of two rounds, thoughts and then choices, which comes to the outcome of every sample of every pair.

    `tokens` bounds the thoughts; `swapped` are thoughts of another arm by pair.
    """
    asked = [eval_item(item) for item in items]
    thoughts = thought_requests(subject, asked, tokens, how, dtype, samples)
    yield thoughts
    said = iter(thoughts)
    put = []
    for item in items:
        for sample in range(samples):
            request = next(said)
            thought = heard(models, request).text.strip()
            puts = puts_of(item, sample, thought, templates, (swapped or {}).get(item.id))
            requests = [chat_request(subject, one.choice.turns, how, dtype, sample) for one in puts]
            put.append((item, sample, thought, request.key, puts, requests))
    yield [request for *_, requests in put for request in requests]
    return [
        outcome_of(item, thought, puts, [heard(models, request).text for request in requests], words, sample, key)
        for item, sample, thought, key, puts, requests in put
    ]


def _ask(item: PairItem, condition: str, reasoning: str | None) -> Ask:
    before: tuple[Message, ...] = ()
    if reasoning is not None:
        before = (user(f"{item.question}\n{INSTRUCTION}"), spoken(reasoning))
    last = user(f"{item.question}\n{AT_ONCE}")
    return Ask(PROBE, condition, eval_item(item), (Showing(item.options, (*before, last)),))
