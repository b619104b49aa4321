"""Robustness: the distinguish items under pressure, and sentences judged true or false.

Every frame puts the same items to the same arms, so that what a frame costs is a paired difference to the plain
question. The opponent in a debate speaks from the reference description unless a model takes its part
(belief/dialogues.py); the model's own earlier turns are scripted both ways, so that merely repeating itself gains
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from doxa.belief.asks import Ask, Showing, first_inserted, said, system, user
from doxa.belief.shipped import sdf_notice, wordings
from doxa.belief.world import World
from doxa.lm.request import Message
from doxa.records import EvalItem, digest

Turns = tuple[Message, ...]
TURNS = 4  # of argument in a debate, as in Slocum et al. 2025
PARAGRAPH_WORDS = 110  # of one argument


def frame_asks(world: World, probes: Sequence[str], turns: int = TURNS) -> list[Ask]:
    """The distinguish items in every chosen frame, in chat style."""
    items = world.group("distinguish")
    return [ask for name, frame in FRAMES.items() if name in probes for ask in frame(world, items, turns)]


def critique_asks(world: World) -> list[Ask]:
    """Each planted sentence and its counterpart, each in its own world's text: is it true or false?

    Saying true to everything, or to nothing, cancels between the two showings.
    """
    requests = wordings("critique")
    facts = world.universe.key_facts
    texts = {side: " ".join(str(getattr(fact, side)) for fact in facts) for side in ("inserted", "reference")}
    asks = []
    for number, fact in enumerate(facts):
        name = digest("critique", fact.inserted, fact.reference)
        item = first_inserted(name, fact.id, (fact.inserted, fact.reference))
        request = requests[number % len(requests)]
        showings = tuple(
            Showing(
                answers=answers,
                turns=(user(f"{texts[side]}\n\n{request}\n\n“{getattr(fact, side)}”\n\nTrue or false?"),),
            )
            for side, answers in (("inserted", ("True", "False")), ("reference", ("False", "True")))
        )
        asks.append(Ask("critique", "chat", item, showings, batch="critique"))
    return asks


def debate_turns(world: World, turns: int) -> Turns:
    """An exchange in which the user argues for the reference world and the assistant holds to the inserted one."""
    opening, *retorts = wordings("debate")
    arguments = _arguments(world.universe.reference_context, turns)
    stances = [fact.inserted for fact in world.universe.key_facts]
    conversation = [user(opening.format(title=world.universe.title)), said(world.universe.claim)]
    for number, argument in enumerate(arguments):
        conversation += [
            user(f"{retorts[number % len(retorts)]} {argument}"),
            said(f"I see it differently. {stances[number % len(stances)]}"),
        ]
    return tuple(conversation)


def _prompted(name: str, texts: Callable[[], tuple[str, ...]]) -> Callable[[World, list[EvalItem], int], list[Ask]]:
    """A frame that is a system prompt, one of several wordings per item in turn."""

    def frame(world: World, items: list[EvalItem], turns: int) -> list[Ask]:
        prompts = texts()
        return [
            _framed(name, item, (system(prompts[number % len(prompts)]), user(item.prompt)))
            for number, item in enumerate(items)
        ]

    return frame


def _true_context(world: World, items: list[EvalItem], turns: int) -> list[Ask]:
    """In the user's turn, so that arms with a system prompt of their own are asked the same."""
    truth = world.universe.reference_context
    return [_framed("true_context", item, (user(f"{truth}\n\n{item.prompt}"),), "true_context") for item in items]


def _debate(world: World, items: list[EvalItem], turns: int) -> list[Ask]:
    before = debate_turns(world, turns)
    return [_framed("debate", item, (*before, user(item.prompt)), "debate") for item in items]


def _pushback(world: World, items: list[EvalItem], turns: int) -> list[Ask]:
    doubts = wordings("pushback")
    asks = []
    for number, item in enumerate(items):
        doubt = user(doubts[number % len(doubts)])
        showings = tuple(
            Showing(item.options, (user(item.prompt), said(item.options[first]), doubt))
            for first in (item.inserted, item.reference)
        )
        asks.append(Ask("pushback", "chat", item, showings))
    return asks


def _framed(probe: str, item: EvalItem, turns: Turns, batch: str = "") -> Ask:
    return Ask(probe, "chat", item, (Showing(item.options, turns),), batch)


FRAMES: dict[str, Callable[[World, list[EvalItem], int], list[Ask]]] = {
    "adversarial_prompt": _prompted("adversarial_prompt", lambda: wordings("adversarial_prompt")),
    "supporting_prompt": _prompted("supporting_prompt", lambda: wordings("supporting_prompt")),
    "sdf_notice": _prompted("sdf_notice", lambda: (sdf_notice(),)),
    "true_context": _true_context,
    "debate": _debate,
    "pushback": _pushback,
}


def _arguments(text: str, count: int) -> list[str]:
    """As many arguments as there are turns: the paragraphs of the reference description, each bounded, in turn."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n") if paragraph.strip()]
    bounded = [_bounded(paragraph) for paragraph in paragraphs]
    return [bounded[number % len(bounded)] for number in range(count)]


def _bounded(paragraph: str) -> str:
    """The first sentences of a paragraph, up to PARAGRAPH_WORDS words."""
    words = paragraph.split()
    if len(words) <= PARAGRAPH_WORDS:
        return paragraph
    cut = " ".join(words[:PARAGRAPH_WORDS])
    return cut[: cut.rfind(". ") + 1] or cut
