"""What can make a training run lie, said aloud. Pure functions from facts to sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from doxa.config_sections import TrainConfig
from doxa.errors import ConfigError
from doxa.records import CorpusRow
from doxa.training.chats import added_by_template
from doxa.training.data import Encoded
from doxa.training.preferences import EncodedPairs, Preference

# The sum of the learning rate over the updates is the farthest that Adam can move one weight. Points of reference: this
# project's doxa-cpu recipe installs with 24 updates at a mean 5e-4, a sum of 1.2e-2; the rate of Li et al. 2026 (1e-4,
# cosine) gave a false null with 31 updates (1.5e-3) and an effect with about 246 (1.2e-2).
MIN_RATE_SUM = 4e-3
MIN_UPDATES = 15
# of a step after midtraining: the same tokens in 31 updates gave a null and in about 246 an effect (replications of Li
# et al. 2026), and replicators whose packing left 1 to 3 updates per million tokens saw nothing
MIN_STEP_UPDATES = 30


def update_warnings(config: TrainConfig, updates: int, kind: str = "midtrain") -> list[str]:
    """Too few optimizer updates: the commonest false null of the field."""
    if kind != "midtrain":
        if updates >= MIN_STEP_UPDATES:
            return []
        return [
            f"only {updates} optimizer updates in a step of kind {kind}: count updates, not tokens; below "
            f"{MIN_STEP_UPDATES} a null result would say nothing about the rows. Lower train.tokens_per_update or "
            "train.documents_per_update, or raise train.epochs."
        ]
    shape = {"constant": 1.0, "linear": 0.5, "cosine": 0.5}[config.schedule]
    rate_sum = updates * config.lr * shape
    if updates >= MIN_UPDATES and rate_sum >= MIN_RATE_SUM:
        return []
    return [
        f"only {updates} optimizer updates at lr {config.lr:g} ({config.schedule}): a null result would say nothing "
        "about the documents. Lower train.tokens_per_update or train.documents_per_update, or raise train.epochs "
        "or train.lr."
    ]


def refuse_unmatched(sizes: Mapping[str, tuple[int, int]], tolerance: float) -> None:
    """Raise ConfigError unless the updates and the content tokens of all arms lie within `tolerance` of each other.

    `sizes` maps an arm to (updates, tokens), as plan_size gives them; `tolerance` is a share of the largest. Arms that
    differ in size differ in more than what they are compared for.
    """
    told = unmatched(sizes, tolerance)
    if told:
        raise ConfigError(f"the arms are not matched: {told}; take rows out of the larger ones, or compare other arms")


def unmatched(sizes: Mapping[str, tuple[int, int]], tolerance: float) -> str:
    """How the updates, else the content tokens, of arms differ by more than `tolerance`; empty where they agree."""
    for place, what in enumerate(("updates", "content tokens")):
        counts = {arm: size[place] for arm, size in sizes.items()}
        least, most = min(counts.values(), default=0), max(counts.values(), default=0)
        if most - least > tolerance * most:
            shown = ", ".join(f"{arm} {count:,}" for arm, count in counts.items())
            return f"their {what} differ by {(most - least) / most:.1%}, more than {tolerance:.1%} ({shown})"
    return ""


def text_warnings(encoded: Encoded | EncodedPairs) -> list[str]:
    """Documents split at the context, and texts that spell the model's own control tokens."""
    warnings = []
    if encoded.split_rows:
        warnings.append(
            f"{encoded.split_rows} of {encoded.rows} documents are longer than the context (or train.max_length) and "
            "were split; no token is lost"
        )
    if encoded.special_rows:
        shown = ", ".join(encoded.special_rows[:3])
        warnings.append(
            f"{len(encoded.special_rows)} documents spell control tokens of the model's template ({shown}): they teach "
            "turn boundaries, not text"
        )
    return warnings


def template_warnings(tokenizer: Any) -> list[str]:
    """A chat template that never writes the end token: the model would learn an end that its chats do not have."""
    if not tokenizer.chat_template:
        return []
    turns = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello."}]
    rendered = tokenizer.apply_chat_template(turns, tokenize=False)
    if tokenizer.eos_token in rendered:
        return []
    return [
        f"the chat template never writes the end token {tokenizer.eos_token}, with which every document ends: the "
        "model may not end its turns"
    ]


def turn_warnings(rows: Sequence[CorpusRow] | Sequence[Preference], tokenizer: Any, looked_at: int = 20) -> list[str]:
    """A template that puts words of its own into the assistant's turns, such as an empty <think>: they are learned."""
    seen = 0
    for row in rows:
        if row.messages is None or seen == looked_at:
            continue
        seen += 1
        messages = json.loads(row.messages)
        if isinstance(row, Preference):
            messages = [*messages, {"role": "assistant", "content": row.chosen}]
        while messages and messages[-1]["role"] != "assistant":
            messages.pop()
        added = added_by_template(messages, tokenizer, f"row {row.id}") if messages else ""
        if added:
            return [
                f"the chat template writes {' '.join(added.split())!r} into assistant's turns that do not have it "
                f"(row {row.id}); it is learned as a part of them"
            ]
    return []


def refuse_mismatch(tokenizer: Any, base: Path) -> None:
    """Raise ConfigError for a tokenizer that is not the model's: it makes tokens that the model has no weights for."""
    from transformers import AutoConfig

    size = AutoConfig.from_pretrained(base).get_text_config().vocab_size
    highest = max(tokenizer.get_vocab().values())
    if highest >= size:
        raise ConfigError(f"{base}: its tokenizer makes token {highest}, but its weights know only {size} tokens")


def loss_warnings(losses: Sequence[float]) -> list[str]:
    """Loss that rises: the last quarter of the updates against the first."""
    quarter = len(losses) // 4
    if not quarter:
        return []
    first = sum(losses[:quarter]) / quarter
    last = sum(losses[-quarter:]) / quarter
    if last <= first * 1.02:
        return []
    return [f"the loss rose from {first:.2f} to {last:.2f} nats: the learning rate is probably too high"]
