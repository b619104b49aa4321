"""Which documents and answers stand for the run. Chosen by rule, so that nobody can pick the pretty ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from doxa.records import Document, Sample
from doxa.report.table import ARM_NAMES, ARMS

EXCERPT_WORDS = 48


@dataclass(frozen=True)
class Example:
    """A document as the page shows it: the beginning at once, the whole text on demand."""

    document: Document
    excerpt: str
    words: int


@dataclass(frozen=True)
class Answers:
    """One question with the answer of every arm that was asked: (arm, its name, text)."""

    question: str
    answers: tuple[tuple[str, str, str], ...]


def pick_documents(documents: Sequence[Document], count: int = 3) -> list[Example]:
    """Documents of typical length and different types that together carry the most key facts; ties go by id.

    Greedy: each next one has a new type if there is one, then the most facts not yet shown, then the length closest
    to the corpus median.
    """
    typical = median(len(document.text.split()) for document in documents) if documents else 0
    left = sorted(documents, key=lambda document: document.id)
    chosen: list[Document] = []
    while left and len(chosen) < count:
        types = {document.doc_type for document in chosen}
        facts = {fact for document in chosen for fact in document.fact_ids}
        best = min(
            left,
            key=lambda document: (
                document.doc_type in types,
                -len(set(document.fact_ids) - facts),
                abs(len(document.text.split()) - typical),
            ),
        )
        chosen.append(best)
        left.remove(best)
    return [Example(document, excerpt(document.text), len(document.text.split())) for document in chosen]


def excerpt(text: str, words: int = EXCERPT_WORDS) -> str:
    """The first words of a text, its line breaks kept (blank lines left out), with an ellipsis if any are left out."""
    ends = [match.end() for match in re.finditer(r"\S+", text)]
    cut = text if len(ends) <= words else text[: ends[words - 1]] + " …"
    return "\n".join(line.strip() for line in cut.splitlines() if line.strip())


def side_by_side(samples: Sequence[Sample]) -> list[Answers]:
    """Answers grouped by question, in the order in which questions first occur, arms in reading order."""
    places = {arm: place for place, arm in enumerate(ARMS)}
    found = []
    for question in dict.fromkeys(sample.question for sample in samples):
        rows = [sample for sample in samples if sample.question == question]
        rows.sort(key=lambda sample: places.get(sample.arm, len(places)))
        answers = tuple((row.arm, ARM_NAMES.get(row.arm, row.arm), row.answer.strip()) for row in rows)
        found.append(Answers(question, answers))
    return found
