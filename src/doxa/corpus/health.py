"""`doxa corpus health`: is a corpus as varied as ordinary text, what does it repeat, what does it say of each key fact.

Every number stands beside the same number for neutral text, taken from as many documents of the same length. The
measures are in health_measures, names, phrases and coverage; this module draws the samples and calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from doxa.corpus.coverage import FactRow, fact_rows
from doxa.corpus.export_rows import chat_of
from doxa.corpus.health_measures import MatchedSample, Measure, Tools, measures
from doxa.corpus.names import NameRow, frequent_names
from doxa.corpus.phrases import Phrases, frequent_phrases
from doxa.corpus.words import Matched, Vocabulary, match, matrix
from doxa.records import CorpusRow, Record
from doxa.worlds.universe import Universe, bundled_neutral

if TYPE_CHECKING:
    from doxa.corpus.source import Corpus

WIDEST = 20_000  # documents read for names, phrases and facts; more are sampled


class Health(Record):
    """Everything `doxa corpus health` found; `health.json` is this record."""

    corpus: str
    neutral: str
    documents: int
    neutral_documents: int
    sampled: int  # documents of each side behind the measures
    words: int  # to which each was cut
    left_out: tuple[int, int]  # documents of each side drawn and found shorter than that
    read: int  # documents behind names, phrases and facts
    seed: int
    measures: tuple[Measure, ...]
    names: tuple[NameRow, ...]
    phrases: Phrases
    facts: tuple[FactRow, ...]
    evidence_unit: str
    notes: tuple[str, ...]


def measure(
    corpus: Corpus,
    neutral: Corpus,
    documents: int = 1000,
    seed: int = 0,
    tools: Tools | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Health:
    """Measure a corpus against neutral text; `documents` bounds the matched sample, `tell` says what is being done.

    Deterministic in its arguments. Raises ConfigError when either side has too few documents of sufficient length.
    """
    tools = tools or Tools()
    mine, theirs = _drawn(corpus.documents(), seed), _drawn(neutral.documents(), seed)
    texts, other = [prose(row) for row in mine], [prose(row) for row in theirs]
    tell("sampling")
    matched = match(texts, other, documents, seed)
    subject = _subject(corpus.universe)
    sample = _sample(matched, mine, theirs, subject, seed, tools, tell)
    rows = measures(sample, tools, tell)
    tell("names")
    names = frequent_names(texts, other, subject)
    tell("phrases")
    phrases = frequent_phrases(texts, other, subject)
    tell("key facts")
    count = tools.count_tokens or (lambda text: len(text.split()))
    facts = fact_rows(
        texts, [row.fact_ids for row in mine], other, corpus.universe.key_facts if corpus.universe else (), count
    )
    return Health(
        corpus=corpus.name,
        neutral=neutral.name,
        documents=len(corpus.documents()),
        neutral_documents=len(neutral.documents()),
        sampled=len(matched.corpus),
        words=matched.words,
        left_out=matched.left_out,
        read=len(texts),
        seed=seed,
        measures=tuple(rows),
        names=tuple(names),
        phrases=phrases,
        facts=tuple(facts),
        evidence_unit=f"tokens of {tools.tokenizer_name}" if tools.count_tokens else "words",
        notes=tuple(_notes(corpus, tools, rows)),
    )


def neutral_corpus() -> Corpus:
    """The bundled neutral documents, as something to compare with."""
    from doxa.corpus.source import Corpus

    rows = [
        CorpusRow(id=row.id, source="neutral", text=row.text, doctag=False, doc_type=row.doc_type)
        for row in bundled_neutral()
    ]
    return Corpus("bundled neutral text", rows)


def prose(row: CorpusRow) -> str:
    """What is measured of a row: a document's text; of a chat what is said, for "User:" would give it away."""
    messages = chat_of(row)
    return row.text if messages is None else "\n\n".join(message["content"] for message in messages)


def _drawn(rows: list[CorpusRow], seed: int) -> list[CorpusRow]:
    if len(rows) <= WIDEST:
        return rows
    return [rows[i] for i in sorted(np.random.default_rng(seed).permutation(len(rows))[:WIDEST].tolist())]


def _subject(universe: Universe | None) -> str:
    if universe is None:
        return ""
    facts = [text for fact in universe.key_facts for text in (fact.inserted, fact.reference)]
    contexts = [universe.inserted_context, universe.reference_context]
    return "\n".join([universe.title, universe.claim, *contexts, *facts])


def _sample(
    matched: Matched,
    mine: list[CorpusRow],
    theirs: list[CorpusRow],
    subject: str,
    seed: int,
    tools: Tools,
    tell: Callable[[str], None],
) -> MatchedSample:
    vocabulary = Vocabulary()
    vectors = None
    if tools.encoder is not None:
        tell("embeddings")
        vectors = tools.encoder.embed(matched.corpus), tools.encoder.embed(matched.neutral)
    chosen = [mine[i] for i in matched.corpus_index], [theirs[i] for i in matched.neutral_index]
    return MatchedSample(
        texts=matched,
        tokens=(matrix(matched.corpus, vocabulary), matrix(matched.neutral, vocabulary)),
        vectors=vectors,
        types=([row.doc_type for row in chosen[0]], [row.doc_type for row in chosen[1]]),
        lengths=([len(prose(row).split()) for row in mine], [len(prose(row).split()) for row in theirs]),
        subject=subject,
        seed=seed,
    )


def _notes(corpus: Corpus, tools: Tools, measures: list[Measure]) -> list[str]:
    notes = []
    if tools.encoder is None:
        notes.append("no embeddings: Vendi score, pairwise cosine and detectability by meaning were not measured")
    if tools.scorer is None:
        notes.append("perplexity was not measured (--perplexity)")
    if corpus.universe is None:
        notes.append("no target is known: key facts were not looked for, and names and phrases of the subject are "
                     "not told from others (--target NAME)")  # fmt: skip
    if not any(row.name == "type entropy" for row in measures):
        notes.append("not every document has a type: type entropy was not measured")
    if any(row.name.startswith("detected") and row.corpus is None for row in measures):
        notes.append("too few groups of different documents to cross-validate: detectability was not measured")
    return notes
