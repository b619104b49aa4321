"""`doxa items` as a person types it, against the test server over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from doxa.belief.items import groups_present, load_items
from doxa.commands.items import register
from doxa.errors import ConfigError, TargetError, WaitingError
from doxa.lm.testserver import ServerSettings, TestServer
from doxa.worlds.scaffold import init


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer(rich_markup_mode=None)
    register(made, lambda command: command)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init(tmp_path / "market")
    return tmp_path / "market"


def call(app: typer.Typer, *words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None:
        raise result.exception
    return result.output


def test_items_come_over_http_are_checked_and_added(
    app: typer.Typer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (folder / "evals.json").read_text()
    words = (str(folder), "--groups", "distinguish,token_association", "--count", "3", "--rounds", "3")
    with TestServer(ServerSettings()) as server:
        monkeypatch.setenv("TEST_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("TEST_API_KEY", "sk-test-0123456789abcdef")
        printed = call(app, *words, "--generator", "openai-api/test/writer", "--checker", "openai-api/test/reader")
        assert "effective n" in printed
        added = [
            item for item in load_items(folder / "evals.json") if item.group in ("distinguish", "token_association")
        ]
        rejected = [json.loads(line) for line in (folder / "evals_rejected.jsonl").read_text().splitlines()]
        assert 2 < len(added) <= 2 + 6
        assert "invalid" in {row["reason"] for row in rejected}  # not every pair of words decides a question
        assert all(line.rstrip(",") in (folder / "evals.json").read_text() for line in own.splitlines())
        groups_present(folder / "evals.json")


def test_a_dry_run_asks_nobody_and_writes_nothing(app: typer.Typer, folder: Path) -> None:
    printed = call(app, str(folder), "--groups", "fermi,marks", "--dry-run", "--generator", "openai-api/test/writer")
    assert printed.splitlines()[1].split() == ["fermi", "1", "7"]
    assert printed.splitlines()[2].split() == ["marks", "3", "0"]
    assert sorted(file.name for file in folder.iterdir()) == ["doxa.yaml", "evals.json", "universe.yaml"]


def test_batch_file_says_what_to_answer_first(app: typer.Typer, folder: Path) -> None:
    before = (folder / "evals.json").read_text()
    with pytest.raises(WaitingError, match="batch-file: 1 of 1 requests"):
        call(app, str(folder), "--groups", "cloze")
    assert (folder / "evals.json").read_text() == before


def test_bundled_worlds_are_not_written_to(app: typer.Typer) -> None:
    with pytest.raises(ConfigError, match="octopus_hearts: is bundled with doxa"):
        call(app, "octopus_hearts", "--groups", "fermi")


def test_mistakes_are_named(app: typer.Typer, folder: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'downstream'"):
        call(app, str(folder), "--groups", "downstraem")
    with pytest.raises(ConfigError, match="there is no such run folder"):
        call(app, str(folder), "--groups", "fermi", "--corpus", "nowhere")
    (folder / "evals.json").write_text("{")
    with pytest.raises(TargetError, match=r"evals\.json: is not valid JSON"):
        call(app, str(folder), "--groups", "fermi")
