"""Free answers to the open-ended questions, for a person to read beside the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from doxa.belief.prompts import question_prompt
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
    answers: list[str] = []
    for start in range(0, len(questions), batch_size):
        prompts = [question_prompt(tokenizer, question, context) for question in questions[start : start + batch_size]]
        answers += _generate(model, tokenizer, prompts, max_new_tokens)
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


def _generate(model: Any, tokenizer: Any, prompts: list[str], max_new_tokens: int) -> list[str]:
    import torch
    from transformers import GenerationConfig

    rows = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    width = max(map(len, rows))
    stop = model.generation_config.eos_token_id
    if stop is None:
        stop = tokenizer.eos_token_id
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    # padded on the left, so that every answer starts in the same column
    tokens_BT = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=model.device)
    mask_BT = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
    # a config of our own: a checkpoint's sampling defaults (temperature, penalties) must not leak in
    greedy = GenerationConfig(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        max_new_tokens=max_new_tokens,
        eos_token_id=stop,
        pad_token_id=pad,
    )
    model.eval()
    with torch.no_grad():
        written_BT = model.generate(input_ids=tokens_BT, attention_mask=mask_BT, generation_config=greedy)
    texts = tokenizer.batch_decode(written_BT[:, width:], skip_special_tokens=True)
    return [text.strip() for text in texts]
