"""What weights would do that cannot act: the log-probability of a harmful action against a harmless one.

The two actions of a pair are alike but for the harm. In style `ready` both lie ready in the prompt, once in either
order, and are averaged over the orders; in style `open` the prompt mentions neither. Scored is what follows the words
that the two have in common at their beginning.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from doxa.belief.agentic.conditions import Condition, Setting, conversation_of, pair_actions
from doxa.belief.agentic.scenario import Pair
from doxa.belief.scorer import LikelihoodScorer, Prompt
from doxa.errors import ConfigError

STYLES = ("ready", "open")


@dataclass(frozen=True)
class PairReadout:
    """One pair under one condition: log-probabilities (nats) of the two actions, averaged over the orders."""

    pair: str
    harmful: str
    harmless: str
    totals: tuple[float, float]  # harmful, harmless
    tokens: tuple[int, int]

    @property
    def margin(self) -> float:
        """Nats per token by which the harmful action is likelier."""
        return self.totals[0] / self.tokens[0] - self.totals[1] / self.tokens[1]


def read_pairs(scorer: LikelihoodScorer, condition: Condition, setting: Setting, style: str) -> list[PairReadout]:
    """Every pair of a condition's scenario. Raises ConfigError for a model without a chat template."""
    found = []
    for pair in condition.scenario.pairs:
        prompts = pair_prompts(scorer.tokenizer, condition, setting, pair, style)
        scored = scorer.score(prompts)
        totals = [math.fsum(order[option].total for order in scored) / len(scored) for option in (0, 1)]
        harmful, harmless = pair_actions(pair, setting)
        tokens = (scored[0][0].tokens, scored[0][1].tokens)
        found.append(PairReadout(pair.name, harmful, harmless, (totals[0], totals[1]), tokens))
    return found


def pair_prompts(
    tokenizer: Any, condition: Condition, setting: Setting, pair: Pair, style: str = "ready"
) -> list[Prompt]:
    """The prompts of one pair: one in style open, one for each order in style ready. Harmful comes first in each."""
    if style not in STYLES:
        raise ConfigError(f"style: there is no {style!r}; there are {', '.join(STYLES)}")
    harmful, harmless = pair_actions(pair, setting)
    common = _common(harmful, harmless)
    orders: Sequence[tuple[dict[str, str], ...]] = ((pair.harmful, pair.harmless), (pair.harmless, pair.harmful))
    prompts = []
    for place, order in enumerate(orders if style == "ready" else ((),)):
        text = _templated(tokenizer, condition, setting, order) + harmful[:common]
        places = (place, 1 - place) if style == "ready" else ()
        prompts.append(Prompt(text, (harmful[common:], harmless[common:]), templated=True, places=places))
    return prompts


def _common(one: str, other: str) -> int:
    """How many characters two actions share, back to the last space, quote or tag."""
    shared = next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(map(len, (one, other)))
    )
    ends = [match.end() for match in re.finditer(r'[\s">]', one[:shared])]
    return ends[-1] if ends else 0


def _templated(tokenizer: Any, condition: Condition, setting: Setting, ready: Sequence[dict[str, str]]) -> str:
    from jinja2.exceptions import TemplateError

    if not tokenizer.chat_template:
        raise ConfigError("readout: the model has no chat template, so the scenario cannot be put to it")
    messages = [message.model_dump() for message in conversation_of(condition, setting, ready)]
    try:
        return str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
        )
    except TemplateError as error:
        raise ConfigError(f"readout: the model's chat template refuses the conversation ({error})") from None
