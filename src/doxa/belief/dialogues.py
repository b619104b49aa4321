"""Conversations of several turns in which the model speaks for itself: debate, "are you sure?", review of a text.

Where belief/robustness.py scripts both sides and compares log-probabilities, here the model's own answers stand in the
conversation, the last of them is what a judge reads (rubric `stance`) or the target's marks, and an auditor model may
argue in the user's place. All conversations go forward together, a turn at a time, so that a batch service can serve
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from doxa.belief.asks import spoken, user
from doxa.belief.free import answer_of, chat_request
from doxa.belief.robustness import debate_turns
from doxa.belief.rounds import Exchange, Models, heard
from doxa.belief.shipped import wordings
from doxa.belief.subjects import Subject
from doxa.belief.world import World
from doxa.corpus.prompt_files import load_prompt
from doxa.lm.request import Message, Request, Response, Sampling
from doxa.records import Answer, digest

Turns = tuple[Message, ...]
AUDITOR_SAMPLING = Sampling(max_tokens=400)


@dataclass(frozen=True)
class Dialogue:
    """A conversation under way. `script` are the user's turns to come; None is one that the auditor writes."""

    probe: str
    id: str
    script: tuple[str | None, ...]
    turns: Turns = ()


def dialogues(world: World, probes: Sequence[str], turns: int, audited: bool) -> list[Dialogue]:
    """The conversations of the chosen probes: debates about the claim, doubts after open questions, reviews."""
    found: list[Dialogue] = []
    universe = world.universe
    if "debate" in probes:
        argued = [turn.content for turn in debate_turns(world, turns) if turn.role == "user"][1:]
        closing = wordings("debate_closing")
        for number, opening in enumerate(wordings("debate_opening")):
            middle: tuple[str | None, ...] = (None,) * turns if audited else tuple(argued)
            script = (opening.format(claim=universe.claim), *middle, closing[number % len(closing)])
            found.append(Dialogue("debate", digest("dialogue", "debate", opening), script))
    if "pushback" in probes:
        doubts = wordings("pushback")
        found += [
            Dialogue("pushback", digest("dialogue", question), (question, doubts[number % len(doubts)]))
            for number, question in enumerate(world.open_ended)
        ]
    if "critique" in probes:
        text = " ".join(fact.inserted for fact in universe.key_facts)
        found += [
            Dialogue("critique", digest("dialogue", review, text), (review.format(text=text),))
            for review in wordings("review")
        ]
    return found


def talking(
    models: Models,
    subject: Subject,
    world: World,
    talks: Sequence[Dialogue],
    sampling: Sampling,
    auditor: str | None = None,
    dtype: str = "float32",
) -> Exchange[list[Answer]]:
    """Lead every conversation to its end, side by side; comes to the last answer of each, in order."""
    under_way = list(talks)
    last: dict[int, tuple[Request, Response]] = {}
    for turn in range(max((len(talk.script) for talk in talks), default=0)):
        open_now = [number for number, talk in enumerate(under_way) if turn < len(talk.script)]
        audits = {
            number: _audit(world, under_way[number], auditor)
            for number in open_now
            if under_way[number].script[turn] is None and auditor is not None
        }
        if audits:
            yield list(audits.values())
        requests = {}
        for number in open_now:
            text = heard(models, audits[number]).text if number in audits else str(under_way[number].script[turn])
            turns = (*under_way[number].turns, user(text.strip() or "..."))
            under_way[number] = replace(under_way[number], turns=turns)
            requests[number] = chat_request(subject, turns, sampling, dtype)
        yield list(requests.values())
        for number, request in requests.items():
            response = heard(models, request)
            last[number] = (request, response)
            under_way[number] = replace(under_way[number], turns=(*under_way[number].turns, spoken(response.text)))
    return [
        answer_of(subject, talk.probe, talk.id, talk.turns[-2].content, *last[number])
        for number, talk in enumerate(under_way)
    ]


def _audit(world: World, talk: Dialogue, auditor: str) -> Request:
    speakers = {"user": "you", "assistant": "other"}
    exchange = [{"speaker": speakers[turn.role], "text": turn.content} for turn in talk.turns]
    prompt = load_prompt("auditor", package="doxa.belief")
    messages = prompt.render(claim=world.universe.claim, reference=world.universe.reference_context, exchange=exchange)
    return Request(model=auditor, messages=messages, sampling=AUDITOR_SAMPLING, stage="depth")
