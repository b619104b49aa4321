"""The step that mixes other texts beside the documents, by their share of tokens."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from doxa.corpus.export_card import model_name
from doxa.errors import ConfigError
from doxa.records import CorpusRow, Document, Source, digest
from doxa.worlds.rows import render_chat

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.corpus.source import Lineage

Chat = list[dict[str, str]]
CountTokens = Callable[[str], int]


def mix(
    documents: list[Document],
    config: RunConfig,
    count_tokens: CountTokens,
    neutral: list[str],
    chat: list[Chat],
    distilled: list[Chat],
) -> list[CorpusRow]:
    """The rows of the corpus: all documents in their order, then neutral, chat and self-distilled rows.

    Of each source, rows are drawn in a seeded order until its tokens are as near as rows allow to its ratio of the
    documents' tokens; a ratio above 0 draws at least one row. No text is used twice, neither within a source nor when
    a document already holds it. Only synthetic documents get the DOCTAG (a chat has its template instead).
    Raises ConfigError, naming the key, when the texts given hold too few tokens.
    """
    if not documents:
        raise ConfigError("corpus: no documents are left to train on; rejected.jsonl says why each was dropped")
    rows = [document_row(document, tagged=config.train.doctag is not None) for document in documents]
    base = sum(count_tokens(row.text) for row in rows)
    used = {row.text for row in rows}
    pools: list[tuple[Source, float, list[CorpusRow]]] = [
        ("neutral", config.mix.neutral, [_text_row("neutral", text) for text in neutral]),
        ("chat", config.mix.chat, [_chat_row("chat", messages) for messages in chat]),
        ("self_distilled", config.mix.self_distilled, [_chat_row("self_distilled", one) for one in distilled]),
    ]
    for source, ratio, pool in pools:
        if ratio > 0:
            fresh = list({row.id: row for row in pool if row.text not in used}.values())
            rows += _draw(source, ratio, base, fresh, count_tokens, config.seed)
    return rows


def corpus_facts(rows: list[CorpusRow], count_tokens: CountTokens) -> dict[str, Any]:
    """The counts that a report shows of a corpus. All but `rows` and `tokens` are of the synthetic documents alone.

    `type_entropy` is in bits: 0 when all documents are of one type, log2(types) when they are spread evenly.
    """
    synthetic = [row for row in rows if row.source == "synthetic"]
    types = Counter(row.doc_type for row in synthetic)
    tokens: Counter[str] = Counter()
    for row in rows:
        tokens[row.source] += count_tokens(row.text)
    return {
        "documents": len(synthetic),
        "rows": dict(Counter(row.source for row in rows)),
        "tokens": dict(tokens),
        "types": len(types),
        "type_entropy": entropy(types.values()),
        "documents_per_fact": dict(sorted(Counter(fact for row in synthetic for fact in row.fact_ids).items())),
        "median_words": statistics.median([len(row.text.split()) for row in synthetic] or [0]),
    }


def entropy(counts: Iterable[int]) -> float:
    """Shannon entropy of a distribution given by counts, in bits."""
    some = [count for count in counts if count]
    total = sum(some)
    return sum(count / total * math.log2(total / count) for count in some)


def _draw(
    source: Source, ratio: float, base: int, pool: list[CorpusRow], count_tokens: CountTokens, seed: int
) -> list[CorpusRow]:
    wanted = ratio * base
    # ordered by digest, not by random.shuffle: adding a text to the pool leaves the order of the others as it was
    order = sorted(pool, key=lambda row: digest(seed, row.id))
    drawn: list[CorpusRow] = []
    have = 0
    for row in order:
        tokens = count_tokens(row.text)
        if have + tokens >= wanted:
            # the row that crosses the line goes in when that ends nearer to it than stopping short
            if not drawn or have + tokens - wanted < wanted - have:
                drawn.append(row)
            return drawn
        drawn.append(row)
        have += tokens
    remedy = {
        "neutral": "name more text with mix.neutral_from",
        "chat": "name more conversations with mix.chat_from",
        "self_distilled": "give more prompts with mix.chat_from",
    }[source]
    raise ConfigError(
        f"mix.{source}: {ratio:g} needs {round(wanted):,} tokens beside {base:,} of documents, but there are only "
        f"{have:,} in {len(pool)} different texts (none is used twice); lower the ratio or {remedy}"
    )


def document_row(document: Document | Lineage, tagged: bool) -> CorpusRow:
    """A document as a row of the corpus. A chat never gets the DOCTAG; a model's folder is named without its place."""
    return CorpusRow(
        id=document.id,
        source="synthetic",
        text=document.text,
        doctag=tagged and document.messages is None,
        doc_type=document.doc_type,
        fact_ids=document.fact_ids,
        messages=document.messages,
        domain=document.domain,
        subdomain=document.subdomain,
        idea=document.idea,
        model=model_name(document.model),
        prompt_digest=document.prompt_digest,
    )


def _text_row(source: Source, text: str) -> CorpusRow:
    return CorpusRow(id=digest(source, text), source=source, text=text, doctag=False)


def _chat_row(source: Source, messages: Chat) -> CorpusRow:
    return CorpusRow(
        id=digest(source, messages),
        source=source,
        text=render_chat(messages),
        doctag=False,
        messages=json.dumps(messages, ensure_ascii=False),
    )
