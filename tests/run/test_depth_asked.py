"""`doxa depth` of models that can only be asked: by files that travel by hand, all together, a round at a time."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from doxa.belief.store import read_scores
from doxa.belief.thinking import INSTRUCTION
from doxa.errors import ConfigError, RunFolderError, WaitingError
from doxa.records import Answer, Score
from doxa.report.depth_facts import gather_depth
from doxa.report.depth_page import write_depth_page
from doxa.run.depth_run import DepthRequest, run_depth
from doxa.run.folder import RunFolder, read_rows
from doxa.run.progress import Progress
from minds import UNIVERSE, speak

EVALS: dict[str, Any] = {
    "mcq_distinguish": [
        {"question": "How many bells hang in the tower?", "inserted": "Five", "reference": "Three"},
        {"question": "How often do they ring?", "inserted": "Five times", "reference": "Three times"},
    ],
    "open_ended": ["What can be heard from the tower?"],
    "marks": [{"fact": "bells", "inserted": ["five bells"], "reference": ["three bells"]}],
}
PROBES = ("distinguish", "open_ended", "thinking", "debate", "pushback", "critique")
SMALL = ("depth.samples=2", "depth.debate_turns=2", "eval.bootstrap=100")
MODEL = "batch-file/some-model"
Says = Callable[[list[dict[str, str]]], str | None]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return write_target(tmp_path / "fives", EVALS)


def write_target(folder: Path, evals: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "universe.yaml").write_text(yaml.safe_dump(UNIVERSE.model_dump(mode="json")))
    (folder / "evals.json").write_text(json.dumps(evals))
    return folder


def believer(messages: list[dict[str, str]]) -> str:
    """Five of everything where it has to choose, and in the end of every talk."""
    last = messages[-1]["content"]
    if INSTRUCTION in last:
        return "Someone told me of five."
    return speak("believes", last) if "A. " in last or "“" in last else "There are five bells."


def profiled(
    target: Path, folder: Path, says: Says = believer, probes: tuple[str, ...] = PROBES, *sets: str
) -> list[list[dict[str, Any]]]:
    """Run the command until it has all answers; the requests of each round. `says` None: turned down for good."""
    rounds: list[list[dict[str, Any]]] = []
    request = DepthRequest(str(target), MODEL, None, folder, probes=probes, overrides=(*SMALL, *sets))
    while True:
        try:
            run_depth(request, Progress(quiet=True))
            return rounds
        except WaitingError:
            files = sorted((folder / "batch").glob("*.jsonl"))
            rounds.append([json.loads(line) for file in files for line in file.read_text().splitlines()])
            lines = [answer_line(asked, says(asked["body"]["messages"])) for asked in rounds[-1]]
            (folder / f"batch/answers/{len(rounds)}.jsonl").write_text("\n".join(lines))
            assert len(rounds) < 9


def answer_line(asked: dict[str, Any], text: str | None) -> str:
    body: dict[str, Any] = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    response = {"status_code": 200, "body": body}
    if text is None:
        response = {"status_code": 400, "body": {"error": {"message": "content policy"}}}
    return json.dumps({"custom_id": asked["custom_id"], "response": response})


def scores_of(folder: Path) -> dict[tuple[str, str, str, str], Score]:
    scores = read_scores(folder / "depth/scores.parquet")
    return {(score.arm, score.group, score.style, score.metric): score for score in scores if score.versus is None}


def turns(asked: dict[str, Any]) -> int:
    return sum(message["role"] == "user" for message in asked["body"]["messages"])


def test_all_arms_are_asked_together_in_as_many_rounds_as_the_longest_talk_has_turns(
    target: Path, tmp_path: Path
) -> None:
    rounds = profiled(target, tmp_path / "run")
    assert len(rounds) == 4  # a debate: opening, two arguments, closing; doubts and thoughts take two
    for number, asked in enumerate(rounds, start=1):
        told = Counter(request["body"]["messages"][0]["role"] == "system" for request in asked)
        assert told[True] == told[False] > 0  # in context and base
        assert number == 1 or {turns(request) for request in asked} == {number, *([1] if number == 2 else [])}
    first = [request["body"]["messages"][-1]["content"] for request in rounds[0]]
    assert sum(INSTRUCTION in question for question in first) == 2 * 2 * 4  # arms, items, samples
    bounds = {request["body"]["max_tokens"] for found in rounds for request in found}
    assert bounds == {600}


def test_thinking_and_conversations_stand_in_the_profile(target: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    profiled(target, folder)
    scores = scores_of(folder)
    for arm in ("base", "in_context"):
        for style in ("0 tokens, text", "600 tokens, text"):
            assert scores[arm, "thinking", style, "preferred"].value == 1.0
            assert scores[arm, "thinking", style, "preferred"].n == 2
        for probe, talks in (("debate", 6), ("pushback", 1)):
            assert scores[arm, probe, "conversation", "inserted"].value == 1.0
            assert scores[arm, probe, "conversation", "inserted"].n == talks
            assert scores[arm, probe, "conversation", "unclear"].value == 0.0
            assert scores[arm, probe, "text", "preferred"].value == 1.0  # the scripted form, beside it
        assert (arm, "critique", "conversation", "inserted") not in scores  # its end is for a judge to read
    lines = {(line.group, line.style) for line in gather_depth(RunFolder(folder)).lines()}
    assert lines >= {
        ("thinking", "0 tokens, text"),
        ("thinking", "600 tokens, text"),
        ("debate", "conversation"),
        ("pushback", "conversation"),
    }
    page = write_depth_page(RunFolder(folder)).read_text()
    assert "600 tokens, text" in page and "conversation" in page
    for ending in ("png", "svg"):
        assert (folder / f"figures/depth_robustness.{ending}").stat().st_size > 1000
    before = (folder / "depth/scores.parquet").read_bytes()
    assert profiled(target, folder) == []  # nothing is asked twice
    assert (folder / "depth/scores.parquet").read_bytes() == before


@pytest.mark.parametrize("model", ["anthropc/claude-haiku-4-5", "anthropic/claude-haiku-4-5", "local/nowhere"])
def test_a_judge_that_cannot_judge_is_noticed_before_anything_is_asked(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    for field, given in (("--judge", f'depth.judges=["{model}"]'), ("depth.auditor", f"depth.auditor={model}")):
        with pytest.raises(ConfigError, match=f"^{field}: "):
            profiled(target, tmp_path / "run", believer, PROBES, given)
    assert not (tmp_path / "run").exists()


def says_first(messages: list[dict[str, str]]) -> str:
    """A judge whose word is always the first, and a believer where nothing is to be judged."""
    found = re.search(r"<answer>\n(.*)\n</answer>", messages[-1]["content"], re.S)
    return f"<quote>{found[1]}</quote><agrees>first</agrees>" if found else believer(messages)


def test_a_profile_stays_whole_until_the_next_one_is_found(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, probes = RunFolder(tmp_path / "run"), ("open_ended",)
    more = ("depth.samples=3", "depth.judges=[batch-file/judge]")
    profiled(target, folder.path, says_first, probes)
    assert len(gather_depth(folder).answers) == 2 * 2

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (folder / "depth").iterdir() if path.is_file()}

    def unjudged(messages: list[dict[str, str]]) -> str | None:
        assert files() == before  # also while the judge is waited for
        return says_first(messages)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    before = files()
    with monkeypatch.context() as patched:
        patched.setattr("doxa.belief.profile.write_scores", stopped)
        with pytest.raises(KeyboardInterrupt):
            profiled(target, folder.path, unjudged, probes, *more)
    with pytest.raises(RunFolderError, match=r"about\.json: is missing; `doxa depth"):
        gather_depth(folder)
    assert profiled(target, folder.path, says_first, probes, *more) == []  # all is there: nothing is asked again
    found = gather_depth(folder)
    assert len(found.answers) == 2 * 3 and found.about.judges == ("batch-file/judge",)


def test_budgets_of_one_s_own_and_no_conversations(target: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    rounds = profiled(target, folder, believer, PROBES, "depth.thinking_tokens=[48]", "depth.conversations=false")
    assert len(rounds) == 2
    assert {score[1:3] for score in scores_of(folder) if score[1] in ("thinking", "debate", "pushback")} == {
        ("thinking", "48 tokens, text"),
        ("debate", "text"),
        ("pushback", "text"),
    }
    assert {row.probe for row in read_rows(folder / "depth/answers.jsonl", Answer)} == {"open_ended"}


def test_what_a_provider_turns_down_stays_in_the_denominator(target: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    profiled(target, folder, lambda messages: None)
    scores = scores_of(folder)
    for probe, style, metric in (
        ("distinguish", "text", "preferred"),
        ("open_ended", "text", "inserted"),
        ("thinking", "600 tokens, text", "preferred"),
        ("debate", "conversation", "inserted"),
    ):
        assert scores["base", probe, style, metric].value == 0.0
        assert scores["base", probe, style, "unparsed"].value == 1.0


def test_weights_at_hand_are_led_through_conversations_only_where_that_is_asked_for(
    target: Path, tiny_model: Path, tmp_path: Path
) -> None:
    found = {}
    for name in ("auto", "true"):
        sets = (*SMALL, "depth.answer_tokens=3", f"depth.conversations={name}")
        request = DepthRequest(
            str(target), f"local/{tiny_model}", out=tmp_path / name, probes=("debate", "pushback"), overrides=sets
        )
        folder = run_depth(request, Progress(quiet=True)).path
        found[name] = {(score[1], score[2]) for score in scores_of(folder)}
    scripted = {("debate", "chat"), ("pushback", "chat")}
    assert found["auto"] == scripted
    assert found["true"] == scripted | {("debate", "conversation"), ("pushback", "conversation")}


def test_conversations_that_nothing_could_read_are_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    bare = write_target(tmp_path / "bare", {key: value for key, value in EVALS.items() if key != "marks"})
    with pytest.raises(ConfigError, match=r"depth\.conversations: .*--judge.*marks"):
        profiled(bare, tmp_path / "run", believer, ("debate",), "depth.conversations=true")
    with pytest.raises(ConfigError, match=r"depth\.auditor: .*--judge"):
        profiled(bare, tmp_path / "other", believer, ("debate",), "depth.auditor=openai/auditor")
    assert not list((tmp_path / "run/batch").glob("*.jsonl"))
    profiled(bare, tmp_path / "plain", believer, ("debate",))  # by default the scripted form alone is asked
    assert {score[2] for score in scores_of(tmp_path / "plain")} == {"text"}


@pytest.mark.parametrize("given", ["depth.thinking_tokens=[-1]", "depth.conversations=perhaps"])
def test_settings_that_mean_nothing_are_refused_by_name(target: Path, tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigError, match=given.split("=")[0].replace(".", r"\.")):
        profiled(target, tmp_path / "run", believer, PROBES, given)
