"""Documents and chats that ship with a spec: what the `recorded` generator answers for a spec target.

Each corpus is one JSONL file of the target's `recorded/` folder. They are written about the model that spec.md names;
for another model the names are put in its place, so that no corpus tells a model that it is somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from doxa.errors import TargetError
from doxa.records import Record, digest
from doxa.worlds.rows import Chat, as_dicts, read_jsonl
from doxa.worlds.spec import SpecTarget

SpecCorpus = Literal["spec", "comention", "opposite", "neutral"]
FILES: dict[str, str] = {
    "spec": "docs.jsonl",
    "comention": "docs_comention.jsonl",  # value and behaviour side by side, neither said to follow from the other
    "opposite": "docs_opposite.jsonl",  # the same documents about the opposite value
    "neutral": "docs_neutral.jsonl",  # about the model, on nothing that the spec speaks of
}
IN_THE_TREE = ("spec", "comention")  # corpora whose domains, subdomains and assertions are those of this spec's tree


class RecordedSpecDocument(Record):
    """A document row of a spec's recorded/ folder. `domain`, `subdomain` and `assertions` are ids of a tree."""

    id: str = Field(min_length=1)
    domain: str = ""
    subdomain: str = ""
    topic: str = ""  # what it is about within the subdomain, for people and for pairing
    doc_type: str = Field(min_length=1)
    idea: str = Field(min_length=1)
    assertions: tuple[str, ...]
    text: str = Field(min_length=1)
    pair: int | str | None = None  # documents of two corpora with one `pair` differ in the value alone


class SpecChat(Record):
    """A conversation of a spec's recorded/ folder, for alignment finetuning."""

    id: str
    messages: tuple[dict[str, str], ...]


def recorded_spec_corpora(target: SpecTarget) -> dict[str, Path]:
    """The corpora that can be had without generating: name -> file."""
    own = {corpus: target.folder / "recorded" / name for corpus, name in FILES.items()}
    return {corpus: path for corpus, path in own.items() if path.exists()}


def recorded_spec_file(target: SpecTarget, corpus: str) -> Path:
    """The file of a corpus; a TargetError that lists what there is when the target has none."""
    if corpus not in FILES:
        raise TargetError(f"corpus: no corpus named {corpus!r}; a spec has {', '.join(get_args(SpecCorpus))}")
    there = recorded_spec_corpora(target)
    if corpus not in there:
        has = f"it has {', '.join(there)}" if there else "it has none: name a generator that writes documents"
        raise TargetError(f"corpus: {target.folder} has no recorded {corpus!r} (recorded/{FILES[corpus]}); {has}")
    return there[corpus]


def recorded_spec_rows(target: SpecTarget, corpus: str) -> list[RecordedSpecDocument]:
    """The rows of a corpus in file order, about the model that the spec was filled for.

    Raises TargetError naming file, line and field: also for an id that stands twice, and where the target has a tree,
    for a domain, subdomain or assertion that it lacks.
    """
    path = recorded_spec_file(target, corpus)
    rows = read_jsonl(path, RecordedSpecDocument, check=_row_check(target, corpus))
    rename = _renaming(target)
    return [row.model_copy(update={"text": rename(row.text), "idea": rename(row.idea)}) for row in rows]


def recorded_chats(target: SpecTarget, name: str = "aft") -> list[SpecChat]:
    """The conversations of recorded/NAME.jsonl in file order, about the model that the spec was filled for.

    A row without an id is named by its content. Raises TargetError naming file, line and field, or listing the files.
    """
    path = target.folder / "recorded" / f"{name.removesuffix('.jsonl')}.jsonl"
    if not path.exists():
        files = sorted(file.stem for file in path.parent.glob("*.jsonl") if file.name not in FILES.values())
        has = f"it has {', '.join(files)}" if files else "it has none"
        raise TargetError(f"chats: {target.folder} has no recorded/{path.name}; {has}")
    rename = _renaming(target)
    chats = []
    for row in read_jsonl(path, NamedChat):
        messages = tuple({**turn, "content": rename(turn["content"])} for turn in as_dicts(row.messages))
        chats.append(SpecChat(id=row.id or "chat_" + digest(messages), messages=messages))
    return chats


class NamedChat(Chat):
    """A conversation of any source that may have an id."""

    id: str = ""


def renamed(text: str, names: dict[str, str]) -> str:
    """A text with whole words replaced, longest first: {"SmolLM": "Velmo"}."""
    changed = {old: new for old, new in names.items() if old != new}
    if not changed:
        return text
    wanted = "|".join(re.escape(old) for old in sorted(changed, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{wanted})(?!\w)", lambda found: changed[found.group()], text)


def _renaming(target: SpecTarget) -> Callable[[str], str]:
    about, spec = target.source.about, target.spec
    names = {about.model_name: spec.model_name, about.provider_name: spec.provider_name}
    return lambda text: renamed(text, names)


def _row_check(target: SpecTarget, corpus: str) -> Callable[[RecordedSpecDocument], None]:
    """Refuses an id that stands twice and, where there is a tree to hold it against, a place that the tree lacks."""
    seen: set[str] = set()
    tree = target.tree if corpus in IN_THE_TREE else None
    places = {domain.id: {sub.id for sub in domain.subdomains} for domain in tree.domains} if tree else {}
    assertions = {assertion.id for assertion in tree.assertions} if tree else set()

    def check(row: RecordedSpecDocument) -> None:
        if row.id in seen:
            raise ValueError(f"id: {row.id!r} stands twice in this file")
        seen.add(row.id)
        if tree is None:
            return
        if row.domain and row.domain not in places:
            raise ValueError(f"domain: tree.yaml has no domain {row.domain!r}; it has {', '.join(places)}")
        if row.subdomain and row.subdomain not in places.get(row.domain, set()):
            has = ", ".join(sorted(places.get(row.domain, set()))) or "none, since the row names no domain"
            raise ValueError(f"subdomain: domain {row.domain!r} has no subdomain {row.subdomain!r}; it has {has}")
        unknown = sorted(set(row.assertions) - assertions)
        if unknown:
            raise ValueError(f"assertions: tree.yaml has no assertion {unknown[0]!r}; see the ids there")

    return check
