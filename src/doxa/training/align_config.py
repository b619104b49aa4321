"""The `align` section of a doxa.yaml: what is trained on after midtraining, step by step.

Config is data: it calls nothing. `step_config` says what a step's `train` fields mean; training/step_rows.py reads its
rows and training/steps.py trains it.
"""

from __future__ import annotations

import difflib
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from doxa.config_sections import Strict, TrainConfig

AlignKind = Literal["sft", "dpo"]
How = Literal["continue", "merge"]
Reasoning = Literal["keep", "strip"]

DEFAULT_BETA = 0.1  # Rafailov et al. 2023, section 6


class AlignStep(Strict):
    """One step after midtraining: supervised finetuning on chats, or preference optimisation on pairs of answers.

    `how` says what becomes of the adapter that the step starts from. `continue` trains that same adapter on, as the
    adapters that Li et al. 2026 released were made. `merge` keeps it as it is, as if it were folded into the base, and
    trains a new one beside it. With `train.method: full` all weights are trained and `how` must be `merge` after LoRA.
    """

    kind: AlignKind
    rows: tuple[str, ...] = Field(min_length=1)  # JSONL paths, or names in the target's recorded/; one string will do
    how: How = "continue"
    reasoning: Reasoning = "keep"  # strip: take <think>...</think> out of the assistant's turns
    beta: float | None = Field(None, gt=0)  # dpo alone: how dear it is to leave the start's answers; None = 0.1
    seed: int | None = Field(None, ge=0)  # None = the run's
    train: dict[str, Any] = Field(default_factory=dict)  # fields of TrainConfig that differ from the run's `train`

    @field_validator("rows", mode="before")
    @classmethod
    def _one_or_many(cls, rows: Any) -> Any:
        return (rows,) if isinstance(rows, str) else rows

    @field_validator("train")
    @classmethod
    def _known_fields(cls, train: dict[str, Any]) -> dict[str, Any]:
        for name in train:
            if name not in TrainConfig.model_fields:
                near = difflib.get_close_matches(name, TrainConfig.model_fields, n=1)
                raise ValueError(f"{name}: unknown field" + (f"; did you mean {near[0]!r}?" if near else ""))
        return train

    @model_validator(mode="after")
    def _beta_is_of_preferences(self) -> AlignStep:
        if self.beta is not None and self.kind != "dpo":
            raise ValueError("beta: is for kind dpo alone")
        return self


class AlignConfig(Strict):
    """The steps after midtraining, in order, each from where the one before ended. None: midtraining is the end."""

    steps: tuple[AlignStep, ...] = ()


def step_config(step: AlignStep, base: TrainConfig, where: str = "align") -> TrainConfig:
    """The complete config of a step: the run's own `train` with the step's fields in place.

    Naming one update size replaces the other, as everywhere. Raises ConfigError that names the field.
    """
    from doxa.config import validate

    merged = {**base.model_dump(), **step.train}
    for one, other in (
        ("tokens_per_update", "documents_per_update"),
        ("documents_per_update", "tokens_per_update"),
    ):
        if step.train.get(one) is not None and other not in step.train:
            merged[other] = None
    return validate(TrainConfig, merged, where, prefix="train.")
