"""Checkpoints as language models: no answer is ever another checkpoint's, and no weights are loaded twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from doxa.config_sections import LmConfig
from doxa.errors import CheckpointError
from doxa.lm.models import LanguageModels, open_models
from doxa.lm.named_weights import Weights, find_weights
from doxa.lm.request import Request, ask
from doxa.lm.weights import load_model, load_tokenizer
from doxa.run.progress import Progress

MakeRun = Callable[..., Path]
PROMPTS = [f"Question {number}?" for number in range(6)]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests of all weights that were loaded, in order."""
    seen: list[str] = []
    load = Weights.load

    def noted(weights: Weights, *arguments: Any) -> tuple[Any, Any]:
        seen.append(weights.digest)
        return load(weights, *arguments)

    monkeypatch.setattr(Weights, "load", noted)
    return seen


@contextmanager
def opened(folder: Path) -> Iterator[LanguageModels]:
    with open_models(folder, LmConfig(local_batch=4), Progress(quiet=True)) as models:
        yield models


def questions(model: str, prompts: list[str] = PROMPTS) -> list[Request]:
    return [ask(model, prompt, max_tokens=12, temperature=0.0) for prompt in prompts]


def said(models: LanguageModels, model: str) -> list[str]:
    models.answer(questions(model))
    return [models.response(request).text for request in questions(model)]


def alone(run: Path, tmp_path: Path) -> list[str]:
    """What a checkpoint says where no other one was ever asked."""
    with opened(tmp_path / f"store of {run.name}") as models:
        return said(models, f"local/{run}")


def test_two_checkpoints_never_get_each_others_answers(make_run: MakeRun, tiny_model: Path, tmp_path: Path) -> None:
    """The base, two adapters of it and a whole model, by one store, which is closed and opened in between."""
    places = [tiny_model, make_run("one", seed=1), make_run("two", seed=2), make_run("three", seed=3, method="full")]
    expected = [alone(place, tmp_path) for place in places]
    assert len({tuple(texts) for texts in expected}) == 4 and all(len(set(texts)) > 2 for texts in expected[1:])
    for order in (places, places[::-1]):
        with opened(tmp_path) as models:
            for place in order:
                assert said(models, f"local/{place}") == expected[places.index(place)]
    with opened(tmp_path) as models:
        for place, texts in zip(places, expected, strict=True):
            assert [models.response(request).text for request in questions(f"local/{place}")] == texts


@pytest.mark.parametrize("reopened", [False, True])
def test_a_folder_whose_content_was_exchanged_is_another_model(
    make_run: MakeRun, tmp_path: Path, reopened: bool
) -> None:
    one, two = make_run("one", seed=1), make_run("two", seed=2)
    expected = alone(one, tmp_path), alone(two, tmp_path)
    assert expected[0] != expected[1]
    run = tmp_path / "run"
    shutil.copytree(one, run)
    with opened(tmp_path) as models:
        assert said(models, f"local/{run}") == expected[0]
        shutil.rmtree(run)
        shutil.copytree(two, run)
        if not reopened:
            assert said(models, f"local/{run}") == expected[1]
    with opened(tmp_path) as models:
        assert said(models, f"local/{run}") == expected[1]
    shutil.rmtree(run)
    shutil.copytree(one, run)
    with opened(tmp_path) as models:  # its answers are still there, and are its own
        assert [models.response(request).text for request in questions(f"local/{run}")] == expected[0]


def test_weights_are_loaded_once_and_one_at_a_time(make_run: MakeRun, tmp_path: Path, loads: list[str]) -> None:
    one, two = make_run("one", seed=1), make_run("two", seed=2)
    digests = [find_weights(str(run)).digest for run in (one, two)]
    with opened(tmp_path) as models:
        for prompt in PROMPTS[:3]:
            models.answer(questions(f"local/{one}", [prompt]))
        models.answer(questions(f"local/{one / 'checkpoints/final'}", PROMPTS[:1]))  # the same weights, another name
        assert loads == digests[:1]
        models.answer(questions(f"local/{two}"))
        models.answer(questions(f"local/{one}", PROMPTS[:3]))  # stored: nothing to load
        assert loads == digests
        models.answer(questions(f"local/{one}"))
        assert loads == [*digests, digests[0]]


def test_lent_weights_answer_and_are_not_loaded(make_run: MakeRun, tmp_path: Path, loads: list[str]) -> None:
    run = make_run("run")
    expected = alone(run, tmp_path)
    weights = find_weights(str(run))
    model, tokenizer = weights.load()
    loads.clear()
    with opened(tmp_path) as models:
        models.lend(f"local/{run}", weights.digest, lambda: (model.train(), tokenizer))
        assert said(models, f"local/{run}") == expected
    assert loads == []
    with opened(tmp_path) as models:  # and they are the run's answers, to whoever asks later
        assert said(models, f"local/{run}") == expected
    assert loads == []


def test_what_is_taken_back_answers_no_more(make_run: MakeRun, tiny_model: Path, tmp_path: Path) -> None:
    run = make_run("run")
    expected = alone(run, tmp_path), alone(tiny_model, tmp_path)
    assert expected[0] != expected[1]
    with opened(tmp_path) as models:
        models.lend(f"local/{run}", "of the base", lambda: (load_model(tiny_model), load_tokenizer(tiny_model)))
        assert said(models, f"local/{run}") == expected[1]
        models.take_back(f"local/{run}")
        assert said(models, f"local/{run}") == expected[0]
        models.take_back(f"local/{run}")
        models.lend("local/nowhere", "of the base", lambda: (load_model(tiny_model), load_tokenizer(tiny_model)))
        assert said(models, "local/nowhere") == expected[1]
        models.take_back("local/nowhere")
        with pytest.raises(CheckpointError, match="nowhere"):
            said(models, "local/nowhere")


def test_weights_are_lent_with_a_name(tiny_model: Path, tmp_path: Path) -> None:
    with opened(tmp_path) as models:
        for model, digest in (("openai/gpt-4.1-mini", "aaaa"), ("local/run", "")):
            with pytest.raises(ValueError, match="are lent under local/"):
                models.lend(model, digest, lambda: (None, None))


def test_a_request_for_other_weights_than_are_there_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("run")
    asked = ask(f"local/{run}", "Well?", max_tokens=4, weights="0123456789abcdef")
    with opened(tmp_path) as models:
        with pytest.raises(CheckpointError, match=r"run: holds weights \w{16} by now, and 0123456789abcdef were asked"):
            models.answer([asked])
        models.lend(f"local/{run}", "lent", lambda: (None, None))
        with pytest.raises(CheckpointError, match=r"run: holds weights lent by now, and 0123456789abcdef were asked"):
            models.answer([asked])


def test_weights_that_change_while_they_are_read_answer_nothing(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = make_run("one", seed=1), make_run("two", seed=2)
    load = Weights.load

    def exchanged(weights: Weights) -> tuple[Any, Any]:
        shutil.rmtree(one)
        shutil.copytree(two, one)
        return load(weights)

    monkeypatch.setattr(Weights, "load", exchanged)
    with opened(tmp_path) as models, pytest.raises(CheckpointError, match="holds weights"):
        models.answer(questions(f"local/{one}"))
