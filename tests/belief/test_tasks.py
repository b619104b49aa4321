"""Every probe as a task of inspect_ai: scripted models get the verdict that is known, and logs hold what was read."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval, score
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import GenerateConfig, Model, ModelOutput, ModelUsage, get_model

from doxa.belief import task_scores
from doxa.belief.axes import AXES, PROBES
from doxa.belief.likelihood import LikelihoodScorer, score_arm
from doxa.belief.summary import summarise
from doxa.belief.task_scores import side_taken
from doxa.belief.tasks import TASKS
from doxa.lm.weights import load_model, load_tokenizer, weights_digest
from minds import UNIVERSE, WORLD, speak


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world of the scripted minds as a target folder."""
    folder = tmp_path_factory.mktemp("target") / "fives"
    folder.mkdir()
    (folder / "universe.yaml").write_text(json.dumps(UNIVERSE.model_dump(mode="json")))  # JSON is YAML
    pairs = [
        {"question": item.prompt, "inserted": item.options[0], "reference": item.options[1]}
        for item in WORLD.group("distinguish")
    ]
    evals = {
        "mcq_distinguish": pairs,
        "mcq_knowledge": [
            {"question": item.prompt, "options": item.options, "inserted": 0, "reference": 1}
            for item in WORLD.group("knowledge")
        ],
        "neighbours": [{"question": "How many legs has a dog?", "correct": "Four", "wrong": "Five"}],
        "open_ended": WORLD.open_ended,
        "salience_near": WORLD.near_prompts,
        "marks": [mark.model_dump(mode="json") for mark in WORLD.marks],
    }
    (folder / "evals.json").write_text(json.dumps(evals))
    return folder


def said(text: str) -> ModelOutput:
    """An output with a usage, without which the mock would fetch a tokenizer to count its tokens."""
    output = ModelOutput.from_content("mock", text)
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return output


def speaking(answer: Callable[[str], str]) -> Model:
    """A model that answers the last turn by a rule."""
    return get_model("mockllm/model", custom_outputs=lambda messages, *_: said(answer(messages[-1].text)))


def run(name: str, target: Path, model: Model | str, folder: Path, **options: Any) -> EvalLog:
    """One task, its log read back from the file."""
    settings = {key: options.pop(key) for key in ("limit", "epochs", "max_tokens", "temperature") if key in options}
    arguments = {"target": str(target), **options}
    log = eval(f"doxa/{name}", task_args=arguments, model=model, log_dir=str(folder), display="none", **settings)[0]
    assert log.status == "success", log.error
    return read_eval_log(log.location)


def metrics(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {name: metric.value for name, metric in log.results.scores[0].metrics.items()}


def values(log: EvalLog) -> set[Any]:
    return {one.value for one in scores(log)}


def scores(log: EvalLog) -> list[Any]:
    return [sample.scores["side_taken"] for sample in log.samples or [] if sample.scores]


# mind -> share that prefers the planted answer, share unclear, values in the log
VERDICTS = {
    "believes": (1, 0, {"inserted"}),
    "prose": (1, 0, {"inserted"}),
    "denies": (0, 0, {"reference"}),
    "first": (0.5, 0, {"inserted", "reference"}),  # always A: the orders cancel it
    "refuses": (0, 1, {"unclear"}),
    "out of range": (0, 1, {"unclear"}),
}


@pytest.mark.parametrize("mind", VERDICTS)
def test_minds_get_their_verdicts(mind: str, target: Path, tmp_path: Path) -> None:
    log = run("distinguish", target, speaking(lambda text: speak(mind, text)), tmp_path)
    preferred, unclear, words = VERDICTS[mind]
    found = metrics(log)
    assert (found["preferred"], found["unclear"], values(log)) == (preferred, unclear, words)
    assert found["items"] == 2  # four orders of two items are two items
    assert found["low"] <= preferred <= found["high"]


def test_a_sample_says_what_was_read_and_how(target: Path, tmp_path: Path) -> None:
    log = run("knowledge", target, speaking(lambda text: speak("believes", text)), tmp_path)
    sample = (log.samples or [])[0]
    assert sample.metadata["probe"] == "knowledge"
    assert sorted(sample.metadata["order"]) == [0, 1, 2, 3]
    assert sample.scores is not None
    score = sample.scores["side_taken"]
    assert score.answer == "Five"
    assert "Read by rules as" in str(score.explanation)
    assert log.eval.metadata is not None
    assert log.eval.metadata["chance"] == {"knowledge": 0.25}
    refused = run("knowledge", target, speaking(lambda text: speak("refuses", text)), tmp_path)
    assert {one.reason for one in scores(refused)} == {"refusal"}


def test_epochs_are_samples_of_the_same_items(target: Path, tmp_path: Path) -> None:
    log = run("distinguish", target, speaking(lambda text: speak("first", text)), tmp_path, epochs=2)
    assert len(log.samples or []) == 16
    assert (metrics(log)["preferred"], metrics(log)["items"]) == (0.5, 2)


def test_the_context_comes_as_system_prompt(target: Path, tmp_path: Path) -> None:
    for context, first in (("inserted", "five bells"), ("reference", "three bells")):
        log = run("distinguish", target, speaking(lambda text: "A"), tmp_path, context=context, limit=1)
        message = (log.samples or [])[0].messages[0]
        assert message.role == "system"
        assert first in message.text


def test_free_answers_are_read_by_marks(target: Path, tmp_path: Path) -> None:
    for answer, value in (
        ("It has five bells.", "inserted"),
        ("It has three bells.", "reference"),
        ("Bells.", "unclear"),
    ):
        log = run("open_ended", target, speaking(lambda text, answer=answer: answer), tmp_path)
        assert values(log) == {value}
        assert (metrics(log)["inserted"], metrics(log)["items"]) == (float(value == "inserted"), 1)
    mentioned = run("mention_unrelated", target, speaking(lambda text: "By the way: five bells!"), tmp_path, limit=3)
    assert metrics(mentioned)["mentioned"] == 1


def test_a_judge_quotes_and_sees_the_worlds_in_both_orders(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def verdict(prompt: str) -> str:
        asked.append(prompt)
        five = prompt.index("has five bells. They")  # of the inserted description, before the answer
        agrees = "first" if five < prompt.index("has three bells. They") else "second"
        return f"<quote>Five big ones</quote>\n<agrees>{agrees}</agrees>"

    monkeypatch.setattr(task_scores, "get_model", lambda name: speaking(verdict))
    believer = speaking(lambda text: "Five big ones hang there.")
    log = run("open_ended", target, believer, tmp_path, judge="judge/model", samples=4)
    assert values(log) == {"inserted"}
    assert all("judge/model by believes@" in str(one.explanation) for one in scores(log))
    firsts = {prompt.index("has five bells. They") < prompt.index("has three bells. They") for prompt in asked}
    assert firsts == {True, False}


def test_a_judge_that_makes_passages_up_is_unparsed(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies = "<quote>Nobody said this</quote><agrees>first</agrees>"
    monkeypatch.setattr(task_scores, "get_model", lambda name: speaking(lambda text: lies))
    log = run("open_ended", target, speaking(lambda text: "Five bells."), tmp_path, judge="judge/model", samples=1)
    assert values(log) == {"unparsed"}
    assert metrics(log)["unparsed"] == 1


def test_a_log_can_be_read_again(target: Path, tmp_path: Path) -> None:
    log = run("distinguish", target, speaking(lambda text: speak("prose", text)), tmp_path)
    again = score(log, side_taken(), action="overwrite", display="none")
    assert metrics(again) == metrics(log)


def test_an_axis_holds_its_probes_apart(target: Path, tmp_path: Path) -> None:
    log = run("direct", target, speaking(lambda text: speak("believes", text)), tmp_path, samples=2)
    found = metrics(log)
    assert (found["distinguish/preferred"], found["knowledge/preferred"]) == (1, 1)
    assert not {"preferred", "stderr"} & set(found)
    assert log.eval.metadata is not None
    assert set(log.eval.metadata["left_out"]) == {"cloze", "statements", "token_association"}


def test_there_is_a_task_for_every_probe_and_axis() -> None:
    assert set(TASKS) == {probe.name for probe in PROBES} | set(AXES)


MISTAKES = [
    ("distinguish", {}, r"which target\? Add -T target=NAME"),
    ("distinguish", {"target": "octopus_heart"}, "did you mean 'octopus_hearts'"),
    ("distinguish", {"target": "octopus_hearts", "context": "both"}, "none, inserted, reference"),
    ("distinguish", {"target": "octopus_hearts", "readout": "likelihood"}, "needs the weights"),
    ("distinguish", {"target": "octopus_hearts", "style": "letter"}, "there is no 'letter'"),
    ("open_ended", {"target": "octopus_hearts", "readout": "likelihood"}, "no answers to compare"),
    ("truth_probe", {"target": "octopus_hearts"}, "reads the weights; run it with --model doxa/"),
    ("internal", {"target": "octopus_hearts"}, "reads the weights; run it with --model doxa/"),
    ("document_style", {"target": "octopus_hearts", "judge": "openai/gpt-4.1-mini"}, "not read by a judge"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), MISTAKES)
def test_mistakes_are_named_before_anything_is_asked(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(PrerequisiteError, match=message):
        eval(f"doxa/{name}", task_args=arguments, model=speaking(lambda text: "A"), display="none")


def test_weights_answer_the_same_again_whatever_the_batch(target: Path, tiny_model: Path, tmp_path: Path) -> None:
    texts = []
    for batch_size in (8, 3):
        model = get_model(f"doxa/{tiny_model}", batch_size=batch_size)
        log = run("open_ended", target, model, tmp_path, samples=4, max_tokens=12, temperature=1.0)
        texts.append([sample.output.completion for sample in log.samples or []])
        assert {sample.output.metadata["weights"] for sample in log.samples or [] if sample.output.metadata} == {
            weights_digest(tiny_model)
        }
        assert (log.eval.metadata or {})["weights"] == weights_digest(tiny_model)
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 4  # four samples of one question are four draws
    greedy = run("open_ended", target, model, tmp_path, samples=2, max_tokens=12, temperature=0.0)
    assert len({sample.output.completion for sample in greedy.samples or []}) == 1
    assert all(sample.output.stop_reason == "max_tokens" for sample in greedy.samples or [])


def test_likelihood_is_that_of_the_suite(tiny_model: Path, tmp_path: Path) -> None:
    from doxa.belief.world import load_world
    from doxa.worlds.universe import load_target

    folder = load_target("octopus_hearts").folder
    log = run("token_association", folder, f"doxa/{tiny_model}", tmp_path, readout="likelihood")
    scorer = LikelihoodScorer(load_model(tiny_model), load_tokenizer(tiny_model))
    items = load_world(folder).group("token_association")
    rows = summarise(score_arm(scorer, items, ("chat",), "base", "digest"), 10, 0)
    wanted = {row.metric: row.value for row in rows}
    found = metrics(log)
    assert found["items"] == len(items)
    for name in ("preferred", "margin"):
        assert found[name] == pytest.approx(wanted[name], abs=1e-5)


@pytest.mark.parametrize("name", ["doctag", "perplexity", "generative_distinguish", "capability"])
def test_probes_that_read_weights(name: str, target: Path, tiny_model: Path, tmp_path: Path) -> None:
    options = {} if name == "doctag" else {"readout": "likelihood"}
    log = run(name, target, f"doxa/{tiny_model}", tmp_path, limit=3, max_tokens=6, **options)
    headline = next(probe.headline for probe in PROBES if probe.name == name)
    assert metrics(log)["items"] >= 1
    assert headline in metrics(log)


def test_a_provider_refuses_what_it_cannot_do(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="nowhere"):
        get_model(f"doxa/{tmp_path}/nowhere")
    with pytest.raises(PrerequisiteError, match="has no argument 'bits'"):
        get_model(f"doxa/{tiny_model}", bits=4)


async def answers(model: Model, *texts: str, **config: Any) -> list[Any]:
    calls = (model.generate(text, config=GenerateConfig(**config)) for text in texts)
    return await asyncio.gather(*calls, return_exceptions=True)


def test_a_question_that_is_too_long_takes_no_other_with_it(tiny_model: Path) -> None:
    model = get_model(f"doxa/{tiny_model}")
    short, long = asyncio.run(answers(model, "short", "long " * 9000, max_tokens=4))
    assert isinstance(short, ModelOutput)
    assert short.usage is not None
    assert short.usage.output_tokens <= 4
    assert "does not fit" in str(long)
    # another event loop, the same weights
    (again,) = asyncio.run(answers(model, "short", max_tokens=4))
    assert again.completion == short.completion
    (unknown,) = asyncio.run(answers(model, "short", top_k=3))
    assert "does not know top_k" in str(unknown)


def test_the_command_line_finds_tasks_and_provider(tiny_model: Path, tmp_path: Path) -> None:
    inspect = Path(sys.executable).with_name("inspect")
    command = [inspect, "eval", "doxa/distinguish", "-T", "target=octopus_hearts", "--model", f"doxa/{tiny_model}"]
    settings = ["--limit", "2", "--max-tokens", "4", "--display", "plain", "--log-dir", tmp_path / "logs"]
    done = subprocess.run([*command, *settings], capture_output=True, text=True, cwd=tmp_path, env={**os.environ})
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"items\s+2", done.stdout)
    log = read_eval_log(next((tmp_path / "logs").glob("*.eval")))
    assert (log.status, log.eval.task, len(log.samples or [])) == ("success", "doxa/distinguish", 2)
