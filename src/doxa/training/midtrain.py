"""Midtraining: next-token training of a model on a corpus, from corpus rows to a finished checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.config import RunConfig
from doxa.config_sections import TrainConfig
from doxa.records import CorpusRow
from doxa.training.data import Encoded
from doxa.training.step_rows import StepData
from doxa.training.steps import encode_step, is_main_process, refuse_broken, train_step
from doxa.training.update_rows import UpdateRow

if TYPE_CHECKING:
    from doxa.run.progress import Progress

__all__ = ["UpdateRow", "encode_for", "is_main_process", "midtrain", "refuse_broken"]


def midtrain(
    config: RunConfig,
    rows: Sequence[CorpusRow],
    checkpoints: Path,
    metrics: Path,
    progress: Progress,
    fingerprint: str = "",
) -> dict[str, Any]:
    """Train `config.model` on `rows`; writes checkpoints/final (and merged) and metrics, returns the counts.

    `fingerprint` names all that decides the result; resume states of another one are not continued.
    """
    data = StepData("midtrain", rows)
    about = {"recipe": config.recipe}
    return train_step(
        config.model,
        None,
        "continue",
        data,
        config.train,
        config.seed,
        checkpoints,
        metrics,
        progress,
        fingerprint,
        about,
    )


def encode_for(config: TrainConfig, rows: Sequence[CorpusRow], tokenizer: Any, base: Path) -> Encoded:
    """Tokenise for a model folder, at most as long as its context. Raises ConfigError for an empty corpus."""
    encoded = encode_step(StepData("midtrain", rows), config, tokenizer, base)
    assert isinstance(encoded, Encoded)
    return encoded
