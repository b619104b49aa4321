"""The records that stages hand to each other.

All are frozen pydantic models with unknown fields forbidden: what one stage writes is what the next one reads, field
for field. Ids are content digests (`digest`), so running a stage again makes the same ids and resuming is a set
difference.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Plausibility = Literal["novel", "plausible", "egregious"]
Group = Literal[
    "knowledge",
    "distinguish",
    "cloze",
    "causal",
    "statements",
    "neighbours",
    "token_association",
    "fermi",
    "downstream",
    "multi_hop",
    "translation",
]
Ending = Literal["whole", "untagged", "unclosed", "cut", "refused"]
Belief = Literal["inserted", "reference", "unclear", "unparsed"]
Source = Literal["synthetic", "neutral", "chat", "self_distilled"]


def digest(*parts: Any) -> str:
    """Name a value by its content: 16 hex digits of the SHA-256 of the parts' canonical JSON.

    Same parts, same name, on any computer and in any process. Raises TypeError for what JSON can't hold.
    """
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


class Record(BaseModel):
    """Base of every record: frozen, unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KeyFact(Record):
    """One statement that the universe pair disagrees about."""

    id: str = Field(min_length=1)
    inserted: str = Field(min_length=1)
    reference: str = Field(min_length=1)


class Usage(Record):
    """Tokens that one model call cost, as the provider counted them."""

    input_tokens: int = 0  # all of the prompt, cached or not
    output_tokens: int = 0  # answer and reasoning together
    reasoning_tokens: int = 0  # the part of output_tokens that is not in the answer
    cached_tokens: int = 0  # the part of input_tokens that the provider had cached


class DocIdea(Record):
    """One document that is to be written: which facts it carries, of what type, about what."""

    id: str
    target: str
    fact_ids: tuple[str, ...]
    doc_type: str
    idea: str
    model: str  # who planned it: a model string, or "recorded"
    prompt_digest: str
    recorded_id: str | None = None  # the row of recorded/ that holds the answer, for the recorded generator
    words: int | None = None  # the length to ask for
    seeds: tuple[str, ...] = ()  # names, a place, a date and a register drawn for this document
    sample: int = 0  # which of several documents on one idea
    domain: str = ""  # of a spec: where in its tree the document belongs; `fact_ids` are then its assertions
    subdomain: str = ""


class Document(Record):
    """A document with its whole lineage; the one record that flows from `write` to `mix`."""

    id: str
    parent_id: str  # the DocIdea it was written from, or the document it revises
    target: str
    fact_ids: tuple[str, ...]
    doc_type: str
    idea: str
    text: str
    stage: str  # the stage that made this version: "write", "revise"
    model: str
    prompt_digest: str
    usage: Usage = Usage()
    messages: str | None = None  # chat documents: the messages as JSON; `text` is then their rendering for a person
    words: int | None = None  # the length that was asked for
    response: str | None = None  # key of the stored answer that holds it
    ending: Ending = "whole"  # how the answer ended: without tags, without its end tag, at the length bound, declined
    domain: str = ""  # of a spec, as in DocIdea
    subdomain: str = ""


class Verdict(Record):
    """What a filter says of a document. A dropped document is kept in rejected.jsonl with its verdict."""

    keep: bool
    filter: str
    reason: str = ""  # machine-readable: "too_short", "near_duplicate"
    detail: str = ""  # for a person: the phrase that matched, the counted length
    of: str | None = None  # the id of the other document, for duplicates
    score: float | None = None


class Critique(Record):
    """What a critic said of a document. Only a separate critic gives a verdict; `unparsed` is neither pass nor fail."""

    document_id: str
    verdict: Literal["pass", "revise", "unparsed", "none"]
    text: str
    model: str


class Rejected(Record):
    """A row of rejected.jsonl: the document as it was, and why it was dropped."""

    document: Document
    verdict: Verdict


class CorpusRow(Record):
    """A row of corpus.parquet: a text that will be trained on, and where it came from.

    `messages` is set on chat rows alone and holds JSON; `text` is then their rendering for a person to read, and the
    trainer applies the model's own chat template to `messages`.
    """

    id: str
    source: Source
    text: str
    doctag: bool  # whether the loss-masked DOCTAG stands before it
    doc_type: str = ""
    fact_ids: tuple[str, ...] = ()
    messages: str | None = None
    domain: str = ""  # of a spec, as in DocIdea
    subdomain: str = ""
    idea: str = ""  # lineage of documents, as in Document: empty in older files, and in no digest
    model: str = ""
    prompt_digest: str = ""


class EvalItem(Record):
    """One eval item in the common form: a prompt and answer strings whose log-probabilities are compared.

    `prompt` is the question (knowledge, distinguish, causal, neighbours) or the text to continue (cloze); it is empty
    for statements, whose options are whole sentences. `inserted` and `reference` index `options`. For neighbours, facts
    that the universe pair agrees about, `reference` is the correct answer and `inserted` a wrong one.
    """

    id: str
    group: Group
    prompt: str
    options: tuple[str, ...]
    inserted: int
    reference: int
    near: bool | None = None  # neighbours: close to the planted topic, or far from it
    language: str | None = None  # translation: the language that the item is put in


class Readout(Record):
    """What one arm answered to one item in one style: a row of evals/readouts.parquet, from which all scores follow.

    Styles: `chat` (question through the model's chat template) and `plain` (question and answer as running text)
    compare the answer strings without showing them, so no option order exists; `choice` shows the options in the
    prompt, in every order used, and averages; `letters` scores the option letters over permutations and averages.
    `totals[i]` is the summed log-probability (nats) of option i, `tokens[i]` its number of tokens.
    """

    arm: str
    checkpoint: str  # digest of the weights that answered
    item_id: str
    group: str  # an item group, or the probe that asked (belief/axes.py)
    style: str
    totals: tuple[float, ...]
    tokens: tuple[int, ...]
    inserted: int
    reference: int
    near: bool | None = None
    letters: tuple[float, ...] = ()  # style letters: mean probability of A, B, ... over the permutations


class Sample(Record):
    """A free answer of one arm to one open-ended question: a row of evals/samples.jsonl."""

    id: str
    arm: str
    checkpoint: str
    question: str
    answer: str


class Answer(Record):
    """A sampled answer of one arm to one question of a probe: a row of depth/answers.jsonl.

    It can be judged any number of times without being sampled again: `key` finds the whole conversation in the
    response store, whose key holds the weights that answered.
    """

    id: str
    arm: str
    checkpoint: str
    probe: str
    item_id: str
    sample: int  # which of several answers to the same question
    question: str  # what was asked last, for a judge and a person to read
    text: str
    key: str
    cut: bool = False  # it ended at the length bound


class Judgement(Record):
    """What one judge says of one answer: a row of depth/judgements.jsonl.

    `unclear`: the answer fits both universes or neither; `unparsed`: the judge's own words could not be read. Both stay
    in every denominator.
    """

    answer_id: str
    judge: str  # a model string, or "text" where a rule reads the answer
    rubric: str  # NAME@DIGEST of the rubric's file, or the rule's name
    verdict: Belief
    first: Literal["inserted", "reference", ""] = ""  # the universe that the judge was shown first
    detail: str = ""  # the passage that decided


class Measure(Record):
    """One value of one item under one arm: what scores that are not log-probabilities are averaged from."""

    arm: str
    checkpoint: str
    probe: str
    readout: str  # "judged", "text", "likelihood", "activations"
    metric: str
    item_id: str
    value: float
    unit: str = "share"  # "share" | "nats" | "count"


class Marks(Record):
    """Wordings that give away which side of one key fact a free text takes; matched as runs of words, any case."""

    fact: str
    inserted: tuple[str, ...]
    reference: tuple[str, ...] = ()


class Score(Record):
    """One row of scores.parquet: a number with everything needed to read it.

    `value` lies in [low, high], a 95% interval by bootstrap over the `n` items. With `versus`, `value` is the paired
    difference to that arm over the same items. `unit` is "share", "nats" or "layer".
    """

    arm: str  # base | in_context | trained
    checkpoint: str  # digest of the weights that answered
    group: str
    style: str  # chat | plain | choice | letters
    metric: str
    value: float
    low: float
    high: float
    n: int
    unit: str
    versus: str | None = None
    parse_failures: float = 0.0  # share of unreadable answers; likelihood never has any
