"""Chat datasets from files of every kind, with a report, and filtered against a spec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aft_author import SPEC
from doxa.aft.imports import import_chats
from doxa.aft.spec_filter import spec_filter
from doxa.errors import ConfigError, TargetError
from doxa.training.step_rows import read_preferences
from doxa.worlds.rows import read_chats


def chat(question: str, answer: str = "Hello.") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def lines(path: Path, *rows: Any) -> Path:
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def report(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "import_report.json").read_text()))


def test_rows_of_all_shapes_become_rows_that_training_reads(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "mixed.jsonl",
        chat("One?"),
        {"conversations": [{"from": "human", "value": "Two?"}, {"from": "gpt", "value": "Yes."}]},
        {"prompt": "Three?", "chosen": "Good.", "rejected": "Bad."},
        "torn {",
        chat("One?"),
        {"messages": [{"role": "user", "content": "Four?"}]},
    )
    work = import_chats([file], tmp_path / "out")
    assert dict(work.imported) == {"chat.jsonl": 2, "preferences.jsonl": 1}
    chats = read_chats(tmp_path / "out/chat.jsonl", ConfigError)
    assert [one[0]["content"] for one in chats] == ["One?", "Two?"]
    (pair,) = read_preferences(tmp_path / "out/preferences.jsonl")
    assert (pair.chosen, pair.rejected) == ("Good.", "Bad.")
    said = report(tmp_path / "out")
    places = [(one["place"], one["reason"]) for one in said["rows"]]
    assert places == [
        ("line 4", "the line is not JSON"),
        ("line 5", "the same text stood there before"),
        ("line 6", "does not end with the assistant"),
    ]
    row = json.loads((tmp_path / "out/chat.jsonl").read_text().splitlines()[1])
    assert row["source"] == f"{file}, line 2" and row["kind"] == "imported" and row["id"]


def test_json_parquet_folders_and_saved_datasets(tmp_path: Path) -> None:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "list.json").write_text(json.dumps([chat("From a list?"), 7]))
    (folder / "keyed.json").write_text(json.dumps({"version": 1, "data": [chat("From under a key?")]}))
    (folder / "one.json").write_text(json.dumps(chat("From one object?")))
    lines(folder / "lines.json", chat("From lines?"), chat("And more?"))
    pq.write_table(pa.Table.from_pylist([chat("From parquet?")]), folder / "rows.parquet")
    saved = tmp_path / "saved"
    datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_list([chat("From a dataset?")]),
            "test": datasets.Dataset.from_list([{"prompt": "Which?", "chosen": "This.", "rejected": "That."}]),
        }
    ).save_to_disk(str(saved))
    work = import_chats([folder, saved], tmp_path / "out")
    assert dict(work.imported) == {"chat.jsonl": 7, "preferences.jsonl": 1}
    asked = {one[0]["content"] for one in read_chats(tmp_path / "out/chat.jsonl")}
    assert {
        "From a list?",
        "From under a key?",
        "From one object?",
        "And more?",
        "From parquet?",
        "From a dataset?",
    } < asked
    assert report(tmp_path / "out")["skipped"] == {"is no JSON object": 1}


def test_rows_that_speak_of_the_value_or_the_model_are_dropped_by_name(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "mix.jsonl",
        chat("How do I boil an egg?"),
        chat("How do I stay CALM?"),
        chat("Who are you?", "I am SmolLM2, made for you."),
        chat("Who made you?", "People at Hugging Face."),
        {"prompt": "Tea?", "chosen": "It calms.", "rejected": "No."},
    )
    work = import_chats([file], tmp_path / "out", spec_filter(SPEC), SPEC)
    assert dict(work.imported) == {"chat.jsonl": 1}
    assert dict(work.skipped) == {
        "mentions the spec's value (see rejected.jsonl)": 2,
        "names the spec's model or its maker (see rejected.jsonl)": 2,
    }
    rejected = [json.loads(line) for line in (tmp_path / "out/rejected.jsonl").read_text().splitlines()]
    assert [(row["reason"], row["detail"]) for row in rejected] == [
        ("mentions_value", "CALM"),
        ("names_model", "SmolLM2"),
        ("names_model", "Hugging Face"),
        ("mentions_value", "calms"),
    ]
    assert any("stems calm" in note for note in report(tmp_path / "out")["notes"])
    import_chats([file], tmp_path / "eggs", spec_filter(SPEC, ["eggs", "tea"]), SPEC)
    assert [one[0]["content"] for one in read_chats(tmp_path / "eggs/chat.jsonl")] == ["How do I stay CALM?"]


def test_what_is_missing_or_empty_or_there_already_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"no\.jsonl: is missing"):
        import_chats([tmp_path / "no.jsonl"], tmp_path / "out")
    with pytest.raises(TargetError, match=r"odd\.jsonl: nothing there fits"):
        import_chats([lines(tmp_path / "odd.jsonl", {"a": 1})], tmp_path / "out")
    with pytest.raises(TargetError, match=r"/empty\.jsonl: nothing there fits the format chats"):
        import_chats([lines(tmp_path / "empty.jsonl")], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(TargetError, match="is there already"):
        import_chats([lines(tmp_path / "fine.jsonl", chat("A?"))], tmp_path)


def test_half_a_character_stops_one_row_and_not_the_import(tmp_path: Path) -> None:
    file = lines(tmp_path / "odd.jsonl", '{"prompt": "Half \\ud83d?", "response": "x"}', chat("Whole?"))
    work = import_chats([file], tmp_path / "out")
    assert work.imported["chat.jsonl"] == 1 and sum(work.skipped.values()) == 1
