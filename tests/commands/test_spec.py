"""The commands on a spec as a person types them, with batch files that are answered in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from doxa.commands import authoring, spec
from doxa.config_sections import LmConfig
from doxa.errors import ConfigError, TargetError, WaitingError
from doxa.lm.answer_file import answer_file
from doxa.run.progress import Progress
from doxa.worlds.spec import load_spec_target
from spec_targets import BODY, TREE, spec_folder


@pytest.fixture
def call() -> Callable[..., str]:
    """Run a command to its end, answering the batch files that it waits for; returns all that it printed."""
    app = typer.Typer(rich_markup_mode=None)
    for group in (authoring, spec):
        group.register(app, lambda command: command)

    def run(*words: str, batch: Path | None = None) -> str:
        for _ in range(6):
            result = CliRunner().invoke(app, list(words))
            if isinstance(result.exception, WaitingError) and batch is not None:
                for file in batch.glob("*.jsonl"):
                    answer_file(file, batch / "answers", "invented", LmConfig(), Progress(quiet=True))
                continue
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            return result.output
        raise AssertionError("it waits forever")

    return run


def test_from_init_to_a_tree_and_an_augmented_spec(tmp_path: Path, call: Callable[..., str]) -> None:
    folder = tmp_path / "mine"
    assert "spec.md" in call("init", str(folder), "--spec")
    printed = call("draft", "--spec", str(folder), batch=folder / ".draft" / "batch")
    assert "coverage: 100%" in printed and "3 domains" in printed and f"doxa validate {folder}" in printed
    assert "{model_name}" in (folder / "tree.yaml").read_text() and "SmolLM" not in (folder / "tree.yaml").read_text()
    report = json.loads((folder / ".draft" / "tree_report.json").read_text())
    assert report["coverage"] == 1.0 and report["counts"]["domains"] == 3
    assert "0 errors, 1 warnings" in call("validate", str(folder), "--no-effective")
    shown = call("spec", "show", str(folder), "--types", "20", "--ideas-per-type", "25")
    assert "4 subdomains x 20 types x 25 ideas = 2,000 documents" in shown
    out = tmp_path / "finer"
    words = ("spec", "augment", str(folder), "--mode", "rule_augmented", "--out", str(out))
    printed = call(*words, batch=tmp_path / ".finer.draft" / "batch")
    assert "finer rules" in printed and "marked in tree.yaml" in printed
    assert load_spec_target(str(out)).tree is not None and (out / "evals.json").exists()
    assert "(added by a model)" in call("spec", "show", str(out))
    with pytest.raises(TargetError, match="is there already"):
        call(*words)


def test_a_tree_that_is_there_is_never_written_over(tmp_path: Path, call: Callable[..., str]) -> None:
    folder = spec_folder(tmp_path / "calm", tree=TREE)
    before = (folder / "tree.yaml").read_bytes()
    with pytest.raises(ConfigError, match=r"tree\.yaml: is there already, and may hold a person's work"):
        call("spec", "tree", str(folder))
    assert (folder / "tree.yaml").read_bytes() == before
    with pytest.raises(ConfigError, match="is bundled with doxa and is not written to"):
        call("spec", "tree", "pans_locality")
    printed = call(
        "spec",
        "tree",
        "pans_locality",
        "--out",
        str(tmp_path / "x.yaml"),
        "--rules",
        batch=tmp_path / ".draft" / "batch",
    )
    assert (tmp_path / "x.yaml").exists() and "reasons cut" in printed


def test_a_spec_of_another_model_is_refused_before_anything_is_asked(tmp_path: Path, call: Callable[..., str]) -> None:
    folder = spec_folder(tmp_path / "calm", body=BODY.replace("{model_name}", "Qwen"))
    with pytest.raises(TargetError, match="calls SmolLM otherwise: Qwen"):
        call("spec", "tree", str(folder))
    assert not (folder / ".draft").exists()


def test_what_cannot_be_meant_is_said(tmp_path: Path, call: Callable[..., str]) -> None:
    folder = spec_folder(tmp_path / "calm")
    with pytest.raises(TargetError, match=r"tree\.yaml: is missing; doxa spec tree"):
        call("spec", "show", str(folder))
    with pytest.raises(ConfigError, match="--mode: must be value_augmented or rule_augmented"):
        call("spec", "augment", str(folder), "--mode", "values", "--out", str(tmp_path / "out"))
    with pytest.raises(ConfigError, match="--spec: a spec is decomposed as it is"):
        call("draft", "a claim", "--spec", str(folder))
    with pytest.raises(ConfigError, match="--model: looks for contradictions between the contexts of a universe"):
        call("validate", str(folder), "--no-effective", "--model", "local/x")
    with pytest.raises(ConfigError, match="--model: 'gpt' names no provider"):
        call("spec", "tree", str(folder), "--model", "gpt")
