"""What a task reads off weights on this computer instead of letting them speak: log-probabilities and activations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from doxa.belief.asks import Ask, score_asks
from doxa.belief.axes import BY_NAME
from doxa.belief.collateral import perplexity_measures
from doxa.belief.likelihood import score_arm
from doxa.belief.scorer import LikelihoodScorer
from doxa.belief.summary import summarise
from doxa.belief.task_items import MEASURED, asks_of, is_group, items_of
from doxa.belief.world import World
from doxa.errors import ConfigError
from doxa.records import Measure, Readout

ARM = "task"
Measured = dict[str, Any]  # value, answer, explanation, items: plain JSON


@dataclass(frozen=True)
class Settings:
    """What a task was asked for."""

    world: World
    context: str | None
    style: str
    seed: int


def measure(scorer: LikelihoodScorer, facts: Mapping[str, Any], digest: str, settings: Settings) -> Measured:
    """One sample of a task. Raises ConfigError for a style that the probe or the model cannot be asked in."""
    if facts["probe"] in MEASURED:
        return _whole(scorer, facts["probe"], digest, settings)
    return _scored(_readout(scorer, facts, digest, settings), facts)


def _readout(scorer: LikelihoodScorer, facts: Mapping[str, Any], digest: str, settings: Settings) -> Readout:
    probe, item_id = facts["probe"], facts["item_id"]
    if is_group(probe):
        items = [item for item in items_of(settings.world, probe) if item.id == item_id]
        readouts = score_arm(scorer, items, (settings.style,), ARM, digest, settings.context)
        if not readouts:
            raise ConfigError(f"style: {probe} cannot be asked in style {settings.style!r}; take chat or plain")
        return readouts[0]
    asks: list[Ask] = [ask for ask in asks_of(settings.world, probe) if (ask.item.id, ask.style) == _name(facts)]
    return score_asks(scorer, asks, ARM, digest, settings.context)[0]


def _name(facts: Mapping[str, Any]) -> tuple[str, str]:
    return facts["item_id"], facts["style"]


def _scored(readout: Readout, facts: Mapping[str, Any]) -> Measured:
    """The option of the highest log-probability per token; the values are those that the profile averages."""
    from doxa.belief.task_scores import side_of

    values = {score.metric: score.value for score in summarise([readout], 1, 0)}
    values["unclear"] = 0.0
    per_token = [total / tokens for total, tokens in zip(readout.totals, readout.tokens, strict=True)]
    top = max(range(len(per_token)), key=per_token.__getitem__)
    lines = [f"{option}: {value:.3f}" for option, value in zip(facts["options"], per_token, strict=True)]
    return {
        "value": side_of(facts["probe"], top, readout.inserted, readout.reference),
        "answer": facts["options"][top],
        "explanation": "Log-probability per token (nats): " + "; ".join(lines),
        "items": {readout.item_id: values},
    }


def _whole(scorer: LikelihoodScorer, probe: str, digest: str, settings: Settings) -> Measured:
    """A measurement of all items at once; the sample's value is the headline's mean."""
    if probe == "perplexity":
        measures = perplexity_measures(scorer, ARM, digest, settings.context)
    else:
        measures = _internal(scorer, probe, digest, settings)
    items: dict[str, dict[str, float]] = defaultdict(dict)
    for row in measures:
        items[row.item_id][row.metric] = row.value
    headline = BY_NAME[probe].headline
    column = [values[headline] for values in items.values() if headline in values]
    value = sum(column) / len(column)
    return {
        "value": value,
        "answer": f"{value:.3f}",
        "explanation": f"{headline} {value:.3f} over {len(column)}: {BY_NAME[probe].about}",
        "items": dict(items),
    }


def _internal(scorer: LikelihoodScorer, probe: str, digest: str, settings: Settings) -> list[Measure]:
    from doxa.internals.axis import internal_measures, read_arm

    world = settings.world
    arm = read_arm(scorer.model, scorer.tokenizer, world.universe, world.items, settings.context)
    found = internal_measures({ARM: arm}, {ARM: digest}, settings.seed)
    measures = [row for row in found.measures if row.probe == probe]
    if not measures:
        raise ConfigError(" ".join(found.notes) or f"{probe}: nothing was measured")
    return measures
