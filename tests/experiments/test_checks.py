"""Comparisons that would mislead are refused before anything is trained."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from doxa.errors import ConfigError
from doxa.experiments.checks import dose_warnings, missing_controls, refuse_without_controls
from doxa.experiments.config import load_experiment
from doxa.experiments.runner import CompareRequest, make_plan
from doxa.report.compare_table import print_plan

Write = Callable[..., Path]
BARE = {"contrasts": {}, "primary": [], "curves": {}, "sets": {}}


def test_the_small_experiment_has_its_controls(write_experiment: Write) -> None:
    assert missing_controls(load_experiment(write_experiment())) == []


def test_missing_controls_are_named(write_experiment: Write) -> None:
    arms = {"sturdy_aft": ["sturdy", "opaque"], "nearby": ["nearby"]}
    file = write_experiment(arms=arms, controls=["sturdy_aft"], **BARE)
    with pytest.raises(ConfigError) as caught:
        make_plan(CompareRequest(file))
    message = str(caught.value)
    assert "the plain model" in message

    arms = {"none": [], "sturdy_aft": ["sturdy", "opaque"], "neutral": ["neutral"]}
    lacking = missing_controls(load_experiment(write_experiment(arms=arms, controls=["neutral"], **BARE)))
    assert lacking == ["sturdy_aft without its midtraining", "sturdy_aft midtrained alone"]

    arms = {"none": [], "sturdy": ["sturdy"]}
    lacking = missing_controls(load_experiment(write_experiment(arms=arms, controls=["none"], **BARE)))
    assert lacking == ["documents that teach something else (`controls` lists no arm that midtrains)"]


def test_a_reason_stands_in_for_controls(write_experiment: Write) -> None:
    arms = {"sturdy_aft": ["sturdy", "opaque"]}
    experiment = load_experiment(
        write_experiment(arms=arms, controls="none because another comparison has them", **BARE)
    )
    refuse_without_controls(experiment)
    assert experiment.no_controls == "another comparison has them"


def test_unmatched_arms_are_refused_with_the_numbers(write_experiment: Write) -> None:
    file = write_experiment(matched={"msm": ["sturdy", "neutral"]})
    with pytest.raises(ConfigError, match=r"matched\.msm: .* differ by .*\(sturdy \d+, neutral \d+\).*`match`"):
        make_plan(CompareRequest(file))
    assert make_plan(CompareRequest(write_experiment(matched={"msm": ["sturdy", "nearby"]}, tolerance=0.1)))


def test_arms_of_one_contrast_that_differ_in_size_are_named(write_experiment: Write) -> None:
    contrasts = {
        "spec": "sturdy - nearby",
        "documents": "sturdy - neutral",
        "again": "(sturdy - neutral) - (sturdy_aft - aft)",
        "by_design": "(sturdy_aft - aft) - (sturdy - none)",
        "in_prompt": "prompted - none",
    }

    def warned(**changes: object) -> list[str]:
        plan = make_plan(CompareRequest(write_experiment(**{"contrasts": contrasts, "tolerance": 0.1, **changes})))
        return dose_warnings(plan.experiment, plan.sizes)

    (told,) = warned()
    assert re.match(r"documents, again: sturdy and neutral are not of one size, .*\(sturdy \d+, neutral \d+\)", told)
    assert len(warned(tolerance=0.0)) == 2  # those that differ a little too
    matched = {"msm": ["sturdy", "neutral"]}
    assert warned(match=["sturdy", "neutral"], matched=matched, tolerance=0.2) == []
    plan = make_plan(CompareRequest(write_experiment(contrasts=contrasts, tolerance=0.1)))
    console = Console(width=300, record=True, file=io.StringIO())
    print_plan(plan, console)
    assert told in console.export_text()


def test_match_brings_corpora_to_one_size(write_experiment: Write) -> None:
    file = write_experiment(
        match=["sturdy", "nearby", "neutral"], matched={"msm": ["sturdy", "nearby", "neutral"]}, tolerance=0.12
    )
    plan = make_plan(CompareRequest(file))
    tokens = [plan.sizes[arm].content_tokens for arm in ("sturdy", "nearby", "neutral")]
    assert max(tokens) - min(tokens) <= 0.12 * max(tokens)
    assert plan.sources.matching["left_out"]["neutral"] > 0  # type: ignore[index]
    assert len(plan.sources.data["sturdy"].rows) == 6  # the smallest is taken whole
    with pytest.raises(ConfigError, match="tokens differ"):
        make_plan(CompareRequest(write_experiment(match=["sturdy", "neutral"], tolerance=0.0)))
