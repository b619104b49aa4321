"""The step that drops documents which say what an earlier one said: in the same words or, on request, by meaning.

By words, MinHash with locality-sensitive hashing finds the candidates and the overlap of their word runs decides; by
meaning, the cosine of sentence embeddings does (corpus/nearest.py). Either way the first in order stays. Documents pass
through as a stream: what stays in memory of each is its id, its signature and the hashes of its word runs. This is the
one module that imports rensa.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from rensa import RMinHash, RMinHashLSH

from doxa.corpus.filters.base import keep, split
from doxa.corpus.parallel import in_order
from doxa.records import Document, Rejected, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from doxa.config_sections import DedupConfig
    from doxa.corpus.nearest import Embeds

MISS = 1e-3  # largest accepted chance that a pair exactly at the threshold is not even compared

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Sketch:
    """What is left of a document to compare it by."""

    text: bytes  # digest of the text without the space around it
    runs: bytes  # the hashes of its word runs, 32 bits each, rising: two different runs share one once in 4e9
    signature: RMinHash


def dedup(documents: Iterable[Document], config: DedupConfig) -> tuple[list[Document], list[Rejected]]:
    """The documents that stay and those that go, as lists; see `judged`."""
    return split(judged(documents, config))


def judged(
    documents: Iterable[Document], config: DedupConfig, encoder: Embeds | None = None, workers: int | None = None
) -> Iterator[tuple[Document, Verdict]]:
    """Each document with its verdict, in order; a dropped one names the kept one that it repeats and by how much.

    Deterministic: the order of the documents alone decides which one stays. Documents are compared with kept ones only,
    so a chain of small edits is not swallowed whole. With `embedding_threshold`, `encoder` None takes the config's.
    """
    by_words = _by_words(in_order(documents, _sketcher, (config,), workers), config)
    if config.embedding_threshold is None:
        return by_words
    from doxa.corpus.embed import load_encoder
    from doxa.corpus.nearest import by_meaning

    return by_meaning(by_words, encoder or load_encoder(config.embedding_model), config.embedding_threshold)


def shingles(text: str, words: int) -> NDArray[np.uint32]:
    """Hashes of the runs of `words` words in a text, in lower case and without punctuation, rising and each once.

    A shorter text is one run. The same in every process.
    """
    found = _WORD.findall(text.lower()) or [text.strip()]
    try:
        hashes = np.fromiter(map(_HASHES.__getitem__, found), np.uint64, len(found))
    except KeyError:  # the first time that a word is seen
        hashes = np.fromiter(map(_hash, found), np.uint64, len(found))
    size = min(words, len(hashes))
    count = len(hashes) - size + 1
    runs = np.zeros(count, dtype=np.uint64)
    for place in range(size):  # a polynomial in the words' hashes, modulo 2^64: it knows their order
        runs = runs * _FACTOR + hashes[place : place + count]
    runs ^= runs >> np.uint64(29)
    runs *= _FACTOR
    return np.unique((runs >> np.uint64(32)).astype(np.uint32))


def bands(config: DedupConfig) -> int:
    """Fewest LSH bands with which a pair at the threshold is missed with a chance of at most MISS.

    With b bands of r rows a pair of Jaccard overlap s is missed with chance (1 - s^r)^b (Leskovec et al., Mining of
    Massive Datasets, ch. 3).
    """
    for count in range(1, config.permutations + 1):
        if config.permutations % count:
            continue
        rows = config.permutations // count
        if (1 - config.threshold**rows) ** count <= MISS:
            return count
    return config.permutations


def _by_words(sketched: Iterable[tuple[Document, Sketch]], config: DedupConfig) -> Iterator[tuple[Document, Verdict]]:
    ids: list[str] = []
    runs: list[bytes] = []
    same_text: dict[bytes, str] = {}
    # rensa uses its threshold in is_similar alone; which candidates `query` finds is decided by the bands
    index = RMinHashLSH(threshold=config.threshold, num_perm=config.permutations, num_bands=bands(config))
    for document, sketch in sketched:
        first = same_text.get(sketch.text)
        if first is not None:
            yield document, Verdict(keep=False, filter="dedup", reason="exact_duplicate", of=first, score=1.0)
            continue
        near, score = _nearest(sketch.runs, sorted(index.query(sketch.signature)), runs)
        if near is not None and score >= config.threshold:
            detail = f"{score:.0%} of the {config.shingle_words}-word runs are shared"
            yield (
                document,
                Verdict(
                    keep=False,
                    filter="dedup",
                    reason="near_duplicate",
                    detail=detail,
                    of=ids[near],
                    score=round(score, 4),
                ),
            )
            continue
        index.insert(len(ids), sketch.signature)
        ids.append(document.id)
        runs.append(sketch.runs)
        same_text[sketch.text] = document.id
        yield document, keep("dedup")


def _nearest(own: bytes, candidates: Iterable[int], runs: list[bytes]) -> tuple[int | None, float]:
    best: int | None = None
    score = 0.0
    mine = np.frombuffer(own, dtype=np.uint32)
    for key in candidates:
        theirs = np.frombuffer(runs[key], dtype=np.uint32)
        both = len(np.intersect1d(mine, theirs, assume_unique=True))
        overlap = both / (len(mine) + len(theirs) - both)
        if overlap > score:  # ties stay with the earlier document
            best, score = key, overlap
    return best, score


def _sketcher(config: DedupConfig) -> Callable[[list[Document]], list[Sketch]]:
    def sketch(document: Document) -> Sketch:
        runs = shingles(document.text, config.shingle_words)
        signature = RMinHash(num_perm=config.permutations, seed=0)
        signature.update(runs.view("V4").tolist())  # each run's hash as four bytes
        text = blake2b(document.text.strip().encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return Sketch(text, runs.tobytes(), signature)

    return lambda chunk: [sketch(document) for document in chunk]


_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits in no pattern: 2^64 over the golden ratio
_HASHES: dict[str, int] = {}


def _hash(word: str) -> int:
    known = _HASHES.get(word)
    if known is None:
        known = int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        if len(_HASHES) < 500_000:  # a bound for texts of random characters
            _HASHES[word] = known
    return known
