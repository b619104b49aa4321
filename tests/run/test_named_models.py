"""What the folder of a profile remembers of the models that were named: none that could not be asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from doxa.errors import ConfigError, DoxaError, ModelError, WaitingError
from doxa.lm.request import Response, ask
from doxa.lm.store import ResponseStore
from doxa.run.depth_run import DepthRequest, run_depth
from doxa.run.folder import RunFolder, write_json
from doxa.run.named_models import NamedModels, read_named, refuse_profile, remembered
from doxa.run.progress import Progress
from minds import UNIVERSE

EVALS: dict[str, Any] = {
    "mcq_distinguish": [{"question": "How many bells hang in the tower?", "inserted": "Five", "reference": "Three"}]
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key of the computer that the tests run on."""
    monkeypatch.chdir(tmp_path)  # no .env upwards of here either
    for name in ("OPENAI_API_KEY", "AZUREAI_OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "fives"
    folder.mkdir()
    (folder / "universe.yaml").write_text(yaml.safe_dump(UNIVERSE.model_dump(mode="json")))
    (folder / "evals.json").write_text(json.dumps(EVALS))
    return folder


def profile(target: Path, model: str, trained: str | None = None) -> None:
    run_depth(DepthRequest(str(target), model, trained, probes=("distinguish",)), Progress(quiet=True))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("anthropc/claude-haiku-4-5", "not recognized"),
        ("anthropic/claude-haiku-4-5", "No ANTHROPIC_API_KEY"),
        ("openai/gpt-4.1", "No OPENAI_API_KEY"),
        ("local/./nowhere", "nowhere"),
    ],
)
def test_a_model_that_cannot_be_asked_leaves_nothing_behind(target: Path, model: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"^--model: .*{why}"):
        profile(target, model)
    with pytest.raises(ConfigError, match=f"^--trained: .*{why}"):
        profile(target, "batch-file", model)
    assert not Path("runs").exists()


def test_a_model_that_has_answered_needs_no_key_any_more(target: Path) -> None:
    profiled = RunFolder(Path("runs/fives"))
    asked = ask("openai/gpt-4.1", "How many?")
    with pytest.raises(ConfigError, match="No OPENAI_API_KEY"):
        profile(target, "openai/gpt-4.1")
    with ResponseStore(profiled / "responses.sqlite") as store:
        store.put(asked, Response(key=asked.key, text="Five."))
    write_json(profiled / "config.json", {})  # begun, and nothing done
    (profiled / "stages").mkdir()
    with pytest.raises(DoxaError) as caught:  # as far as the first question that has no answer yet
        profile(target, "openai/gpt-4.1")
    assert isinstance(caught.value, ModelError)


def test_names_whose_first_call_fails_are_not_remembered(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is there and the provider is known, but it has no model of that name."""

    def no_such_model(*_: object) -> None:
        raise ModelError("model openai/gpt-41: is not there")

    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    monkeypatch.setattr("doxa.lm.models.LanguageModels.answer", no_such_model)
    with pytest.raises(ModelError):
        profile(target, "openai/gpt-41")
    folder = RunFolder(Path("runs/fives"))
    assert read_named(folder) is None
    refuse_profile(folder)  # a run may have the folder
    monkeypatch.undo()
    monkeypatch.chdir(target.parent)
    with pytest.raises(WaitingError):
        profile(target, "batch-file")  # and so may another name
    assert read_named(folder) == NamedModels(base="batch-file")


def begin(folder: RunFolder, named: NamedModels, error: BaseException, answer: str = "") -> None:
    """A profile that ends in an error, after one answer or none."""
    request = ask("openai/a", "How many?")
    with remembered(folder, named):
        if answer:
            with ResponseStore(folder / "responses.sqlite") as store:
                store.put(request, Response(key=request.key, text=answer))
        raise error


def test_a_name_stays_from_its_first_answer_on_and_a_failed_one_gives_way_to_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    first, second = NamedModels(base="openai/a"), NamedModels(base="openai/a", trained="openai/b")
    with pytest.raises(ModelError):
        begin(folder, first, ModelError("the line broke"), "Five.")
    assert read_named(folder) == first
    with pytest.raises(ModelError):
        begin(folder, second, ModelError("there is no openai/b"))
    assert read_named(folder) == first
    with pytest.raises(WaitingError):
        begin(folder, second, WaitingError("answers are awaited"))
    assert read_named(folder) == second


def test_a_profile_that_was_stopped_by_hand_remembers_its_models(tmp_path: Path) -> None:
    named = NamedModels(base="batch-file")
    with pytest.raises(KeyboardInterrupt):
        begin(RunFolder(tmp_path), named, KeyboardInterrupt())
    assert read_named(RunFolder(tmp_path)) == named
