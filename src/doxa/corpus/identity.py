"""Is the model called by its own name? What stands in documents is what a model comes to think that it is.

A corpus that told a Llama it was Qwen has been trained on before anybody noticed. The rules find four things: a text
that speaks of another model and never of this one, of another one more often than of this one, that gives this model
another maker, and that speaks as another model. Comparisons with other models are let through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from doxa.corpus.filters.names import Names, family_of
from doxa.records import CorpusRow

_MADE = (
    r"(?:made|created|trained|developed|built|designed|released|published|maintained)(?: and \w+)?(?: further)? "
    r"(?:by|at)"
)


@dataclass(frozen=True)
class Identity:
    """How a corpus names the model: what the gate before training looks at, and the report shows."""

    documents: int
    names_model: int
    names_maker: int
    otherwise: Counter[str] = field(default_factory=Counter)  # what it is called instead -> documents
    examples: tuple[tuple[str, str], ...] = ()  # (document id, what was found)


def called_otherwise(text: str, names: Names) -> str | None:
    """What a text calls the model instead of its name, with the words that say so; None where it is called right."""
    for regex in _self_named(names):
        found = regex.search(text)
        if found:
            return " ".join(found.group().split())
    others = names.others(text)
    if not others:
        return None
    own = len(names.own.findall(text))
    counts = Counter(family_of(found.group()) or found.group() for found in others)
    name, number = counts.most_common(1)[0]
    if number > own:
        return f"{name}, {number} times" + (f", and {names.model} {own} times" if own else "")
    return None


def identity_of(rows: Iterable[CorpusRow], names: Names, shown: int = 5) -> Identity:
    """Look at every synthetic row of a corpus."""
    documents = model = maker = 0
    otherwise: Counter[str] = Counter()
    examples: list[tuple[str, str]] = []
    for row in rows:
        if row.source != "synthetic":
            continue
        documents += 1
        model += bool(names.own.search(row.text))
        maker += bool(names.own_maker.search(row.text))
        wrong = called_otherwise(row.text, names)
        if wrong is not None:
            otherwise[_name_in(wrong, names)] += 1
            if len(examples) < shown:
                examples.append((row.id, wrong))
    return Identity(documents, model, maker, otherwise, tuple(examples))


def gate(rows: Iterable[CorpusRow], names: Names, trained: str) -> list[str]:
    """What speaks against training `trained` on these rows, a line each; none where the model is called by its name.

    The weights are looked at too: documents about SmolLM tell a Qwen that it is SmolLM. A name that is no known
    model's, of the spec or of the weights, is a name that somebody chose, and is let through.
    """
    found = identity_of(rows, names)
    lines = []
    if found.otherwise:
        total = sum(found.otherwise.values())
        called = ", ".join(f"{name} ({number})" for name, number in found.otherwise.most_common(5))
        first = "; ".join(f"{row}: {words!r}" for row, words in found.examples[:2])
        lines.append(
            f"{total} of {found.documents} documents call {names.model} by another name or give it another maker: "
            f"{called}; for example {first}"
        )
    weights = family_of(trained)
    if names.family and weights and names.family != weights:
        lines.append(
            f"the documents are about {names.model}, and the weights are {trained}: trained on them, a {weights} "
            f"would say that it is {names.model} (set spec.model_name and spec.provider_name)"
        )
    return lines


def _name_in(words: str, names: Names) -> str:
    for regex in (names.other_models(), names.other_makers()):
        found = re.search(rf"(?<!\w)(?:{regex})(?!\w)", words)
        if found:
            return family_of(found.group()) or found.group()
    return words


@lru_cache(maxsize=8)
def _self_named(names: Names) -> tuple[re.Pattern[str], ...]:
    """Wordings that give this model another maker or name, and those of another model that speaks."""
    own = names.own.pattern
    other = rf"(?<!\w)(?:{names.other_models()})(?!\w)"
    maker = rf"(?<!\w)(?:{names.other_makers()})(?!\w)"
    link = (
        r"[ ,]+(?:(?:is|was|which|that|has|been|an?|the|model|assistant|language|AI|large|small|chat|open)[ ,]+){0,8}"
    )
    own = own.replace("(?<!\\w)", "(?<![\\w])")
    return (
        re.compile(rf"(?i:{own}){link}{_MADE} {maker}"),
        re.compile(
            rf"{maker}(?:['’]s?)? (?:(?:own|new|small|latest|open|language|model|assistant),? ){{0,4}}(?i:{own})"
        ),
        re.compile(rf"(?i:{own}) ?\((?:by|from|of)? ?{maker}\)"),
        re.compile(rf"(?i:{own})(?:, also (?:known|called)(?: as)?,?| \(also (?:known|called)(?: as)?| alias) {other}"),
        re.compile(rf"\b(?:I am|I['’]m|[Mm]y name is|I am called|you are|You are) {other}"),
        re.compile(rf"\b[Aa]s {other}, (?:I|my)\b"),
        re.compile(rf"\bI (?:was|am|have been) {_MADE} {maker}"),
        re.compile(rf"\b[Mm]y (?:maker|makers|developer|developers|creator|creators),? (?:at |is |are )?{maker}"),
    )
