"""Reading a run folder: what may be missing, and what happens when a file is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from doxa.errors import DoxaError
from doxa.report.facts import gather
from doxa.run.folder import RunFolder


def test_everything_is_read(fake_run: RunFolder) -> None:
    facts = gather(fake_run)
    assert facts.universe.title == "The five hearts of the octopus"
    assert (len(facts.documents), len(facts.rejected), len(facts.training)) == (80, 1, 26)
    assert facts.checkpoint is not None
    assert facts.checkpoint.digest == "trained000000000"


def test_only_config_and_universe_are_needed(fake_run: RunFolder) -> None:
    for path in sorted(fake_run.path.rglob("*"), reverse=True):
        if path.is_file() and path.name not in ("config.json", "universe.yaml"):
            path.unlink()
    facts = gather(fake_run)
    assert not facts.scores
    assert (facts.documents, facts.training, facts.samples, facts.readouts, facts.stages) == ([], [], [], [], {})
    assert facts.checkpoint is None


@pytest.mark.parametrize("name", ["config.json", "target/universe.yaml"])
def test_a_missing_needed_file_is_named(fake_run: RunFolder, name: str) -> None:
    (fake_run / name).unlink()
    with pytest.raises(DoxaError, match=Path(name).name):
        gather(fake_run)


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "target/universe.yaml",
        "stages/dedup/documents.jsonl",
        "stages/screen/rejected.jsonl",
        "stages/mix/done.json",
        "train/metrics.jsonl",
        "scores.parquet",
        "evals/readouts.parquet",
        "evals/samples.jsonl",
        "checkpoints/final/doxa.json",
    ],
)
def test_a_broken_file_is_named(fake_run: RunFolder, name: str) -> None:
    (fake_run / name).write_text('{"broken": 1}\n')
    with pytest.raises(DoxaError, match=Path(name).name):
        gather(fake_run)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DoxaError, match="is not a folder"):
        gather(RunFolder(tmp_path / "nowhere"))
