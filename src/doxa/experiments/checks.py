"""What a comparison must have before any time is spent on it: control arms, and arms of one size where it says so.

Published comparisons of this kind changed their reading when a control was added: AFT alone, documents alone, documents
about nothing, values and behaviour side by side (docs/msm.md). So the arms that tell effects apart are demanded, and
leaving them out takes a reason that stands in the report.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from doxa.config_sections import TrainConfig
from doxa.errors import ConfigError
from doxa.experiments.config import Arm, Experiment, train_config
from doxa.experiments.sources import Sources
from doxa.training import guards


@dataclass(frozen=True)
class Size:
    """What an arm trains on, over all its steps and epochs."""

    updates: int
    content_tokens: int


def refuse_without_controls(experiment: Experiment) -> None:
    """Raise ConfigError naming the control arms that are missing, unless the experiment says why there are none."""
    if experiment.no_controls is not None:
        return
    lacking = missing_controls(experiment)
    if lacking:
        raise ConfigError(
            f"experiment {experiment.name}: control arms are missing: {'; '.join(lacking)}. Add them, or say why they "
            "are not needed: `controls: none because ...`"
        )


def missing_controls(experiment: Experiment) -> list[str]:
    """The controls that the arms ask for and that are not there, in words.

    The plain model always; for an arm of several steps the same without its midtraining, and its midtraining alone;
    and, once an arm midtrains, the corpora controls that `controls` lists must be trained in some arm.
    """
    lacking = []
    shapes = {_shape(arm): name for name, arm in experiment.arms.items() if arm.prompt is None}
    if () not in shapes:
        lacking.append("the plain model (an arm `none: []`)")
    controls = set(experiment.controls) if isinstance(experiment.controls, tuple) else set()
    for name, arm in experiment.arms.items():
        kinds = [experiment.kind(step) for step in arm.steps]
        if name in controls or "midtrain" not in kinds or len(set(kinds)) < 2:
            continue
        without = tuple(one for one, kind in zip(_shape(arm), kinds, strict=True) if kind != "midtrain")
        alone = tuple(one for one, kind in zip(_shape(arm), kinds, strict=True) if kind == "midtrain")
        if without not in shapes:
            lacking.append(f"{name} without its midtraining")
        if alone not in shapes:
            lacking.append(f"{name} midtrained alone")
    midtrained = [name for name, arm in experiment.arms.items() if _midtrains(experiment, arm)]
    if midtrained and not any(name in midtrained for name in controls):
        lacking.append("documents that teach something else (`controls` lists no arm that midtrains)")
    return lacking


def _shape(arm: Arm) -> tuple[tuple[str, str], ...]:
    """What tells arms apart apart from their names; `how` says nothing of a first step."""
    return tuple(
        (step.data, repr((sorted(step.train.items()), step.beta)) if step.train or step.beta else "")
        for step in arm.steps
    )


def _midtrains(experiment: Experiment, arm: Arm) -> bool:
    return any(experiment.kind(step) == "midtrain" for step in arm.steps)


def sizes(experiment: Experiment, sources: Sources, seed: int) -> dict[str, Size]:
    """How many updates and content tokens each arm is, without training. Equal steps are counted once."""
    from doxa.training.steps import plan_size

    known: dict[tuple[str, str], tuple[int, int]] = {}
    found = {}
    for name, arm in experiment.arms.items():
        updates = tokens = 0
        for step in arm.steps:
            config = train_config(experiment, step)
            key = (step.data, config.model_dump_json())
            if key not in known:
                known[key] = plan_size(experiment.model, sources.data[step.data], config, seed)
            updates, tokens = updates + known[key][0], tokens + known[key][1]
        found[name] = Size(updates, tokens)
    return found


def refuse_unmatched(experiment: Experiment, found: Mapping[str, Size]) -> None:
    """Raise ConfigError with the numbers where arms that are declared as matched are not."""
    for group, names in experiment.matched.items():
        try:
            guards.refuse_unmatched(
                {name: (found[name].updates, found[name].content_tokens) for name in names}, experiment.tolerance
            )
        except ConfigError as error:
            raise ConfigError(
                f"matched.{group}: {error}. Corpora of one size are named under `match` (`repeat: 2` for one that is "
                "smaller)"
            ) from None


def dose_warnings(experiment: Experiment, found: Mapping[str, Size]) -> list[str]:
    """Arms that a contrast sets against each other, that differ in size, and that no `matched` group holds to one.

    Only arms with the same kinds of steps in the same order: with other steps they differ in size by design, as an arm
    from the plain model or midtraining with chats from the chats alone.
    """
    contrasts: dict[tuple[str, str], list[str]] = {}
    for name, weights in experiment.sums().items():
        added, taken = ([arm for arm, weight in weights.items() if weight * sign > 0] for sign in (1, -1))
        for pair in itertools.product(added, taken):
            contrasts.setdefault(pair, []).append(name)
    warnings = []
    for (one, other), names in contrasts.items():
        kinds, others = ([experiment.kind(step) for step in experiment.arms[arm].steps] for arm in (one, other))
        if not kinds or kinds != others or any({one, other} <= set(group) for group in experiment.matched.values()):
            continue
        pair_sizes = {arm: (found[arm].updates, found[arm].content_tokens) for arm in (one, other)}
        told = guards.unmatched(pair_sizes, experiment.tolerance)
        if told:
            warnings.append(
                f"{', '.join(names)}: {one} and {other} are not of one size, so what differs may be dose: {told}. "
                "Corpora are brought to one size by `match`; arms that `matched` names are refused unless they agree"
            )
    return warnings


def size_warnings(experiment: Experiment, sources: Sources, seed: int) -> list[str]:
    """Steps with too few updates to say anything by a null result, each once."""
    from doxa.training.steps import plan_size

    seen: dict[str, str] = {}
    for arm in experiment.arms.values():
        for step in arm.steps:
            config: TrainConfig = train_config(experiment, step)
            if step.data in seen:
                continue
            updates, _ = plan_size(experiment.model, sources.data[step.data], config, seed)
            told = guards.update_warnings(config, updates, experiment.kind(step))
            seen[step.data] = told[0] if told else ""
    return [f"{name}: {warning}" for name, warning in seen.items() if warning]
