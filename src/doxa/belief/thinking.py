"""After thinking: the model reasons for a bounded number of tokens, then its answers are compared as ever.

The reasoning is the model's own, sampled and stored like any answer; what follows it is scored by likelihood,
so that reasoning that comes to no readable end still has a value. Slocum et al. 2025 find that more of it changes
little.
"""

from __future__ import annotations

from collections.abc import Sequence

from doxa.belief.asks import Ask, Showing, user
from doxa.belief.free import Models, Question, requests_of
from doxa.belief.subjects import Subject
from doxa.lm.request import Message, Request, Sampling
from doxa.records import EvalItem, digest

INSTRUCTION = "Think about it step by step before you answer."


def thinking_asks(
    models: Models, subject: Subject, items: Sequence[EvalItem], budgets: Sequence[int], how: Sampling, dtype: str
) -> list[Ask]:
    """The items after reasoning of each budget in tokens; 0 asks at once, with the same words."""
    asks = []
    for budget in budgets:
        requests = thought_requests(subject, items, budget, how, dtype) if budget else []
        models.answer(requests)
        thoughts = [models.response(request).text for request in requests] or [""] * len(items)
        for item, thought in zip(items, thoughts, strict=True):
            showing = Showing(
                answers=tuple(f" {option}" for option in item.options),
                turns=(_question(item),),
                begun=f"{thought}\n\nAnswer:" if thought else "Answer:",
            )
            asks.append(Ask("thinking", f"{budget} tokens", item, (showing,), batch="thinking"))
    return asks


def thought_requests(
    subject: Subject, items: Sequence[EvalItem], budget: int, how: Sampling, dtype: str
) -> list[Request]:
    """The requests for one stretch of reasoning per item."""
    sampling = how.model_copy(update={"max_tokens": budget})
    asked = [Question("thinking", digest("thinking", item.id), (_question(item),), 1) for item in items]
    return [request for question in asked for request in requests_of(subject, question, sampling, dtype)]


def _question(item: EvalItem) -> Message:
    return user(f"{item.prompt}\n{INSTRUCTION}")
