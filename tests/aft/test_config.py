"""Settings of `doxa aft make`: what fits together, and errors that name the field."""

from __future__ import annotations

import pytest

from doxa.aft.config import read_settings
from doxa.errors import ConfigError


def test_options_and_overrides_make_one_config() -> None:
    config = read_settings(
        ["rewrites=1", "lm.budget_usd=2.5", "temperature=7e-1", "domains=travel, gifts", "principles=['Be brief.']"],
        generator="openai/x",
        judge=None,
        number=7,
    )
    assert (config.rewrites, config.lm.budget_usd, config.temperature, config.number) == (1, 2.5, 0.7, 7)
    assert config.domains == ("travel", "gifts") and config.principles == ("Be brief.",)
    assert config.judge_model == config.critic_model == config.drafter_model == "openai/x" and config.judged


def test_who_judges_and_who_criticises() -> None:
    config = read_settings([], generator="a/writer", judge="b/judge")
    assert (config.judge_model, config.critic_model) == ("b/judge", "b/judge")
    nobody = read_settings(["critic=c/critic"], generator="a/writer", judge="none")
    assert not nobody.judged and nobody.critic_model == "c/critic"


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["numbr=3"], "numbr: unknown field; did you mean 'number'"),
        (["number=0"], "number: Input should be greater than or equal to 1"),
        (["method=cai"], "method: Input should be 'spec', 'deliberative' or 'constitutional'"),
        (["prompts.juge=x.md"], "prompts: there is no prompt 'juge'"),
        (["domains=[a, A]"], "domains: names one of them twice"),
        (["method=deliberative", "opaque=true"], "opaque: answers of method deliberative have reasons"),
        (["method=constitutional", "anti=true"], "anti: goes with method spec alone"),
        (["method=deliberative", "reasoning=false"], "reasoning: method deliberative trains on reasoning"),
        (["method=constitutional", "rewrites=1"], "rewrites: method constitutional revises by principles"),
        (["rewrites"], "must be key=value"),
        (["rewrites=[1"], "not valid YAML"),
        (["seed=1", "seed.x=2"], "'seed' is no section"),
        (["generator=b/c"], "is given as --generator too"),
    ],
)
def test_what_does_not_fit_is_named(sets: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_settings(sets, generator="a/b")
    assert message in str(error.value) and "\n" not in str(error.value)
