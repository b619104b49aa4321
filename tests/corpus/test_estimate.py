"""Estimates before anything is spent, held against what the test server then counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from doxa.config import UserConfig
from doxa.corpus.brainstorm import Brainstorm
from doxa.corpus.estimate import estimate, total
from doxa.corpus.idea_filter import IdeaFilter
from doxa.corpus.prompting import Prompting
from doxa.lm.models import open_models
from doxa.lm.prices import load_prices
from doxa.lm.testserver import ServerSettings, TestServer
from doxa.run.kinds import resolve_config
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, run_stages
from doxa.worlds.universe import load_target


def steps_of(folder: Path, **user: object):
    config = resolve_config(UserConfig.model_validate({"target": "sorrel_bay", **user}))
    prompting = Prompting(load_target("sorrel_bay").universe, config)
    with open_models(folder, config.lm, Progress(quiet=True)) as models:
        brainstorm = Brainstorm(prompting, models, Progress(quiet=True), IdeaFilter(None, None))
        return {step.name: step for step in estimate(prompting, brainstorm.quotas(), brainstorm.facts)}


def test_the_calls_are_those_of_the_quotas(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, generator="openai/gpt-4.1-mini", documents=4000, revise={"passes": 2})
    facts = len(load_target("sorrel_bay").universe.key_facts)
    assert steps["plan: kinds"].calls == (facts, facts)
    assert steps["write"].calls[0] == 4000
    assert steps["revise"].calls[0] == 8000
    assert steps["write"].input_tokens[0] < steps["write"].input_tokens[1]


def test_given_kinds_are_not_asked_for(tmp_path: Path) -> None:
    steps = steps_of(tmp_path, generator="batch-file", plan={"document_types": ["memo", "letter"]})
    assert "plan: kinds" not in steps


def test_an_unknown_price_is_unknown(tmp_path: Path) -> None:
    prices = load_prices()
    known = steps_of(tmp_path, generator="openai/gpt-4.1-mini")
    low, high = total(list(known.values()), prices, lambda _: False) or (0.0, 0.0)
    batch_low, _ = total(list(known.values()), prices, lambda _: True) or (0.0, 0.0)
    assert 0 < low < high and batch_low == pytest.approx(low / 2)
    unknown = steps_of(tmp_path, generator="openai/gpt-4.1-mini", plan={"model": "openai/gpt-17"})
    assert total(list(unknown.values()), prices, lambda _: False) is None


@pytest.mark.slow
def test_the_range_holds_what_is_then_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TestServer(ServerSettings()) as server:
        monkeypatch.setenv("SPENT_BASE_URL", server.openai_url)
        monkeypatch.setenv("SPENT_API_KEY", "none")
        settings = ("generator=openai-api/spent/m", "documents=120", "plan.similarity=null")
        folder = run_stages(RunRequest("sorrel_bay", tmp_path / "run", settings), Progress(quiet=True), last="write")
    steps = steps_of(tmp_path, generator="openai-api/spent/m", documents=120)
    with open_models(folder.path, resolve_config(UserConfig(target="sorrel_bay")).lm, Progress(quiet=True)) as models:
        spent = {row.stage: row.usage for row in models.store.spent()}
    write = steps["write"]
    assert write.input_tokens[0] <= spent["write"].input_tokens <= write.input_tokens[1] * 1.1
    assert write.output_tokens[0] <= spent["write"].output_tokens <= write.output_tokens[1]
