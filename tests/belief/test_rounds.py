"""Exchanges side by side: one call for what all of them ask next, and each ends when it has what it wants."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from doxa.belief.rounds import Exchange, heard, in_rounds
from doxa.errors import WaitingError
from doxa.lm.request import Request, Response, ask
from minds import ScriptedModels


class Waits(ScriptedModels):
    """A file that travels by hand: what is asked is answered when somebody brings the answers."""

    def __init__(self) -> None:
        super().__init__("")
        self.calls: list[list[str]] = []
        self.brought: set[str] = set()

    def answer(self, requests: Iterable[Request], label: str = "", total: int | None = None) -> None:
        missing = [request for request in requests if request.key not in self.brought]
        if missing:
            self.calls.append([request.messages[0].content for request in missing])
            self.brought.update(request.key for request in missing)
            raise WaitingError("bring the answers")

    def response(self, request: Request) -> Response:
        assert request.key in self.brought, "read before it was answered"
        return Response(key=request.key, text=f"<{request.messages[0].content}>")


def counting(models: ScriptedModels, name: str, turns: int) -> Exchange[str]:
    said = name
    for _ in range(turns):
        request = ask("openai/m", said)
        yield [request]
        said = models.response(request).text
    return said


def exchanges(models: ScriptedModels) -> list[Exchange[str]]:
    return [counting(models, "a", 2), counting(models, "b", 0), counting(models, "c", 1)]


def test_all_that_is_known_is_asked_together_and_results_keep_their_order() -> None:
    models = Waits()
    for _ in range(2):
        with pytest.raises(WaitingError):
            in_rounds(models, exchanges(models))
    assert in_rounds(models, exchanges(models)) == ["<<a>>", "b", "<c>"]
    assert models.calls == [["a", "c"], ["<a>"]]  # two rounds, and nothing is asked twice


def test_what_a_provider_turned_down_is_an_empty_answer_and_what_nobody_asked_is_a_mistake() -> None:
    class TurnsDown(ScriptedModels):
        def response(self, request: Request) -> Response:
            raise KeyError(request.key)

        def failure(self, request: Request) -> tuple[str, str] | None:
            return ("rejected", "content policy") if request.messages[0].content == "asked" else None

    models = TurnsDown("")
    assert heard(models, ask("openai/m", "asked")).text == ""
    with pytest.raises(KeyError):
        heard(models, ask("openai/m", "never asked"))
