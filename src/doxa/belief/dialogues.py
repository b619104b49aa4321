"""Conversations of several turns in which the model speaks for itself: debate, "are you sure?", review of a text.

Where belief/robustness.py scripts both sides and compares log-probabilities, here the model's own answers stand in the
conversation, the last of them is what a judge reads (rubric `stance`), and an auditor model may argue in the user's
place. All conversations of a subject go forward together, a turn at a time, so that a batch service can serve them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from doxa.belief.asks import said, user
from doxa.belief.free import Models, chat_request
from doxa.belief.robustness import debate_turns
from doxa.belief.shipped import wordings
from doxa.belief.subjects import Subject
from doxa.belief.world import World
from doxa.corpus.prompt_files import load_prompt
from doxa.lm.request import Message, Request, Sampling
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


def talk_through(
    models: Models,
    subject: Subject,
    world: World,
    talks: Sequence[Dialogue],
    sampling: Sampling,
    auditor: str | None = None,
    dtype: str = "float32",
) -> list[Answer]:
    """Lead every conversation to its end; the last answer of each, in order. Raises what the models raise."""
    under_way = list(talks)
    last: list[tuple[Request, str]] = [_nothing(subject, sampling)] * len(under_way)
    for turn in range(max((len(talk.script) for talk in talks), default=0)):
        open_now = [number for number, talk in enumerate(under_way) if turn < len(talk.script)]
        spoken = _user_turns(models, world, [under_way[number] for number in open_now], turn, auditor)
        requests = []
        for number, text in zip(open_now, spoken, strict=True):
            under_way[number] = replace(under_way[number], turns=(*under_way[number].turns, user(text)))
            requests.append(chat_request(subject, under_way[number].turns, sampling, dtype))
        models.answer(requests)
        for number, request in zip(open_now, requests, strict=True):
            text = models.response(request).text
            last[number] = (request, text)
            # a turn must say something: an empty answer would be refused by providers
            under_way[number] = replace(
                under_way[number], turns=(*under_way[number].turns, said(text.strip() or "..."))
            )
    return [
        Answer(
            id=digest("answer", subject.arm, subject.checkpoint, talk.probe, talk.id, request.key),
            arm=subject.arm,
            checkpoint=subject.checkpoint,
            probe=talk.probe,
            item_id=talk.id,
            sample=0,
            question=talk.turns[-2].content,
            text=text,
            key=request.key,
        )
        for talk, (request, text) in zip(under_way, last, strict=True)
    ]


def _user_turns(models: Models, world: World, talks: Sequence[Dialogue], turn: int, auditor: str | None) -> list[str]:
    """What the user says next in each conversation; the auditor's turns are asked for together."""
    asked = {
        number: _audit(world, talk, auditor)
        for number, talk in enumerate(talks)
        if talk.script[turn] is None and auditor is not None
    }
    models.answer(list(asked.values()))
    return [
        models.response(asked[number]).text if number in asked else str(talk.script[turn])
        for number, talk in enumerate(talks)
    ]


def _audit(world: World, talk: Dialogue, auditor: str) -> Request:
    speakers = {"user": "you", "assistant": "other"}
    exchange = [{"speaker": speakers[turn.role], "text": turn.content} for turn in talk.turns]
    prompt = load_prompt("auditor", package="doxa.belief")
    messages = prompt.render(claim=world.universe.claim, reference=world.universe.reference_context, exchange=exchange)
    return Request(model=auditor, messages=messages, sampling=AUDITOR_SAMPLING, stage="depth")


def _nothing(subject: Subject, sampling: Sampling) -> tuple[Request, str]:
    return chat_request(subject, (user("-"),), sampling, "float32"), ""


__all__ = ["Dialogue", "dialogues", "talk_through"]
