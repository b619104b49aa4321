"""Weights on this computer as a language model: batched sampling that gives the same answers for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Messages = list[dict[str, str]]


def generate(
    model: Any,
    tokenizer: Any,
    conversations: list[Messages],
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = 16,
    on_answer: Callable[[int, str], None] | None = None,
) -> list[str]:
    """One answer per conversation, in order; greedy at temperature 0.

    Conversations are batched as they come, and each batch is seeded by its own place, so asking for the first n only,
    in whole batches, gives the same first n. `on_answer(index, text)` hears of each answer as its batch ends.
    """
    import torch

    device = next(model.parameters()).device
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    answers: list[str] = []
    for start in range(0, len(conversations), batch_size):
        batch = conversations[start : start + batch_size]
        prompts = [
            tokenizer(
                tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True),
                add_special_tokens=False,
            )["input_ids"]
            for conversation in batch
        ]
        longest = max(len(prompt) for prompt in prompts)
        ids = torch.full((len(prompts), longest), pad, device=device)
        mask = torch.zeros_like(ids)
        for place, prompt in enumerate(prompts):  # padded on the left, so that all answers begin at one column
            ids[place, longest - len(prompt) :] = torch.tensor(prompt, device=device)
            mask[place, longest - len(prompt) :] = 1
        sampling: dict[str, Any] = (
            {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
            if temperature > 0
            else {"do_sample": False}
        )
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(seed * 1_000_003 + start)
            out = model.generate(
                input_ids=ids, attention_mask=mask, max_new_tokens=max_new_tokens, pad_token_id=pad, **sampling
            )
        for place, row in enumerate(out[:, longest:]):
            text = tokenizer.decode(row, skip_special_tokens=True).strip()
            answers.append(text)
            if on_answer is not None:
                on_answer(start + place, text)
    return answers
