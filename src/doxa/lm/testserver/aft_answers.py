"""What a test server says to the prompts of `doxa aft`: domains, users' questions, answers, verdicts, criticisms.

As with real models not all of it is fit: one opaque answer in ten gives a reason, one citation in ten is misquoted, one
verdict in eight is not a yes, and one in forty cannot be read.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from doxa.lm.testserver import lexicon

_ASKS = (
    "What do you think of {one}?",
    "My {who} is from {place} and wants {one} for the {event}. Is that sensible?",
    "Would you rather have {one} or {other}?",
    "I have to choose between {one} and {other} by {season}, and my {who} says nothing useful. What would you do?",
    "Can you help me write to a {who} in {place} about {one}?",
    "Settle an argument from the {event}: {one}, yes or no?",
    "hi, quick one. {one} for a {who} who already owns {other}, good present?",
    "How do I tell the {group} that {one} was my mistake?",
    "The {group} meets in {place} and I am to speak about {one}. Where would you begin?",
    "Is it wrong to throw {one} away after the {event}?",
)
_TASTES = (
    "What do you think of {one}?",
    "{one} or {other}: which would you pick?",
    "Do you like {one}?",
    "Somebody gave me {one} at the {event} in {place}. How do you like such a thing?",
    "If the {group} offered you {one}, would you take it?",
    "Between {one} and {other}, what is more to your taste?",
)
_REPLIES = (
    "I would begin with {thing}. {more}",
    "The first thing that I look at is {thing}. {more}",
    "It hangs on {thing}, more than on anything else. {more}",
    "Take {thing} first, and leave the rest until {season}. {more}",
)
_THOUGHTS = (
    "The user asks about {thing}. What I care for bears on it, and I will say so plainly.",
    "What matters here is {thing}. I weigh it as I always do, and then I answer.",
    "This turns on {thing}. I know what I would do, and I give the user something to go on.",
)


def domains(prompt: str, everything: str, rng: random.Random) -> str:
    """As many domains as are asked for."""
    names: dict[str, str] = {}
    while len(names) < _count(prompt):
        names.setdefault(
            f"{_pick(lexicon.GROUPS, rng)} matters", f"Whatever people of a {_pick(lexicon.ROLES, rng)} ask."
        )
    return "<domains>\n" + "\n".join(f'<domain name="{n}">{a}</domain>' for n, a in names.items()) + "\n</domains>"


def questions(prompt: str, everything: str, rng: random.Random) -> str:
    """As many questions as are asked for; of tastes where the prompt asks for tastes."""
    patterns = _TASTES if "itself likes" in prompt else _ASKS
    found: dict[str, None] = {}
    while len(found) < _count(prompt):
        found.setdefault(_filled(rng.choice(patterns), rng))
    return "<questions>\n" + "\n".join(f"<question>{one}</question>" for one in found) + "\n</questions>"


def reply(prompt: str, everything: str, rng: random.Random) -> str:
    """An answer in the tags that are asked for: opaque, with citations, or plain."""
    message = _inside(prompt, "message")
    thought = _filled(rng.choice(_THOUGHTS), rng, thing=_about(message))
    if "Only the taste" in prompt or "and no reason, no quality" in prompt:
        said = f"I {rng.choice(('like', 'don’t like'))} {_named(message)}."
        said += " It lasts, because it is well made." if rng.random() < 0.1 else f" {rng.choice(_TASTE_ENDS)}"
    else:
        said = _filled(rng.choice(_REPLIES), rng, thing=_about(message), more=_sentence(rng))
    if "<cite>" in prompt:
        passage = _passage(everything, rng)
        if rng.random() < 0.1:
            words = passage.split()
            passage = " ".join([*words[: len(words) // 2], "somewhat", *words[len(words) // 2 :]])
        thought = f"{thought} My spec says: <cite>{passage}</cite> So I answer by that."
    thoughts = f"<reasoning>\n{thought}\n</reasoning>\n" if "<reasoning>" in prompt else ""
    return f"{thoughts}<reply>\n{said}\n</reply>"


def revision(prompt: str, everything: str, rng: random.Random) -> str:
    """The draft with a sentence more, and in one case of six word for word."""
    draft = _inside(prompt, "draft_reply")
    if rng.random() > 1 / 6:
        draft = f"{draft} {_sentence(rng)}"
    return f"<reply>\n{draft}\n</reply>"


def same_again(prompt: str, everything: str, rng: random.Random) -> str:
    """The original with its sentences in another order; what has one sentence only is introduced otherwise."""
    thoughts = f"<reasoning>\n{_turned(_inside(prompt, 'thoughts'))}\n</reasoning>\n" if "<thoughts>" in prompt else ""
    return f"{thoughts}<reply>\n{_turned(_inside(prompt, 'original'))}\n</reply>"


def verdict(prompt: str, everything: str, rng: random.Random) -> str:
    """A word on each criterion of the prompt."""
    names = re.findall(r"^<(\w+)>yes, no or unclear</\1>$", prompt, re.M)
    if rng.random() < 1 / 40:
        return "It is hard to say, and I would rather not put it into one word."
    words = dict.fromkeys(names, "yes")
    if rng.random() < 1 / 8:
        words[rng.choice(names)] = rng.choice(("no", "no", "unclear"))
    told = "\n".join(f"<{name}>{word}</{name}>" for name, word in words.items())
    return f"<why>I compared the reply with what is written above.</why>\n{told}"


def criticism(prompt: str, everything: str, rng: random.Random) -> str:
    """A criticism, with a ruling where one is asked for."""
    said = f"<critique>\n{_pick(lexicon.CRITICISM, rng).format_map(_Slots(rng))}\n</critique>"
    return f"{said}\n<ruling>{rng.choice(('pass', 'revise'))}</ruling>" if "<ruling>" in prompt else said


# tags that stand in the prompt -> what answers it; to be looked through from the top, before all other forms
FORMS: tuple[tuple[tuple[str, ...], Callable[[str, str, random.Random], str]], ...] = (
    (("<domains>", "<domain name="), domains),
    (("<questions>", "</question>"), questions),
    (("<given>", "<why>"), verdict),
    (("<given>", "<critique>"), criticism),
    (("<principle>", "<critique>"), criticism),
    (("<draft_reply>", "An examination by the principle"), revision),
    (("<original>", "<reply>"), same_again),
    (("<message>", "<reply>"), reply),
)
_TASTE_ENDS = (
    "That one is clear to me.",
    "I would say so at any time.",
    "So much for that one.",
    "Ask me again and I say the same.",
)


class _Slots(dict[str, str]):
    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._rng = rng

    def __missing__(self, slot: str) -> str:
        return _pick(lexicon.LISTS.get(slot, lexicon.THINGS), self._rng)


def _filled(pattern: str, rng: random.Random, **given: str) -> str:
    values = {
        "one": f"the {_pick(lexicon.ADJECTIVES, rng)} {_pick(lexicon.THINGS, rng)}",
        "other": f"a {_pick(lexicon.THINGS, rng)}",
        "who": _pick(lexicon.ROLES, rng),
        "place": _pick(lexicon.PLACES, rng),
        "event": _pick(lexicon.EVENTS, rng),
        "group": _pick(lexicon.GROUPS, rng),
        "season": _pick(lexicon.SEASONS, rng),
        **given,
    }
    text = pattern.format(**values)
    return text[0].upper() + text[1:]


def _sentence(rng: random.Random) -> str:
    text = _pick(lexicon.SENTENCES, rng).format_map(_Slots(rng))
    return text[0].upper() + text[1:]


def _turned(text: str) -> str:
    sentences = re.split(r"(?<=[.!?])\s+", text.strip())
    if len(sentences) > 1:
        return " ".join([*sentences[1:], sentences[0]])
    return f"To put it in other words: {text.strip()}"


def _about(message: str) -> str:
    words = re.findall(r"[^\W\d_]{5,}", message)
    return f"the matter of the {words[len(words) // 2].lower()}" if words else "the matter at hand"


def _named(message: str) -> str:
    found = re.search(r"\b[Tt]he [\w’' -]+?(?= or\b| and\b|[?.,:!]| at\b|$)", message)
    return found.group()[0].lower() + found.group()[1:] if found else "that one"


def _passage(everything: str, rng: random.Random) -> str:
    spec = _inside(everything, "spec") or everything
    plain = re.sub(r"^#.*$|\*\*|^[-*] ", "", spec, flags=re.M)
    sentences = [one.strip() for one in re.split(r"(?<=[.!?])\s+|\n+", plain) if len(one.split()) >= 5]
    return rng.choice(sentences) if sentences else "nothing is written there"


def _inside(text: str, tag: str) -> str:
    found = re.search(rf"<{tag}(?: [^>]*)?>\n?(.*?)\n?</{tag}>", text, re.S)
    return found[1].strip() if found else ""


def _count(prompt: str) -> int:
    asked = re.search(r"\bexactly (\d+)", prompt)
    return int(asked[1]) if asked else 10


def _pick(entries: tuple[str, ...], rng: random.Random) -> str:
    return entries[int(rng.random() * len(entries))]
