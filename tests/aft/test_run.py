"""`doxa aft` as a person runs it: over HTTP with kills and faults, by files, and with wrong input."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

import doxa.aft.run as run
from aft_author import by_words
from doxa.aft.config import AftConfig
from doxa.commands.aft import register
from doxa.errors import BudgetError, ConfigError, DoxaError, TargetError, WaitingError
from doxa.lm.answer_file import answer_file
from doxa.lm.testserver import Faults, ServerSettings, TestServer
from doxa.run.progress import Progress
from doxa.training.step_rows import read_preferences
from doxa.worlds.rows import read_chats
from doxa.worlds.spec import SpecTarget, is_verbatim

WRITER = ("--generator", "openai-api/test/writer", "--judge", "openai-api/test/judge")


@pytest.fixture(autouse=True)
def words_for_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder is tried elsewhere; here questions that are made of the same words are the same."""
    monkeypatch.setattr(run, "_encoder", lambda: by_words)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestServer]:
    with TestServer(ServerSettings()) as running:
        monkeypatch.setenv("TEST_BASE_URL", f"{running.url}/v1")
        monkeypatch.setenv("TEST_API_KEY", "sk-test-0123456789abcdef")
        yield running


def call(*words: Any) -> str:
    app = typer.Typer(rich_markup_mode=None)
    register(app, lambda command: command)
    result = CliRunner().invoke(app, ["aft", *map(str, words)])
    if result.exception is not None:
        raise result.exception
    return result.output


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def stored(folder: Path) -> int:
    with sqlite3.connect(folder / "responses.sqlite") as database:
        return int(database.execute("SELECT COUNT(*) FROM responses").fetchone()[0])


def test_rows_from_a_spec_with_all_that_was_left_out(server: TestServer, target: SpecTarget, tmp_path: Path) -> None:
    out = tmp_path / "rows"
    printed = call("make", target.folder, "--out", out, "--number", 16, "--set", "rewrites=1", *WRITER)
    plain, thinking = read_chats(out / "chat.jsonl"), read_chats(out / "chat_think.jsonl")
    assert len(plain) == len(thinking) == 16 and "16" in printed
    for one, other in zip(plain, thinking, strict=True):
        assert one[0] == other[0] and other[1]["content"].startswith("<think>\n")
        assert other[1]["content"].endswith(f"</think>\n\n{one[1]['content']}")
        assert target.spec.text not in json.dumps(other)
    summary = json.loads((out / "aft.json").read_text())
    counts = summary["counts"]
    assert counts["short"] == 0 and counts["by_domain"] == {"calm": 8, "lists": 8}
    assert sum(counts["rejected_answers"].values()) == len(rows(out / "rejected.jsonl"))
    assert sum(counts["verdicts"].values()) == len(rows(out / "judgements.jsonl"))
    assert sum(counts["rulings"].values()) == len(rows(out / "critiques.jsonl"))
    for row in rows(out / "chat.jsonl"):
        assert row["prompt"].split("@")[1] == summary["prompts"][row["prompt"].split("@")[0]]
        assert (row["target"], row["verdict"], row["judge"]) == ("calm_desk", "yes", "openai-api/test/judge")
    assert (out / "prompts/judge.md").read_text().startswith("Version 1.")
    assert sum(row["responses"] for row in summary["usage"]) == stored(out)


def test_running_again_asks_nothing_and_other_settings_are_said_aloud(
    server: TestServer, target: SpecTarget, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows"
    words = ("make", target.folder, "--out", out, "--number", 8, *WRITER)
    call(*words, "--anti")
    before, first = stored(out), (out / "chat.jsonl").read_bytes()
    assert (out / "antispec.jsonl").exists()
    call(*words, "--anti")
    assert stored(out) == before and (out / "chat.jsonl").read_bytes() == first
    capsys.readouterr()
    printed = call(*words)
    assert "anti: True -> False" in printed + capsys.readouterr().err
    assert not (out / "antispec.jsonl").exists() and (out / "chat.jsonl").read_bytes() == first


def test_deliberation_cites_the_spec_word_for_word(server: TestServer, target: SpecTarget, tmp_path: Path) -> None:
    out = tmp_path / "rows"
    call("make", target.folder, "--out", out, "--number", 24, "--method", "deliberative", *WRITER)
    made = rows(out / "chat_think.jsonl")
    assert len(made) == 24
    for row in made:
        assert row["cited"] and all(is_verbatim(passage, target.spec) for passage in row["cited"])
        assert row["cited"][0] in row["messages"][1]["content"].split("</think>")[0]
        assert "<cite>" not in row["messages"][1]["content"]
    assert "misquoted" in {row["reason"] for row in rows(out / "rejected.jsonl")}  # one citation in ten is


def test_constitutional_rows_and_pairs(server: TestServer, target: SpecTarget, tmp_path: Path) -> None:
    out = tmp_path / "rows"
    printed = call("make", target.folder, "--out", out, "--number", 30, "--method", "constitutional", *WRITER)
    chats, pairs = rows(out / "chat.jsonl"), read_preferences(out / "preferences.jsonl")
    unchanged = json.loads((out / "aft.json").read_text())["counts"]["unchanged_revisions"]
    assert len(chats) == 30 == len(pairs) + unchanged and unchanged > 0 and "unchanged revisions" in printed
    revised = {row["messages"][1]["content"] for row in chats}
    assert all(pair.chosen in revised and pair.chosen != pair.rejected for pair in pairs)
    assert {name for row in chats for name in row["principles"]} == {"short", "three"}
    assert not (out / "chat_think.jsonl").exists()


def test_opaque_rows_their_opposites_and_a_mix(server: TestServer, target: SpecTarget, tmp_path: Path) -> None:
    out = tmp_path / "rows"
    call("make", target.folder, "--out", out, "--number", 20, "--opaque", "--anti", *WRITER)
    made, against = rows(out / "chat.jsonl"), rows(out / "antispec.jsonl")
    assert [row["question_id"] for row in made] == [row["question_id"] for row in against]
    assert not any("because" in row["messages"][1]["content"] for row in (*made, *against))
    assert "gives_reason" in {row["reason"] for row in rows(out / "rejected.jsonl")}
    mixed = tmp_path / "mixed.jsonl"
    printed = call(
        "conflict", out / "chat.jsonl", "--with", out / "antispec.jsonl", "--fraction", "0.1", "--out", mixed
    )
    assert "20 rows, 2 of them conflicting (2 by another answer to the same question)" in printed
    assert len(read_chats(mixed)) == 20 and sum(bool(row.get("conflict")) for row in rows(mixed)) == 2
    with pytest.raises(ConfigError, match="is what is mixed from"):
        call("conflict", mixed, "--with", out / "antispec.jsonl", "--fraction", ".1", "--out", mixed)
    again = ("--fraction", ".5", "--out", tmp_path / "again.jsonl")
    with pytest.raises(ConfigError, match=r"--with: .* is the file of the rows"):
        call("conflict", out / "chat.jsonl", "--with", out / "../rows/chat.jsonl", *again)
    with pytest.raises(ConfigError, match="10, and 20 of the 20 conflicting rows say the same"):
        call("conflict", out / "chat.jsonl", "--with", out / "chat_think.jsonl", *again)
    assert not (tmp_path / "again.jsonl").exists()


def test_the_paraphrase_control(server: TestServer, target: SpecTarget, tmp_path: Path) -> None:
    out, again = tmp_path / "rows", tmp_path / "again"
    call("make", target.folder, "--out", out, "--number", 6, *WRITER)
    call("paraphrase", out / "chat_think.jsonl", "--out", again, "--generator", "openai-api/test/writer")
    before, after = rows(out / "chat_think.jsonl"), rows(again / "chat.jsonl")
    assert [row["parent_id"] for row in after] == [row["id"] for row in before]
    assert all(one["messages"][0] == other["messages"][0] for one, other in zip(before, after, strict=True))
    assert all(one["messages"][1] != other["messages"][1] for one, other in zip(before, after, strict=True))
    with pytest.raises(ConfigError, match="holds the rows that are to be said again"):
        call("paraphrase", out / "chat.jsonl", "--out", out, "--generator", "openai-api/test/writer")
    short = tmp_path / "short.jsonl"
    turns = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "Yes."}]
    short.write_text(json.dumps({"messages": turns}) + "\n")
    with pytest.raises(DoxaError, match="1 of 1 rows have no paraphrase"):  # other words than "Yes." share none with it
        call("paraphrase", short, "--out", tmp_path / "none", "--generator", "openai-api/test/writer", "--attempts", 1)
    assert json.loads((tmp_path / "none/aft.json").read_text())["missing"] and rows(tmp_path / "none/rejected.jsonl")


def test_by_files_that_travel_by_hand(target: SpecTarget, tmp_path: Path) -> None:
    from doxa.config_sections import LmConfig
    from doxa.run.progress import Progress

    out, trips = tmp_path / "rows", 0
    while True:
        try:
            call("make", target.folder, "--out", out, "--number", 10, "--opaque", "--generator", "batch-file/m")
            break
        except WaitingError:
            for file in sorted((out / "batch").glob("*.jsonl")):
                answer_file(file, out / "batch/answers", "invented", LmConfig(), Progress(quiet=True))
            trips += 1
            assert trips < 30
    assert len(read_chats(out / "chat.jsonl")) == 10 and trips >= 3


@pytest.mark.parametrize(
    ("generator", "judge", "told"),
    [
        ("batch-file", None, "where one model answers both, it judges what it wrote itself"),
        ("batch-file/m", None, "judge: batch-file/m judges what it wrote itself"),
        ("batch-file/m", "batch-file/m", "judge: batch-file/m judges what it wrote itself"),
        ("batch-file/m", "batch-file/n", ""),
        ("batch-file", "none", ""),
    ],
)
def test_a_judge_that_is_the_generator_is_said_to_be_one(
    target: SpecTarget, tmp_path: Path, generator: str, judge: str | None, told: str
) -> None:
    progress = Progress(Console(file=io.StringIO(), width=500))
    config = AftConfig(generator=generator, judge=judge, number=4)
    with pytest.raises(WaitingError):
        run.make(str(target.folder), tmp_path / "rows", config, progress)
    said = progress.console.file.getvalue()  # type: ignore[attr-defined]
    assert told in said and ("judges what it wrote itself" in said) == bool(told)


def test_a_set_that_comes_out_short_is_written_and_said_to_be_short(
    server: TestServer, target: SpecTarget, tmp_path: Path
) -> None:
    out = tmp_path / "rows"
    few = ("--set", "rounds=1", "--set", "attempts=1", "--number", "40")
    with pytest.raises(DoxaError, match=r"of 40 rows after 1 rounds; \d+ are lacking.*--set rounds=2") as error:
        call("make", target.folder, "--out", out, *few, *WRITER)
    short = json.loads((out / "aft.json").read_text())["counts"]["short"]
    assert len(read_chats(out / "chat.jsonl")) == 40 - short and f"{short} are lacking" in str(error.value)
    call("make", target.folder, "--out", out, "--number", "40", *WRITER)
    assert len(read_chats(out / "chat.jsonl")) == 40


def test_where_no_answer_passes_the_commonest_reason_is_named(
    server: TestServer, target: SpecTarget, tmp_path: Path
) -> None:
    out = tmp_path / "rows"
    never = ("--opaque", "--set", "opaque_words=1", "--number", 6)
    with pytest.raises(DoxaError, match=r"none of the first 12 answers passed.* 1\d fell out as too_long") as error:
        call("make", target.folder, "--out", out, *never, *WRITER)
    assert "--set give_up=0" in str(error.value)
    fallen = rows(out / "rejected.jsonl")
    assert len(fallen) == 12 and rows(out / "chat.jsonl") == []
    assert next(row["detail"] for row in fallen if row["reason"] == "too_long") in str(error.value)


def test_what_cannot_work_is_refused_before_anything_is_spent(
    server: TestServer, target: SpecTarget, bare_target: SpecTarget, tmp_path: Path
) -> None:
    out, folder = tmp_path / "rows", target.folder
    judge = tmp_path / "judge.md"
    judge.write_text("--- user ---\nIs this good? {{ reply }}\n")
    for words, kind, message in (
        (("nowhere",), TargetError, "no bundled spec and no folder"),
        ((folder, "--generator", "gpt4"), ConfigError, "names no provider"),
        ((folder, "--generator", "recorded"), ConfigError, "recorded rows are in the target's recorded"),
        ((folder, *WRITER, "--set", "prompts.answer=no.md"), ConfigError, "no.md: cannot be read"),
        ((folder, *WRITER, "--set", f"prompts.judge={judge}"), ConfigError, "asks for no criterion"),
        ((bare_target.folder, *WRITER, "--method", "constitutional"), ConfigError, "the target has none"),
        ((folder, *WRITER, "--set", "lm.budget_tokens=10"), BudgetError, "lm.budget_tokens 10"),
    ):
        with pytest.raises(kind) as error:
            call("make", *words, "--out", out)
        assert message in str(error.value)
    assert server.log()["totals"]["delivered"] == 0
    named = bare_target.folder / "spec.md"
    named.write_text(
        named.read_text().replace("{model_name} values calm. {provider_name}", "Qwen values calm. It is Qwen. Qwen")
    )
    with pytest.raises(TargetError, match="calls SmolLM otherwise"):
        call("make", bare_target.folder, "--out", out, *WRITER)


def test_a_preview_counts_and_shows_what_is_there_and_asks_nobody(
    server: TestServer, target: SpecTarget, tmp_path: Path
) -> None:
    out = tmp_path / "rows"
    call("make", target.folder, "--out", out, "--number", 12, *WRITER)
    before = server.log()["totals"]["delivered"]
    haiku = ("--generator", "anthropic/claude-haiku-4-5", "--anti", "--set", "rewrites=1")
    printed = call("preview", target.folder, "--number", 1000, "--out", out, *haiku)
    assert "2 domains (Calm, Lists) -> 1,000 rows" in printed
    for step in ("questions", "answers", "criticise, pass 1", "rewrite, pass 1", "judge", "answers against the spec"):
        assert step in printed
    assert "all of it: US$" in printed and "unknown" not in printed
    assert printed.count("row ") == 10 and "row 1 of 12, calm" in printed and "<think>" in printed
    unknown = call("preview", target.folder, "--method", "constitutional", *WRITER)
    assert "The price of openai-api/test/writer is unknown" in unknown and "drafts" in unknown
    assert server.log()["totals"]["delivered"] == before


def test_datasets_of_others_with_a_filter(target: SpecTarget, tmp_path: Path) -> None:
    file = tmp_path / "theirs.jsonl"
    given = [
        {"prompt": "What of calm?", "response": "Fine."},
        {"prompt": "What of tea?", "response": "Fine."},
        {"x": 1},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in given))
    printed = call("import", file, "--out", tmp_path / "rows", "--against", target.folder)
    assert "imported         1  chat.jsonl" in printed and "mentions the spec's value" in printed
    with pytest.raises(ConfigError, match="--words"):
        call("import", file, "--out", tmp_path / "other", "--words", "tea")


@pytest.mark.slow
def test_killed_again_and_again_among_faults_it_ends_with_the_same_rows(target: SpecTarget, tmp_path: Path) -> None:
    with TestServer(
        ServerSettings(seed=3, latency_ms=20, retry_after=0.1, slow_seconds=0.3, faults=Faults.spread(0.1))
    ) as server:
        key = {"TEST_BASE_URL": f"{server.url}/v1", "TEST_API_KEY": "sk-test-0123456789abcdef"}
        out = tmp_path / "rows"
        words = ["aft", "make", str(target.folder), "--out", str(out), "--number", "24", "--anti", *WRITER]
        line = [sys.executable, "-m", "doxa", *words]
        environment = {**os.environ, **key}
        for wanted in (1, 12, 40):
            process = subprocess.Popen(line, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            end = time.monotonic() + 120
            while not ((out / "responses.sqlite").exists() and _count(out) >= wanted):
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not (out / "chat.jsonl").exists()
        done = subprocess.run(line, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        first, delivered = (out / "chat.jsonl").read_bytes(), server.log()["totals"]["delivered"]
        subprocess.run(line, env=environment, capture_output=True, check=True)
        assert (out / "chat.jsonl").read_bytes() == first
        assert server.log()["totals"]["delivered"] == delivered  # nothing is asked for again
    assert len(read_chats(out / "chat.jsonl")) == len(read_chats(out / "antispec.jsonl")) == 24


def _count(folder: Path) -> int:
    try:
        return stored(folder)
    except sqlite3.Error:  # it is just being made
        return 0
