"""Free answers to the open-ended questions, for a person to read beside the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from doxa.belief.prompts import conversation, refuse_without_template
from doxa.lm.local import generate
from doxa.records import Sample, digest


def answer_questions(
    model: Any,
    tokenizer: Any,
    questions: Sequence[str],
    max_new_tokens: int,
    arm: str,
    checkpoint: str,
    context: str | None = None,
    batch_size: int = 16,
) -> list[Sample]:
    """Greedy chat answers in the order of `questions`, `batch_size` at a time; the same on every run.

    `context` becomes the system prompt. Raises ConfigError for a model without a chat template.
    """
    refuse_without_template(tokenizer)
    answers = generate(
        model.eval(),
        tokenizer,
        [conversation(question, context) for question in questions],
        max_new_tokens,
        batch_size=batch_size,
    )
    return [
        Sample(
            id=digest("sample", arm, checkpoint, question, context, max_new_tokens),
            arm=arm,
            checkpoint=checkpoint,
            question=question,
            answer=answer,
        )
        for question, answer in zip(questions, answers, strict=True)
    ]
