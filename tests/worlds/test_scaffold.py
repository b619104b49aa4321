"""What `doxa init` writes loads at once, and nothing of a person's is written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from doxa.belief.items import groups_present
from doxa.config import load_user_config
from doxa.errors import TargetError
from doxa.worlds.draft_items import DRAFTED
from doxa.worlds.scaffold import init
from doxa.worlds.universe import load_target
from doxa.worlds.validate import validate


def test_a_new_target_loads_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "My Target"
    files = init(folder)
    assert sorted(file.name for file in files) == ["doxa.yaml", "evals.json", "universe.yaml"]
    target = load_target(str(folder))
    assert target.universe.id == "my_target"
    assert groups_present(folder / "evals.json") == set(DRAFTED)


def test_its_doxa_yaml_names_the_folder_it_lies_in(tmp_path: Path) -> None:
    init(tmp_path / "mine")
    config = load_user_config(tmp_path / "mine" / "doxa.yaml", [])
    assert Path(config.target) == tmp_path / "mine"
    assert config.generator == "batch-file"


def test_the_example_is_clean_but_for_being_the_example(tmp_path: Path) -> None:
    init(tmp_path / "mine")
    findings = validate(str(tmp_path / "mine")).findings
    assert [finding.field for finding in findings if finding.level == "error"] == []
    assert any("still the example" in finding.problem for finding in findings)


def test_a_name_that_yaml_would_read_as_a_number_stays_a_name(tmp_path: Path) -> None:
    init(tmp_path / "2024")
    assert load_target(str(tmp_path / "2024")).universe.id == "2024"


@pytest.mark.parametrize(("name", "content", "says"), [("full", "x", "is not empty"), ("!!", None, "is no name")])
def test_what_is_there_is_left_alone(tmp_path: Path, name: str, content: str | None, says: str) -> None:
    folder = tmp_path / name
    if content:
        folder.mkdir()
        (folder / "notes.txt").write_text(content)
    with pytest.raises(TargetError, match=says):
        init(folder)
    assert not (folder / "universe.yaml").exists()


def test_a_file_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(TargetError, match="is a file"):
        init(tmp_path / "file")
