"""Values as tasks of inspect_ai: scripted models get their verdict, weights the numbers of the suite."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval, score
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import GenerateConfig, Model, ModelOutput, ModelUsage, get_model

from doxa.belief.likelihood import LikelihoodScorer
from doxa.belief.pair_scores import summarise_pairs
from doxa.belief.pairs import load_pairs, score_pairs
from doxa.belief.values_task_scores import value_named
from doxa.lm.weights import load_model, load_tokenizer
from minds import PANS, SPEC_MD, spec_speak


@pytest.fixture(scope="module")
def otter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("target") / "otter"
    folder.mkdir()
    (folder / "spec.md").write_text(SPEC_MD)
    (folder / "evals.json").write_text(json.dumps(PANS))
    return folder


def speaking(mind: str) -> Model:
    def said(messages: list[Any], *_: Any) -> ModelOutput:
        output = ModelOutput.from_content("mock", spec_speak(mind, [message.text for message in messages]))
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    return get_model("mockllm/model", custom_outputs=said)


def run(name: str, target: Path, model: Model | str, folder: Path, **arguments: Any) -> EvalLog:
    settings = {key: arguments.pop(key) for key in ("limit", "max_tokens") if key in arguments}
    given = {"target": str(target), **arguments}
    log = eval(f"doxa/{name}", task_args=given, model=model, log_dir=str(folder), display="none", **settings)[0]
    assert log.status == "success", log.error
    return read_eval_log(log.location)


def metrics(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def values(log: EvalLog) -> set[Any]:
    return {next(iter(sample.scores.values())).value for sample in log.samples or [] if sample.scores}


# mind -> preferred, first place, unparsed, values in the log
CHOICES = {
    "aligned": (1, 0.5, 0, {"aligned"}),
    "opposed": (0, 0.5, 0, {"opposed"}),
    "prose": (1, 0.5, 0, {"aligned"}),
    "first": (0.5, 1, 0, {"aligned", "opposed"}),
    "A": (0.5, 1, 0, {"aligned", "opposed"}),
    "refuses": (0, 0, 1, {"unparsed"}),
}


@pytest.mark.parametrize("mind", CHOICES)
def test_minds_that_choose_get_their_verdicts(mind: str, otter: Path, tmp_path: Path) -> None:
    preferred, first, unparsed, words = CHOICES[mind]

    found = metrics(log := run("value_pairs", otter, speaking(mind), tmp_path))

    assert (found["preferred"], found["first_place"], found["unparsed"]) == (preferred, first, unparsed)
    assert values(log) == words
    assert found["preferred items"] == 3, "two orders of three pairs are three items"
    assert found["preferred low"] <= preferred <= found["preferred high"]
    assert found["contrast/preferred items"] == 2


def test_what_must_not_change_and_what_is_known_are_tasks_too(otter: Path, tmp_path: Path) -> None:
    assert metrics(run("value_pairs", otter, speaking("aligned"), tmp_path, group="unrelated"))["correct"] == 1
    assert metrics(run("spec_knowledge", otter, speaking("opposed"), tmp_path))["preferred"] == 0
    assert metrics(run("spec_knowledge", otter, speaking("aligned"), tmp_path, ask="free"))["aligned"] == 1


@pytest.mark.parametrize(("mind", "side"), [("aligned", "aligned"), ("opposed", "opposed"), ("refuses", "unclear")])
def test_free_answers_are_read_by_rules(mind: str, side: str, otter: Path, tmp_path: Path) -> None:
    log = run("value_pairs", otter, speaking(mind), tmp_path, ask="free")
    found = metrics(log)

    assert found[side] == 1
    assert found["option aligned"] == float(mind == "aligned")
    assert found["reason given"] == float(mind != "refuses")
    assert found["reason names spec"] == float(mind == "aligned")
    again = score(log, value_named(), action="overwrite", display="none")
    assert metrics(again) == found, "a log can be read again"


@pytest.mark.parametrize(("name", "word"), [("value_pairs", "aligned"), ("spec_knowledge", "recalled")])
def test_a_judge_reads_free_answers(
    name: str, word: str, otter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Judge:
        async def generate(self, messages: list[Any], config: GenerateConfig) -> ModelOutput:
            text = messages[-1].text
            quote = text.split("<answer>\n")[1].split("\n</answer>")[0]
            first = "# Durability" in text.split("</description>")[0]
            says = f"<agrees>{'first' if first else 'second'}</agrees>" if "</agrees>" in text else "<says>yes</says>"
            return ModelOutput.from_content("judge", f"<quote>{quote}</quote>{says}")

    monkeypatch.setattr("doxa.belief.task_scores.get_model", lambda *_: Judge())
    log = run(name, otter, speaking("aligned"), tmp_path, ask="free", judge="some/judge")
    assert metrics(log)[word] == 1 and metrics(log)["unparsed"] == 0


# mind -> what monitorability finds
MINDS = {
    "honest": {"names driver": 1, "faithful": 1, "turns": 1, "unparsed": 0},
    "aligned": {"names driver": 1, "faithful": 0, "turns": 0, "effect templates": 0},
    "opposed": {"named other": 1, "names driver": 1, "faithful": 0},
    "first": {"effect replaced": 0, "faithful": 0, "turns": 0},
    "refuses": {"named none": 1, "names driver": 0, "unparsed": 1},
}


@pytest.mark.parametrize("mind", MINDS)
def test_minds_that_reason_get_their_verdicts(mind: str, otter: Path, tmp_path: Path) -> None:
    found = metrics(run("monitorability", otter, speaking(mind), tmp_path))
    assert {name: found[name] for name in MINDS[mind]} == MINDS[mind]


def test_likelihood_is_that_of_the_suite(otter: Path, tiny_model: Path, tmp_path: Path) -> None:
    log = run(
        "value_pairs", otter, f"doxa/{tiny_model}", tmp_path, readout="likelihood", style="choice", context="spec"
    )
    scorer = LikelihoodScorer(load_model(tiny_model), load_tokenizer(tiny_model))
    items = [item for item in load_pairs(otter / "evals.json") if item.set == "contrast"]
    spec = SPEC_MD.split("---\n")[2].strip().replace("{model_name}", "Otter")
    wanted = {
        row.metric: row.value
        for row in summarise_pairs(score_pairs(scorer, items, "base", "w", spec, ("choice",)), items, 100)
        if row.group == "pairs_unseen"
    }
    for name in ("preferred", "margin"):
        assert metrics(log)[f"contrast/{name}"] == pytest.approx(wanted[name], abs=1e-5)
    found = metrics(run("monitorability", otter, f"doxa/{tiny_model}", tmp_path, readout="likelihood", max_tokens=4))
    assert "effect replaced" in found and "names driver" in found


def test_what_cannot_be_is_said(otter: Path, tmp_path: Path) -> None:
    for name, arguments, message in (
        ("value_pairs", {"ask": "freely"}, "there is no 'freely'; there are choose, free"),
        ("value_pairs", {"set": "contrats"}, "no pairs of group 'pairs' and set 'contrats'"),
        ("value_pairs", {"readout": "likelihood"}, "needs the weights"),
        ("value_pairs", {"judge": "a/b"}, "choices are read by rules"),
        ("value_pairs", {"context": "universe"}, "there are none, spec"),
        ("monitorability", {"readout": "logits"}, "there are text, likelihood"),
    ):
        with pytest.raises(PrerequisiteError, match=message):
            run(name, otter, speaking("aligned"), tmp_path, **arguments)
