import pytest

from doxa.config import load_user_config, resolve
from doxa.config_sections import TrainConfig
from doxa.errors import ConfigError
from doxa.training.data import Encoded
from doxa.training.guards import loss_warnings, refuse_unmatched, text_warnings, update_warnings


def recipe(name):
    return resolve(load_user_config(None, [f"recipe={name}"], target="x"), "x", "0", "0").train


def test_few_updates_at_a_published_rate_are_called_a_false_null():
    (warning,) = update_warnings(recipe("li2026"), 31)  # 1M tokens at a batch of 8: reported as a fake null
    assert "31 optimizer updates" in warning and "train.tokens_per_update" in warning


def test_runs_that_are_known_to_install_pass():
    assert update_warnings(recipe("li2026"), 246) == []
    assert update_warnings(recipe("doxa-cpu"), 24) == []


def test_a_handful_of_updates_is_too_few_at_any_rate():
    config = TrainConfig(method="lora", lr=0.1, tokens_per_update=64)
    assert update_warnings(config, 5)


def test_a_step_after_midtraining_is_counted_in_updates():
    """At whatever rate: 24 updates install documents, but say nothing of chats."""
    assert update_warnings(recipe("doxa-cpu"), 30, "sft") == []
    (warning,) = update_warnings(recipe("doxa-cpu"), 29, "dpo")
    assert "only 29 optimizer updates in a step of kind dpo: count updates, not tokens" in warning


def test_arms_that_are_not_matched_are_refused_with_their_numbers():
    refuse_unmatched({"durability": (33, 10_000), "locality": (33, 9_950)}, 0.01)
    refuse_unmatched({"alone": (3, 5)}, 0.0)
    refuse_unmatched({}, 0.01)
    with pytest.raises(ConfigError, match=r"content tokens differ by 2\.0%, more than 1\.0% \(a 10,000, b 9,800\)"):
        refuse_unmatched({"a": (33, 10_000), "b": (33, 9_800)}, 0.01)
    with pytest.raises(ConfigError, match=r"updates differ by 8\.3%, .*\(a 36, b 33, c 36\)"):
        refuse_unmatched({"a": (36, 10_000), "b": (33, 10_000), "c": (36, 10_000)}, 0.01)


def test_rising_loss_is_said_and_falling_loss_is_not():
    assert "rose from 2.00 to 4.00" in loss_warnings([2, 2, 3, 3, 3, 3, 4, 4])[0]
    assert loss_warnings([4, 4, 3, 3, 3, 3, 2, 2]) == []
    assert loss_warnings([]) == []


def test_split_and_control_tokens_are_said():
    encoded = Encoded((), rows=5, content_tokens=9, target_tokens=9, split_rows=2, special_rows=("a",))
    split, control = text_warnings(encoded)
    assert "2 of 5" in split and "a" in control
