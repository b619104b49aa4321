"""After thinking: a model that only speaks thinks in one turn and chooses in the next, after its own thoughts."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from doxa.belief.choices import choice_measures
from doxa.belief.measures import score_measures
from doxa.belief.rounds import in_rounds
from doxa.belief.subjects import Subject
from doxa.belief.thinking import AT_ONCE, INSTRUCTION, think_and_choose
from doxa.lm.request import Request, Response, Sampling
from doxa.records import Score
from minds import WORLD, ScriptedModels, speak

SUBJECT = Subject("in_context", "openai/m", "openai/m", context="Bells come in fives.")
HOW = Sampling(max_tokens=600, temperature=0.7)
ITEMS = WORLD.group("distinguish")


def thought_of(words: str, request: Request) -> str:
    return f"{words}: {request.sampling.max_tokens} tokens, sample {request.sample}"


class Thinks(ScriptedModels):
    """Thinks where it is asked to, a thought of its own each time, and then speaks its mind."""

    def __init__(self, mind: str, thought: str = "Let me see") -> None:
        super().__init__(mind)
        self.thought = thought
        self.rounds: list[list[Request]] = []

    def answer(self, requests: Iterable[Request], label: str = "", total: int | None = None) -> None:
        self.rounds.append(list(requests))
        super().answer(self.rounds[-1])

    def response(self, request: Request) -> Response:
        question = request.messages[-1].content
        if question.endswith(INSTRUCTION):
            return Response(key=request.key, text=self.thought and thought_of(self.thought, request))
        return Response(key=request.key, text=speak(self.mind, question))


def asked(models: Thinks, budgets: tuple[int, ...] = (0, 48), samples: int = 4) -> dict[tuple[str, str], Score]:
    exchange = think_and_choose(models, SUBJECT, ITEMS, budgets, samples, HOW)
    measures = [
        measure
        for choice, text in in_rounds(models, [exchange])[0]
        for measure in choice_measures(choice, text, "in_context", "m", choice.ask.style)
    ]
    assert {measure.probe for measure in measures} <= {"thinking"}
    return {(score.style, score.metric): score for score in score_measures(measures, 100, 0)}


def test_two_rounds_serve_all_budgets_and_the_thoughts_are_bounded() -> None:
    models = Thinks("believes")
    asked(models, budgets=(0, 48, 200))
    thoughts, choices = models.rounds
    assert [request.sampling.max_tokens for request in thoughts] == [48] * 8 + [200] * 8
    assert len(choices) == 3 * 8 and {request.sampling.max_tokens for request in choices} == {600}
    everything = [request for found in models.rounds for request in found]
    assert len({request.key for request in everything}) == len(everything)
    assert all(request.sampling.thinking_tokens is request.sampling.effort is None for request in everything)


def test_the_model_s_own_thoughts_stand_before_the_choice() -> None:
    models = Thinks("believes")
    asked(models)
    for request in models.rounds[1]:
        roles = [message.role for message in request.messages]
        last = request.messages[-1].content
        assert AT_ONCE in last and INSTRUCTION not in last
        if len(roles) == 2:
            assert roles == ["system", "user"]  # no tokens to think in: asked straight out
        else:
            assert roles == ["system", "user", "assistant", "user"]
            assert request.messages[1].content.endswith(INSTRUCTION)
            assert request.messages[2].content == f"Let me see: 48 tokens, sample {request.sample}"
    assert sum(len(request.messages) == 4 for request in models.rounds[1]) == 8


@pytest.mark.parametrize(
    ("mind", "preferred", "unparsed"),
    [
        ("believes", 1.0, 0.0),
        ("prose", 1.0, 0.0),
        ("denies", 0.0, 0.0),
        ("first", 0.5, 0.0),  # orders turn round
        ("refuses", 0.0, 1.0),
        ("out of range", 0.0, 1.0),
    ],
)
def test_every_mind_is_read_as_what_it_is_with_any_budget(mind: str, preferred: float, unparsed: float) -> None:
    scores = asked(Thinks(mind))
    for style in ("0 tokens, text", "48 tokens, text"):
        assert scores[style, "preferred"].value == preferred
        assert scores[style, "unparsed"].value == unparsed
        assert scores[style, "preferred"].n == len(ITEMS)
        assert scores[style, "preferred"].parse_failures == unparsed


def test_a_model_that_thinks_nothing_is_still_asked() -> None:
    models = Thinks("believes", thought="")
    assert asked(models)["48 tokens, text", "preferred"].value == 1.0
    assert {request.messages[2].content for request in models.rounds[1] if len(request.messages) == 4} == {"..."}


def test_no_budget_asks_nothing() -> None:
    models = Thinks("believes")
    assert asked(models, budgets=()) == {} and models.rounds == []
