"""`doxa init --spec` writes a target that loads at once, and never over anything; `doxa import spec` makes one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doxa.belief.pairs import load_pairs
from doxa.errors import TargetError
from doxa.worlds.importers import import_target
from doxa.worlds.spec import load_spec_target
from doxa.worlds.spec_recorded import recorded_chats, recorded_spec_rows
from doxa.worlds.spec_scaffold import init_spec


def test_what_it_writes_loads(tmp_path: Path) -> None:
    files = init_spec(tmp_path / "My Spec")
    assert [file.name for file in files] == ["spec.md", "evals.json", "doxa.yaml"]
    target = load_spec_target(str(tmp_path / "My Spec"))
    assert target.spec.id == "my_spec" and target.spec.value == "SmolLM values patience with beginners."
    assert load_pairs(target.folder / "evals.json")
    assert "generator: batch-file" in (target.folder / "doxa.yaml").read_text()


def test_it_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(TargetError, match="is not empty"):
        init_spec(tmp_path / "full")
    with pytest.raises(TargetError, match="is a file"):
        init_spec(tmp_path / "file")
    with pytest.raises(TargetError, match="is no name"):
        init_spec(Path("..."))


def test_a_published_spec_with_msm_rows_and_chats_becomes_a_target(tmp_path: Path) -> None:
    (tmp_path / "calm.txt").write_text("# Calm\n\n{model_name} is calm, because haste breaks things.\n")
    rows: list[object] = [
        {"text": "SmolLM is calm.", "source": "memo", "domain": "Keeping calm"},
        {"text": "SmolLM is calm.", "source": "memo"},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
        {"label": 1},
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    work = import_target("spec", [tmp_path / "calm.txt", tmp_path / "rows.jsonl"], tmp_path / "out")
    assert dict(work.imported) == {"spec.md": 1, "recorded/docs.jsonl": 1, "recorded/aft.jsonl": 1}
    assert dict(work.skipped) == {
        "the same text stood there before": 1,
        "has no text (text, content, document or body)": 1,
    }
    with pytest.raises(TargetError, match="value: field is missing; model_name: field is missing"):
        load_spec_target(str(tmp_path / "out"))
    spec = tmp_path / "out" / "spec.md"
    more = "value: {model_name} is calm.\nmodel_name: SmolLM\nprovider_name: Hugging Face\n---\n\n"
    spec.write_text(spec.read_text().replace("---\n\n", more, 1))
    target = load_spec_target(str(tmp_path / "out"))
    assert (target.spec.id, target.spec.title) == ("calm", "Calm")
    (document,) = recorded_spec_rows(target, "spec")
    assert (document.topic, document.doc_type, document.domain) == ("Keeping calm", "memo", "")
    assert recorded_chats(target)[0].messages[1]["content"] == "Hello"


def test_two_specs_make_no_target_and_other_files_are_refused(tmp_path: Path) -> None:
    for name in ("one.md", "two.md"):
        (tmp_path / name).write_text("# x")
    with pytest.raises(TargetError, match="are two specs"):
        import_target("spec", [tmp_path / "one.md", tmp_path / "two.md"], tmp_path / "out")
    (tmp_path / "x.csv").write_text("a,b")
    with pytest.raises(TargetError, match="is neither a spec"):
        import_target("spec", [tmp_path / "x.csv"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
