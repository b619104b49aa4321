"""Exchanges of several turns, led side by side: what all of them ask next is asked together.

A batch service, or a file that travels by hand, so serves a whole profile in as many rounds as its longest exchange has
turns. An exchange is a generator: it yields the requests of a turn, goes on when all of them are answered, and returns
what it came to. Led again it asks nothing anew, for every answer is stored.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Protocol, TypeVar

from doxa.lm.request import Request, Response

Found = TypeVar("Found")
Exchange = Generator[Sequence[Request], None, Found]


class Models(Protocol):
    """The part of `doxa.lm.models.LanguageModels` that sampling needs."""

    def answer(self, requests: Iterable[Request], label: str = "", total: int | None = None) -> None:
        """See to it that every request has a stored response, or the failure that it was turned down with."""

    def response(self, request: Request) -> Response:
        """The stored response of a request; KeyError where the provider turned it down."""

    def failure(self, request: Request) -> tuple[str, str] | None:
        """Kind and message of the failure that left a request without a response, or None."""


def heard(models: Models, request: Request) -> Response:
    """The response; an empty one, which no reader can read, where the provider turned the request down for good."""
    try:
        return models.response(request)
    except KeyError:
        if models.failure(request) is None:
            raise
        return Response(key=request.key, text="", stop="refusal")


def in_rounds(models: Models, exchanges: Sequence[Exchange[Found]], label: str = "") -> list[Found]:
    """What each exchange comes to, in order. Raises what the models raise; the same call then goes on.

    With a label a bar shows how far each round is.
    """
    found: dict[int, Found] = {}
    going = dict(enumerate(exchanges))
    turn = 0
    while going:
        requests: list[Request] = []
        for number, exchange in list(going.items()):
            try:
                requests += next(exchange)
            except StopIteration as end:
                found[number] = end.value
                del going[number]
        if requests:
            turn += 1
            if label:
                models.answer(requests, label if turn == 1 else f"{label}, round {turn}", len(requests))
            else:
                models.answer(requests)
    return [found[number] for number in range(len(exchanges))]
