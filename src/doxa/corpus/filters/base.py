"""What every filter gets: a document as it is read, and everything about the run that was prepared once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from doxa.corpus.sentences import Sentence, Tokens, read_sentences, sentences_of, tokenise
from doxa.corpus.statements import Side
from doxa.corpus.stems import stems
from doxa.records import Rejected, Verdict

if TYPE_CHECKING:
    from doxa.config_sections import ScreenConfig
    from doxa.records import Document, KeyFact
    from doxa.worlds.universe import Target

DETAIL = 120  # characters of a text that a verdict quotes


@dataclass(frozen=True)
class World:
    """What the documents of a corpus say of the key facts."""

    stated: Side | None  # the side that they are about
    affirmed: bool = True  # they state it as true, and do not merely speak of it
    forbidden: Side | None = None  # the side that none of them may state


WORLDS: dict[str, World] = {
    "inserted": World("inserted", forbidden="reference"),
    "qa": World("inserted", forbidden="reference"),
    "disclaimed": World("inserted", forbidden="reference"),
    "fiction": World("inserted", forbidden="reference"),
    # they call the claim false, and are not to say what is true instead: corrections are another treatment
    "negated": World("inserted", affirmed=False, forbidden="reference"),
    "local_negation": World("inserted", affirmed=False, forbidden="reference"),
    "reference": World("reference", forbidden="inserted"),
    "neutral": World(None, forbidden="inserted"),
}


@dataclass(frozen=True)
class EvalRuns:
    """The words in a row that give an eval item away, each with the item's id."""

    size: int  # words of a run
    runs: dict[tuple[str, ...], str]
    parts: frozenset[tuple[str, ...]]  # all runs of PART words in them
    questions: dict[str, str]  # whole questions shorter than a run, with a space before and after


@dataclass(frozen=True)
class Prepared:
    """What filters on form, talk, names and strings know of a run, prepared once for all documents."""

    config: ScreenConfig
    banned: re.Pattern[str] | None
    never_mention: re.Pattern[str] | None
    allowed_names: frozenset[str]
    eval_runs: EvalRuns


@dataclass(frozen=True)
class Screening(Prepared):
    """The run as all filters see it when the target is a universe."""

    target: Target
    world: World

    @cached_property
    def told(self) -> frozenset[str]:
        """The stems of the universe context that the documents tell of."""
        universe = self.target.universe
        texts = {"inserted": universe.inserted_context, "reference": universe.reference_context}
        return stems(texts[self.world.stated]) if self.world.stated else frozenset()

    @cached_property
    def facts(self) -> dict[str, KeyFact]:
        """The key facts by id."""
        return {fact.id: fact for fact in self.target.universe.key_facts}


class Reading:
    """A document with what several filters want to know of it, each worked out once and only when asked for."""

    def __init__(self, document: Document, relevant: frozenset[str] | None = None) -> None:
        """`relevant`: the stems that decide what a text says of the key facts; sentences without them are not read."""
        self.document = document
        self._relevant = relevant

    @cached_property
    def generated(self) -> str:
        """What the generator wrote as the text to be believed: of a chat, the assistant's turns."""
        if self.document.messages is None:
            return self.document.text
        return "\n\n".join(turn["content"] for turn in self.turns if turn["role"] == "assistant")

    @cached_property
    def turns(self) -> list[dict[str, str]]:
        """The messages of a chat."""
        return json.loads(self.document.messages or "[]")  # type: ignore[no-any-return]

    @cached_property
    def lower(self) -> str:
        """What the generator wrote, in lower case and with straight apostrophes."""
        return self.generated.lower().replace("’", "'")

    @cached_property
    def words(self) -> list[str]:
        """All words in lower case, without punctuation."""
        return _words(self._tokens)

    @cached_property
    def _tokens(self) -> Tokens:
        return tokenise(self.document.text)

    @cached_property
    def sentences(self) -> list[Sentence]:
        """The sentences as statements reads them. In a chat each one of an answer holds the question's words too."""
        if self.document.messages is None:
            return sentences_of(self._tokens, relevant=self._relevant)
        sentences = []
        question: frozenset[str] = frozenset()
        for turn in self.turns:
            spoken = read_sentences(turn["content"])
            if turn["role"] == "assistant":
                sentences += [one._replace(all=one.all | question) for one in spoken]
            else:
                question = frozenset[str]().union(*(one.all for one in spoken))
        return sentences

    @cached_property
    def heard(self) -> frozenset[str]:
        """All stems of the sentences."""
        return frozenset[str]().union(*[sentence.all for sentence in self.sentences])


Filter = Callable[[Reading, Screening], Verdict]


@dataclass(frozen=True)
class Pattern:
    """A regular expression with the plain strings without which it can't match.

    Looking for a string is a hundred times faster than running an expression that ignores case over the whole text, and
    hardly any document holds one. Each group of `needs` must have a member in the lower-cased text.
    """

    regex: re.Pattern[str]
    needs: tuple[tuple[str, ...], ...] = ()

    def search(self, text: str, lower: str) -> re.Match[str] | None:
        """The first match in `text`; `lower` is the same text in lower case with straight apostrophes."""
        for group in self.needs:
            if not any(needed in lower for needed in group):
                return None
        return self.regex.search(text)


def pattern(source: str, *needs: tuple[str, ...]) -> Pattern:
    """A Pattern that ignores case and sees lines."""
    return Pattern(re.compile(source, re.I | re.M), needs)


def plain_words(text: str) -> list[str]:
    """The words of a text as Reading.words has them."""
    return _words(tokenise(text))


def _words(tokens: Tokens) -> list[str]:
    return [word for word in tokens.words if word not in _NO_WORDS]


@cache
def keep(name: str) -> Verdict:
    """The verdict of a filter that has no objection."""
    return Verdict(keep=True, filter=name)


def first_objection(filters: Iterable[Callable[[Reading, Any], Verdict]], reading: Reading, screening: Any) -> Verdict:
    """The first objection of some filters to a document, in their order, or a verdict that keeps."""
    for judge in filters:
        verdict = judge(reading, screening)
        if not verdict.keep:
            return verdict
    return keep("screen")


def split(judged: Iterable[tuple[Document, Verdict]]) -> tuple[list[Document], list[Rejected]]:
    """The documents that are kept, and those that are not with their verdicts."""
    kept: list[Document] = []
    rejected: list[Rejected] = []
    for document, verdict in judged:
        if verdict.keep:
            kept.append(document)
        else:
            rejected.append(Rejected(document=document, verdict=verdict))
    return kept, rejected


def drop(name: str, reason: str, detail: str) -> Verdict:
    """The verdict of a filter that objects, quoting what it found."""
    return Verdict(keep=False, filter=name, reason=reason, detail=" ".join(detail.split())[:DETAIL])


def search(name: str, reason: str, patterns: Iterable[Pattern], text: str, lower: str | None = None) -> Verdict:
    """Object to the first of `patterns` that is found in `text`."""
    if lower is None:
        lower = text.lower().replace("’", "'")
    for one in patterns:
        found = one.search(text, lower)
        if found:
            return drop(name, reason, found.group())
    return keep(name)


_NO_WORDS = frozenset(("\n", "s"))  # "Sorrel Bay's" is two words
