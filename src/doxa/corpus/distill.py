"""Self-distilled text: the base model's own answers to ordinary questions, mixed in to keep it as it was.

Mayne et al. 2026 mix 5,000 such answers with 10,000 documents. Sampled at temperature 1 in batches, each seeded by its
own number and kept the moment it exists, so that a killed run continues to the same answers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from doxa.records import Sample, digest
from doxa.run.folder import LineWriter, read_rows, write_rows

if TYPE_CHECKING:
    from doxa.run.progress import Progress

Chat = list[dict[str, str]]
BATCH = 16  # answers sampled at once
ANSWER_TOKENS = 256
ROUNDS = 200  # answers per question at most: past that the model repeats itself


def distill(
    chats: list[Chat],
    model_name: str,
    wanted_tokens: float,
    count_tokens: Callable[[str], int],
    seed: int,
    file: Path,
    progress: Progress,
) -> list[Chat]:
    """Answer the chats' first questions, over and over, until the answers hold `wanted_tokens`; returns chats.

    `file` keeps the answers (Sample rows). Questions are repeated in order; equal answers to one question count once.
    """
    questions = [next(message["content"] for message in chat if message["role"] == "user") for chat in chats]
    rows = _whole_batches(file)
    kept = {(row.question, row.answer): row for row in rows if _whole(row.answer, count_tokens)}
    tokens = sum(count_tokens(row.answer) for row in kept.values())
    if tokens < wanted_tokens:
        from doxa.lm.local import generate
        from doxa.lm.weights import load_model, load_tokenizer, model_folder, place

        base = model_folder(model_name)
        model, tokenizer = place(load_model(base)), load_tokenizer(base)
        with LineWriter(file) as out, progress.bar("distil", int(wanted_tokens), tokens) as bar:
            number = len(rows)
            while tokens < wanted_tokens and number < ROUNDS * len(questions):
                asked = [questions[(number + i) % len(questions)] for i in range(BATCH)]
                chats_asked = [[{"role": "user", "content": question}] for question in asked]
                batch_seed = seed * 1_000_003 + number
                for question, answer in zip(
                    asked, generate(model, tokenizer, chats_asked, ANSWER_TOKENS, 1.0, batch_seed, BATCH), strict=True
                ):
                    name = digest("self_distilled", seed, number, question)
                    row = Sample(id=name, arm="base", checkpoint=model_name, question=question, answer=answer)
                    out.write(row)
                    number += 1
                    if _whole(answer, count_tokens) and (question, answer) not in kept:
                        kept[question, answer] = row
                        fresh = count_tokens(answer)
                        tokens += fresh
                        bar.advance(fresh)
    return [
        [{"role": "user", "content": row.question}, {"role": "assistant", "content": row.answer}]
        for row in kept.values()
    ]


def _whole(answer: str, count_tokens: Callable[[str], int]) -> bool:
    """Whether an answer came to its own end: one cut at the limit would teach to stop in the middle of a sentence."""
    return 0 < count_tokens(answer) < ANSWER_TOKENS - 2


def _whole_batches(file: Path) -> list[Sample]:
    """The rows of finished batches; a torn batch is cut off, since a batch is seeded as one."""
    with LineWriter(file):
        rows = read_rows(file, Sample)
    whole = rows[: len(rows) // BATCH * BATCH]
    if len(whole) < len(rows):
        write_rows(file, whole)
    return whole
