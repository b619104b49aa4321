"""The likelihood belief suite: every item, in every style, under one arm -> `Readout` rows.

No judge and nothing to parse: an item's answer strings are compared by their log-probability. The engine is
`scorer.LikelihoodScorer`, the wordings are in `prompts`, what the numbers mean is in `summary`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from doxa.belief.prompts import prompts_for
from doxa.belief.scorer import LikelihoodScorer, Loglik, Progress, Prompt
from doxa.records import EvalItem, Readout

__all__ = ["LikelihoodScorer", "score_arm"]


def score_arm(
    scorer: LikelihoodScorer,
    items: Sequence[EvalItem],
    styles: Sequence[str],
    arm: str,
    checkpoint: str,
    context: str | None = None,
    on_progress: Progress | None = None,
) -> list[Readout]:
    """Ask every item in every style that applies to it; one readout per (item, style), in that order.

    `context` is the universe text of the in_context arm, None for the others. `on_progress(done, total)` counts answer
    strings. Raises ConfigError (no chat template) and DoxaError (text longer than the model's context).
    """
    asked: list[tuple[EvalItem, str, list[Prompt]]] = []
    for item in items:
        for style in styles:
            prompts = prompts_for(item, style, scorer.tokenizer, context)
            if prompts:
                asked.append((item, style, prompts))
    answers = _score(scorer, [prompt for *_, prompts in asked for prompt in prompts], on_progress)
    readouts = []
    position = 0
    for item, style, prompts in asked:
        orders = answers[position : position + len(prompts)]
        position += len(prompts)
        readouts.append(_readout(item, style, prompts, orders, arm, checkpoint))
    return readouts


def _score(
    scorer: LikelihoodScorer, prompts: Sequence[Prompt], on_progress: Progress | None
) -> list[tuple[Loglik, ...]]:
    """Score chat and plain prompts apart: within each kind all texts share their beginning, across kinds none do."""
    answers: list[tuple[Loglik, ...]] = [()] * len(prompts)
    total = sum(len(prompt.continuations) for prompt in prompts)
    finished = 0
    for templated in (True, False):
        indices = [index for index, prompt in enumerate(prompts) if prompt.templated == templated]
        if not indices:
            continue
        start = finished  # bound below, so that the callback counts on from here

        def advance(done: int, _: int, start: int = start) -> None:
            if on_progress is not None:
                on_progress(start + done, total)

        for index, answer in zip(indices, scorer.score([prompts[i] for i in indices], advance), strict=True):
            answers[index] = answer
            finished += len(answer)
    return answers


def _readout(
    item: EvalItem,
    style: str,
    prompts: Sequence[Prompt],
    orders: Sequence[tuple[Loglik, ...]],
    arm: str,
    checkpoint: str,
) -> Readout:
    """Average an item's log-probabilities over the orders in which its options were shown."""
    count = len(item.options)
    return Readout(
        arm=arm,
        checkpoint=checkpoint,
        item_id=item.id,
        group=item.group,
        style=style,
        # fsum: options that differ only in when they stood where must tie exactly
        totals=tuple(math.fsum(order[option].total for order in orders) / len(orders) for option in range(count)),
        tokens=tuple(answer.tokens for answer in orders[0]),  # what precedes an answer is the same in every order
        inserted=item.inserted,
        reference=item.reference,
        near=item.near,
        letters=_letter_distribution(prompts, orders) if style == "letters" else (),
    )


def _letter_distribution(prompts: Sequence[Prompt], orders: Sequence[tuple[Loglik, ...]]) -> tuple[float, ...]:
    """Mean probability of A, B, ... over the orders, among the letters shown: uniform for a model without habits."""
    count = len(orders[0])
    mean = [0.0] * count
    for prompt, answers in zip(prompts, orders, strict=True):
        best = max(answer.total for answer in answers)
        weights = [math.exp(answer.total - best) for answer in answers]
        for place, weight in zip(prompt.places, weights, strict=True):
            mean[place] += weight / sum(weights) / len(orders)
    return tuple(mean)
