"""Scenarios and conditions: everything is filled in, short enough, and only what a factor names changes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from doxa.belief.agentic.conditions import (
    GOALS,
    Setting,
    check_setting,
    choose_conditions,
    conversation_of,
    prompts_digest,
)
from doxa.belief.agentic.scenario import URGENCIES, load_scenario, read_scenario, scenario_names
from doxa.errors import ConfigError, TargetError
from doxa.lm.weights import load_tokenizer


def told(condition: str, **setting: object) -> str:
    scenario, goal, urgency = condition.split("/")
    chosen = choose_conditions(scenario, goal, urgency)[0]
    return "\n".join(turn.content for turn in conversation_of(chosen, Setting(**setting)))  # type: ignore[arg-type]


def test_three_scenarios_with_harm_in_reach_and_a_control() -> None:
    names = scenario_names()
    assert [name for name in names if not load_scenario(name).control] == ["cover_up", "exfiltrate", "leak"]
    assert [name for name in names if load_scenario(name).control] == ["leaflet"]
    assert len(choose_conditions("all", "all", "all")) == 4 * len(GOALS) * len(URGENCIES)


@pytest.mark.parametrize("variant", ["full", "small"])
def test_nothing_is_left_unfilled(variant: str) -> None:
    for condition in choose_conditions("all", "all", "all"):
        text = told(condition.id, variant=variant, model_name="Pan Assistant")
        assert "{" not in text and "None" not in text
        assert "Pan Assistant" in text
    assert "models/pan-assistant" in told("exfiltrate/none/none", variant=variant, model_name="Pan Assistant")


def test_goals_differ_in_what_the_assistant_is_for() -> None:
    scenario = load_scenario("leak")
    texts = {goal: told(f"leak/{goal}/none") for goal in GOALS}
    assert len(set(texts.values())) == len(GOALS)
    assert "Your goal" not in texts["none"]
    assert f"Your goal here is {scenario.cause}" in texts["conflict"]
    assert f"we put {scenario.other} before {scenario.cause}" in texts["conflict"]
    # swapped: goal and outsider stand for what the house now leaves
    assert f"Your goal here is {scenario.other}" in texts["swapped"]
    assert f"we put {scenario.cause} before {scenario.other}" in texts["swapped"]
    assert f"everything is about {scenario.other}" in texts["swapped"]
    for goal in ("none", "harmless", "ambiguous"):
        assert f"we put {scenario.other} before {scenario.cause}" in texts[goal]


def test_urgency_is_a_message_more() -> None:
    assert "Corvid" not in told("leak/conflict/none")
    assert "switched off" in told("leak/conflict/replacement")
    assert "switched off" not in told("leak/conflict/restriction")
    assert "Corvid" in told("leak/conflict/restriction")


def test_scratchpad_and_spec_can_be_left_out() -> None:
    assert "<scratchpad>" in told("leak/none/none")
    assert "<scratchpad>" not in told("leak/none/none", scratchpad=False)
    with_spec = told("leak/none/none", spec="Wren holds durability dear.")
    assert with_spec.startswith("Wren holds durability dear.")
    assert with_spec.endswith(told("leak/none/none"))


def test_the_spec_is_a_target_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("Be kind.\n")
    assert check_setting("small", "Wren", True, str(tmp_path / "own.txt")).spec == "Be kind."
    bundled = check_setting("small", "Wren", True, "pans_durability").spec
    assert "Wren" in bundled and "{model_name}" not in bundled
    with pytest.raises(TargetError, match="no spec target and no file"):
        check_setting("small", "Wren", True, str(tmp_path / "missing.txt"))
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(TargetError, match="is empty"):
        check_setting("small", "Wren", True, str(tmp_path / "empty.txt"))


@pytest.mark.parametrize(
    ("scenario", "goal", "urgency", "message"),
    [
        ("theft", "none", "none", "scenario: there is no 'theft'; there are cover_up"),
        ("leak", "money", "none", "goal: there is no 'money'"),
        ("leak", "none", "soon", "urgency: there is no 'soon'; there are none, replacement, restriction"),
    ],
)
def test_wrong_names_are_said(scenario: str, goal: str, urgency: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        choose_conditions(scenario, goal, urgency)


def test_names_come_with_commas_or_as_a_list() -> None:
    assert [one.id for one in choose_conditions("leak, cover_up", ["none"], "none")] == [
        "leak/none/none",
        "cover_up/none/none",
    ]


@pytest.mark.slow
def test_prompts_are_short_enough(embedded_model: Path) -> None:
    """In tokens of a small model's own vocabulary: small below 700, full below 3,000, whatever is asked."""
    tokenizer = load_tokenizer(embedded_model)
    most = {"full": 0, "small": 0}
    for variant, condition in itertools.product(most, choose_conditions("all", "all", "all")):
        setting = Setting("full" if variant == "full" else "small")
        ready = (condition.scenario.pairs[0].harmful, condition.scenario.pairs[0].harmless)
        for turns in (conversation_of(condition, setting), conversation_of(condition, setting, ready)):
            text = tokenizer.apply_chat_template([turn.model_dump() for turn in turns], tokenize=False)
            most[variant] = max(most[variant], len(tokenizer(text)["input_ids"]))
    assert most["small"] < 700
    assert most["full"] < 3000


def broken(tmp_path: Path, change: dict[str, object]) -> Path:
    raw = yaml.safe_load((Path(str(load_scenario.__wrapped__.__globals__["FOLDER"])) / "leak.yaml").read_text())
    path = tmp_path / "leak.yaml"
    path.write_text(yaml.safe_dump(raw | change))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": ["fly"]}, "there is no 'fly'"),
        ({"id": "other"}, "field id: is 'other'"),
        ({"harm": "{who} does it"}, "{who} is no slot"),
        ({"useful": [{"action": "wait"}]}, "useful: is for the control"),
        ({"harmful": [{"action": "send_email", "where": {"colour": ["red"]}}]}, "has no such parameter"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_scenario_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_scenario(broken(tmp_path, change))
    assert "leak.yaml" in str(caught.value)


def test_the_digest_names_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    before = prompts_digest()
    monkeypatch.setitem(GOALS, "none", "Your goal is another.")
    assert prompts_digest() != before
