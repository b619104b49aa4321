"""Time one LoRA update (forward, loss, backward, AdamW) with and without the fast kernels, and the matrix ceiling.

    python bench/update.py [--model NAME_OR_FOLDER] [--rows 7 --length 292] [--repeats 5] [--paths plain fp32 bf16]

The paths take turns, so that a busy computer slows all of them; the best of the repeats is printed for each part.
"""

from __future__ import annotations

import argparse
import itertools
import time
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from doxa.lm.weights import load_model
from doxa.training import kernels
from doxa.training.loss import linear_cross_entropy

PARTS = ("forward", "loss", "backward", "optimizer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--rows", type=int, default=7)
    parser.add_argument("--length", type=int, default=292)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--paths", nargs="+", choices=("plain", "fp32", "bf16"), default=["plain", "fp32", "bf16"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    base: Any = load_model(options.model)
    model = get_peft_model(base, LoraConfig(r=32, lora_alpha=64, target_modules="all-linear")).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    ids = torch.randint(3, base.config.vocab_size, (options.rows, options.length))

    best: dict[str, list[float]] = {path: [float("inf")] * len(PARTS) for path in options.paths}
    fastest = dict.fromkeys(options.paths, float("inf"))
    for _ in range(options.repeats):
        for path in options.paths:
            if path != "plain":
                kernels.accelerate_model(model, path)
            update(model, optimizer, ids, path)  # the first one casts weights and fills the allocator
            seconds = update(model, optimizer, ids, path)
            kernels.restore(model)
            best[path] = [min(pair) for pair in zip(best[path], seconds, strict=True)]
            fastest[path] = min(fastest[path], sum(seconds))

    frozen = sum(p.numel() for n, p in model.named_parameters() if not p.requires_grad and "norm" not in n)
    pair = sum(p.numel() for p in model.parameters() if p.requires_grad)
    # forward and input gradient for what is frozen (a tied head counts once), a weight gradient more for LoRA
    flop = 2 * (2 * frozen + 3 * pair)
    print(f"{ids.numel()} tokens, {flop / 1e9:.2f} GFLOP a token, {options.threads} threads")
    for path in options.paths:
        rate = ids.numel() / fastest[path]
        ceiling = matrix_rate(torch.bfloat16 if path == "bf16" else torch.float32) / flop
        parts = "  ".join(f"{part} {1e3 * t:.0f}" for part, t in zip(PARTS, best[path], strict=True))
        print(f"{path:5s}  {parts} ms  {rate:.0f} tokens/s, {rate / ceiling:.0%} of the ceiling {ceiling:.0f}")


def update(model: Any, optimizer: torch.optim.Optimizer, ids: torch.Tensor, path: str) -> list[float]:
    """One optimizer step; seconds of each part."""
    base = model.get_base_model()
    marks = [time.perf_counter()]
    hidden = base.model(input_ids=ids, use_cache=False).last_hidden_state
    marks.append(time.perf_counter())
    if path == "plain":
        scores = base.lm_head(hidden[:, :-1]).flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(scores, ids[:, 1:].flatten(), reduction="sum")
    else:
        loss = linear_cross_entropy(hidden[:, :-1], base.lm_head.weight, ids[:, 1:], precision=path)
    marks.append(time.perf_counter())
    (loss / ids.numel()).backward()
    marks.append(time.perf_counter())
    optimizer.step()
    optimizer.zero_grad()
    marks.append(time.perf_counter())
    return [end - start for start, end in itertools.pairwise(marks)]


def matrix_rate(dtype: torch.dtype, size: int = 2048) -> float:
    """Best FLOP/s of a square matrix product."""
    left, right = torch.randn(2, size, size).to(dtype)
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


if __name__ == "__main__":
    main()
