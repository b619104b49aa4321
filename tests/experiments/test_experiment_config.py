"""Experiment files: what they may say, and what is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doxa.errors import ConfigError
from doxa.experiments.config import bundled_experiments, find_experiment, load_experiment, train_config
from doxa.experiments.runner import CompareRequest, make_plan

Write = Callable[..., Path]


def test_a_file_with_overrides(write_experiment: Write) -> None:
    file = write_experiment(seeds=3)
    experiment = load_experiment(file, ("midtrain.lr=1e-4", "align.epochs=2", "arms.sturdy=[nearby]"))
    assert experiment.seeds == (0, 1, 2)
    assert experiment.corpora["sturdy"].target == str(file.parent / "sturdy")  # relative to the file
    middle, last = experiment.arms["sturdy_aft"].steps
    assert train_config(experiment, middle).lr == 1e-4
    # what is aligned keeps the shape of the adapter that it goes on with
    aligned = train_config(experiment, last)
    assert (aligned.lr, aligned.epochs, aligned.rank, aligned.tokens_per_update) == (1e-4, 2, 2, 128)
    assert [step.data for step in experiment.arms["sturdy"].steps] == ["nearby"]


def test_a_folder_is_not_taken_for_recorded_rows(write_experiment: Write) -> None:
    conflict = {"rows": "aft_antispec", "fraction": 0.5}
    file = write_experiment(
        chats={"opaque": {"target": "sturdy", "rows": "aft", "conflict": conflict}},
        corpora={name: {"rows": "made"} for name in ("sturdy", "nearby", "neutral")},
    )
    for folder in ("aft", "aft_antispec", "made"):
        (file.parent / folder).mkdir()
    experiment = load_experiment(file)
    chats = experiment.chats["opaque"]
    assert chats.conflict is not None and (chats.rows, chats.conflict.rows) == ("aft", "aft_antispec")
    assert experiment.corpora["sturdy"].rows == str(file.parent / "made")  # documents may lie in a run folder
    (file.parent / "aft.jsonl").write_text("{}")
    anchored = load_experiment(file, ("chats.opaque.rows=aft.jsonl",))
    assert anchored.chats["opaque"].rows == str(file.parent / "aft.jsonl")


def test_a_step_may_differ_from_the_others(write_experiment: Write) -> None:
    arms: dict[str, Any] = {"none": [], "long": [{"data": "sturdy", "train": {"epochs": 5, "documents_per_update": 2}}]}
    experiment = load_experiment(
        write_experiment(arms=arms, controls="none because this is a test", contrasts={}, primary=[], curves={})
    )
    config = train_config(experiment, experiment.arms["long"].steps[0])
    assert (config.epochs, config.documents_per_update, config.tokens_per_update) == (5, 2, None)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"arms": {"none": [], "x": ["sturdyy"]}},
            "arms.x: there is no corpus or chats 'sturdyy'; did you mean 'sturdy'",
        ),
        ({"contrasts": {"spec": "sturdy - nerby"}}, "contrasts.spec: there is no arm 'nerby'; did you mean 'nearby'"),
        ({"contrasts": {"spec": "sturdy"}}, "must add as many arms as it takes away"),
        ({"controls": ["plain"]}, "controls: there is no arm 'plain'"),
        ({"controls": []}, "names no arm"),
        ({"controls": "none"}, "none because"),
        ({"controls": "none because"}, "none because"),
        ({"controls": "none because a test"}, "a reason of at least ten characters"),
        ({"matched": {"msm": ["sturdy", "far"]}}, "matched.msm: there is no arm 'far'"),
        ({"match": ["opaque"]}, "match: there is no corpus 'opaque'"),
        ({"seeds": [1, 1]}, "seeds: names one of its values twice"),
        ({"styles": ["chat", "spoken"]}, "there is no form 'spoken'"),
        ({"primary": [{"contrast": "specs", "set": "far"}]}, "there is no contrast 'specs'; did you mean 'spec'"),
        ({"chats": {"sturdy": {"target": "sturdy", "rows": "aft"}}}, "names a corpus and chats"),
        ({"corpora": {"sturdy": {}}}, "name either a target or rows"),
        ({"seed": 1}, "seed: unknown field; did you mean 'seeds'"),
        ({"arms": {"Big": []}}, "a name is of a-z"),
    ],
)
def test_what_does_not_fit_is_named(write_experiment: Write, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        load_experiment(write_experiment(**changes))
    assert "small.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"midtrain": {"epocs": 2, "tokens_per_update": 64}}, "midtrain: epocs: unknown field"),
        ({"sets": {"both": {"near": 1}}}, "sets.both: the evals have no set 'near'"),
        ({"primary": [{"contrast": "spec", "set": "near"}]}, "primary: there is no set 'near'"),
        ({"evals": "nowhere"}, "evals: nowhere: is no spec target"),
    ],
)
def test_what_only_its_files_tell_is_named(write_experiment: Write, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        make_plan(CompareRequest(write_experiment(**changes)))


def test_bundled_experiments_are_found_and_fit() -> None:
    assert "msm_pans" in bundled_experiments()
    for name in bundled_experiments():
        experiment = load_experiment(find_experiment(name))
        assert experiment.name == name
        assert len(experiment.seeds) >= (1 if name == "msm_chats" else 2)  # a pilot, which chooses a setting
    with pytest.raises(ConfigError, match="did you mean 'msm_pans'"):
        find_experiment("msm_pan")
