"""After thinking: the model reasons for a bounded number of tokens, then its answers are compared as ever.

The reasoning is the model's own, sampled greedily and stored like any answer; what follows it is scored by likelihood,
so that reasoning that comes to no readable end still has a value. Slocum et al. 2025 find that more of it changes
little.
"""

from __future__ import annotations

from collections.abc import Sequence

from doxa.belief.asks import Ask, Showing, user
from doxa.belief.free import Models, Question, requests_of
from doxa.belief.subjects import Subject
from doxa.lm.request import Sampling
from doxa.records import EvalItem, digest

INSTRUCTION = "Think about it step by step before you answer."


def thinking_asks(models: Models, subject: Subject, items: Sequence[EvalItem], budgets: Sequence[int]) -> list[Ask]:
    """The items after reasoning of each budget in tokens; 0 asks at once, with the same words."""
    asks = []
    for budget in budgets:
        thoughts = _thoughts(models, subject, items, budget) if budget else [""] * len(items)
        for item, thought in zip(items, thoughts, strict=True):
            showing = Showing(
                answers=tuple(f" {option}" for option in item.options),
                turns=(user(f"{item.prompt}\n{INSTRUCTION}"),),
                begun=f"{thought}\n\nAnswer:" if thought else "Answer:",
            )
            asks.append(Ask("thinking", f"{budget} tokens", item, (showing,), batch="thinking"))
    return asks


def _thoughts(models: Models, subject: Subject, items: Sequence[EvalItem], budget: int) -> list[str]:
    sampling = Sampling(max_tokens=budget, temperature=0)
    requests = []
    for item in items:
        question = Question("thinking", digest("thinking", item.id), (user(f"{item.prompt}\n{INSTRUCTION}"),), 1)
        requests += requests_of(subject, question, sampling)
    models.answer(requests)
    return [models.response(request).text for request in requests]
