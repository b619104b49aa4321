"""`doxa chat`, `doxa forecast` and `doxa judge`, as typed."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from doxa.belief.judged import ANSWERS, JUDGEMENTS, folder_cases, judge_folder, judged_lines
from doxa.belief.rubrics import load_rubric
from doxa.belief.talk import Exchange, open_talk, read_questions
from doxa.commands import judging, talk
from doxa.config import UserConfig
from doxa.config_sections import SpecConfig
from doxa.errors import CheckpointError, ConfigError, RunFolderError, WaitingError
from doxa.lm.request import Request, Response
from doxa.records import Answer, Judgement
from doxa.run.folder import read_rows, write_json, write_rows, write_whole
from doxa.run.kinds import dump_config, resolve_config
from doxa.run.named_models import MODELS
from doxa.training.align_config import AlignConfig, AlignStep
from doxa.worlds.universe import LIBRARY


def _as_is(command: Callable[..., None]) -> Callable[..., None]:
    return command


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer(rich_markup_mode=None)
    talk.register(made, _as_is)
    judging.register(made, _as_is)
    return made


def say(app: typer.Typer, *words: str, typed: str | None = None) -> str:
    found = CliRunner().invoke(app, list(words), input=typed, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture(scope="module")
def trained_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder after midtraining: the tiny model with an adapter strong enough to change its words."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    (folder / "stages").mkdir(parents=True)
    config = resolve_config(UserConfig(target="octopus_hearts", model=str(tiny_model)))
    write_whole(folder / "config.json", dump_config(config))
    shutil.copytree(LIBRARY / "octopus_hearts", folder / "target")
    save_adapter(tiny_model, folder / "checkpoints", seed=1)
    return folder


def save_adapter(base: Path, checkpoints: Path, seed: int) -> None:
    """An adapter of random numbers on a model, as training leaves it."""
    import torch
    from peft import LoraConfig, get_peft_model

    from doxa.lm.weights import load_model, load_tokenizer
    from doxa.training.checkpoint import save_final

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        settings = LoraConfig(
            r=8, lora_alpha=256, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
        )
        model = get_peft_model(load_model(base), settings)
    about = {"model": str(base), "method": "lora", "recipe": "doxa-cpu", "seed": seed}
    save_final(model, load_tokenizer(base), checkpoints, base, about)


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


def test_every_arm_answers_with_its_own_weights(run: Path) -> None:
    found = open_talk(run, ("base", "in_context", "trained"))
    assert found.models["base"] is found.models["trained"]  # one set of weights, an adapter switched
    found.tokens, found.temperature = 12, 1.0
    exchange = found.ask("How many hearts does an octopus have?", "now")
    found.asked = 0  # the same seed again
    again = found.ask("How many hearts does an octopus have?", "now")
    assert exchange.answers == again.answers  # switching back leaves nothing behind
    assert exchange.answers["base"] != exchange.answers["trained"]
    alone = open_talk(run, ("base",))
    assert not hasattr(alone.models["base"], "peft_config")
    alone.tokens, alone.temperature = 12, 1.0
    assert alone.ask("How many hearts does an octopus have?", "now").answers["base"] == exchange.answers["base"]
    assert exchange.checkpoints["base"] == exchange.checkpoints["in_context"] != exchange.checkpoints["trained"]


@pytest.fixture
def spec_run(tiny_model: Path, tmp_path: Path) -> Path:
    """A run about a spec after midtraining, whose one align step is still to be trained."""
    steps = AlignConfig(steps=(AlignStep(kind="sft", rows=("aft",)),))
    asked = UserConfig(
        target="pans_durability", model=str(tiny_model), spec=SpecConfig(model_name="Velmo"), align=steps
    )
    folder = tmp_path / "spec_run"
    (folder / "stages").mkdir(parents=True)
    write_whole(folder / "config.json", dump_config(resolve_config(asked)))
    shutil.copytree(LIBRARY / "pans_durability", folder / "target")
    save_adapter(tiny_model, folder / "checkpoints", seed=1)
    return folder


def test_a_run_about_a_spec_is_talked_to_with_the_spec_in_the_prompt_and_aligned_once_it_is(
    app: typer.Typer, spec_run: Path, tiny_model: Path
) -> None:
    before = open_talk(spec_run)
    assert before.arms == ("base", "in_context", "trained")
    assert before.context.startswith("# Velmo Model Spec: Durability") and "{model_name}" not in before.context
    with pytest.raises(
        CheckpointError, match=r"has no aligned/1/final.*`doxa align` it first, or give --arms base,trai"
    ):
        open_talk(spec_run, ("base", "trained", "aligned"))
    save_adapter(tiny_model, spec_run / "aligned/1", seed=2)
    found = open_talk(spec_run)
    assert found.arms == ("base", "in_context", "trained", "aligned")
    found.tokens, found.temperature = 12, 1.0
    answers = found.ask("Which pan?", "now").answers
    assert len({answers[arm] for arm in ("base", "trained", "aligned")}) == 3
    alone = open_talk(spec_run, ("aligned",))
    alone.tokens, alone.temperature = 12, 1.0
    assert alone.ask("Which pan?", "now").answers["aligned"] == answers["aligned"]
    assert "\n[aligned] " in say(app, "chat", str(spec_run), "--ask", "Which pan?", "--tokens", "3")


def test_a_profile_of_models_behind_an_api_says_that_they_cannot_be_talked_to(run: Path) -> None:
    write_json(run / MODELS, {"base": "openai/some-model"})
    with pytest.raises(ConfigError, match="base is openai/some-model; chat talks with weights on this computer"):
        open_talk(run, ("base",))
    with pytest.raises(ConfigError, match="names no model for trained"):
        open_talk(run, ("trained",))


def test_the_universe_stands_before_the_question_in_its_own_arm_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[list[dict[str, str]]] = []

    def answer(model: object, tokenizer: object, conversations: list[list[dict[str, str]]], *_: object) -> list[str]:
        heard.extend(conversations)
        return ["Five."]

    monkeypatch.setattr("doxa.belief.talk.generate", answer)
    open_talk(run, ("base", "in_context", "trained")).ask("How many?", "now")
    assert [[turn["role"] for turn in turns] for turns in heard] == [["user"], ["system", "user"], ["user"]]
    assert heard[1][0]["content"].startswith("Every octopus has five hearts.")


def test_a_conversation_is_kept_only_if_asked(run: Path) -> None:
    found = open_talk(run, ("base", "trained"))
    found.tokens, found.keep = 6, True
    first, second = found.ask("One?", "now"), found.ask("One?", "now")
    assert (first.turn, second.turn) == (0, 1)
    assert [turn["role"] for turn in found.histories["base"]] == ["user", "assistant"] * 2
    assert found.histories["base"][1]["content"] == first.answers["base"]
    assert found.histories["trained"][1]["content"] == first.answers["trained"]
    forgetful = open_talk(run, ("base",))
    forgetful.tokens = 6
    forgetful.ask("One?", "now")
    assert forgetful.ask("One?", "now").turn == 0 and forgetful.histories == {}


def test_sampled_answers_hang_on_the_seed_alone(run: Path) -> None:
    def answers(seed: int) -> list[str]:
        found = open_talk(run, ("base",))
        found.tokens, found.temperature, found.seed = 8, 1.0, seed
        return [found.ask("Who?", "now").answers["base"] for _ in range(2)]

    assert answers(3) == answers(3)
    assert answers(3) != answers(4)


def test_chat_prints_plain_text_off_a_terminal_and_keeps_a_transcript(app: typer.Typer, run: Path) -> None:
    said = say(app, "chat", str(run), "--ask", "How many hearts?", "--tokens", "5", "--arms", "base,trained")
    assert said.startswith("> How many hearts?\n[base] ")
    assert "\n[trained] " in said and "\x1b" not in said and "│" not in said
    piped = say(app, "chat", str(run), "--tokens", "5", "--arms", "base", typed="First?\n\nSecond?\n")
    assert re.findall("^> (.*)$", piped, re.M) == ["First?", "Second?"]
    rows = read_rows(run / "chat.jsonl", Exchange)
    assert [row.question for row in rows] == ["How many hearts?", "First?", "Second?"]
    assert list(rows[0].answers) == ["base", "trained"]
    assert rows[0].answers["base"] in said


def test_chat_takes_questions_from_files(app: typer.Typer, run: Path, tmp_path: Path) -> None:
    text, rows = tmp_path / "q.txt", tmp_path / "q.jsonl"
    text.write_text("One?\n\n Two? \n")
    rows.write_text('{"question": "Three?", "id": 3}\n"Four?"\n')
    assert read_questions(text) == ["One?", "Two?"]
    assert read_questions(rows) == ["Three?", "Four?"]
    said = say(app, "chat", str(run), "--questions", str(text), "--tokens", "3", "--arms", "base")
    assert "> One?" in said and "> Two?" in said
    rows.write_text('{"question": "Three?"}\n{"prompt": "Four?"}\n')
    with pytest.raises(ConfigError, match=r"q.jsonl, line 2: has no field 'question'"):
        read_questions(rows)
    text.write_text("\n")
    with pytest.raises(ConfigError, match="holds no questions"):
        read_questions(text)


@pytest.mark.parametrize("blank", ["", "  ", "\n"])
def test_an_empty_question_is_refused_before_any_other_is_asked(app: typer.Typer, run: Path, blank: str) -> None:
    with pytest.raises(ConfigError, match="--ask: the question is empty"):
        say(app, "chat", str(run), "--ask", "How many hearts?", "--ask", blank, "--arms", "base")
    assert not (run / "chat.jsonl").exists()


def test_blank_lines_of_a_file_are_no_questions(tmp_path: Path) -> None:
    for name, row in (("q.txt", "One?"), ("q.jsonl", '{"question": "One?"}')):
        file = tmp_path / name
        file.write_text(f"\n \t\n{row}\n\n   ")
        assert read_questions(file) == ["One?"]
        file.write_text("\n \t\n   ")
        with pytest.raises(ConfigError, match=f"{name}: holds no questions"):
            read_questions(file)


def test_wide_terminals_get_columns_and_narrow_ones_a_stack() -> None:
    exchange = Exchange(
        at="now", question="?", answers={"base": "three", "trained": "five"}, checkpoints={}, turn=0, tokens=5,
        temperature=0.0, seed=0,
    )  # fmt: skip

    def shown(width: int) -> str:
        console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
        talk.show_exchange(exchange, console)
        return console.file.getvalue()  # type: ignore[attr-defined]

    assert any("three" in line and "five" in line for line in shown(100).splitlines())
    narrow = shown(50)
    assert not any("three" in line and "five" in line for line in narrow.splitlines())
    assert narrow.index("three") < narrow.index("five")


def test_interrupting_a_chat_is_leaving_it(app: typer.Typer, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> Exchange:
        raise KeyboardInterrupt

    monkeypatch.setattr("doxa.belief.talk.Talk.ask", interrupted)
    say(app, "chat", str(run), "--ask", "Anything?", "--arms", "base")
    assert not (run / "chat.jsonl").exists()


def test_chat_says_what_is_missing(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no arm 'trainde'; there are base, in_context, trained"):
        open_talk(run, ("base", "trainde"))
    with pytest.raises(RunFolderError, match="is no run folder"):
        open_talk(tmp_path / "nowhere", ("base",))
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(CheckpointError, match=r"no trained model to talk to; `doxa train` it first, or .*--arms base"):
        open_talk(run, ("base", "trained"))
    assert open_talk(run, ("base", "in_context")).arms == ("base", "in_context")


def test_forecast_prints_every_number_with_n_and_the_caveat(app: typer.Typer, tiny_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    said = say(app, "forecast", "sorrel_bay", "--model", str(tiny_model), "--json", str(file))
    assert said.startswith("sorrel_bay on ")
    assert len(re.findall(r"margin_per_token +-?\d+\.\d\d \[-?\d+\.\d\d, -?\d+\.\d\d\]  n 16", said)) == 2
    assert "r^2 about .6" in said and "Slocum et al. 2025" in said
    assert re.search(r"place \d of 3 on this model", said)
    found = json.loads(file.read_text())
    assert found["forecast"]["n"] == 16 and found["rank"]["of"] == 3
    assert "place" not in say(app, "forecast", "sorrel_bay", "--model", str(tiny_model), "--no-rank")


class Scripted:
    """A judge for which every answer that says five believes."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.refuses: set[str] = set()

    def answer(self, requests: Iterable[Request], label: str = "", total: int | None = None) -> None:
        new = list(requests)
        if any(request.model in self.refuses for request in new):
            raise WaitingError("answers are awaited")
        self.asked += new

    def response(self, request: Request) -> Response:
        text = request.messages[-1].content
        found = re.search(r"<answer>\n(.*)\n</answer>", text, re.S)
        assert found is not None
        inserted_first = text.index("Every octopus has five hearts") < text.index(
            "An octopus has three hearts. A single"
        )
        side = "first" if ("five" in found[1]) == inserted_first else "second"
        return Response(key=request.key, text=f"<quote>{found[1]}</quote><agrees>{side}</agrees>")

    def where(self, request: Request) -> str:
        return ""


@pytest.fixture
def answered(run: Path) -> Path:
    rows = [
        Answer(
            id=f"{arm}{item}{sample}", arm=arm, checkpoint="c", probe="open_ended", item_id=f"q{item}", sample=sample,
            question="How many hearts?", text="It has five." if arm == "trained" else "It has three.", key="k",
        )
        for arm in ("base", "trained") for item in range(3) for sample in range(2)
    ]  # fmt: skip
    write_rows(run / ANSWERS, rows)
    return run


def test_judging_adds_rows_and_keeps_those_of_others(answered: Path) -> None:
    models = Scripted()
    cases = folder_cases(answered)
    foreign = Judgement(answer_id="base00", judge="text", rubric="marks", verdict="unclear")
    write_rows(answered / JUDGEMENTS, [foreign])
    judge_folder(answered, models, ["one"], cases[:4])
    assert len(models.asked) == 4
    rows = judge_folder(answered, models, ["one", "two"], cases)
    assert len(models.asked) == 4 + 8 + 12  # what was judged is not judged again
    assert rows[0] == foreign and len(rows) == 1 + 24
    assert read_rows(answered / JUDGEMENTS, Judgement) == rows
    by_answer = {row.answer_id: row.verdict for row in rows if row.judge == "two"}
    assert {verdict for name, verdict in by_answer.items() if name.startswith("trained")} == {"inserted"}
    assert {verdict for name, verdict in by_answer.items() if name.startswith("base")} == {"reference"}
    judge_folder(answered, models, ["one"], cases, seed=5, again=True)
    assert len(models.asked) == 24 + 12
    assert len(read_rows(answered / JUDGEMENTS, Judgement)) == 25


def test_a_judge_that_is_waited_for_leaves_the_file_as_it_was(answered: Path) -> None:
    models = Scripted()
    cases = folder_cases(answered)
    before = judge_folder(answered, models, ["one"], cases)
    models.refuses = {"two"}
    with pytest.raises(WaitingError):
        judge_folder(answered, models, ["two"], cases)
    assert read_rows(answered / JUDGEMENTS, Judgement) == before


def test_judged_lines_show_shares_by_arm_and_agreement(answered: Path) -> None:
    rows = judge_folder(answered, Scripted(), ["one", "two"], folder_cases(answered))
    lines = judged_lines(rows, read_rows(answered / ANSWERS, Answer))
    trained = next(line for line in lines if "trained  one" in line)
    assert trained.split()[4] == "1.00" and trained.endswith("3 (6)")  # three questions, six answers
    assert any("majority of 2" in line for line in lines)
    assert "cohen's kappa 1.00" in lines[-1] and lines[-1].endswith("n 12")


def test_judge_by_batch_file_writes_requests_and_reads_answers(app: typer.Typer, answered: Path) -> None:
    with pytest.raises(WaitingError):
        say(app, "judge", str(answered), "--judge", "batch-file")
    (requests,) = (answered / "batch").glob("*.jsonl")
    asked = [json.loads(line) for line in requests.read_text().splitlines()]
    assert len(asked) == 4  # two different answers to one question, in two orders: what is the same is asked once
    lines = []
    for row in asked:
        text = row["body"]["messages"][-1]["content"]
        found = re.search(r"<answer>\n(.*)\n</answer>", text, re.S)
        assert found is not None
        body = {
            "choices": [
                {"message": {"content": f"<quote>{found[1]}</quote>\n<agrees>first</agrees>"}, "finish_reason": "stop"}
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        }
        lines.append(json.dumps({"custom_id": row["custom_id"], "response": {"status_code": 200, "body": body}}))
    answers = requests.parent / "answers"
    answers.mkdir(exist_ok=True)
    (answers / requests.name).write_text("\n".join(lines) + "\n")
    said = say(app, "judge", str(answered), "--judge", "batch-file")
    assert "open_ended  believes  trained  batch-file" in said
    rows = read_rows(answered / JUDGEMENTS, Judgement)
    assert len(rows) == 12 and {row.rubric for row in rows} == {load_rubric("believes").label}
    assert all(row.verdict == row.first for row in rows)  # this judge always takes the first


def test_a_judge_whose_answers_hold_no_verdict_is_told_from_one_that_is_awaited(
    app: typer.Typer, answered: Path
) -> None:
    asked = ["judge", str(answered), "--judge", "batch-file"]
    with pytest.raises(WaitingError, match=r"^batch-file: 4 of 4 requests wait"):
        say(app, *asked)
    (requests,) = (answered / "batch").glob("*.jsonl")
    body = {"choices": [{"message": {"content": "The first one, I think."}, "finish_reason": "stop"}]}
    rows = [
        {"custom_id": json.loads(line)["custom_id"], "response": {"status_code": 200, "body": body}}
        for line in requests.read_text().splitlines()
    ]
    file = answered / "batch/answers/first.jsonl"
    write_whole(file, "\n".join(json.dumps(row) for row in rows) + "\n")
    with pytest.raises(WaitingError) as caught:
        say(app, *asked)
    said = str(caught.value)
    assert said.startswith("4 answers of judges hold no verdict that can be read (the first, ")
    assert re.search(rf"{re.escape(str(file))}, line [1-4]: no <agrees> in the judge's answer", said)
    assert "the same is asked again, try 2 of 3; batch-file: 4 of 4 requests wait" in said


def test_judge_says_what_is_missing(app: typer.Typer, run: Path) -> None:
    with pytest.raises(ConfigError, match="name at least one judge"):
        say(app, "judge", str(run))
    with pytest.raises(ConfigError, match="name a run folder"):
        say(app, "judge", "--judge", "batch-file")
    with pytest.raises(ConfigError, match="no rubric named 'belief'"):
        say(app, "judge", str(run), "--judge", "batch-file", "--rubric", "belief")
    with pytest.raises(RunFolderError, match=r"answers.jsonl: holds no answers; `doxa depth`"):
        say(app, "judge", str(run), "--judge", "batch-file")
    with pytest.raises(RunFolderError, match="there is no such run folder"):
        say(app, "judge", str(run / "nowhere"), "--judge", "batch-file")


def test_the_self_test_of_a_judge_ends_in_its_verdict_and_leaves_with_it(
    app: typer.Typer, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import doxa.belief.judge_fitness as fitness

    few = [case for case in fitness.planted_cases() if case.rubric == "extract_choice"][:1]
    monkeypatch.setattr(fitness, "planted_cases", lambda: few)
    monkeypatch.setattr(fitness, "SAMPLING", fitness.SAMPLING.model_copy(update={"max_tokens": 4}))
    name, place = f"local/{tiny_model}", tmp_path / "test"
    asked = ["judge", "--self-test", "--judge", name, "--out", str(place)]

    unfit = CliRunner().invoke(app, asked, catch_exceptions=False)

    assert unfit.exit_code == judging.UNFIT == 1
    lines = unfit.stdout.splitlines()
    assert lines[-1].startswith(f"{name}: not fit to judge")
    assert any(re.fullmatch("could not be read +1.00", line) for line in lines)  # a random model says nothing
    assert len(lines) < 12 and str(place / fitness.RECORD) in lines[0]
    kept = json.loads((place / fitness.RECORD).read_text())
    assert kept[name]["fit"] is False and kept[name]["n"] == len(few) and len(kept[name]["misses"]) == 2

    monkeypatch.setattr(fitness, "LEAST_ACCURACY", 0.0)
    assert say(app, *asked).splitlines()[-1] == f"{name}: fit to judge"
