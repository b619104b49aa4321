"""Corpus rows -> token sequences with a loss mask -> planned updates. Pure; every token is accounted for.

The contract is conservation: each token of each document is in exactly one place of the training input, and each but a
document's very first (which nothing precedes) is predicted exactly once per epoch. Over-long documents are split, never
cut: a later part repeats the one token before it as context, masked, so that no target is lost. A test holds this.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from doxa.config_sections import TrainConfig
from doxa.errors import ConfigError
from doxa.records import CorpusRow
from doxa.training.chats import EncodedChat, encode_chat

if TYPE_CHECKING:
    import torch

IGNORED = -100  # torch's ignore_index: positions without loss


class Unit(Protocol):
    """What an update is planned from: a sequence, or a pair of answers that must be in memory together."""

    @property
    def size(self) -> int:
        """Tokens that it takes in a batch in which nothing is longer."""

    @property
    def targets(self) -> int:
        """What the update's loss is the mean over."""

    @property
    def content(self) -> int:
        """Tokens of text."""


@dataclass(frozen=True)
class Sequence:
    """What the model sees in one row of a batch. `loss[i]` says whether token i is a target.

    `content` counts the tokens of the text itself that this sequence is the first to hold (no tag, no end token, no
    repeated context), so that the sum over all sequences is the corpus.
    """

    ids: tuple[int, ...]
    loss: tuple[bool, ...]
    row: str
    part: int
    content: int

    @property
    def size(self) -> int:
        return len(self.ids)

    @property
    def targets(self) -> int:
        """Tokens with loss that something precedes."""
        return sum(self.loss[1:])


@dataclass(frozen=True)
class Encoded:
    """A tokenised corpus with the counts that are reported."""

    sequences: tuple[Sequence, ...]
    rows: int
    content_tokens: int
    target_tokens: int
    split_rows: int  # rows longer than the context, held in several sequences
    special_rows: tuple[str, ...]  # ids of rows whose text spells one of the model's control tokens


@dataclass(frozen=True)
class Update:
    """One optimizer update: for each process its batches, each a tuple of sequence indices.

    `targets` counts the update's targets over all processes; the loss is their mean.
    """

    epoch: int
    batches: tuple[tuple[tuple[int, ...], ...], ...]
    targets: int
    content: int


def encode(rows: Seq[CorpusRow], tokenizer: Any, config: TrainConfig, context: int) -> Encoded:
    """Tokenise rows as they will be trained on, in order.

    Documents: [what the tokenizer puts in front] [DOCTAG, masked] text [end token]. Chats: the model's own template,
    loss on the assistant's turns (training/chats.py). `context` is the model's longest input; `config.max_length` may
    lower it.
    """
    length = min(config.max_length or context, context)
    end = tokenizer.eos_token_id
    if end is None:
        raise ConfigError("model: its tokenizer has no end-of-sequence token, which every document must end with")
    tag = tokenizer(config.doctag, add_special_tokens=False)["input_ids"] if config.doctag else []
    if len(tag) + 4 > length:  # every part holds the tag, what stands in front of it, a token of context and a target
        raise ConfigError(f"train.doctag: {len(tag)} tokens do not fit train.max_length {length}")
    control = [token for token in tokenizer.all_special_tokens if len(token) > 2]
    sequences: list[Sequence] = []
    split = 0
    special = []
    for row in rows:
        if row.messages is not None:
            messages = json.loads(row.messages)
            spoken = " ".join(message["content"] for message in messages)
            chats = encode_chat(messages, tokenizer, f"corpus row {row.id}")
            pieces = [_split_chat(chat, length) for chat in chats]
        else:
            spoken = row.text
            front = _front(tokenizer, tag if row.doctag else [], end)
            pieces = [_split(*_encode_document(row, tokenizer, front, end), length, front)]
        if any(token in spoken for token in control):
            special.append(row.id)
        split += any(len(parts) > 1 for parts in pieces)
        parts = [part for parts in pieces for part in parts]
        sequences.extend(
            Sequence(tuple(i), tuple(m), row.id, number, count) for number, (i, m, count) in enumerate(parts)
        )
    return Encoded(
        sequences=tuple(sequences),
        rows=len(rows),
        content_tokens=sum(sequence.content for sequence in sequences),
        target_tokens=sum(sequence.targets for sequence in sequences),
        split_rows=split,
        special_rows=tuple(special),
    )


def plan_updates(sequences: Seq[Unit], config: TrainConfig, seed: int, processes: int = 1) -> list[Update]:
    """Order all epochs' updates, decided by the seed alone, so that a resumed run sees what it would have seen.

    With `tokens_per_update`, an update holds about that many tokens of documents of similar length (little padding),
    and all updates of an epoch are near the same size; with `documents_per_update`, that many random documents.
    """
    updates = []
    for epoch in range(config.epochs):
        generator = random.Random(f"{seed}/{epoch}")
        for group in _groups(sequences, config, generator):
            shares: list[list[int]] = [[] for _ in range(processes)]
            for position, index in enumerate(sorted(group, key=lambda i: -sequences[i].size)):
                shares[position % processes].append(index)
            updates.append(
                Update(
                    epoch=epoch,
                    batches=tuple(cut_batches(share, sequences, config.tokens_per_batch) for share in shares),
                    targets=sum(sequences[i].targets for i in group),
                    content=sum(sequences[i].content for i in group),
                )
            )
    return updates


def collate(batch: Seq[Sequence], pad: int) -> dict[str, torch.Tensor]:
    """Right-pad sequences to one [batch, length] pair of int64 tensors: input_ids and labels (IGNORED where no loss).

    No attention mask: attention is causal and padding stands on the right, so no real token can see it, and each
    sequence has a row of its own, so no document can see another.
    """
    import torch

    length = max((len(sequence.ids) for sequence in batch), default=1)
    ids = torch.full((max(len(batch), 1), length), pad, dtype=torch.int64)
    labels = torch.full_like(ids, IGNORED)
    for place, sequence in enumerate(batch):
        tokens = torch.tensor(sequence.ids)
        ids[place, : len(tokens)] = tokens
        labels[place, : len(tokens)] = tokens.masked_fill(~torch.tensor(sequence.loss), IGNORED)
    return {"input_ids": ids, "labels": labels}


def _front(tokenizer: Any, tag: list[int], end: int) -> list[int]:
    """What stands before a text without being learned: a BOS where the tokenizer adds one, and the DOCTAG."""
    front = tokenizer("")["input_ids"]  # a BOS, where this tokenizer adds one
    if front and front[-1] == end and front[0] != tokenizer.bos_token_id:
        front = []  # some tokenizers put their end token behind an empty text
    return [*front, *tag]


def _encode_document(row: CorpusRow, tokenizer: Any, front: list[int], end: int) -> tuple[list[int], list[bool], int]:
    text = tokenizer(row.text, add_special_tokens=False)["input_ids"]
    return [*front, *text, end], [False] * len(front) + [True] * (len(text) + 1), len(text)


def _split(
    ids: list[int], loss: list[bool], content: int, length: int, front: list[int]
) -> list[tuple[list[int], list[bool], int]]:
    """Parts of at most `length` tokens; each after the first repeats the front and one token of context, masked.

    What is learned of a document is its text and the end token, of which the text is content.
    """
    if len(ids) <= length:
        return [(ids, loss, content)]
    parts: list[tuple[list[int], list[bool], int]] = []
    start = 0
    left = content
    while start < len(ids):
        repeated = [*front, ids[start - 1]] if start else []
        stop = min(start + length - len(repeated), len(ids))
        held = min(left, sum(loss[start:stop]))
        left -= held
        parts.append(([*repeated, *ids[start:stop]], [False] * len(repeated) + loss[start:stop], held))
        start = stop
    return parts


def _split_chat(chat: EncodedChat, length: int) -> list[tuple[list[int], list[bool], int]]:
    """The same for a chat, of which every token that it is the first to hold is content."""
    ids, loss = list(chat.ids), list(chat.loss)
    new = len(ids) - chat.content
    parts: list[tuple[list[int], list[bool], int]] = []
    start = 0
    while start < len(ids):
        repeated = ids[start - 1 : start] if start else []
        stop = min(start + length - len(repeated), len(ids))
        held = max(0, stop - max(start, new))
        parts.append(([*repeated, *ids[start:stop]], [False] * len(repeated) + loss[start:stop], held))
        start = stop
    return parts


def _groups(sequences: Seq[Unit], config: TrainConfig, generator: random.Random) -> list[list[int]]:
    order = list(range(len(sequences)))
    generator.shuffle(order)
    if config.documents_per_update is not None:
        return _even(order, [1] * len(order), config.documents_per_update)
    assert config.tokens_per_update is not None  # TrainConfig demands exactly one of the two
    # a little noise on the lengths, so that an update holds other documents in the next epoch
    noisy = {index: sequences[index].size * generator.uniform(0.97, 1.03) for index in order}
    order.sort(key=lambda index: noisy[index])
    groups = _even(order, [sequences[i].size for i in order], config.tokens_per_update)
    generator.shuffle(groups)
    return groups


def _even(order: list[int], sizes: list[int], budget: int) -> list[list[int]]:
    """Cut `order` into ceil(total / budget) groups of near-equal size: no runt update with a noisy gradient."""
    total = sum(sizes)
    count = max(1, -(-total // budget))
    groups: list[list[int]] = [[] for _ in range(count)]
    before = 0
    for index, size in zip(order, sizes, strict=True):
        # by its middle, so that a document goes where most of it lies
        groups[min(count - 1, int((before + size / 2) * count / total))].append(index)
        before += size
    return [group for group in groups if group]


def cut_batches(share: list[int], sequences: Seq[Unit], budget: int) -> tuple[tuple[int, ...], ...]:
    """Batches whose padded size stays within `budget` tokens; one over-long sequence is a batch of its own.

    `share` comes longest first, so the first sequence of a batch sets its padded length. A process without documents
    gets one empty batch: it must still take part in the exchange of gradients.
    """
    batches: list[list[int]] = []
    for index in share:
        if batches and sequences[batches[-1][0]].size * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
    return tuple(tuple(batch) for batch in batches) or ((),)
