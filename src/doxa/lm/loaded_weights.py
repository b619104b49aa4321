"""Weights in memory that answer for `local/`: lent by whoever holds them, or loaded and kept until others are wanted.

What is kept goes by the digest of the weights and never by their place, so that a folder whose content was exchanged is
loaded anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from doxa.errors import CheckpointError
from doxa.lm.named_weights import find_weights

LOCAL = "local/"


class Loaded(NamedTuple):
    """Weights in memory."""

    digest: str
    model: Any
    tokenizer: Any


Lender = Callable[[], tuple[Any, Any]]  # gives the model and its tokenizer


class LoadedWeights:
    """The weights of one process, at most one model of them loaded here; those that are lent stay their lender's."""

    def __init__(self) -> None:
        self._lent: dict[str, tuple[str, Lender]] = {}
        self._kept: Loaded | None = None

    def lend(self, model: str, digest: str, lender: Lender) -> None:
        """Answer the model string `model` with these weights, named by `digest`, whatever lies at its place.

        `lender` is asked for them whenever there is something to answer; it may load them then and should keep them.
        """
        if not model.startswith(LOCAL) or not digest:
            raise ValueError(f"weights are lent under {LOCAL}... and with their digest, not as {model!r}, {digest!r}")
        self._lent[model] = (digest, lender)
        if self._kept is not None and self._kept.digest == digest:
            self.release()

    def take_back(self, model: str) -> None:
        """Forget lent weights; nothing happens where none are."""
        self._lent.pop(model, None)

    def digest(self, model: str) -> str:
        """The digest of what would answer for `model` now. Raises CheckpointError."""
        if model in self._lent:
            return self._lent[model][0]
        return find_weights(model.removeprefix(LOCAL)).digest

    def get(self, model: str, digest: str) -> Loaded:
        """The weights called `digest`, loaded unless they are in memory; what was loaded before is released.

        Raises CheckpointError when `model` means other weights by now.
        """
        if model in self._lent:
            lent, lender = self._lent[model]
            if lent != digest:
                raise _other_weights(model, lent, digest)
            return Loaded(lent, *lender())
        if self._kept is not None and self._kept.digest == digest:
            return self._kept
        self.release()
        weights = find_weights(model.removeprefix(LOCAL))
        if weights.digest != digest:
            raise _other_weights(model, weights.digest, digest)
        self._kept = Loaded(digest, *weights.load())
        now = self.digest(model)  # once more: a training that ends now may have put other files there while we read
        if now != digest:
            self.release()
            raise _other_weights(model, now, digest)
        return self._kept

    def release(self) -> None:
        """Let go of what was loaded here."""
        if self._kept is None:
            return
        self._kept = None
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _other_weights(model: str, found: str, wanted: str) -> CheckpointError:
    return CheckpointError(f"{model}: holds weights {found} by now, and {wanted} were asked for; run the command again")
