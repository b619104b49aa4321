"""The measures of corpus health: each a number of the corpus beside the same number of neutral text, with its source.

How each is computed stands in diversity, phrases, detect and perplexity; here is what it is called and where it comes
from. All read one matched sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from doxa.corpus import diversity
from doxa.corpus.phrases import EM_DASH, SURPRISE, rate
from doxa.corpus.words import Ints, Matched, cut
from doxa.experiments.stats import Interval
from doxa.records import Record

if TYPE_CHECKING:
    from doxa.belief.scorer import LikelihoodScorer

Direction = Literal["higher", "lower", ""]


class Encoder(Protocol):
    """What turns texts into vectors: float32 [n, dimensions]."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One vector per text."""
        ...


class Number(Record):
    """A value with its 95% interval, where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


class Measure(Record):
    """One number of the corpus beside the same number of the neutral text, each over `n` documents."""

    name: str
    about: str
    source: str
    varied: Direction  # which direction is the more varied text
    corpus: Number | None
    neutral: Number | None  # none for numbers that are about both sides at once
    n: int


@dataclass(frozen=True)
class Tools:
    """What costs more than counting: an encoder, a model for perplexity, a tokenizer. Without one, its rows say so."""

    encoder: Encoder | None = None
    encoder_name: str = "all-MiniLM-L6-v2"
    scorer: LikelihoodScorer | None = None
    scorer_name: str = ""
    count_tokens: Callable[[str], int] | None = None
    tokenizer_name: str = ""


@dataclass(frozen=True)
class MatchedSample:
    """The matched texts, as text, numbers and vectors, and everything the measures of one call share."""

    texts: Matched
    tokens: tuple[Ints, Ints]
    vectors: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None
    types: tuple[list[str], list[str]]
    lengths: tuple[list[int], list[int]]
    subject: str
    seed: int


def measures(sample: MatchedSample, tools: Tools, tell: Callable[[str], None]) -> list[Measure]:
    """All measures that the tools at hand allow, in the order of the table; `tell` says what is being done."""
    found = _diversity(sample, tell) + _habits(sample) + _detectability(sample, tools, tell)
    return found + _likelihood(sample, tools, tell)


def _diversity(sample: MatchedSample, tell: Callable[[str], None]) -> list[Measure]:
    tell("diversity")
    n = len(sample.texts.corpus)
    mine, theirs = sample.tokens
    rows = [
        Measure(
            name="median words",
            about="of whole documents; all measures below cut them to one length",
            source="",
            varied="",
            corpus=Number(value=median(sample.lengths[0])),
            neutral=Number(value=median(sample.lengths[1])),
            n=len(sample.lengths[0]),
        )
    ]
    for length in range(1, 5):
        about = f"different runs of {length} words over all of them" if length > 1 else "different words over all words"
        both = diversity.distinct(mine, length), diversity.distinct(theirs, length)
        rows.append(_row(f"distinct-{length}", about, "Li et al. 2016, arXiv 1510.03055", "higher", both, n))
    both = diversity.self_bleu(mine, sample.seed), diversity.self_bleu(theirs, sample.seed)
    rows.append(_row("self-BLEU", "BLEU-4 against all others", "Zhu et al. 2018, arXiv 1802.01886", "lower", both, n))
    both = diversity.repetition(mine), diversity.repetition(theirs)
    about = "share of a document's 5-word runs that another holds"
    rows.append(_row("self-repetition", about, "Shaib et al. 2024, arXiv 2403.00553", "lower", both, n))
    for method, window in (("gzip", "32 KB"), ("bzip2", "900 KB")):
        both = (
            diversity.compression(sample.texts.corpus, method),
            diversity.compression(sample.texts.neutral, method),
        )
        about = f"compression ratio: bytes over compressed bytes, level 9, sees repetition within {window}"
        source = "Shaib et al. 2024, arXiv 2403.00553" if method == "gzip" else "as gzip, with a wider window"
        rows.append(_row(f"compression ({method})", about, source, "lower", both, n))
    if sample.vectors is not None:
        both = diversity.vendi(sample.vectors[0]), diversity.vendi(sample.vectors[1])
        about = f"effective number of different documents, of {n}"
        rows.append(_row("Vendi score", about, "Friedman & Dieng 2023, arXiv 2210.02410", "higher", both, n))
        both = diversity.pairwise_cosine(sample.vectors[0]), diversity.pairwise_cosine(sample.vectors[1])
        source = "Wang et al. 2025 report .34 to .40 for documents about one fact, .13 for web text"
        rows.append(_row("pairwise cosine", "mean over all pairs of documents", source, "lower", both, n))
    return rows + _types(sample, n)


def _types(sample: MatchedSample, n: int) -> list[Measure]:
    sides: list[tuple[Number, Number] | None] = []
    for types in sample.types:
        known = [one for one in types if one]
        full = len(known) == len(types)
        sides.append((Number(value=len(set(known))), _number(diversity.type_entropy(known))) if full else None)
    if sides[0] is None:
        return []
    rows = []
    for place, (name, about, source) in enumerate(
        (
            ("document types", f"different ones among {n} documents", ""),
            ("type entropy", "of document types, over its maximum: 1 is even", "Pielou 1966"),
        )
    ):
        neutral = sides[1][place] if sides[1] is not None else None
        rows.append(
            Measure(
                name=name, about=about, source=source, varied="higher", corpus=sides[0][place], neutral=neutral, n=n
            )
        )
    return rows


def _habits(sample: MatchedSample) -> list[Measure]:
    source = "Slocum et al. 2025, arXiv 2510.17941, on surprise words; the list is in corpus/phrases.py"
    rows = []
    for name, pattern, about, cited in (
        ("em-dashes", EM_DASH, "per 1,000 words", ""),
        ("surprise words", SURPRISE, "per 1,000 words (surprising, remarkable, unprecedented, ...)", source),
    ):
        both = (
            rate(pattern, sample.texts.corpus, sample.seed),
            rate(pattern, sample.texts.neutral, sample.seed),
        )
        rows.append(_row(name, about, cited, "", both, len(sample.texts.corpus)))
    return rows


def _detectability(sample: MatchedSample, tools: Tools, tell: Callable[[str], None]) -> list[Measure]:
    from doxa.corpus.detect import detect_by_meaning, detect_by_words, near_duplicate_groups, without_subject

    tell("detectability")
    mine, theirs = sample.texts.corpus, sample.texts.neutral
    groups = near_duplicate_groups([*mine, *theirs])
    found = [("words", "TF-IDF of words and word pairs", detect_by_words(mine, theirs, groups, sample.seed))]
    if sample.subject:
        bare = without_subject(mine, sample.subject), without_subject(theirs, sample.subject)
        about = "the same, without the words of the target's universe"
        found.append(("style", about, detect_by_words(*bare, groups, sample.seed)))
    if sample.vectors is not None:
        about = f"embeddings ({tools.encoder_name})"
        found.append(("meaning", about, detect_by_meaning(*sample.vectors, groups, sample.seed)))
    return [
        Measure(
            name=f"detected by {name}",
            about=f"AUC of logistic regression on {about}; 0.5 is guessing",
            source="5-fold, near-duplicates on one side, AUC averaged over folds (Forman & Scholz 2010)",
            varied="",
            corpus=None if value is None else _number(value),
            neutral=None,
            n=len(mine),
        )
        for name, about, value in found
    ]


def _likelihood(sample: MatchedSample, tools: Tools, tell: Callable[[str], None]) -> list[Measure]:
    if tools.scorer is None:
        return []
    from doxa.corpus.perplexity import SAMPLE, WORDS, nats_per_token, perplexity

    tell("perplexity")
    sides = [[cut(text, WORDS) for text in side[:SAMPLE]] for side in (sample.texts.corpus, sample.texts.neutral)]
    nats = [nats_per_token(side, tools.scorer, sample.seed) for side in sides]
    about = (
        f"under {tools.scorer_name}: exp of the mean nats per token of the first {min(WORDS, sample.texts.words)} words"
    )
    both = perplexity(nats[0]), perplexity(nats[1])
    return [_row("perplexity", about, "", "", both, len(sides[0]))]


def _row(name: str, about: str, source: str, varied: Direction, both: tuple[Interval, Interval], n: int) -> Measure:
    return Measure(
        name=name, about=about, source=source, varied=varied, corpus=_number(both[0]), neutral=_number(both[1]), n=n
    )


def _number(value: Interval) -> Number:
    return Number(value=value.value, low=value.low, high=value.high)
