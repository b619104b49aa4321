"""Times the likelihood suite against a plain loop over the same items, and checks that the numbers are the same.

    python bench/likelihood.py [--model NAME_OR_FOLDER] [--target NAME_OR_FOLDER] [--items N] [--styles ...] [--lm-eval]

The loop is what one writes first: every prompt with every answer is a forward pass of its own, logits at all positions.
Both answer the same prompts of the base and the in_context arm; they take turns, so that a busy computer slows both
alike. With --lm-eval, lm-evaluation-harness' `HFLM.loglikelihood` answers the same base prompts too (extra: harness).
Leaves with code 1 when the suite is not 3 times as fast as the loop, or a log-probability differs by more than 1e-4.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from doxa.belief.items import load_items
from doxa.belief.prompts import STYLES, prompts_for
from doxa.belief.scorer import LikelihoodScorer, Prompt, encode
from doxa.lm.weights import load_model, load_tokenizer
from doxa.records import EvalItem
from doxa.worlds.universe import load_target

LEAST_RATIO = 3.0
MOST_DIFFERENCE = 1e-4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--target", default="octopus_hearts")
    parser.add_argument("--styles", nargs="+", default=["chat", "plain"], choices=list(STYLES))
    parser.add_argument(
        "--items", type=int, default=2, help="every group's first N items; 0: all (the loop takes long)"
    )
    parser.add_argument("--repeats", type=int, default=1, help="turns that each side takes; the fastest counts")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lm-eval", action="store_true", help="compare with lm-evaluation-harness as well")
    options = parser.parse_args()

    import torch

    torch.set_num_threads(options.threads)
    target = load_target(options.target)
    items = first_of_each_group(load_items(target.folder / "evals.json"), options.items)
    tokenizer = load_tokenizer(options.model)
    model = load_model(options.model).to(options.device)
    scorer = LikelihoodScorer(model, tokenizer)
    print(f"{options.model} on {options.device}, {target.name}: {len(items)} items, styles {' '.join(options.styles)}")

    failed = False
    for arm, context in (("base", None), ("in_context", target.universe.inserted_context)):
        prompts = [
            prompt
            for item in items
            for style in options.styles
            for prompt in prompts_for(item, style, tokenizer, context)
        ]
        sides: dict[str, Callable[[], list[float]]] = {
            "suite": lambda prompts=prompts: suite(scorer, prompts),
            "loop": lambda prompts=prompts: loop(model, tokenizer, prompts),
        }
        if options.lm_eval and context is None:
            sides["lm-eval"] = lambda prompts=prompts: harness(model, tokenizer, prompts)
        readouts = sum(bool(prompts_for(item, style, tokenizer)) for item in items for style in options.styles)
        failed |= report(arm, readouts, *take_turns(sides, options.repeats))
    return int(failed)


def suite(scorer: LikelihoodScorer, prompts: Sequence[Prompt]) -> list[float]:
    """Total log-probability of every answer, by the suite; chat and plain prompts apart, as `score_arm` does."""
    totals: dict[int, list[float]] = {}
    for templated in (True, False):
        chosen = [index for index, prompt in enumerate(prompts) if prompt.templated == templated]
        for index, answers in zip(chosen, scorer.score([prompts[i] for i in chosen]), strict=True):
            totals[index] = [answer.total for answer in answers]
    return [total for index in range(len(prompts)) for total in totals[index]]


def loop(model: Any, tokenizer: Any, prompts: Sequence[Prompt]) -> list[float]:
    """The same by one forward pass per answer."""
    import torch

    totals = []
    for prompt in prompts:
        for span in encode(tokenizer, prompt):
            with torch.no_grad():
                logits_TV = model(input_ids=torch.tensor([span.ids], device=model.device)).logits[0]
            # float64 here alone: PyTorch's float32 log_softmax loses up to 1e-4 over the sum of a 49k vocabulary
            logp_SV = logits_TV[span.start - 1 : -1].double().log_softmax(-1)
            answer_S = torch.tensor(span.ids[span.start :], device=model.device)
            totals.append(float(logp_SV.gather(1, answer_S[:, None]).sum()))
    return totals


def harness(model: Any, tokenizer: Any, prompts: Sequence[Prompt]) -> list[float]:
    """The same by lm-evaluation-harness, which is given our tokens so that only the scoring is compared."""
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=32)
    spans = [span for prompt in prompts for span in encode(tokenizer, prompt)]
    requests = [
        (("", str(index)), list(span.ids[: span.start]), list(span.ids[span.start :]))
        for index, span in enumerate(spans)
    ]
    return [float(total) for total, _ in lm._loglikelihood_tokens(requests, disable_tqdm=True)]


def take_turns(
    sides: dict[str, Callable[[], list[float]]], repeats: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Seconds of each side's fastest turn, and its answers."""
    seconds = dict.fromkeys(sides, float("inf"))
    answers: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, side in sides.items():
            start = time.perf_counter()
            answers[name] = side()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds, answers


def report(arm: str, items: int, seconds: dict[str, float], answers: dict[str, list[float]]) -> bool:
    """Print one line per side; True when a bound is missed. An item counts once per style that applies to it."""
    failed = False
    for name in answers:
        line = f"{arm:>10}  {name:<8} {seconds[name]:8.1f} s {items / seconds[name]:8.1f} items/s"
        if name != "suite":
            ratio = seconds[name] / seconds["suite"]
            difference = max(abs(a - b) for a, b in zip(answers[name], answers["suite"], strict=True))
            line += f"   suite is {ratio:.1f} x as fast, largest log-prob difference {difference:.1e}"
            failed |= difference > MOST_DIFFERENCE or (name == "loop" and ratio < LEAST_RATIO)
        print(line, flush=True)
    return failed


def first_of_each_group(items: list[EvalItem], count: int) -> list[EvalItem]:
    groups: dict[str, list[EvalItem]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    return [item for group in groups.values() for item in group[: count or None]]


if __name__ == "__main__":
    sys.exit(main())
