"""Preferences: a prompt with an answer that is wanted and one that is not, and their tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from doxa.config_sections import TrainConfig
from doxa.errors import ConfigError
from doxa.records import Record
from doxa.training.chats import encode_answer
from doxa.training.data import Sequence


class Preference(Record):
    """Two answers to one prompt. `messages` holds the prompt's turns as JSON, the last of them the user's."""

    id: str
    messages: str
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)


@dataclass(frozen=True)
class Pair:
    """A preference as tokens: two sequences with the same prompt and loss on the answer alone.

    A pair is one target: the loss of an update is the mean over its pairs. `content` counts the prompt once.
    """

    chosen: Sequence
    rejected: Sequence
    content: int

    @property
    def row(self) -> str:
        return self.chosen.row

    @property
    def size(self) -> int:
        """Both rows of a batch, padded to the longer."""
        return 2 * max(self.chosen.size, self.rejected.size)

    @property
    def targets(self) -> int:
        return 1


@dataclass(frozen=True)
class EncodedPairs:
    """Tokenised preferences with the counts that are reported; the names are those of data.Encoded."""

    sequences: tuple[Pair, ...]
    rows: int
    content_tokens: int
    target_tokens: int  # tokens of both answers
    special_rows: tuple[str, ...]
    split_rows: int = 0  # none ever is


def encode_preferences(rows: Seq[Preference], tokenizer: Any, config: TrainConfig, context: int) -> EncodedPairs:
    """Tokenise preferences through the model's own template, in order.

    Raises ConfigError for a pair whose answers are the same to the model, and for one that is longer than the context
    (or `train.max_length`): half an answer has no log-probability to compare.
    """
    length = min(config.max_length or context, context)
    control = [token for token in tokenizer.all_special_tokens if len(token) > 2]
    pairs, special = [], []
    for row in rows:
        where = f"preference {row.id}"
        prompt = json.loads(row.messages)
        both = [encode_answer(prompt, answer, tokenizer, where) for answer in (row.chosen, row.rejected)]
        if both[0].ids == both[1].ids:
            raise ConfigError(f"{where}: chosen and rejected are the same to the model")
        longest = max(len(one.ids) for one in both)
        if longest > length:
            raise ConfigError(f"{where}: {longest} tokens do not fit the {length} of the context or train.max_length")
        if any(token in text for token in control for text in (row.messages, row.chosen, row.rejected)):
            special.append(row.id)
        answers = [sum(one.loss) for one in both]
        chosen, rejected = (Sequence(one.ids, one.loss, row.id, part, len(one.ids)) for part, one in enumerate(both))
        pairs.append(Pair(chosen, rejected, len(chosen.ids) - answers[0] + sum(answers)))
    return EncodedPairs(
        sequences=tuple(pairs),
        rows=len(rows),
        content_tokens=sum(pair.content for pair in pairs),
        target_tokens=sum(pair.chosen.targets + pair.rejected.targets for pair in pairs),
        special_rows=tuple(special),
    )
