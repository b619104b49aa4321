"""The rows of train/metrics.jsonl, one for each optimizer update, and the clock that runs over all tries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from doxa.run.folder import read_rows, write_rows

if TYPE_CHECKING:
    from doxa.training.trainer import UpdateReport


class UpdateRow(BaseModel):
    """A row of train/metrics.jsonl: one optimizer update."""

    update: int
    epoch: int  # counted from 1
    loss: float  # mean nats per target token of this update; of preferences, mean loss of a pair
    lr: float
    grad_norm: float
    tokens: int  # content tokens trained on so far, repeats included
    tokens_per_second: float  # content tokens of this update over its time
    seconds: float  # spent training so far, over all tries


class PairUpdateRow(UpdateRow):
    """The same for preferences, with means over the update's pairs. A reward is beta times the gain in nats."""

    chosen_reward: float
    rejected_reward: float
    margin: float  # chosen reward minus rejected
    accuracy: float  # share of pairs with a margin above 0


class Clock:
    """Tokens and seconds of training over all tries; the time between tries does not count."""

    def __init__(self, row_type: type[UpdateRow], earlier: Sequence[UpdateRow]) -> None:
        self.row_type = row_type
        self.tokens = earlier[-1].tokens if earlier else 0
        self.seconds = earlier[-1].seconds if earlier else 0.0
        self.last = time.monotonic()

    def row(self, report: UpdateReport, epoch: int, content: int) -> UpdateRow:
        now = time.monotonic()
        spent, self.last = now - self.last, now
        self.tokens += content
        self.seconds += spent
        return self.row_type(
            update=report.update,
            epoch=epoch + 1,
            loss=report.loss,
            lr=report.lr,
            grad_norm=report.grad_norm,
            tokens=self.tokens,
            tokens_per_second=round(content / spent, 1),
            seconds=round(self.seconds, 3),
            **report.figures,
        )


class Nowhere:
    """What the other processes of a distributed run log to."""

    def __enter__(self) -> Nowhere:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def write(self, row: object) -> None:
        return None


def continue_metrics(metrics: Path, row_type: type[UpdateRow], start: int, main: bool) -> list[UpdateRow]:
    """Keep the rows of the updates that the resume state holds; later ones will be trained, and written, again."""
    kept = [row for row in read_rows(metrics, row_type) if row.update <= start]
    if main:
        write_rows(metrics, kept)
    return kept
