"""Runs that hold a trained checkpoint, made in a second: an adapter of random numbers, or a whole tiny model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tiny_model: Path, tmp_path: Path) -> MakeRun:
    """A factory of run folders after midtraining: make_run("one", seed=1), make_run("two", method="full").

    Each trained the tiny model; another seed makes other weights.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    from doxa.lm.weights import load_model, load_tokenizer
    from doxa.run.folder import write_json
    from doxa.training.checkpoint import save_final

    def make(name: str, seed: int = 1, method: str = "lora", base: Path = tiny_model) -> Path:
        folder = tmp_path / name
        shutil.rmtree(folder, ignore_errors=True)
        model = load_model(base)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if method == "lora":
                # strong enough for the likeliest words to change
                settings = LoraConfig(
                    r=8,
                    lora_alpha=256,
                    target_modules="all-linear",
                    init_lora_weights=False,
                    task_type="CAUSAL_LM",
                )
                trained = get_peft_model(model, settings)
            else:
                trained = model
                with torch.no_grad():
                    for weights in model.parameters():
                        weights += 0.2 * torch.randn_like(weights)
        (folder / "stages").mkdir(parents=True)
        write_json(folder / "config.json", {"model": str(base)})
        about = {"model": str(base), "method": method, "recipe": "doxa-cpu", "seed": seed}
        save_final(trained, load_tokenizer(base), folder / "checkpoints", base, about)
        return folder

    return make
