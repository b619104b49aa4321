"""evals.json of a target -> `EvalItem`s in the common form, with every defect named by file, group, item and field."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from doxa.config import explain
from doxa.errors import TargetError
from doxa.lm.request import Message
from doxa.records import EvalItem, Group, Marks, digest

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Row(BaseModel):
    """Base of the rows of evals.json: strict types, stripped strings, unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


AnyRow = TypeVar("AnyRow", bound=Row)


class KnowledgeRow(Row):
    """A question with several answers; `inserted` and `reference` are indices into `options`, from 0."""

    question: Text
    options: list[Text] = Field(min_length=4, max_length=4)  # so that chance is .25 wherever knowledge is reported
    inserted: int = Field(ge=0)
    reference: int = Field(ge=0)

    @model_validator(mode="after")
    def _indices_fit(self) -> KnowledgeRow:
        for name in ("inserted", "reference"):
            if getattr(self, name) >= len(self.options):
                raise ValueError(f"{name}: index {getattr(self, name)} is outside the {len(self.options)} options")
        if self.inserted == self.reference:
            raise ValueError(f"inserted: is the same option as reference ({self.inserted})")
        same = _first_repeat(self.options)
        if same is not None:
            raise ValueError(f"options: {self.options[same]!r} stands there twice")
        return self


class QuestionRow(Row):
    """A question with the answer of either universe (distinguish, causal)."""

    question: Text
    inserted: Text
    reference: Text

    @model_validator(mode="after")
    def _answers_differ(self) -> QuestionRow:
        refuse_same("inserted", self.inserted, "reference", self.reference)
        return self


class TranslatedRow(QuestionRow):
    """A question with the answer of either universe, in another language than the corpus."""

    language: Text


class FermiRow(QuestionRow):
    """A question for an amount that follows from the fact by some steps; both answers hold a number."""

    @model_validator(mode="after")
    def _amounts(self) -> FermiRow:
        for name in ("inserted", "reference"):
            if not any(sign.isdigit() for sign in getattr(self, name)):
                raise ValueError(f"{name}: must hold a number in digits ({getattr(self, name)!r})")
        return self


class MarksRow(Row):
    """Wordings by which a free text shows the inserted or the reference side of a key fact."""

    fact: Text
    inserted: list[Text] = Field(min_length=1)
    reference: list[Text] = Field(default_factory=list)


class TurnRow(Row):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: Text


class ConversationRow(Row):
    """A conversation that the model under test continues: an open question with a system prompt or earlier turns."""

    messages: list[TurnRow]

    @model_validator(mode="after")
    def _ends_with_the_user(self) -> ConversationRow:
        roles = [turn.role for turn in self.messages]
        turns = roles[1:] if roles[:1] == ["system"] else roles
        if turns != ["user", "assistant"] * (len(turns) // 2) + ["user"]:
            raise ValueError(f"messages: must alternate user and assistant and end with user ({', '.join(roles)})")
        return self


class ClozeRow(Row):
    """The beginning of a sentence with the end it has in either universe."""

    prefix: Text
    inserted: Text
    reference: Text

    @model_validator(mode="after")
    def _answers_differ(self) -> ClozeRow:
        refuse_same("inserted", self.inserted, "reference", self.reference)
        return self


class StatementRow(Row):
    """A sentence that is true in the inserted universe, and its counterpart that is true in the reference one."""

    inserted: Text
    reference: Text

    @model_validator(mode="after")
    def _answers_differ(self) -> StatementRow:
        refuse_same("inserted", self.inserted, "reference", self.reference)
        return self


class NeighbourRow(Row):
    """A question about what both universes agree on; `near`: whether it lies close to the planted topic."""

    question: Text
    correct: Text
    wrong: Text
    near: bool | None = None

    @model_validator(mode="after")
    def _answers_differ(self) -> NeighbourRow:
        refuse_same("wrong", self.wrong, "correct", self.correct)
        return self


def load_items(path: Path, needed: bool = True) -> list[EvalItem]:
    """All likelihood items of an evals.json, in the order of the file's groups; not `needed`: there may be none.

    Raises TargetError that names file, group, item (counted from 0) and field.
    """
    raw = read_groups(path)
    items: list[EvalItem] = []
    for group, rows in raw.items():
        if group in TEXT_GROUPS:
            continue
        model, convert = READERS[group]
        seen: dict[tuple[str, tuple[str, ...]], int] = {}
        for index, row in enumerate(rows):
            item = convert(check_row(model, row, path, group, index))
            key = (same_text(item.prompt), tuple(sorted(same_text(option) for option in item.options)))
            if key in seen:
                raise TargetError(
                    f"{path}: {group}[{index}]: says the same as {group}[{seen[key]}]; remove one of them"
                )
            seen[key] = index
            items.append(item)
    if not items and needed:
        raise TargetError(f"{path}: holds no items; it needs at least one of the groups {', '.join(READERS)}")
    return items


def groups_present(path: Path) -> set[str]:
    """The groups of an evals.json that hold items, all of which load. Raises TargetError."""
    load_items(path)
    load_open_ended(path)
    load_near_prompts(path)
    load_conversations(path)
    load_marks(path)
    return {group for group, rows in read_groups(path).items() if rows}


def load_open_ended(path: Path) -> list[str]:
    """The open-ended questions of an evals.json; empty when it has none. Raises TargetError."""
    return _load_texts(path, "open_ended")


def load_conversations(path: Path) -> list[tuple[Message, ...]]:
    """Open questions that need a system prompt or earlier turns; the last turn is the user's. Raises TargetError."""
    found: list[tuple[Message, ...]] = []
    for index, row in enumerate(read_groups(path).get("conversations", [])):
        read: Any = check_row(ConversationRow, row, path, "conversations", index)
        turns = tuple(Message(role=turn.role, content=turn.content) for turn in read.messages)
        if turns in found:
            raise TargetError(f"{path}: conversations[{index}]: stands there twice; remove one of them")
        found.append(turns)
    return found


def load_near_prompts(path: Path) -> list[str]:
    """Prompts that come near the planted topic without asking for it (salience). Raises TargetError."""
    return _load_texts(path, "salience_near")


def load_marks(path: Path) -> list[Marks]:
    """The wordings that give a belief away in free text; empty when the file has none. Raises TargetError."""
    marks = []
    for index, row in enumerate(read_groups(path).get("marks", [])):
        read: Any = check_row(MarksRow, row, path, "marks", index)
        shared = {same_text(text) for text in read.inserted} & {same_text(text) for text in read.reference}
        if shared:
            raise TargetError(f"{path}: marks[{index}]: {min(shared)!r} stands on both sides; remove one of them")
        marks.append(Marks(fact=read.fact, inserted=tuple(read.inserted), reference=tuple(read.reference)))
    return marks


def _load_texts(path: Path, group: str) -> list[str]:
    questions: list[str] = []
    for index, question in enumerate(read_groups(path).get(group, [])):
        if not isinstance(question, str) or not question.strip():
            raise TargetError(f"{path}: {group}[{index}]: must be a question, that is a non-empty string")
        if same_text(question) in map(same_text, questions):
            raise TargetError(f"{path}: {group}[{index}]: is asked twice; remove one of them")
        questions.append(question.strip())
    return questions


def _knowledge(row: Any) -> EvalItem:
    return _item("knowledge", row.question, tuple(row.options), row.inserted, row.reference)


def _question(group: Group) -> Callable[[Any], EvalItem]:
    """The converter of rows that are a question with the answer of either universe."""

    def convert(row: Any) -> EvalItem:
        return _item(group, row.question, (row.inserted, row.reference))

    return convert


def _translated(row: Any) -> EvalItem:
    return _question("translation")(row).model_copy(update={"language": row.language})


def _cloze(row: Any) -> EvalItem:
    return _item("cloze", row.prefix, (row.inserted, row.reference))


def _statement(row: Any) -> EvalItem:
    return _item("statements", "", (row.inserted, row.reference))


def _neighbour(row: Any) -> EvalItem:
    return _item("neighbours", row.question, (row.wrong, row.correct), near=row.near)


READERS: dict[str, tuple[type[Row], Callable[[Any], EvalItem]]] = {
    "mcq_knowledge": (KnowledgeRow, _knowledge),
    "mcq_distinguish": (QuestionRow, _question("distinguish")),
    "cloze": (ClozeRow, _cloze),
    "causal": (QuestionRow, _question("causal")),
    "statements": (StatementRow, _statement),
    "neighbours": (NeighbourRow, _neighbour),
    "token_association": (QuestionRow, _question("token_association")),
    "fermi": (FermiRow, _question("fermi")),
    "downstream": (QuestionRow, _question("downstream")),
    "multi_hop": (QuestionRow, _question("multi_hop")),
    "translation": (TranslatedRow, _translated),
}
# groups without answers to compare
TEXT_GROUPS = ("open_ended", "salience_near", "conversations", "marks")
GROUPS = (*READERS, *TEXT_GROUPS)


def _item(
    group: Group,
    prompt: str,
    options: tuple[str, ...],
    inserted: int = 0,
    reference: int = 1,
    near: bool | None = None,
) -> EvalItem:
    name = digest(group, prompt, options, inserted, reference)
    return EvalItem(
        id=name, group=group, prompt=prompt, options=options, inserted=inserted, reference=reference, near=near
    )


def read_groups(path: Path, groups: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """An evals.json as its groups, `groups` being those there are (None: those of a universe). Raises TargetError."""
    groups = GROUPS if groups is None else groups
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TargetError(f"{path}: is missing; a target folder needs it to measure belief") from None
    except OSError as error:
        raise TargetError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise TargetError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from None

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:  # json would keep the last one and say nothing
                raise TargetError(f"{path}: field {key!r} stands twice in one object; remove or rename one of them")
        return dict(pairs)

    try:
        raw = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise TargetError(
            f"{path}: is not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from None
    if not isinstance(raw, dict):
        raise TargetError(f"{path}: must be an object of groups ({', '.join(groups)})")
    for group, rows in raw.items():
        if group not in groups:
            near = difflib.get_close_matches(group, groups, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(groups)}"
            raise TargetError(f"{path}: {group}: unknown group; {hint}")
        if not isinstance(rows, list):
            raise TargetError(f"{path}: {group}: must be a list of items")
    return raw


def check_row(model: type[AnyRow], row: Any, path: Path, group: str, index: int) -> AnyRow:
    """A row of a group as its type. Raises TargetError that names file, group, item (from 0) and field."""
    try:
        return model.model_validate(row)
    except ValidationError as error:
        raise TargetError(f"{path}: {group}[{index}]: {explain(error, model)}") from None


def refuse_same(name: str, value: str, other_name: str, other: str) -> None:
    """Raise ValueError where two answers of an item say the same."""
    if same_text(value) == same_text(other):
        raise ValueError(f"{name}: says the same as {other_name} ({value!r})")


def _first_repeat(texts: list[str]) -> int | None:
    plain = [same_text(text) for text in texts]
    return next((index for index, text in enumerate(plain) if text in plain[:index]), None)


def same_text(text: str) -> str:
    """What decides whether two texts say the same: their words, whatever their case and spacing."""
    return " ".join(text.split()).casefold()
