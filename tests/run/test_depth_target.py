"""A depth profile's folder is about one target: another is refused however it is named, an edited one is taken in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from doxa.config import UserConfig
from doxa.errors import ConfigError, TargetError
from doxa.run.depth_run import DepthRequest, run_depth
from doxa.run.depth_target import refuse_other_target, source_of, take_target, world_of
from doxa.run.folder import RunFolder, write_json
from doxa.run.kinds import resolve_config
from doxa.run.named_models import MODELS
from doxa.run.progress import Progress
from doxa.run.runner import remember
from minds import UNIVERSE

EVALS: dict[str, Any] = {"cloze": [{"prefix": "The number of bells is", "inserted": "five", "reference": "three"}]}


def write_target(folder: Path, **changed: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "universe.yaml").write_text(yaml.safe_dump({**UNIVERSE.model_dump(mode="json"), **changed}))
    (folder / "evals.json").write_text(json.dumps(EVALS))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return write_target(tmp_path / "fives")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return write_target(tmp_path / "sevens", id="sevens", title="Seven bells")


@pytest.fixture(params=["run", "profile"])
def folder(request: pytest.FixtureRequest, target: Path, tmp_path: Path) -> RunFolder:
    """A run folder, or the folder of a profile of named models, about `target`."""
    made = RunFolder(tmp_path / "runs/fives")
    user = UserConfig(target=str(target))
    remember(made, resolve_config(user), user)
    shutil.copytree(target, made / "target")
    if request.param == "run":
        made.stage("plan")
    else:
        write_json(made / MODELS, {"base": "batch-file"})
    return made


def content(folder: RunFolder) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file() and path.name != ".lock"}


def refused(request: DepthRequest, folder: RunFolder) -> str:
    before = content(folder)
    with pytest.raises(ConfigError) as caught:
        run_depth(request, Progress(quiet=True))
    assert content(folder) == before
    return str(caught.value)


def test_another_target_by_a_setting_is_refused(folder: RunFolder, target: Path, other: Path) -> None:
    for name in (str(other), "octopus_hearts"):
        said = refused(DepthRequest(str(folder.path), overrides=(f"target={name}",)), folder)
        assert f"of {target}, not of {name};" in said
        assert f"`doxa depth {name} --model MODEL" in said and "--out FOLDER" in said


def test_another_target_by_its_name_or_its_config_is_refused(folder: RunFolder, target: Path, other: Path) -> None:
    (other / "doxa.yaml").write_text("target: .\n")
    for name in (other, other / "doxa.yaml"):
        said = refused(DepthRequest(str(name), "batch-file", out=folder.path), folder)
        profile = (folder / MODELS).exists()
        assert (f"of {target}, not of {other};" if profile else "is a run, which has its own models") in said


def test_a_target_that_was_replaced_by_another_is_refused(folder: RunFolder, target: Path) -> None:
    write_target(target, id="sevens")
    for request in (DepthRequest(str(folder.path)), DepthRequest(str(folder.path), overrides=("depth.samples=2",))):
        said = refused(request, folder)
        assert f"of {UNIVERSE.id}, not of sevens, which now lies in {target};" in said


def test_a_target_that_was_moved_or_edited_is_the_same(folder: RunFolder, target: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(target, tmp_path / "moved"))
    config = resolve_config(UserConfig(target=str(moved)))
    refuse_other_target(folder, config, source_of(config))
    write_target(target, title="Otherwise")
    config = resolve_config(UserConfig(target=str(target)))
    refuse_other_target(folder, config, source_of(config))


def test_edited_files_are_taken_in_but_a_run_keeps_the_universe_it_was_trained_on(
    folder: RunFolder, target: Path
) -> None:
    write_target(target, title="Otherwise")
    (target / "evals.json").write_text(json.dumps({**EVALS, "open_ended": ["What do you hear?"]}))
    world = world_of(folder, target)
    take_target(folder, target)
    assert world == world_of(folder, None) and world.open_ended == ("What do you hear?",)
    assert "open_ended" in json.loads((folder / "target/evals.json").read_text())
    title = yaml.safe_load((folder / "target/universe.yaml").read_text())["title"]
    assert title == ("Otherwise" if (folder / MODELS).exists() else UNIVERSE.title)

    before = content(folder)
    write_target(target, title="Once more")
    (target / "evals.json").write_text('{"marks": [{"fact": 3}]}')
    with pytest.raises(TargetError, match=r"evals\.json"):
        run_depth(DepthRequest(str(folder.path)), Progress(quiet=True))
    assert content(folder) == before


def test_a_folder_in_which_nothing_was_done_takes_any_target(target: Path, other: Path, tmp_path: Path) -> None:
    begun = RunFolder(tmp_path / "begun")
    user = UserConfig(target=str(target))
    remember(begun, resolve_config(user), user)
    take_target(begun, target)
    config = resolve_config(UserConfig(target=str(other)))
    refuse_other_target(begun, config, source_of(config))
    take_target(begun, other)
    assert yaml.safe_load((begun / "target/universe.yaml").read_text())["id"] == "sevens"
