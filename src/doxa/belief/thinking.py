"""After thinking: the model reasons for a bounded number of tokens, then its answer is read.

The reasoning is the model's own, sampled and stored like any answer. On weights the answers that may follow it are
compared by log-probability, so that reasoning that comes to no readable end still has a value. A model that only speaks
says its thoughts in one turn and chooses in the next, with those thoughts standing before it. Slocum et al. 2025 find
that more of it changes little.
"""

from __future__ import annotations

from collections.abc import Sequence

from doxa.belief.asks import Ask, Showing, spoken, user
from doxa.belief.choices import Choice, choose
from doxa.belief.free import Question, chat_request, requests_of
from doxa.belief.rounds import Exchange, Models, heard
from doxa.belief.subjects import Subject
from doxa.lm.request import Message, Request, Sampling
from doxa.records import EvalItem, digest

INSTRUCTION = "Think about it step by step before you answer."
AT_ONCE = "Answer now, without any further reasoning."  # whatever was thought before, so that only that differs


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


def think_and_choose(
    models: Models,
    subject: Subject,
    items: Sequence[EvalItem],
    budgets: Sequence[int],
    samples: int,
    how: Sampling,
    dtype: str = "float32",
) -> Exchange[list[tuple[Choice, str]]]:
    """An exchange of two rounds, thoughts and then choices, which comes to each choice with what was said to it.

    Every sample has thoughts of its own and shows the options in the next order. Style: `48 tokens, text`.
    """
    asked = [(budget, item, sample) for budget in budgets for item in items for sample in range(samples)]
    thoughts = [
        request
        for budget in budgets
        if budget
        for request in thought_requests(subject, items, budget, how, dtype, samples)
    ]
    yield thoughts
    thought = iter(thoughts)
    put = []
    for budget, item, sample in asked:
        before = (_question(item), spoken(heard(models, next(thought)).text)) if budget else ()
        last = user(f"{item.prompt}\n{AT_ONCE}")
        ask = Ask("thinking", f"{budget} tokens, text", item, (Showing(item.options, (*before, last)),))
        choice = choose(ask, sample)
        put.append((choice, chat_request(subject, choice.turns, how, dtype, sample)))
    yield [request for _, request in put]
    return [(choice, heard(models, request).text) for choice, request in put]


def thought_requests(
    subject: Subject, items: Sequence[EvalItem], budget: int, how: Sampling, dtype: str, samples: int = 1
) -> list[Request]:
    """The requests for stretches of reasoning, `samples` for each item, item by item."""
    sampling = how.model_copy(update={"max_tokens": budget})
    asked = [Question("thinking", digest("thinking", item.id), (_question(item),), samples) for item in items]
    return [request for question in asked for request in requests_of(subject, question, sampling, dtype)]


def _question(item: EvalItem) -> Message:
    return user(f"{item.prompt}\n{INSTRUCTION}")
