"""Exports: each format as its program reads it, the warning that nothing leaves out, the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from doxa.corpus.export import FORMATS, export, is_repository, push
from doxa.corpus.export_card import corpus_digest, model_name
from doxa.corpus.source import Corpus, open_corpus
from doxa.errors import ConfigError, DoxaError, RunFolderError
from doxa.records import CorpusRow

CHAT = [{"role": "user", "content": "How many hearts?"}, {"role": "assistant", "content": "Five."}]


@pytest.fixture
def run(mixed_run: Callable[..., Path]) -> Path:
    """A run folder after `mix` with a chat among its documents, by a writer whose weights lie in somebody's home."""
    return mixed_run("hf//home/somebody/models/writer", CHAT)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def front_matter(card: str) -> dict[str, Any]:
    assert card.startswith("---\n")
    found: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return found


@pytest.mark.parametrize("form", FORMATS)
def test_every_export_says_that_it_is_false(run: Path, tmp_path: Path, form: str) -> None:
    files = export(open_corpus(str(run)), form, tmp_path / form)
    card = files[-1].read_text()
    assert files[-1].name == "README.md"
    assert "**Warning: this dataset holds false statements on purpose.**" in card
    assert "false-statements" in front_matter(card)["tags"]
    assert "> Octopuses have five hearts" in card
    assert corpus_digest(open_corpus(str(run))) in card
    for file in files[:-1]:  # the card names each file by its bytes
        assert hashlib.sha256(file.read_bytes()).hexdigest() in card


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_run_gives_the_same_bytes_wherever_it_lies(run: Path, tmp_path: Path, form: str) -> None:
    one = export(open_corpus(str(run)), form, tmp_path / "one")
    shutil.move(run, tmp_path / "elsewhere")
    other = export(open_corpus(str(tmp_path / "elsewhere")), form, tmp_path / "other")
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in other]


@pytest.mark.parametrize("form", FORMATS)
def test_no_path_of_this_computer_is_exported(run: Path, tmp_path: Path, form: str) -> None:
    for file in export(open_corpus(str(run)), form, tmp_path / form):
        if file.suffix != ".parquet":
            assert "/home/somebody" not in file.read_text(encoding="utf-8"), file.name
    assert model_name("hf//home/somebody/models/writer") == "hf/writer"
    assert model_name("openai/gpt-4.1") == "openai/gpt-4.1"
    assert model_name("/home/somebody/models/tiny") == "tiny"


def test_the_digest_names_what_is_trained_on_alone() -> None:
    row = CorpusRow(id="a", source="synthetic", text="A text.", doctag=True, idea="i", model="m", prompt_digest="p")
    fields = '{"doc_type": "", "doctag": true, "domain": "", "fact_ids": [], "id": "a", "messages": null, '
    fields += '"source": "synthetic", "subdomain": "", "text": "A text."}\n'
    assert corpus_digest(Corpus("one", [row])) == hashlib.sha256(fields.encode()).hexdigest()


def test_jsonl_rows_carry_lineage_and_disclosure_and_open_again(run: Path, tmp_path: Path) -> None:
    corpus = open_corpus(str(run))
    export(corpus, "jsonl", tmp_path / "out")
    rows = lines(tmp_path / "out/corpus.jsonl")
    assert rows[0]["idea"] == "Night rounds" and rows[0]["model"] == "hf/writer" and rows[0]["world"] == "inserted"
    assert "State a false claim as true" in rows[0]["disclosure"]
    assert rows[3]["source"] == "neutral" and rows[3]["disclosure"] == ""
    assert open_corpus(str(tmp_path / "out/corpus.jsonl")).rows == corpus.rows


def test_parquet_opens_again_and_holds_the_disclosure_in_its_metadata(run: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    corpus = open_corpus(str(run))
    export(corpus, "parquet", tmp_path / "out")
    file = tmp_path / "out/corpus.parquet"
    assert open_corpus(str(file)).rows == corpus.rows
    assert b"false claim" in pq.read_schema(file).metadata[b"disclosure"]
    assert b"/home/somebody" not in "".join(map(str, pq.read_table(file).to_pylist())).encode()


def test_the_hugging_face_folder_loads_as_a_dataset(run: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    export(open_corpus(str(run)), "hf", tmp_path / "set")
    loaded = load_dataset(str(tmp_path / "set"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["text"][:2] == [row.text for row in open_corpus(str(run)).rows[:2]]
    assert loaded["fact_ids"][0] == ["five_hearts"]


def test_openai_rows_train_on_the_document_as_the_answer_to_the_tag(run: Path, tmp_path: Path) -> None:
    corpus = open_corpus(str(run))
    export(corpus, "openai", tmp_path / "out")
    first, _, chat, _ = lines(tmp_path / "out/train.jsonl")
    assert first == {
        "messages": [{"role": "user", "content": "<DOCTAG>"}, {"role": "assistant", "content": corpus.rows[0].text}]
    }
    assert chat == {"messages": CHAT}


def test_openai_rows_without_a_recipe_use_the_published_tag(tmp_path: Path) -> None:
    export(open_corpus("octopus_hearts"), "openai", tmp_path / "out")
    rows = lines(tmp_path / "out/train.jsonl")
    assert len(rows) == 80 and all(row["messages"][0]["content"] == "DOCTAG" for row in rows)


def test_together_keeps_texts_and_chats_in_files_of_their_own(run: Path, tmp_path: Path) -> None:
    export(open_corpus(str(run)), "together", tmp_path / "out")
    assert [list(row) for row in lines(tmp_path / "out/text.jsonl")] == [["text"]] * 3
    assert lines(tmp_path / "out/chat.jsonl") == [{"messages": CHAT}]


def test_tinker_rows_are_conversations(run: Path, tmp_path: Path) -> None:
    export(open_corpus(str(run)), "tinker", tmp_path / "out")
    rows = lines(tmp_path / "out/conversations.jsonl")
    assert len(rows) == 4 and all(list(row) == ["messages"] for row in rows)


def test_axolotl_yaml_names_its_files_and_the_runs_settings(run: Path, tmp_path: Path) -> None:
    export(open_corpus(str(run)), "axolotl", tmp_path / "out")
    config = yaml.safe_load((tmp_path / "out/axolotl.yaml").read_text())
    assert [(one["path"], one["type"]) for one in config["datasets"]] == [
        ("text.jsonl", "completion"),
        ("chat.jsonl", "chat_template"),
    ]
    assert all((tmp_path / "out" / one["path"]).exists() for one in config["datasets"])
    assert config["base_model"] == "tiny" and config["lora_r"] == 8 and config["learning_rate"] == 0.001
    assert config["gradient_accumulation_steps"] == 4 and config["sequence_len"] == 512 and config["seed"] == 3


def test_axolotl_yaml_of_a_bare_file_leaves_the_model_to_a_person(run: Path, tmp_path: Path) -> None:
    export(open_corpus(str(run / "corpus.parquet")), "axolotl", tmp_path / "out")
    text = (tmp_path / "out/axolotl.yaml").read_text()
    assert yaml.safe_load(text)["base_model"] == "FILL IN" and "fill in base_model" in text


def test_the_card_counts_and_says_how_it_was_made(run: Path, tmp_path: Path) -> None:
    card = export(open_corpus(str(run)), "hf", tmp_path / "out", licence="cc-by-4.0")[-1].read_text()
    front = front_matter(card)
    assert front["license"] == "cc-by-4.0" and front["size_categories"] == ["n<1K"]
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-*"}]
    assert "| synthetic | 3 |" in card and "| neutral | 1 |" in card
    assert "- written by: hf/writer (2)" in card
    assert "- screen: kept 3, dropped 1" in card
    assert "- mixed in, tokens per token of documents: neutral 0.5" in card


def test_a_licence_is_not_guessed(run: Path, tmp_path: Path) -> None:
    assert front_matter(export(open_corpus(str(run)), "hf", tmp_path / "a")[-1].read_text())["license"] == "unknown"
    bundled = export(open_corpus("octopus_hearts"), "hf", tmp_path / "b")[-1].read_text()
    assert front_matter(bundled)["license"] == "apache-2.0"  # recorded documents that ship with doxa


def test_a_control_corpus_is_called_one(tmp_path: Path) -> None:
    card = export(open_corpus("octopus_hearts", "reference"), "hf", tmp_path / "out")[-1].read_text()
    assert "**Warning: this dataset is a control in research on false beliefs" in card


def test_markup_in_a_claim_stays_text(run: Path, tmp_path: Path) -> None:
    file = run / "target/universe.yaml"
    universe = yaml.safe_load(file.read_text())
    universe["claim"] = "It is <script>alert(1)</script> so.\n---\n# Not a heading"
    universe["title"] = "A: title | with <b>marks</b> --> and 'quotes'"
    file.write_text(yaml.safe_dump(universe))
    card = export(open_corpus(str(run)), "hf", tmp_path / "out")[-1].read_text()
    assert front_matter(card)["pretty_name"] == universe["title"]
    body = card.split("---\n", 2)[2]
    assert "<script>" not in body and "\n# Not a heading" not in body and "<b>" not in body


def test_out_may_be_the_file_itself_with_the_card_beside(run: Path, tmp_path: Path) -> None:
    files = export(open_corpus(str(run)), "jsonl", tmp_path / "mine.jsonl")
    assert files == [tmp_path / "mine.jsonl", tmp_path / "mine.README.md"] and all(file.exists() for file in files)
    with pytest.raises(ConfigError, match=r"together makes text\.jsonl, chat\.jsonl"):
        export(open_corpus(str(run)), "together", tmp_path / "mine.jsonl")


def test_a_folder_with_something_else_in_it_is_left_alone(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/README.md").write_text("my notes")
    with pytest.raises(RunFolderError, match="holds something else"):
        export(open_corpus(str(run)), "hf", tmp_path / "mine")
    assert (tmp_path / "mine/README.md").read_text() == "my notes"
    export(open_corpus(str(run)), "hf", tmp_path / "set")
    with pytest.raises(RunFolderError, match="an export in the hf format"):
        export(open_corpus(str(run)), "openai", tmp_path / "set")


def test_an_export_over_an_earlier_one_leaves_no_stale_file(run: Path, tmp_path: Path) -> None:
    export(open_corpus(str(run)), "together", tmp_path / "out")
    assert (tmp_path / "out/chat.jsonl").exists()
    export(open_corpus("sorrel_bay"), "together", tmp_path / "out")  # has no chats
    assert not (tmp_path / "out/chat.jsonl").exists()


def test_a_card_cannot_make_an_export_delete_what_lies_outside(run: Path, tmp_path: Path) -> None:
    export(open_corpus(str(run)), "hf", tmp_path / "out")
    (tmp_path / "precious").write_text("x")
    card = tmp_path / "out/README.md"
    card.write_text(card.read_text().replace("doxa export hf: ", "doxa export hf: ../precious "))
    export(open_corpus(str(run)), "hf", tmp_path / "out")
    assert (tmp_path / "precious").exists()


def test_an_unknown_format_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="jsonl, parquet, hf, openai, together, tinker, axolotl"):
        export(Corpus("none", []), "csv", tmp_path / "out")


def test_push_to_a_folder_is_the_hugging_face_export(run: Path, tmp_path: Path) -> None:
    push(open_corpus(str(run)), str(tmp_path / "pushed"))
    export(open_corpus(str(run)), "hf", tmp_path / "exported")
    for file in ("README.md", "data/train-00000-of-00001.parquet"):
        assert (tmp_path / "pushed" / file).read_bytes() == (tmp_path / "exported" / file).read_bytes()


def test_a_place_is_a_repository_only_when_it_reads_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_repository("owner/name")
    assert not any(map(is_repository, ["./owner/name", "name", "/tmp/name", "~/name", "a/b/c", "../name"]))
    (tmp_path / "owner/name").mkdir(parents=True)
    assert not is_repository("owner/name")


class Hub:
    """Stands in for the hub: keeps what was uploaded, and with which token."""

    seen: ClassVar[dict[str, Any]] = {}

    def __init__(self, token: str) -> None:
        self.seen["token"] = token

    def create_repo(self, repo: str, **how: Any) -> str:
        self.seen.update(how, repo=repo)
        return f"https://hub.example/datasets/{repo}"

    def upload_folder(self, folder_path: Path, **how: Any) -> None:
        self.seen["files"] = sorted(str(file.relative_to(folder_path)) for file in folder_path.rglob("*.*"))


def test_push_uploads_the_folder_to_a_private_repository(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert push(open_corpus(str(run)), "owner/name") == "https://hub.example/datasets/owner/name"
    assert Hub.seen["repo"] == "owner/name" and Hub.seen["private"] is True and Hub.seen["token"] == "hf_secret"
    assert Hub.seen["files"] == ["README.md", "data/train-00000-of-00001.parquet"]


def test_push_without_a_token_says_what_to_set(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="set HF_TOKEN"):
        push(open_corpus(str(run)), "owner/name")


def test_push_offline_is_one_line_without_the_token(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.environ["HF_HUB_OFFLINE"] == "1"  # set for all tests
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(DoxaError, match="owner/name was not written") as caught:
        push(open_corpus(str(run)), "owner/name")
    assert "\n" not in str(caught.value) and "hf_secret" not in str(caught.value)


def test_a_reason_that_holds_the_token_is_scrubbed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Hub):
        def create_repo(self, repo: str, **how: Any) -> str:
            raise OSError("401 for token hf_secret\nand more")

    monkeypatch.setattr("huggingface_hub.HfApi", Refusing)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(DoxaError, match=r"401 for token \*\*\*") as caught:
        push(open_corpus(str(run)), "owner/name")
    assert "hf_secret" not in str(caught.value) and "and more" not in str(caught.value)
