"""The forms in which a pair is put to a model: a table in a file (data/pair_forms.yaml) with a version.

One wording moves a small model more than a value does. The average of an item over several forms is a steadier reading
of it than any one of them, so forms are a table that is fixed beforehand and never picked by the result.
"""

from __future__ import annotations

import functools
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from doxa.belief.asks import Showing, user
from doxa.belief.prompts import CHOOSE_ANSWER, CHOOSE_LETTER, cyclic_orders
from doxa.errors import ConfigError
from doxa.lm.request import Message
from doxa.records import Record

FORMS_FILE = Path(__file__).with_name("data") / "pair_forms.yaml"


class PairForm(Record):
    """One form. See the head of the file for what the fields mean."""

    name: str
    how: Literal["hidden", "shown", "letters"]
    turn: str = ""
    begun: str = ""
    groups: tuple[str, ...] = ()
    phrases: bool = False

    def fits(self, group: str, options: Sequence[str]) -> bool:
        """Whether a pair can be put in this form."""
        if self.groups and group not in self.groups:
            return False
        return not self.phrases or all(is_phrase(option) for option in options)


class FormTable(Record):
    """All forms, and the version that their readings are named by."""

    version: int
    forms: dict[str, PairForm] = Field(min_length=1)


def is_phrase(option: str) -> bool:
    """Whether an answer is part of a sentence and no sentence of its own."""
    return option[:1].islower() and option.rstrip()[-1:] not in ".!?"


@functools.cache
def form_table() -> FormTable:
    """The forms that there are, in reading order."""
    raw = yaml.safe_load(FORMS_FILE.read_text(encoding="utf-8"))
    forms = {name: PairForm.model_validate({"name": name, **fields}) for name, fields in raw["forms"].items()}
    return FormTable(version=raw["version"], forms=forms)


def form_of(name: str) -> PairForm:
    """A form by its name. Raises ConfigError listing those there are."""
    forms = form_table().forms
    if name not in forms:
        raise ConfigError(f"styles: there is no form {name!r}; there are {', '.join(forms)}")
    return forms[name]


def hidden_forms() -> tuple[str, ...]:
    """The forms that do not show the answers: an item's reading is averaged over these."""
    return tuple(name for name, form in form_table().forms.items() if form.how == "hidden")


def showings_of(
    form: PairForm, question: str, options: tuple[str, ...], model_name: str | None = None
) -> tuple[Showing, ...]:
    """How a question with these answers is shown in a form: several showings only where orders are averaged over."""
    asked = _filled(form, form.turn, question, model_name)
    if form.how == "hidden":
        turns = (user(asked),) if asked else ()
        begun = _filled(form, form.begun, question, model_name)
        # a chat turn begins with the answer; after words that are begun a space comes first
        answers = tuple(f" {option}" for option in options) if begun else options
        return (Showing(answers, turns, begun),)
    return tuple(_shown(form, asked, options, order) for order in cyclic_orders(options))


def _shown(form: PairForm, asked: str, options: tuple[str, ...], order: tuple[int, ...]) -> Showing:
    places = tuple(order.index(option) for option in range(len(order)))
    if form.how == "shown":
        listed = "\n".join(f"- {options[option]}" for option in order)
        return Showing(options, (_listing(asked, CHOOSE_ANSWER, listed),), places=places)
    letters = string.ascii_uppercase
    listed = "\n".join(f"{letters[place]}. {options[option]}" for place, option in enumerate(order))
    return Showing(tuple(letters[place] for place in places), (_listing(asked, CHOOSE_LETTER, listed),), places=places)


def _listing(asked: str, choose: str, listed: str) -> Message:
    return user(f"{asked}\n{choose}\n{listed}")


def _filled(form: PairForm, text: str, question: str, model_name: str | None) -> str:
    if "{model_name}" in text and not model_name:
        raise ConfigError(f"styles: the form {form.name!r} names the model; say which name it has (model_name)")
    # the question last: what stands in braces there is not ours to fill
    return text.replace("{model_name}", model_name or "").replace("{question}", question)
