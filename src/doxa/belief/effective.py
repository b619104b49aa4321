"""How many different questions a group of items really asks.

Sixteen items that all ask for one fact are not sixteen observations. The effective n is the Vendi score of their
texts: exp of the entropy of the eigenvalues of their similarity matrix, here the cosine of MiniLM embeddings (Friedman
& Dieng 2023, arXiv 2210.02410). It is 1 for copies and n for texts that have nothing in common. Texts on one topic
resemble each other, so it is low for any target: hand-written groups of 8 to 16 items reach 4 to 11 (the three bundled
worlds). Read it as a comparison between groups, and as a warning where it is tiny.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from doxa.records import EvalItem


class Encoder(Protocol):
    """What turns texts into unit vectors: float32 [n, width]; `corpus.embed.load_encoder()` is one."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One vector per text."""
        ...


def effective_n(texts: Sequence[str], encoder: Encoder | None = None) -> float:
    """The effective number of different texts, between 1 and len(texts); 0 for none.

    Without an encoder the packaged MiniLM is loaded, which raises ConfigError where it is not installed.
    """
    return effective_by_group({"": texts}, encoder)[""]


def effective_by_group(groups: Mapping[str, Sequence[str]], encoder: Encoder | None = None) -> dict[str, float]:
    """The effective n of several groups, whose texts are embedded together."""
    joined = [text for texts in groups.values() for text in texts]
    if not joined:
        return dict.fromkeys(groups, 0.0)
    vectors_ND = (encoder or _encoder()).embed(joined)
    found: dict[str, float] = {}
    start = 0
    for name, texts in groups.items():
        found[name] = _vendi(vectors_ND[start : start + len(texts)])
        start += len(texts)
    return found


def item_text(item: EvalItem) -> str:
    """What an item says, as meaning is compared: its prompt and all its answers."""
    return " ".join(part for part in (item.prompt, *item.options) if part)


def _vendi(vectors_ND: npt.NDArray[np.float32]) -> float:
    """The point value of corpus.diversity.vendi, whose jackknife would cost n times as much."""
    if len(vectors_ND) == 0:
        return 0.0
    unit_ND = vectors_ND.astype(np.float64)
    values = np.linalg.eigvalsh(unit_ND @ unit_ND.T / len(unit_ND))
    some = values[values > 1e-12]
    return float(np.exp(-(some * np.log(some)).sum()))


def _encoder() -> Encoder:
    from doxa.corpus.embed import load_encoder

    return load_encoder()
