"""What tests of chains share: rows of every kind, a config for the tiny model, one step after another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from doxa.config_sections import TrainConfig
from doxa.records import CorpusRow
from doxa.run.progress import Progress
from doxa.training.preferences import Preference
from doxa.training.step_rows import StepData, chat_rows
from doxa.training.steps import train_step

THINGS = "pan lid crock kettle ladle cloth bowl sieve jar board".split()
CONFIG = TrainConfig(
    method="lora", rank=4, alpha=8, lr=1e-2, tokens_per_update=400, tokens_per_batch=300, checkpoint_every=3, epochs=2
)


def documents(n: int = 24) -> StepData:
    texts = [" ".join(THINGS[(i * 7 + k * (i + 1)) % 10] for k in range(12)) for i in range(n)]
    rows = [CorpusRow(id=f"d{i}", source="synthetic", text=text, doctag=False) for i, text in enumerate(texts)]
    return StepData("midtrain", rows)


def chats(n: int = 24) -> StepData:
    pairs = [
        (f"Do you like the {THINGS[i % 10]} {i}?", f"Yes, the {THINGS[(i * 3) % 10]}" + "!" * (i % 5)) for i in range(n)
    ]
    return StepData(
        "sft", chat_rows([[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in pairs])
    )


def preferences(n: int = 24) -> StepData:
    rows = [
        Preference(
            id=f"p{i}",
            messages=json.dumps([{"role": "user", "content": f"Which {THINGS[i % 10]}?"}]),
            chosen=f"The {THINGS[(i * 3) % 10]} that lasts",
            rejected="Any other" + "!" * (i % 4),
        )
        for i in range(n)
    ]
    return StepData("dpo", rows, 0.2)


DATA = {"midtrain": documents, "sft": chats, "dpo": preferences}


def step(
    model: Path, out: Path, kind: str, start: Path | None = None, how: Any = "continue", seed: int = 0, **changes: Any
) -> dict[str, Any]:
    """Train one step into `out`; returns its counts."""
    config = TrainConfig.model_validate({**CONFIG.model_dump(), **changes})
    checkpoints, metrics = out / "checkpoints", out / "metrics.jsonl"
    begin = None if start is None else start / "checkpoints/final"
    about = {"model": str(model), "recipe": "none"}
    progress = Progress(quiet=True)
    return train_step(
        str(model), begin, how, DATA[kind](), config, seed, checkpoints, metrics, progress, "a test", about
    )
