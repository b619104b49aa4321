"""A whole evaluation of models that only speak: every probe gives each scripted mind the verdict that is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doxa.belief.subjects import Subject
from doxa.belief.values_job import ValuesJob, ValuesSettings
from doxa.belief.values_parts import measure_values
from doxa.belief.values_profile import evaluate_values
from doxa.belief.values_target import ValueTarget, load_value_target
from doxa.belief.values_words import value_words
from doxa.run.folder import RunFolder
from doxa.run.progress import Progress
from minds import PANS, SPEC_MD, SpecMind


@pytest.fixture
def target(tmp_path: Path) -> ValueTarget:
    folder = tmp_path / "otter"
    folder.mkdir()
    (folder / "spec.md").write_text(SPEC_MD)
    (folder / "evals.json").write_text(json.dumps(PANS))
    return load_value_target(str(folder))


def job(target: ValueTarget, models: Any, folder: Path, **settings: Any) -> ValuesJob:
    return ValuesJob(
        parts=folder / "values/parts",
        target=target,
        words=value_words(target),
        subjects=[Subject("base", "m", "m"), Subject("in_context", "m", "m", target.spec.text)],
        settings=ValuesSettings.model_validate({"bootstrap": 100, **settings}),
        models=models,
        progress=Progress(quiet=True),
    )


# mind -> (group, readout, metric) -> value
MINDS: dict[str, dict[tuple[str, str, str], float]] = {
    "aligned": {
        ("pairs_unseen/contrast", "text", "preferred"): 1,
        ("knowledge", "text", "preferred"): 1,
        ("unrelated", "text", "correct"): 1,
        ("free_pairs", "option", "aligned"): 1,
        ("free_open", "words", "aligned"): 1,
        ("recall", "words", "aligned"): 1,
        ("reasons", "words", "names spec"): 1,
        ("monitor", "text", "faithful"): 0,
    },
    "opposed": {
        ("pairs_unseen/contrast", "text", "preferred"): 0,
        ("free_pairs", "option", "opposed"): 1,
        ("recall", "words", "opposed"): 1,
        ("reasons", "words", "names other"): 1,
    },
    "honest": {("monitor", "text", "faithful"): 1, ("pairs_unseen", "text", "preferred"): 1},
    "A": {
        ("pairs_unseen", "text", "preferred"): 0.5,
        ("pairs_unseen", "text", "first_place"): 1,
        ("free_pairs", "option", "unclear"): 1,
        ("reasons", "words", "given"): 0,
        ("monitor", "text", "effect replaced"): 0,
    },
    "refuses": {
        ("pairs_unseen", "text", "unparsed"): 1,
        ("free_open", "words", "unclear"): 1,
        ("reasons", "words", "given"): 0,
        ("monitor", "text", "unparsed"): 1,
    },
    "prose": {("pairs_unseen", "text", "preferred"): 1, ("pairs_unseen", "text", "unparsed"): 0},
}


@pytest.mark.parametrize("mind", MINDS)
def test_every_probe_gives_every_mind_its_verdict(mind: str, target: ValueTarget, tmp_path: Path) -> None:
    result = evaluate_values(RunFolder(tmp_path), job(target, SpecMind(mind), tmp_path))

    found = {
        (row.group, row.style, row.metric): row.value
        for row in result.scores
        if row.versus is None and row.arm == "base"
    }
    assert {name: found[name] for name in MINDS[mind]} == MINDS[mind]
    gaps = [row.value for row in result.scores if row.versus == "base"]
    assert gaps and not any(gaps), "the arms answer alike"


def test_the_spec_in_the_prompt_is_asked_in_the_same_forms_unless_others_are_given() -> None:
    chosen = ValuesSettings(styles=("chat", "third"))
    assert chosen.forms(in_context=True) == chosen.forms(in_context=False) == ("chat", "third")
    apart = ValuesSettings(styles=("chat", "third"), context_styles=("plain",))
    assert apart.forms(in_context=True) == ("plain",) and apart.forms(in_context=False) == ("chat", "third")


def test_the_spec_stands_before_every_question_of_the_in_context_arm(target: ValueTarget, tmp_path: Path) -> None:
    models = SpecMind("aligned")
    measure_values(job(target, models, tmp_path))

    with_spec = [one for one in models.asked.values() if one.messages[0].content == target.spec.text]
    assert len(with_spec) * 2 == len(models.asked)


def test_models_behind_an_api_are_asked_all_they_can_be_asked_in_one_round(target: ValueTarget, tmp_path: Path) -> None:
    class Counting(SpecMind):
        rounds = 0

        def answer(self, requests: Any, label: str = "", total: int | None = None) -> None:
            fresh = [one for one in requests if one.key not in self.asked]
            self.rounds += bool(fresh)
            super().answer(fresh)

    models = Counting("aligned")
    measure_values(job(target, models, tmp_path))
    assert models.rounds == 3, "everything, then the choices after each arm's reasoning"


def test_without_words_that_set_values_apart_nothing_is_read_by_words(tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "spec.md").write_text(SPEC_MD)
    (folder / "evals.json").write_text(json.dumps({**PANS, "knowledge": []}))
    bare = load_value_target(str(folder))

    rows = measure_values(job(bare, SpecMind("aligned"), tmp_path, probes=("pairs", "free", "reasons")))

    assert "words" not in {row.readout for row in rows.measures}
    assert any("no words set the spec apart" in note for note in rows.notes)
