import pytest
from pydantic import ValidationError

from doxa.config import load_user_config, resolve
from doxa.errors import ConfigError
from doxa.training.align_config import AlignConfig, AlignStep, step_config

RUN = resolve(load_user_config(None, [], target="x"), "x", "0", "0").train


def test_a_step_takes_the_runs_train_and_changes_what_it_names():
    step = AlignStep(kind="sft", rows="aft", train={"epochs": 2, "documents_per_update": 8})
    config = step_config(step, RUN)
    assert (config.epochs, config.documents_per_update, config.tokens_per_update) == (2, 8, None)
    assert (config.rank, config.lr) == (RUN.rank, RUN.lr)
    assert step.rows == ("aft",) and step.how == "continue" and step.reasoning == "keep"
    assert step_config(AlignStep(kind="sft", rows=("a", "b")), RUN) == RUN


def test_several_steps_follow_each_other():
    config = AlignConfig.model_validate(
        {"steps": [{"kind": "sft", "rows": "aft"}, {"kind": "dpo", "rows": "p", "beta": 0.3}]}
    )
    assert [step.kind for step in config.steps] == ["sft", "dpo"] and config.steps[1].beta == 0.3
    assert AlignConfig().steps == ()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"kind": "sft", "rows": "a", "train": {"epoch": 2}}, "epoch: unknown field; did you mean 'epochs'"),
        ({"kind": "sft", "rows": "a", "beta": 0.1}, "beta: is for kind dpo alone"),
        ({"kind": "sft", "rows": []}, "rows"),
        ({"kind": "rl", "rows": "a"}, "kind"),
        ({"kind": "sft", "rows": "a", "how": "stack"}, "how"),
    ],
)
def test_what_a_step_cannot_say_is_named(raw, words):
    with pytest.raises(ValidationError, match=words):
        AlignStep.model_validate(raw)


def test_values_that_do_not_fit_are_named_with_the_step():
    with pytest.raises(ConfigError, match=r"align step 2: train\.lr: "):
        step_config(AlignStep(kind="sft", rows="a", train={"lr": -1}), RUN, "align step 2")
