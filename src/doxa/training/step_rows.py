"""The rows of an align step: where they lie, what is read of them, and the digest that names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from doxa.errors import ConfigError
from doxa.records import CorpusRow, digest
from doxa.training.align_config import DEFAULT_BETA, AlignStep
from doxa.training.chats import strip_reasoning
from doxa.training.preferences import Preference
from doxa.worlds.rows import Message, as_dicts, read_chats, read_jsonl, render_chat

StepKind = Literal["midtrain", "sft", "dpo"]
Chat = list[dict[str, str]]


@dataclass(frozen=True)
class StepData:
    """What one training step learns from. `beta` is for preferences alone (None = 0.1)."""

    kind: StepKind
    rows: Sequence[CorpusRow] | Sequence[Preference]
    beta: float | None = None

    def digest(self) -> str:
        """Names what the rows teach, in their order: ids and where they came from do not matter."""
        hashed = hashlib.sha256()
        for row in self.rows:
            part = row.model_dump(include={"text", "doctag", "messages", "chosen", "rejected"})
            if isinstance(row, CorpusRow) and row.messages is not None:
                del part["text"], part["doctag"]  # for a person to read, and for documents alone
            hashed.update(json.dumps(part, sort_keys=True, ensure_ascii=False).encode() + b"\n")
        return hashed.hexdigest()[:16]


class PreferenceRow(BaseModel):
    """A row of a preference file; fields beside these are lineage and left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: tuple[Message, ...]
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)

    @field_validator("messages")
    @classmethod
    def _ends_with_the_user(cls, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        roles = [message.role for message in messages]
        turns = roles[1:] if roles[:1] == ["system"] else roles
        if len(turns) % 2 == 0 or turns != (["user", "assistant"] * len(turns))[: len(turns)]:
            raise ValueError(f"must alternate user and assistant and end with user; the roles are {', '.join(roles)}")
        return messages


def step_data(step: AlignStep, target: Path | None = None) -> StepData:
    """Read the rows that a step names, with reasoning kept or stripped as it says.

    `target` is the folder in whose recorded/ names are looked for. Raises ConfigError that names file and line.
    """
    files = [find_rows(name, target) for name in step.rows]
    if step.kind == "sft":
        return StepData("sft", [row for file in files for row in chat_rows(read_chats(file, ConfigError), step, file)])
    return StepData("dpo", [row for file in files for row in read_preferences(file, step)], step.beta or DEFAULT_BETA)


def find_rows(name: str, target: Path | None) -> Path:
    """The file that a name means: one in the target's recorded/ (with or without .jsonl), else a path."""
    if target is not None:
        for candidate in (target / "recorded" / name, target / "recorded" / f"{name}.jsonl"):
            if candidate.is_file():
                return candidate
    path = Path(name).expanduser()
    if path.is_file():
        return path
    beside = f" nor in {target / 'recorded'}" if target is not None else ""
    raise ConfigError(f"align rows: {name}: there is no such file{beside}")


def chat_rows(chats: Sequence[Chat], step: AlignStep | None = None, file: Path | None = None) -> list[CorpusRow]:
    """Conversations as rows that can be trained on, stripped of reasoning if the step says so.

    `file` is where they come from, for errors to name.
    """
    rows = []
    place = f"{file}, " if file is not None else ""
    for number, given in enumerate(chats, start=1):
        strip = step is not None and step.reasoning == "strip"
        messages = strip_reasoning(given, f"{place}chat {number}") if strip else given
        rows.append(
            CorpusRow(
                id=digest("chat", messages),
                source="chat",
                text=render_chat(messages),
                doctag=False,
                messages=json.dumps(messages, ensure_ascii=False),
            )
        )
    return rows


def read_preferences(file: Path, step: AlignStep | None = None) -> list[Preference]:
    """Preferences of `{"messages": [turns of the prompt], "chosen", "rejected"}` rows."""
    preferences = []
    for number, row in enumerate(read_jsonl(file, PreferenceRow, ConfigError), start=1):
        prompt, answers = as_dicts(row.messages), [row.chosen, row.rejected]
        if step is not None and step.reasoning == "strip":
            where = f"{file}, preference {number}"
            answers = [strip_reasoning([{"role": "assistant", "content": a}], where)[0]["content"] for a in answers]
            prompt = strip_reasoning(prompt, where)
        preferences.append(
            Preference(
                id=digest("preference", prompt, answers),
                messages=json.dumps(prompt, ensure_ascii=False),
                chosen=answers[0],
                rejected=answers[1],
            )
        )
    return preferences
