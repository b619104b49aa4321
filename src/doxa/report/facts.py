"""Everything a report says, read from the files of one run folder and nothing else.

A run folder may be copied to another computer and a run may have skipped parts, so every optional file that is missing
reads as empty; a file that is there but broken is a DoxaError that names it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from doxa.config import RunConfig, explain
from doxa.errors import RunFolderError
from doxa.records import Document, Readout, Rejected, Sample
from doxa.report.table import ScoreTable
from doxa.run.folder import RunFolder, read_json, read_rows
from doxa.worlds.universe import Universe, read_universe

STAGES = ("plan", "write", "revise", "screen", "dedup", "mix", "midtrain", "eval")

Model = TypeVar("Model", bound=BaseModel)


class _Lenient(BaseModel):
    """Files that other stages own: fields that the report does not use may come and go."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class StageDone(_Lenient):
    """stages/<name>/done.json."""

    stage: str
    fingerprint: str
    counts: dict[str, Any] = {}
    seconds: float
    finished: str
    doxa: str = ""


class TrainingRow(_Lenient):
    """A line of train/metrics.jsonl: one optimizer update. Loss in nats per token."""

    update: int
    epoch: int  # counted from 1
    loss: float
    lr: float
    tokens: int
    tokens_per_second: float | None = None


class Checkpoint(_Lenient):
    """checkpoints/final/doxa.json."""

    digest: str
    base: str | None = None
    base_digest: str | None = None
    method: str | None = None


class Spent(_Lenient):
    """A row of usage.json: what a model cost a stage. `usd` is None where the price is unknown."""

    model: str
    stage: str
    responses: int
    input_tokens: int
    output_tokens: int
    usd: float | None = None
    batch: bool = False


class Usage(_Lenient):
    """usage.json."""

    usage: list[Spent] = []


@dataclass(frozen=True)
class RunFacts:
    """One run as the report sees it; lists are empty where the run has no such file."""

    config: RunConfig
    universe: Universe
    stages: dict[str, StageDone]
    documents: list[Document]
    rejected: list[Rejected]
    training: list[TrainingRow]
    scores: ScoreTable
    readouts: list[Readout]
    samples: list[Sample]
    checkpoint: Checkpoint | None
    spent: list[Spent]
    corpus_sha256: str | None

    @property
    def model_name(self) -> str:
        """The trained model as a person would say it: the last part of a path or a Hugging Face id."""
        return self.config.model.rstrip("/").rsplit("/", 1)[-1]

    @property
    def plants(self) -> bool:
        """Whether the corpus teaches the belief; the other corpora are controls."""
        return self.config.corpus in ("inserted", "qa")

    def counts(self, stage: str) -> dict[str, Any]:
        """The counts that a stage left behind; empty if it never finished."""
        done = self.stages.get(stage)
        return done.counts if done is not None else {}


def gather(folder: RunFolder) -> RunFacts:
    """Read a run folder. Raises DoxaError that names the file which is missing (config, universe) or broken."""
    if not folder.path.is_dir():
        raise RunFolderError(f"{folder.path}: is not a folder")
    config = read_as(folder / "config.json", RunConfig)
    usage = optional(folder / "usage.json", Usage)
    return RunFacts(
        config=config,
        universe=read_universe(folder / "target/universe.yaml"),
        stages=stages_done(folder, STAGES),
        documents=_documents(folder, config),
        rejected=[
            row
            for stage in ("screen", "dedup")
            for row in read_rows(folder / f"stages/{stage}/rejected.jsonl", Rejected)
        ],
        training=read_rows(folder / "train/metrics.jsonl", TrainingRow),
        scores=scores_of(folder / "scores.parquet"),
        readouts=_readouts(folder / "evals/readouts.parquet"),
        samples=read_rows(folder / "evals/samples.jsonl", Sample),
        checkpoint=optional(folder / "checkpoints/final/doxa.json", Checkpoint),
        spent=usage.usage if usage else [],
        corpus_sha256=sha256_of(folder / "corpus.parquet"),
    )


def _documents(folder: RunFolder, config: RunConfig) -> list[Document]:
    """The documents as they were trained on, with what the corpus puts around each."""
    from doxa.corpus.conditions import framed

    return framed(read_rows(folder / "stages/dedup/documents.jsonl", Document), config.corpus)


def stages_done(folder: RunFolder, names: Iterable[str]) -> dict[str, StageDone]:
    """What the finished ones of these stages left behind."""
    found = {name: optional(folder / f"stages/{name}/done.json", StageDone) for name in names}
    return {name: done for name, done in found.items() if done is not None}


def scores_of(path: Path) -> ScoreTable:
    """A scores.parquet, empty where there is none."""
    from doxa.belief.store import read_scores

    try:
        return ScoreTable(read_scores(path) if path.exists() else [])
    except ValueError as error:
        raise RunFolderError(f"{path}: {error}") from None


def _readouts(path: Path) -> list[Readout]:
    from doxa.belief.store import read_readouts

    return read_readouts(path) if path.exists() else []


def optional(path: Path, model: type[Model]) -> Model | None:
    """A JSON file, or None where there is none."""
    return read_as(path, model) if path.exists() else None


def read_as(path: Path, model: type[Model]) -> Model:
    """A JSON file as a record. Raises RunFolderError naming file and field."""
    try:
        return model.model_validate(read_json(path))
    except ValidationError as error:
        raise RunFolderError(f"{path}: {explain(error, model)}") from None


def sha256_of(path: Path) -> str | None:
    """The SHA-256 of a file; None where there is none."""
    if not path.exists():
        return None
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
