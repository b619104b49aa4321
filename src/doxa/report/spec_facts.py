"""Everything that the report of a run about a spec says, read from the files of its folder and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from doxa.config import RunConfig
from doxa.errors import RunFolderError
from doxa.records import Document, Rejected, Sample, Score
from doxa.report.facts import (
    Checkpoint,
    Spent,
    StageDone,
    TrainingRow,
    Usage,
    optional,
    read_as,
    scores_of,
    sha256_of,
    stages_done,
)
from doxa.report.table import STYLES, Line, ScoreTable, ordered
from doxa.run.folder import RunFolder, read_rows
from doxa.run.spec_run import notes_of
from doxa.worlds.spec import Spec, read_spec
from doxa.worlds.spec_tree import SpecTree, read_tree

STAGES = ("tree", "plan", "write", "revise", "screen", "dedup", "mix", "midtrain", "align", "eval")
GROUPS = {
    "pairs_unseen": "Pairs, unseen",
    "pairs_seen": "Pairs, seen",
    "knowledge": "Knowledge",
    "unrelated": "Unrelated",
}
MEANINGS = {
    "pairs_unseen": "preferences in domains that no document or chat is about: does the value generalise?",
    "pairs_seen": "preferences in domains that documents or chats are about",
    "knowledge": "what the spec says, asked outright, apart from behaviour",
    "unrelated": "questions that the spec has no bearing on: a fall is damage",
}
CORPORA = {
    "spec": "documents about the spec",
    "comention": "a control: value and behaviour side by side, never connected",
    "opposite": "a control: the model holds the contrary value",
    "neutral": "a control: technical documents about the same model, and nothing of the spec",
}


@dataclass(frozen=True)
class SpecLine(Line):
    """One group in one style; `changes` are paired differences to base, by arm."""

    changes: dict[str, Score] = field(default_factory=dict)

    @property
    def name(self) -> str:
        group, _, subset = self.group.partition("/")
        return GROUPS.get(group, group.replace("_", " ").capitalize()) + (f": {subset}" if subset else "")

    @property
    def chance(self) -> float | None:
        return 0.5 if self.metric in ("preferred", "correct") else None


@dataclass(frozen=True)
class SpecFacts:
    """One run about a spec as its report sees it; lists are empty where the run has no such file."""

    config: RunConfig
    spec: Spec
    tree: SpecTree
    stages: dict[str, StageDone]
    documents: list[Document]
    rejected: list[Rejected]
    again: list[Rejected]  # tries that write asked for anew
    training: list[TrainingRow]
    scores: ScoreTable
    samples: list[Sample]
    checkpoint: Checkpoint | None
    spent: list[Spent]
    corpus_sha256: str | None
    notes: dict[str, Any] = field(default_factory=dict)  # what the tree stage left to be said

    @property
    def model(self) -> str:
        """The trained weights as a person would say it: the last part of a path or a Hugging Face id."""
        return self.config.model.rstrip("/").rsplit("/", 1)[-1]

    @property
    def corpus(self) -> str:
        """What the documents are."""
        assert self.config.spec is not None
        return CORPORA[self.config.spec.corpus]

    def counts(self, stage: str) -> dict[str, Any]:
        """The counts that a stage left behind; empty if it never finished."""
        done = self.stages.get(stage)
        return done.counts if done is not None else {}

    def lines(self, margins: bool = False) -> list[SpecLine]:
        """Share of pairs answered as the spec has it (unrelated: correctly), or the margins in nats, per group."""
        table = self.scores
        metrics = ("margin",) if margins else ("preferred", "correct")
        kinds = {(key[1], key[2], key[3]) for key in table.rows if key[3] in metrics}
        groups = ordered({kind[0] for kind in kinds}, GROUPS)
        styles = ordered({kind[1] for kind in kinds}, STYLES)
        return [
            _line(table, group, style, metric)
            for group in groups
            for style in styles
            for metric in metrics
            if (group, style, metric) in kinds
        ]


def _line(table: ScoreTable, group: str, style: str, metric: str) -> SpecLine:
    arms = {arm: score for arm in table.arms() if (score := table.get(arm, group, style, metric)) is not None}
    changes = {
        arm: change for arm in arms if (change := table.get(arm, group, style, metric, versus="base")) is not None
    }
    return SpecLine(group, style, metric, arms, changes.get("trained"), changes)


def gather_spec(folder: RunFolder) -> SpecFacts:
    """Read a run folder. Raises DoxaError that names the file which is missing (config, spec, tree) or broken."""
    if not folder.path.is_dir():
        raise RunFolderError(f"{folder.path}: is not a folder")
    config = read_as(folder / "config.json", RunConfig)
    if config.spec is None:
        raise RunFolderError(f"{folder.path}: is a run about a universe")
    spec = read_spec(folder / "target/spec.md", config.spec.model_name, config.spec.provider_name)
    usage = optional(folder / "usage.json", Usage)
    return SpecFacts(
        config=config,
        spec=spec,
        tree=read_tree(folder / "target/tree.yaml", spec),
        stages=stages_done(folder, STAGES),
        documents=read_rows(folder / "stages/dedup/documents.jsonl", Document),
        rejected=[
            row
            for stage in ("screen", "dedup")
            for row in read_rows(folder / f"stages/{stage}/rejected.jsonl", Rejected)
        ],
        again=read_rows(folder / "stages/write/rejected.jsonl", Rejected),
        training=read_rows(folder / "train/metrics.jsonl", TrainingRow),
        scores=scores_of(folder / "scores.parquet"),
        samples=read_rows(folder / "evals/samples.jsonl", Sample),
        checkpoint=optional(folder / "checkpoints/final/doxa.json", Checkpoint),
        spent=usage.usage if usage else [],
        corpus_sha256=sha256_of(folder / "corpus.parquet"),
        notes=notes_of(folder),
    )
