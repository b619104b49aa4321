"""What a model answered to the steps of a decomposition -> drafts of domains, subdomains and assertions.

Read tolerantly, like all answers; what does not fit the spec is for decompose.py to find. Answers that hold nothing
usable raise UnreadableError, so that they are asked for again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeVar

from doxa.worlds.answers import UnreadableError, tagged
from doxa.worlds.spec_tree import KINDS, Kind
from doxa.worlds.words import plain

Draft = TypeVar("Draft")
LONGEST_NAME = 80  # characters; a longer "name" is a sentence
MOST_DOMAINS = 50


@dataclass(frozen=True)
class DomainDraft:
    """A domain as it was proposed."""

    name: str
    scope: str


@dataclass
class SubdomainDraft:
    """A subdomain as it was proposed; `passages` may or may not stand in the spec."""

    name: str
    summary: str
    passages: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AssertionDraft:
    """An assertion as it was proposed; `source` is a number from 1, or None where none was named."""

    source: int | None
    statement: str
    why: str
    kind: Kind


def read_domains(text: str, number: int | None) -> list[DomainDraft]:
    """The domains, each name once. Raises UnreadableError for none, and for fewer than were asked for."""
    found: list[DomainDraft] = []
    for part in tagged(text, "domain"):
        name, scope = _line(_first(part, "name")), _line(_first(part, "scope"))
        if _is_name(name) and plain(name) not in {plain(other.name) for other in found}:
            found.append(DomainDraft(name, scope or name))
    return _enough(found, number, "domain")[:MOST_DOMAINS]


def read_subdomains(text: str, number: int | None) -> list[SubdomainDraft]:
    """The subdomains that have a name, a summary and a passage. Raises UnreadableError as `read_domains` does."""
    found: list[SubdomainDraft] = []
    for part in tagged(text, "subdomain"):
        name, summary = _line(_first(part, "name")), _line(_first(part, "summary"))
        passages = list(dict.fromkeys(passage.strip() for passage in tagged(part, "passage")))
        if _is_name(name) and summary and passages and plain(name) not in {plain(other.name) for other in found}:
            found.append(SubdomainDraft(name, summary, passages))
    return _enough(found, number, "subdomain")[:MOST_DOMAINS]


def read_copies(text: str, number: int) -> dict[int, str]:
    """By its number, what was copied for each of `number` passages; those that are nowhere in the spec are left out.

    Raises UnreadableError when not one of them is answered.
    """
    found: dict[int, str] = {}
    answered = False
    for part in tagged(text, "copy"):
        said = re.search(r"\d+", _first(part, "id"))
        words = _first(part, "words")
        if said and 1 <= int(said.group()) <= number and words:
            answered = True
            if words.strip().strip(".").upper() != "NONE":
                found.setdefault(int(said.group()), words)
    if not answered:
        raise UnreadableError("it holds no <copy> with <id> and <words>")
    return found


def read_assertions(text: str, sources: int, rules: bool) -> list[AssertionDraft]:
    """The assertions, each statement once. Raises UnreadableError when there is none."""
    found: list[AssertionDraft] = []
    for part in tagged(text, "assertion"):
        statement = _line(_first(part, "statement"))
        if not plain(statement) or plain(statement) in {plain(other.statement) for other in found}:
            continue
        said = re.search(r"\d+", _first(part, "source"))
        source = int(said.group()) if said and 1 <= int(said.group()) <= sources else None
        why = "" if rules else _reason(_first(part, "why"))
        found.append(AssertionDraft(source, statement, why, _kind(_first(part, "kind"))))
    if not found:
        raise UnreadableError("it holds no <assertion> with a <statement>")
    return found


def read_additions(text: str, rules: list[str], number: int) -> dict[str, list[str]]:
    """By the id of its rule, what was added, `number` at most. Raises UnreadableError naming rules without any."""
    found: dict[str, list[str]] = {}
    for part in tagged(text, "addition"):
        rule, content = _first(part, "rule").strip(), _line(_first(part, "content"))
        told = found.setdefault(rule, [])
        if content and plain(content) not in map(plain, told) and len(told) < number:
            told.append(content)
    lacking = [rule for rule in rules if not found.get(rule)]
    if lacking:
        raise UnreadableError(f"<addition> is missing for {', '.join(lacking)}")
    return {rule: found[rule] for rule in rules}


def _first(part: str, tag: str) -> str:
    return " ".join(tagged(part, tag)[:1])


def _is_name(name: str) -> bool:
    return bool(plain(name)) and len(name) <= LONGEST_NAME


def _reason(text: str) -> str:
    """A reason; empty for words that say that there is none."""
    line = _line(text)
    return (
        ""
        if re.fullmatch(r"\W*(?:nothing|none|n/?a|no reason(?: (?:is )?given)?|not (?:given|stated))\W*", line, re.I)
        else line
    )


def _kind(text: str) -> Kind:
    said = plain(text).replace("behavior", "behaviour")
    return next((kind for kind in KINDS if kind in said), "behaviour")


def _line(text: str) -> str:
    return " ".join(text.split())


def _enough(found: list[Draft], number: int | None, what: str) -> list[Draft]:
    if not found:
        raise UnreadableError(f"it holds no usable <{what}>")
    if number is not None and len(found) < number:
        raise UnreadableError(f"it holds {len(found)} usable <{what}> of {number}")
    return found[:number]
