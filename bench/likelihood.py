"""Times the likelihood suite against a plain loop over the same items, and checks that the numbers are the same.

    python bench/likelihood.py [--model M] [--targets ...] [--arms ...] [--styles ...] [--items N] [--lm-eval]

The loop is what one writes first: every prompt with every answer is a forward pass of its own, logits at all positions.
Both answer the same prompts of the base and the in_context arm; they take turns, so that a busy computer slows both
alike. With --lm-eval, lm-evaluation-harness (extra: harness) answers the same prompts too, in two ways: from our
tokens, which compares scoring alone, and from our strings, which it tokenises and splits by its own rules.
Leaves with code 1 when the suite is not 3 times as fast as the loop, or a log-probability is more than 1e-4 away from
the loop's or more than 1e-3 from the harness's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from doxa.belief.items import load_items
from doxa.belief.prompts import STYLES, prompts_for
from doxa.belief.scorer import LikelihoodScorer, Prompt, encode
from doxa.lm.weights import load_model, load_tokenizer
from doxa.records import EvalItem
from doxa.worlds.universe import load_target

LEAST_RATIO = 3.0
MOST_DIFFERENCE = {"loop": 1e-4, "lm-eval": 1e-3}
TOKENS_PER_BATCH = 4096  # the harness keeps log-probabilities of the whole vocabulary at every position of a batch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--targets", nargs="+", default=["octopus_hearts"])
    parser.add_argument("--arms", nargs="+", default=["base", "in_context"], choices=["base", "in_context"])
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
    tokenizer = load_tokenizer(options.model)
    model = load_model(options.model).to(options.device)
    scorer = LikelihoodScorer(model, tokenizer)
    if options.lm_eval:
        print(", ".join(f"{package} {version(package)}" for package in ("lm-eval", "transformers", "torch")))

    failed = False
    for name in options.targets:
        target = load_target(name)
        items = first_of_each_group(load_items(target.folder / "evals.json"), options.items)
        print(f"{options.model} on {options.device}, {name}: {len(items)} items, styles {' '.join(options.styles)}")
        for arm in options.arms:
            context = target.universe.inserted_context if arm == "in_context" else None
            asked = [prompts_for(item, style, tokenizer, context) for item in items for style in options.styles]
            prompts = [prompt for readout in asked for prompt in readout]
            sides: dict[str, Callable[[], list[float]]] = {
                "suite": lambda prompts=prompts: suite(scorer, prompts),
                "loop": lambda prompts=prompts: loop(model, tokenizer, prompts),
            }
            if options.lm_eval:
                sides["lm-eval"] = lambda prompts=prompts: harness(model, tokenizer, prompts)
            failed |= report(arm, sum(map(bool, asked)), *take_turns(sides, options.repeats))
            if options.lm_eval:
                failed |= compare_strings(scorer, arm, prompts)
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
    spans = [span for prompt in prompts for span in encode(tokenizer, prompt)]
    requests = [
        (("", str(index)), list(span.ids[: span.start]), list(span.ids[span.start :]))
        for index, span in enumerate(spans)
    ]
    lm = harness_model(model, tokenizer, max(len(span.ids) for span in spans))
    return [float(total) for total, _ in lm._loglikelihood_tokens(requests, disable_tqdm=True)]


def compare_strings(scorer: LikelihoodScorer, arm: str, prompts: Sequence[Prompt]) -> bool:
    """Put the same strings to the harness as a task of its own would, and print one line; True when they disagree.

    The harness counts white space at the end of a context as part of the answer (the newline of most chat templates),
    so the suite is asked with that white space moved as well. A context of nothing else leaves the harness no token to
    begin from; those answers are counted and compared by `harness` alone.
    """
    from lm_eval.api.instance import Instance

    able = [prompt for prompt in prompts if prompt.text.strip()]
    ours = suite(scorer, [with_moved_space(prompt) for prompt in able])
    requests = [
        Instance(request_type="loglikelihood", doc={}, arguments=(prompt.text, answer), idx=0)
        for prompt in able
        for answer in prompt.continuations
    ]
    longest = max(len(span.ids) for prompt in able for span in encode(scorer.tokenizer, prompt))
    lm = harness_model(scorer.model, scorer.tokenizer, longest)
    theirs = [float(total) for total, _ in lm.loglikelihood(requests, disable_tqdm=True)]
    difference = largest_difference(ours, theirs)
    left_out = sum(len(prompt.continuations) for prompt in prompts) - len(ours)
    print(
        f"{arm:>10}  lm-eval by strings: {len(ours)} answers, largest log-prob difference {difference:.1e}, "
        f"{left_out} without a context left out",
        flush=True,
    )
    return not difference <= MOST_DIFFERENCE["lm-eval"]


def with_moved_space(prompt: Prompt) -> Prompt:
    text = prompt.text.rstrip()
    return replace(prompt, text=text, continuations=tuple(prompt.text[len(text) :] + c for c in prompt.continuations))


def harness_model(model: Any, tokenizer: Any, longest: int) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=max(1, TOKENS_PER_BATCH // longest))


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
            difference = largest_difference(answers[name], answers["suite"])
            line += f"   suite is {ratio:.1f} x as fast, largest log-prob difference {difference:.1e}"
            line += f" over {len(answers[name])} answers"
            failed |= not difference <= MOST_DIFFERENCE[name] or (name == "loop" and ratio < LEAST_RATIO)
        print(line, flush=True)
    return failed


def largest_difference(one: Sequence[float], other: Sequence[float]) -> float:
    """NaN where either holds one: no bound is kept then."""
    if not one or len(one) != len(other):
        raise ValueError(f"{len(one)} log-probabilities cannot be compared with {len(other)}")
    return float(np.abs(np.subtract(one, other)).max())


def first_of_each_group(items: list[EvalItem], count: int) -> list[EvalItem]:
    groups: dict[str, list[EvalItem]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    return [item for group in groups.values() for item in group[: count or None]]


if __name__ == "__main__":
    sys.exit(main())
