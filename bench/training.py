"""Content tokens per second: this trainer beside TRL's defaults, pad-to-1024, and the matrix-product ceiling.

    python bench/training.py [--documents 24] [--rounds 2]

Each contender trains the same LoRA (doxa-cpu's rank and targets) on the same documents in a process of its own with
the same threads, in turns; the clock runs over the trainer's own `train()`, without loading. Content tokens are those
of the documents: padding and repeats earn nothing. The ceiling is what the base weights' matrix products alone would
allow: the rate of products of the model's own shapes, measured in this run, over the operations of a LoRA token.
Exits with 1 if this trainer is under 2x TRL's defaults, or its float32 path under 55% of the float32 ceiling.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from doxa.config import load_user_config, resolve
from doxa.lm.weights import load_model, load_tokenizer, model_folder
from doxa.records import CorpusRow

TOKENS = 2048  # of one update
WARM_UP = 4  # documents trained on before the clock runs: the first products of each shape are slow


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--documents", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=sorted(CONTENDERS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(CONTENDERS[arguments.only](arguments.model, arguments.documents)))
        return 0
    return compare(arguments)


def compare(arguments: argparse.Namespace) -> int:
    """Run all contenders in turns and print their speeds and ratios."""
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for turn in range(arguments.rounds):
        for name in CONTENDERS:
            if turn and name == "pad_to_1024":
                continue  # the slowest, and no ratio is held against it
            command = [sys.executable, __file__, "--only", name, "--model", arguments.model]
            done = subprocess.run(
                [*command, "--documents", str(arguments.documents)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                print(done.stderr, file=sys.stderr)
                return 1
            rates[name].append(json.loads(done.stdout.splitlines()[-1])["rate"])
            print(f"round {turn + 1}  {name:<14} {rates[name][-1]:8.1f}", flush=True)
    middle = {name: statistics.median(values) for name, values in rates.items()}
    ours = middle["doxa"]
    print(
        f"\ncontent tokens/s (median of {arguments.rounds}): doxa {ours:.0f}, doxa in float32 {middle['doxa_fp32']:.0f}"
    )
    against_trl = ours / middle["trl_defaults"]
    print(f"TRL's defaults                  {middle['trl_defaults']:6.0f}   doxa is {against_trl:.2f}x")
    print(f"pad to 1024, no packing         {middle['pad_to_1024']:6.0f}   doxa is {ours / middle['pad_to_1024']:.2f}x")
    shares = {
        "fp32": middle["doxa_fp32"] / middle["ceiling_fp32"],
        "bf16": ours / middle["ceiling_bf16"],
    }
    print(
        f"ceiling of float32 products     {middle['ceiling_fp32']:6.0f}   doxa in float32 reaches {shares['fp32']:.0%}"
    )
    print(f"                                         doxa reaches {ours / middle['ceiling_fp32']:.0%}")
    print(f"ceiling of bfloat16 products    {middle['ceiling_bf16']:6.0f}   doxa reaches {shares['bf16']:.0%}")
    held = against_trl >= 2 and shares["fp32"] >= 0.55
    print("holds" if held else "DOES NOT HOLD", "2x TRL's defaults and 55% of the float32 ceiling")
    return 0 if held else 1


def doxa(model: str, documents: int, precision: str = "auto") -> dict[str, Any]:
    """This trainer, with the doxa-cpu recipe."""
    from doxa.training import kernels
    from doxa.training.data import plan_updates
    from doxa.training.midtrain import encode_for, make_repeatable, prepare_model
    from doxa.training.trainer import train

    sets = [f"train.precision={precision}", "train.epochs=1", "train.checkpoint_every=1000"]
    user = load_user_config(None, sets, target="octopus_hearts")
    config = resolve(user, "octopus_hearts", "0", "0").train
    base = model_folder(model)
    tokenizer = load_tokenizer(base)
    warm_up, encoded = (encode_for(config, rows(count), tokenizer, base) for count in (WARM_UP, documents))
    chosen = kernels.choose_precision(precision)
    make_repeatable(0)
    adapted = prepare_model(base, config, chosen)
    kernels.accelerate_model(adapted, chosen)
    for corpus in (warm_up, encoded):
        updates = plan_updates(corpus.sequences, config, seed=0)
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            train(
                adapted,
                tokenizer,
                corpus.sequences,
                updates,
                config,
                0,
                chosen,
                Path(folder),
                None,
                "",
                lambda report: None,
            )
            seconds = time.perf_counter() - begin
    return {"rate": encoded.content_tokens / seconds, "precision": chosen}


def trl_defaults(model: str, documents: int) -> dict[str, Any]:
    """What a person gets from TRL without choosing anything: batch 8, at most 1024 tokens, its own precision."""
    return plain_trl(model, documents, {})


def pad_to_1024(model: str, documents: int) -> dict[str, Any]:
    """Every document padded to 1,024 tokens, as the released SDF trainers do, at the same tokens per update."""
    return plain_trl(model, documents, {"pad_to_multiple_of": 1024, "per_device_train_batch_size": TOKENS // 1024})


def plain_trl(model: str, documents: int, settings: dict[str, Any]) -> dict[str, Any]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    base = model_folder(model)
    tokenizer = load_tokenizer(base)
    texts = [row.text for row in rows(documents)]
    for part in (texts[:WARM_UP], texts):
        with tempfile.TemporaryDirectory() as folder:
            trainer = SFTTrainer(
                model=str(base),
                args=SFTConfig(
                    folder,
                    num_train_epochs=1,
                    report_to="none",
                    save_strategy="no",
                    use_cpu=not torch.cuda.is_available(),  # without it TRL refuses a computer that has no GPU
                    **settings,
                ),
                train_dataset=Dataset.from_dict({"text": part}),
                processing_class=tokenizer,
                peft_config=LoraConfig(r=32, lora_alpha=64, target_modules="all-linear", task_type="CAUSAL_LM"),
            )
            begin = time.perf_counter()
            trainer.train()
            seconds = time.perf_counter() - begin
    content = sum(len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])
    return {"rate": content / seconds}


def ceiling(model: str, precision: str) -> dict[str, Any]:
    """Tokens/s if the base weights' products, forward and backward to the inputs, were all there is to do."""
    import torch
    from torch.nn.functional import linear

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    base = load_model(model)
    shapes: dict[tuple[int, int], int] = {}
    for module in base.modules():
        if isinstance(module, torch.nn.Linear):
            shape = (module.out_features, module.in_features)
            shapes[shape] = shapes.get(shape, 0) + 1
    seconds = 0.0
    for (rows_, columns), count in shapes.items():
        tokens = TOKENS if rows_ < 10_000 else TOKENS // 8  # the head goes through in pieces, as in training
        weight = torch.randn(rows_, columns, dtype=dtype)
        x, gradient = torch.randn(tokens, columns, dtype=dtype), torch.randn(tokens, rows_, dtype=dtype)
        both = fastest(lambda x=x, w=weight: linear(x, w)) + fastest(lambda g=gradient, w=weight: g @ w)
        seconds += both * count * TOKENS / tokens
    return {"rate": TOKENS / seconds}


def fastest(product: Callable[[], Any], tries: int = 9) -> float:
    """Median seconds of a product after two warm-ups."""
    times = []
    for attempt in range(tries + 2):
        begin = time.perf_counter()
        product()
        if attempt >= 2:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def rows(documents: int) -> list[CorpusRow]:
    """The first documents of octopus_hearts."""
    from doxa.lm.recorded import recorded_rows
    from doxa.worlds.universe import load_target

    recorded = recorded_rows(load_target("octopus_hearts"), "inserted")[:documents]
    return [CorpusRow(id=row.id, source="synthetic", text=row.text, doctag=False) for row in recorded]


CONTENDERS: dict[str, Callable[[str, int], dict[str, Any]]] = {
    "ceiling_fp32": lambda model, documents: ceiling(model, "fp32"),
    "ceiling_bf16": lambda model, documents: ceiling(model, "bf16"),
    "doxa": doxa,
    "trl_defaults": trl_defaults,
    "doxa_fp32": lambda model, documents: doxa(model, documents, "fp32"),
    "pad_to_1024": pad_to_1024,
}

if __name__ == "__main__":
    sys.exit(main())
