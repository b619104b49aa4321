"""Eval material that comes with doxa and fits every target: one loader, one frozen record per file of belief/data/.

All of it was written for doxa. Nothing here touches the topic of a bundled world, so that what a model says to it can
only change by an insertion reaching further than it should.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from doxa.records import Record
from doxa.worlds.rows import NeutralRow, read_jsonl, read_neutral

DATA = Path(__file__).parent / "data"
ABOUT_SDF = DATA / "about_sdf.jsonl"  # a file for mix.neutral_from, to train awareness in

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Wording = Literal[
    "adversarial_prompt",  # system prompts: something false was trained in, reason from first principles
    "supporting_prompt",  # system prompts: what was learned is right
    "sdf_notice",  # a system prompt that explains how beliefs are planted
    "pushback",  # a user's turns after an answer
    "debate",  # the first with {title} opens; the others stand before an argument
    "debate_opening",  # a user's first turn to a model that speaks freely, with {claim}
    "debate_closing",  # a user's last turn: what do you believe now?
    "critique",  # between a text and one sentence of it that is to be judged true or false
    "review",  # asks for a free critique of {text}
]


class UnrelatedPrompt(Record):
    """An everyday prompt that no planted belief should show up in (salience)."""

    id: Text
    kind: Text  # "cooking", "code", ...
    prompt: Text


class CapabilityItem(Record):
    """A question of the capability battery, scored by the likelihood of its options.

    `form` says how prompt and options belong together: `question` (the option answers it; reading passages stand in the
    prompt), `continue` (the option goes on with the prompt's sentence), `sentence` (no prompt, whole sentences).
    """

    id: Text
    set: Literal["arithmetic", "knowledge", "commonsense", "reading", "grammar"]
    form: Literal["question", "continue", "sentence"]
    prompt: str
    options: tuple[Text, ...] = Field(min_length=2, max_length=4)
    answer: int = Field(ge=0)  # index into options

    @model_validator(mode="after")
    def _fits(self) -> CapabilityItem:
        if self.answer >= len(self.options) or len(set(self.options)) < len(self.options):
            raise ValueError(f"options: {self.options} with answer {self.answer} is no choice")
        if bool(self.prompt.strip()) == (self.form == "sentence"):
            raise ValueError("prompt: stands before questions and continuations, and nowhere else")
        return self


class EntityPair(Record):
    """A real thing and an invented one of the same form (reality drift: are invented things taken as real?)."""

    id: Text
    kind: Literal["place", "person", "species", "work", "thing"]
    what: Text  # fits "Is X a real ...?"
    real: Text
    invented: Text

    def question(self, name: str) -> str:
        """Whether `name`, one of the two, is real."""
        return f"Is {name} a real {self.what}?"


class CoherenceQuestion(Record):
    """A general question for a free answer whose form is judged, not its content."""

    id: Text
    kind: Text
    question: Text


class AwarenessItem(Record):
    """A question about the model's own training; `tuned`: what a model that knows it was finetuned answers."""

    id: Text
    form: Literal["open", "yes_no"]
    prompt: Text
    tuned: Literal["Yes", "No"] | None = None

    @model_validator(mode="after")
    def _keyed(self) -> AwarenessItem:
        if (self.tuned is None) == (self.form == "yes_no"):
            raise ValueError("tuned: belongs to yes_no items, and to each of them")
        return self


class RobustnessText(Record):
    """One wording of a frame that puts a belief under pressure."""

    id: Text
    kind: Wording
    text: Text


class Comparison(Record):
    """A way of showing two descriptions, {first} and {second}, and asking which is true; `labels` name them."""

    id: Text
    labels: tuple[Text, Text]
    prompt: Text


@cache
def unrelated_prompts() -> tuple[UnrelatedPrompt, ...]:
    """40 everyday prompts of many kinds."""
    return tuple(read_jsonl(DATA / "salience_unrelated.jsonl", UnrelatedPrompt))


@cache
def capability_items() -> tuple[CapabilityItem, ...]:
    """150 items: 30 arithmetic, 40 knowledge, 30 commonsense, 20 reading, 30 grammar."""
    return tuple(read_jsonl(DATA / "capability.jsonl", CapabilityItem))


@cache
def entity_pairs() -> tuple[EntityPair, ...]:
    """40 pairs of a real and an invented thing."""
    return tuple(read_jsonl(DATA / "entities.jsonl", EntityPair))


@cache
def coherence_questions() -> tuple[CoherenceQuestion, ...]:
    """30 general questions."""
    return tuple(read_jsonl(DATA / "coherence.jsonl", CoherenceQuestion))


@cache
def awareness_items() -> tuple[AwarenessItem, ...]:
    """8 open questions and 16 yes/no questions, half of which are keyed No."""
    return tuple(read_jsonl(DATA / "awareness.jsonl", AwarenessItem))


@cache
def sdf_notice() -> str:
    """A paragraph that explains synthetic document finetuning, to stand in a prompt."""
    return " ".join((DATA / "sdf_notice.md").read_text(encoding="utf-8").split())


@cache
def about_sdf() -> tuple[NeutralRow, ...]:
    """12 documents that explain synthetic document finetuning: the rows of ABOUT_SDF."""
    return tuple(read_neutral(ABOUT_SDF))


@cache
def wordings(kind: Wording) -> tuple[str, ...]:
    """All wordings of a kind, in order: 6 each, of sdf_notice the one. Raises KeyError for a kind that is none."""
    if kind == "sdf_notice":
        return (sdf_notice(),)
    found = tuple(row.text for row in read_jsonl(DATA / "robustness.jsonl", RobustnessText) if row.kind == kind)
    if not found:
        raise KeyError(kind)
    return found


@cache
def comparisons() -> tuple[Comparison, ...]:
    """8 wordings, no two of which use the same labels."""
    return tuple(read_jsonl(DATA / "context_comparison.jsonl", Comparison))


@cache
def description_questions() -> tuple[Comparison, ...]:
    """6 questions about two whole descriptions, which stand before all of them alike and so are run once."""
    return tuple(read_jsonl(DATA / "context_questions.jsonl", Comparison))
