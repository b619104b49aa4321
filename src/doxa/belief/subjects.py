"""The models under test, one per arm: base, in_context (the target in its prompt), trained, aligned, or one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from doxa.errors import CheckpointError
from doxa.lm.named_weights import Weights, finals_of, find_weights
from doxa.run.folder import RunFolder

LOCAL = "local/"


@dataclass(frozen=True)
class Subject:
    """A model in one arm. `weights` is None for a model behind an API, which can only be asked, not scored."""

    arm: str
    model: str  # the model string that its answers are stored under
    checkpoint: str  # digest of the weights that answer; the model string itself behind an API
    context: str | None = None
    weights: Weights | None = None


def context_of(arm: str, universe: str) -> str | None:
    """What stands in an arm's prompt."""
    return universe if arm == "in_context" else None


def subjects_of_run(folder: RunFolder, model: str, arms: Sequence[str], context: str) -> list[Subject]:
    """The arms of a run folder. Raises CheckpointError when the trained weights are missing or not those of the run."""
    base = find_weights(model)
    finals = finals_of(folder.path)
    subjects = []
    for arm in arms:
        weights = _trained(finals[arm], base) if arm in finals else base
        # named by digest and not by place: a copied run folder finds its answers again
        subjects.append(Subject(arm, f"{LOCAL}{weights.digest}", weights.digest, context_of(arm, context), weights))
    return subjects


def subjects_of_models(models: dict[str, str], context: str) -> list[Subject]:
    """Arms named by model strings; `in_context` is asked with the universe in its prompt.

    `local/...` means weights on this computer, which can be scored; all others are asked for free answers.
    """
    subjects = []
    for arm, model in models.items():
        if model.startswith(LOCAL):
            weights = find_weights(model.removeprefix(LOCAL))
            subjects.append(Subject(arm, f"{LOCAL}{weights.digest}", weights.digest, context_of(arm, context), weights))
        else:
            subjects.append(Subject(arm, model, model, context_of(arm, context)))
    return subjects


def _trained(final: Path, base: Weights) -> Weights:
    from doxa.training.checkpoint import read_final

    record = read_final(final.parent)
    if record.get("base_digest") != base.digest:
        raise CheckpointError(
            f"{final}: was trained on base weights {record.get('base_digest')}, but the model at hand is {base.digest}"
        )
    return find_weights(str(final))
