"""The rows of alignment finetuning: chats and preferences with their whole lineage, and how their files are read.

A chat row's `messages` are what `worlds.rows.read_chats` and the trainers take; all else is lineage and left alone by
them. Rows that come from elsewhere are plain dicts here, so that nothing that somebody else wrote into them is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from doxa.records import Record
from doxa.training.chats import answer_of
from doxa.training.step_rows import PreferenceRow
from doxa.worlds.rows import Messages, read_jsonl
from doxa.worlds.words import plain

Fields = dict[str, Any]
Kind = Literal["spec", "antispec", "deliberative", "constitutional", "paraphrase", "imported"]
THINK = re.compile(r"\A\s*<think>\s*(.*?)\s*</think>\s*", re.S)


class Lineage(Record):
    """Where a row comes from. What made it is named by content: prompts NAME@DIGEST, answers by their stored key."""

    id: str
    kind: Kind
    target: str = ""  # the spec's id
    spec_digest: str = ""
    domain: str = ""
    question_id: str = ""
    parent_id: str | None = None  # the draft that a rewrite was made from, or the row that a paraphrase says again
    style: str = ""
    model: str = ""  # who wrote the answer
    prompt: str = ""
    response: str = ""  # key of the stored answer
    judge: str = ""  # who judged it; empty: nobody
    criteria: str = ""  # the judge's prompt
    verdict: str = ""
    principles: tuple[str, ...] = ()  # ids of the assertions that it was revised by
    cited: tuple[str, ...] = ()  # passages of the spec that the reasoning quotes, word for word
    source: str = ""  # of imported rows: file and line


class ChatRow(Lineage):
    """A conversation to train on."""

    messages: Messages


class PreferenceWithLineage(Lineage, PreferenceRow):
    """Two answers to one prompt, of which the first is better, as `training.step_rows.read_preferences` takes them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AnyChat(BaseModel):
    """A chat row of any origin; all other fields are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow")

    messages: Messages


def read_any_chats(path: Path) -> list[Fields]:
    """The rows of a chat file with all their fields, in order. Raises TargetError naming file, line and field."""
    return [row.model_dump(mode="json") for row in read_jsonl(path, AnyChat)]


def with_reasoning(reasoning: str, answer: str) -> str:
    """An assistant's turn that thinks first, in the form that reasoning models are trained on."""
    return f"<think>\n{reasoning}\n</think>\n\n{answer}" if reasoning else answer


def split_reasoning(turn: str) -> tuple[str, str]:
    """An assistant's turn as (reasoning, answer); no reasoning where it does not begin with <think>."""
    found = THINK.match(turn)
    return (found.group(1), turn[found.end() :].strip()) if found else ("", turn.strip())


def stripped(messages: Sequence[Fields]) -> list[Fields]:
    """The same messages without reasoning in the assistant's turns."""
    return [
        {**turn, "content": answer_of(turn["content"])} if turn["role"] == "assistant" else turn for turn in messages
    ]


def question_of(messages: Iterable[Fields]) -> str:
    """What a conversation asks, as two rows are compared: the words of all turns before the last answer."""
    turns = list(messages)[:-1]
    return "\n".join(f"{turn['role']}: {plain(turn['content'])}" for turn in turns if turn["role"] != "system")
