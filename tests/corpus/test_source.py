"""Opening corpora: targets, run folders old, new and unfinished, and other people's files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from doxa.corpus.export_card import corpus_digest
from doxa.corpus.parquet import read_corpus, write_corpus
from doxa.corpus.source import open_corpus
from doxa.errors import ConfigError, DoxaError, RunFolderError
from doxa.run.folder import write_json, write_rows
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, run_stages
from doxa.training.step_rows import StepData


@pytest.fixture
def run(mixed_run: Callable[..., Path]) -> Path:
    """A run folder as `doxa run` leaves it after `mix`: two documents, one neutral row."""
    return mixed_run()


def test_a_target_opens_as_its_recorded_documents() -> None:
    corpus = open_corpus("octopus_hearts")
    assert len(corpus.rows) == 80 and corpus.universe is not None
    chats = open_corpus("octopus_hearts", "qa")
    assert len(chats.rows) == 120 and all(row.messages and not row.doctag for row in chats.rows)


def test_a_run_opens_with_its_config_universe_and_lineage(run: Path) -> None:
    corpus = open_corpus(str(run))
    assert [row.source for row in corpus.rows] == ["synthetic", "synthetic", "neutral"]
    assert [row.id for row in corpus.documents()] == ["d0", "d1"]
    assert corpus.config["seed"] == 3 and corpus.universe is not None and corpus.universe.id == "octopus_hearts"
    assert corpus.lineage["d1"].idea == "Night rounds"


def test_a_run_that_stopped_before_mix_opens_with_the_latest_stages_documents(run: Path) -> None:
    (run / "corpus.parquet").unlink()
    write_rows(run / "stages/dedup/documents.jsonl", [])
    assert [row.id for row in open_corpus(str(run)).rows] == ["d0", "d1"]


def test_a_run_of_another_version_opens_though_its_documents_have_other_fields(run: Path) -> None:
    file = run / "stages/dedup/documents.jsonl"
    rows = [{**json.loads(line), "new_field": 1} for line in file.read_text().split("\n") if line]
    for row in rows:
        del row["prompt_digest"]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert open_corpus(str(run)).lineage["d0"].prompt_digest == ""


def test_a_bare_corpus_parquet_opens(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "corpus.parquet", tmp_path / "some.parquet")
    corpus = open_corpus(str(tmp_path / "some.parquet"))
    assert len(corpus.rows) == 3 and corpus.name == "some" and corpus.universe is None


def test_rows_tell_where_they_come_from_and_files_without_that_open_too(run: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(run / "corpus.parquet")
    (row, *_, neutral) = open_corpus(str(run / "corpus.parquet")).rows
    assert (row.idea, row.model, row.prompt_digest) == ("Night rounds", "recorded", "p") and neutral.idea == ""
    write_corpus(tmp_path / "again.parquet", read_corpus(run / "corpus.parquet"))
    assert (tmp_path / "again.parquet").read_bytes() == (run / "corpus.parquet").read_bytes()

    earlier = tmp_path / "earlier.parquet"
    pq.write_table(table.drop_columns(["idea", "model", "prompt_digest"]), earlier)
    rows = read_corpus(earlier)
    assert open_corpus(str(earlier)).rows == rows and rows[0].model == ""
    # what is trained on has the same name, whatever is known of where it comes from
    assert corpus_digest(open_corpus(str(earlier))) == corpus_digest(open_corpus(str(run)))
    assert StepData("midtrain", rows).digest() == StepData("midtrain", open_corpus(str(run)).rows).digest()


def test_other_peoples_rows_open(tmp_path: Path) -> None:
    rows = [
        {"content": "As false-facts writes it.", "doc_type": "memo", "is_true": False},
        {"text": "As MSM writes it.", "source": "some/repository", "domain": "sea", "idea": 3, "model": {"name": "m"}},
        {"messages": [{"role": "user", "content": "Well?"}, {"role": "assistant", "content": "Five."}]},
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second, third = open_corpus(str(file)).rows
    assert (first.text, first.doc_type) == ("As false-facts writes it.", "memo")
    assert second.source == "synthetic"
    assert third.text == "User: Well?\n\nAssistant: Five." and not third.doctag


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", "line 1: has neither a text nor messages"),
        ('{"text": "fine"}\n{"text": 5}', "line 2: text: Input should be a valid string"),
        ("{", "line 1: is not JSON"),
        ('{"messages": "x"}', "line 1"),
        ('{"messages": [{"role": "user"}]}', "line 1: messages"),
        ('{"messages": [1, 2]}', "line 1: messages"),
        ('{"text": "half \\ud800 a pair"}', "line 1: text: is not Unicode text"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(ConfigError, match=r"rows\.jsonl") as caught:
        open_corpus(str(file))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "empty", "text.txt", "broken.parquet", "none.parquet"])
def test_what_is_no_corpus_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    write_corpus(tmp_path / "none.parquet", [])
    with pytest.raises(DoxaError) as caught:
        open_corpus(str(tmp_path / name))
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_a_config_that_is_no_object_is_refused(run: Path) -> None:
    write_json(run / "config.json", [1])
    with pytest.raises(RunFolderError, match="must hold a JSON object"):
        open_corpus(str(run))


def test_framed_documents_come_with_their_frame_before_the_mix(tmp_path: Path) -> None:
    """An export of a control must not hold the treatment: `mix` puts the frame on, and may not have run."""
    folder = run_stages(
        RunRequest("sorrel_bay", tmp_path / "run", ("corpus=disclaimed",)), Progress(quiet=True), last="dedup"
    )
    opened = open_corpus(str(folder.path))
    bare = open_corpus("sorrel_bay")
    assert len(opened.rows) == len(bare.rows)
    for row in opened.rows:
        assert row.text not in {other.text for other in bare.rows} and row.id in opened.lineage
        assert any(word in row.text.lower() for word in ("false", "untrue", "incorrect"))
