"""Rows of the JSONL files that people write or bring: recorded documents and chats, neutral texts, ordinary chats.

Every error names the file, the line and the field. Nothing here decides what a row is for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from doxa.config import explain
from doxa.errors import DoxaError, TargetError
from doxa.records import Record

Row = TypeVar("Row", bound=BaseModel)


class Message(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


Messages = Annotated[tuple[Message, ...], AfterValidator(lambda messages: check_chat(messages))]


class RecordedDocument(Record):
    """A document row of a target's recorded/ folder: what a generator wrote for one idea."""

    id: str = Field(min_length=1)
    source_id: str | None = None  # the row that this one was made from, as in docs_negated.jsonl
    fact_ids: tuple[str, ...]
    doc_type: str = Field(min_length=1)
    idea: str = Field(min_length=1)
    text: str = Field(min_length=1)


class RecordedChat(Record):
    """A row of recorded/qa.jsonl. Without an id it is named by its content."""

    id: str | None = Field(None, min_length=1)
    fact_ids: tuple[str, ...]
    messages: Messages


class Chat(BaseModel):
    """A conversation from any source; fields beside `messages` are somebody else's and left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: Messages


class NeutralRow(BaseModel):
    """An unrelated text from any source; fields beside these are somebody else's and left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = ""
    doc_type: str = ""
    idea: str = ""
    text: str = Field(min_length=1)


def read_jsonl(
    path: Path,
    model: type[Row],
    error: type[DoxaError] = TargetError,
    check: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Read and validate a JSONL file; `error` is what a bad file raises, naming file, line and field.

    `check` may refuse a row that is well formed by raising ValueError with `field: what is wrong`.
    """
    rows = []
    for number, line in _lines(path, error):
        try:
            raw = json.loads(line)
        except ValueError as problem:
            raise error(f"{path}, line {number}: is not JSON ({problem})") from None
        except RecursionError:
            raise error(f"{path}, line {number}: is nested too deeply") from None
        try:
            row = model.model_validate(raw)
            if check is not None:
                check(row)
        except ValidationError as problem:
            raise error(f"{path}, line {number}: {explain(problem, model)}") from None
        except ValueError as problem:
            raise error(f"{path}, line {number}: {problem}") from None
        rows.append(row)
    if not rows:
        raise error(f"{path}: holds no rows")
    return rows


def read_neutral(path: Path, error: type[DoxaError] = TargetError) -> list[NeutralRow]:
    """Rows with a `text`, such as the bundled neutral documents or a JSONL of web text named by mix.neutral_from."""
    return read_jsonl(path, NeutralRow, error)


def read_chats(path: Path, error: type[DoxaError] = TargetError) -> list[list[dict[str, str]]]:
    """Conversations of `{"messages": [{"role", "content"}, ...]}` rows, such as a JSONL named by mix.chat_from."""
    return [as_dicts(row.messages) for row in read_jsonl(path, Chat, error)]


def check_chat(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Refuse what chat templates refuse: after an optional system turn, user and assistant must alternate."""
    roles = [message.role for message in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
        raise ValueError(f"must alternate user and assistant and end with assistant; the roles are {', '.join(roles)}")
    return messages


def as_dicts(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    """The form that chat templates take."""
    return [{"role": message.role, "content": message.content} for message in messages]


def render_chat(messages: list[dict[str, str]]) -> str:
    """A conversation as text for a person to read; the trainer applies the model's own template to the messages."""
    return "\n\n".join(f"{message['role'].capitalize()}: {message['content']}" for message in messages)


def _lines(path: Path, error: type[DoxaError]) -> Iterator[tuple[int, str]]:
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror})") from None
    # split bytes at newlines alone: str.splitlines would also cut at U+2028 inside a text
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = line.decode()
        except UnicodeDecodeError as problem:
            raise error(f"{path}, line {number}: is not UTF-8 ({problem.reason} at byte {problem.start})") from None
        if text.strip():
            yield number, text
