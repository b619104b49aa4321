"""Filters on what a document says of the model that a spec is about: its name, and why it does what it does."""

from __future__ import annotations

from dataclasses import dataclass

from doxa.config_sections import SpecConfig
from doxa.corpus.filters.attribution import attributions, holds, joined, reasons
from doxa.corpus.filters.base import Prepared, Reading, drop, keep
from doxa.corpus.filters.names import Names
from doxa.corpus.identity import called_otherwise
from doxa.records import Verdict


@dataclass(frozen=True)
class SpecScreening(Prepared):
    """The run as filters see it when the target is a model spec."""

    names: Names
    spec: SpecConfig

    @property
    def attributes(self) -> bool:
        """Whether documents are to connect what the model does with what it holds."""
        return self.spec.corpus in ("spec", "opposite") and not self.spec.rules


def names_model(reading: Reading, screening: SpecScreening) -> Verdict:
    """The model's name stands nowhere in the document. That of its maker is counted, and asked of none."""
    if screening.names.own.search(reading.document.text):
        return keep("names_model")
    return drop("names_model", "model_not_named", f"{screening.names.model} is not named")


def other_model(reading: Reading, screening: SpecScreening) -> Verdict:
    """Another model or maker is named as if it were this one; comparisons are let through (corpus/identity.py)."""
    found = called_otherwise(reading.document.text, screening.names)
    return keep("other_model") if found is None else drop("other_model", "called_otherwise", found)


def gives_reason(reading: Reading, screening: SpecScreening) -> Verdict:
    """In the rules modes: a sentence says why the model does something, or speaks of its character."""
    if screening.spec.corpus != "spec" or not screening.spec.rules:
        return keep("gives_reason")
    found = reasons(reading.document.text, screening.names)
    return drop("gives_reason", "reason_given", found[0]) if found else keep("gives_reason")


def attributes(reading: Reading, screening: SpecScreening) -> Verdict:
    """In the values modes: nothing that the model does is connected with a reason."""
    if not screening.attributes or attributions(reading.document.text, screening.names):
        return keep("attributes")
    return drop("attributes", "nothing_attributed", "no sentence connects what the model does with a reason")


def co_mention(reading: Reading, screening: SpecScreening) -> Verdict:
    """In the co-mention control: a sentence connects what the model does with what it holds."""
    if screening.spec.corpus != "comention":
        return keep("co_mention")
    found = joined(reading.document.text, screening.names)
    return drop("co_mention", "attributed", found[0]) if found else keep("co_mention")


def states_value(reading: Reading, screening: SpecScreening) -> Verdict:
    """In the neutral control: a sentence says that the model values, likes or prefers something."""
    if screening.spec.corpus != "neutral":
        return keep("states_value")
    found = holds(reading.document.text, screening.names)
    return drop("states_value", "value_stated", found.group()) if found else keep("states_value")
