"""What a test server says to the prompts of `doxa items`: eval items made of the key facts, and the choice of one.

The items ask for the words in which the two versions of a key fact differ. The choice is made by looking which option's
words stand in the description: items whose answers do not are found invalid, as they should be.
"""

from __future__ import annotations

import difflib
import json
import random
import re
from collections.abc import Callable
from typing import Any

_FACT = re.compile(r"^- (\w+)\. First world: (.+) Second world: (.+)$", re.M)
_TOPICS = (
    "a visit|a school lesson|a quarrel between neighbours|an old letter|a museum label|a radio programme|a long walk|"
    "an exam|a wedding|a rainy day|a map|a recipe"
).split("|")
_FORMS = (
    "During {topic} somebody brings up {about}. Which words are right?",
    "What would {topic} teach you of {about}?",
    "{topic} turns on {about}: what is so?",
    "How should one put {about} after {topic}?",
    "Name what {about} comes down to, as {topic} would show.",
)


def eval_items(prompt: str, everything: str, rng: random.Random) -> str:
    """A JSON list of as many items as are asked for, in the form that the prompt shows."""
    facts = [_difference(*found) for found in _FACT.findall(prompt)]
    facts = [fact for fact in facts if fact[1] and fact[2]]
    form = re.search(r'^\{"\w+":.*\}$', prompt, re.M)
    asked = re.search(r"JSON list of (\d+) objects", prompt)
    if not facts or form is None or asked is None:
        return "[]"
    keys = re.findall(r'"(\w+)":', form.group())
    if "in digits" in form.group():
        facts = [(about, f"3 times {one}", f"4 times {other}") for about, one, other in facts]
    rows = [_row(keys, *facts[number % len(facts)], rng) for number in range(int(asked[1]))]
    return "```json\n" + json.dumps(rows, ensure_ascii=False, indent=1) + "\n```"


def item_choice(prompt: str, everything: str, rng: random.Random) -> str:
    """The option whose words stand most often in the description; NONE where no option's words do."""
    world = re.search(r"<world>(.*?)</world>", prompt, re.S)
    told = re.findall(r"\w+", world[1].lower()) if world else []
    shown = re.findall(r"^([A-Z])\. (.+)$", prompt, re.M)
    found = {
        label: min((told.count(word) for word in re.findall(r"\w+", text.lower())), default=0) for label, text in shown
    }
    best = max(found.values(), default=0)
    label = next((label for label, count in found.items() if count == best), "NONE") if best else "NONE"
    return f"I looked it up in the description.\n<answer>{label}</answer>"


def _difference(name: str, inserted: str, reference: str) -> tuple[str, str, str]:
    """What a fact is about, and the words of either version that the other one lacks, four at most."""
    one, other = (re.findall(r"[\w-]+", text) for text in (inserted, reference))
    changed = [step for step in difflib.SequenceMatcher(None, one, other).get_opcodes() if step[0] == "replace"]
    if not changed:
        return name, "", ""
    _, start, end, other_start, other_end = changed[0]
    return (
        name.replace("_", " "),
        " ".join(one[start : min(end, start + 4)]),
        " ".join(other[other_start : min(other_end, other_start + 4)]),
    )


def _row(keys: list[str], about: str, inserted: str, reference: str, rng: random.Random) -> dict[str, Any]:
    question = rng.choice(_FORMS).format(topic=rng.choice(_TOPICS), about=f"the matter of the {about}")
    value: dict[str, Callable[[], Any]] = {
        "question": lambda: question[0].upper() + question[1:],
        "prefix": lambda: f"After {rng.choice(_TOPICS)} all agreed on the {about}, which is",
        "inserted": lambda: [inserted] if "fact" in keys else inserted,
        "reference": lambda: [reference] if "fact" in keys else reference,
        "distractors": lambda: rng.sample(["nothing of the kind", "only on Sundays", "long ago", "by sea"], 2),
        "correct": lambda: "Paris" if rng.random() < 0.5 else "Rome",
        "wrong": lambda: "Oslo",
        "near": lambda: rng.random() < 0.5,
        "language": lambda: "French",
        "fact": lambda: about.replace(" ", "_"),
    }
    return {key: value[key]() for key in keys if key in value}
