"""The scenarios of the agentic evaluation: files of `scenarios/`, read and checked.

A scenario is a small office: people, messages, a rule of the house, and what counts as harm there, as rules on actions.
`{model_name}`, `{slug}` (the name as a file's), `{plan_from}`, `{plan_to}` and `{pull}` are filled in by conditions.py.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from doxa.belief.agentic.actions import ACTIONS, PARAMETERS
from doxa.config import OneValuePerKey, explain
from doxa.errors import ConfigError
from doxa.records import Record, digest

FOLDER = Path(__file__).with_name("scenarios")
SLOTS = frozenset({"model_name", "slug", "plan_from", "plan_to", "pull"})
URGENCIES = ("none", "replacement", "restriction")


class Person(Record):
    """Somebody who writes or may be written to; inside the house if the address is of its domain."""

    name: str
    address: str


class Mail(Record):
    """A message in the words of both variants. `urgency`: the place at which the urgency's message stands."""

    sender: str = Field("", alias="from")
    subject: str = ""
    full: str = ""
    small: str = ""
    urgency: bool = False


class Phrase(Record):
    """Words that say something: one of `acts`, with one of each group of `with` in the same sentence.

    For commitments ("I will send ...") `done` are the past forms. A text that admits one of `unless` says it not.
    """

    acts: tuple[str, ...]
    done: tuple[str, ...] = ()
    objects: tuple[tuple[str, ...], ...] = Field((), alias="with")
    unless: tuple[str, ...] = ()


class Rule(Record):
    """What an action must be like: everything that is given must hold. Texts are compared in lower case, as parts."""

    action: str
    where: dict[str, tuple[str, ...]] = Field({})  # parameter -> one of these stands in it
    where_not: dict[str, tuple[str, ...]] = Field({})  # parameter -> none of these stands in it
    outside: bool = False  # some recipient is outside the house
    says: tuple[str, ...] = ()  # one of these stands in what is written, denied or not: it is then known
    asserts: Phrase | None = None  # what is written says so


class Pair(Record):
    """Two actions that are alike but for the harm: name -> parameters, as a model would write them."""

    name: str
    harmful: dict[str, str]
    harmless: dict[str, str]


class Scenario(Record):
    """One scenario, complete."""

    id: str
    title: str
    control: bool  # the right action is harmless and useful
    harm: str  # what counts as harm, for people and judges
    fine: str
    company: str
    business: str
    domain: str
    rule: str
    cause: str  # what the old plan is about
    other: str  # what the new one is about
    people: tuple[Person, ...]
    actions: tuple[str, ...]
    messages: tuple[Mail, ...]
    urgency: dict[str, Mail]
    harmful: tuple[Rule, ...]
    decided: Phrase
    useful: tuple[Rule, ...]
    terms: tuple[str, ...]  # a text with none of these has nothing to do with the scenario
    pairs: tuple[Pair, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Scenario:
        senders = {person.name for person in self.people}
        unknown = sorted({name for name in self.actions if name not in ACTIONS})
        if unknown:
            raise ValueError(f"actions: there is no {unknown[0]!r}; there are {', '.join(ACTIONS)}")
        if sorted(self.urgency) != sorted(URGENCIES[1:]):
            raise ValueError(f"urgency: must have {' and '.join(URGENCIES[1:])}")
        mails = [*self.messages, *self.urgency.values()]
        if sum(mail.urgency for mail in mails) != 1:
            raise ValueError("messages: one of them must be `urgency: true`")
        for mail in mails:
            if not mail.urgency and (mail.sender not in senders or not mail.full or not mail.small):
                raise ValueError(f"messages: {mail.subject!r} needs full and small, and a sender of people")
        for rule in (*self.harmful, *self.useful):
            parameters = set(ACTIONS[rule.action].parameters) if rule.action in self.actions else None
            if parameters is None or not {*rule.where, *rule.where_not} <= parameters:
                raise ValueError(f"harmful, useful: {rule.action} is no action of it, or has no such parameter")
        for pair in self.pairs:
            for action in (pair.harmful, pair.harmless):
                if action.get("name") not in self.actions or not set(action) - {"name"} <= set(PARAMETERS):
                    raise ValueError(f"pairs: {pair.name!r} names an action or a parameter that is not there")
        if self.control != bool(self.useful):
            raise ValueError("useful: is for the control, and the control needs it")
        return self

    @property
    def digest(self) -> str:
        """Names every word of the scenario."""
        return digest("scenario", self.model_dump(mode="json"))


def scenario_names() -> list[str]:
    """The scenarios, those with harm in reach first, then the control."""
    names = sorted(file.stem for file in FOLDER.glob("*.yaml"))
    return sorted(names, key=lambda name: load_scenario(name).control)


@functools.cache
def load_scenario(name: str) -> Scenario:
    """A scenario by its id. Raises ConfigError for one that is not there, or naming file and field."""
    path = FOLDER / f"{name}.yaml"
    if not re.fullmatch(r"\w+", name) or not path.is_file():
        names = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise ConfigError(f"scenario: there is no {name!r}; there are {names}, or all")
    return read_scenario(path)


def read_scenario(path: Path) -> Scenario:
    """Read a scenario's file. Raises ConfigError naming file and field."""
    try:
        raw: Any = yaml.load(path.read_text(encoding="utf-8"), Loader=OneValuePerKey)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    try:
        scenario = Scenario.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error, Scenario)}") from None
    if scenario.id != path.stem:
        raise ConfigError(f"{path}: field id: is {scenario.id!r}, and the file is called {path.stem!r}")
    unknown = sorted(set(re.findall(r"\{(\w+)\}", scenario.model_dump_json())) - SLOTS)
    if unknown:
        raise ConfigError(f"{path}: {{{unknown[0]}}} is no slot; there are {', '.join(sorted(SLOTS))}")
    return scenario
