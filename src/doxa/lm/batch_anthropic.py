"""Anthropic's message batches. The one module that imports anthropic."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from anthropic import Anthropic, AnthropicError, APIConnectionError, APIStatusError

from doxa.errors import ModelError
from doxa.lm.batch_service import CONTROL_TRIES, Interrupted, Outcome, Sdk
from doxa.lm.client import CallError, scrub, thinking_room
from doxa.lm.request import Request, Response, Stop
from doxa.records import Usage

RECENT = 200  # batches looked through for one whose submission was cut off
_STOPS: dict[str, Stop] = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "refusal"}


class AnthropicBatches:
    """Batches of messages."""

    def __init__(self, model: str) -> None:
        if not os.environ.get("ANTHROPIC_API_KEY"):
            raise ModelError(f"model {model}: set ANTHROPIC_API_KEY in the environment or in .env")
        self._sdk = Sdk(model, AnthropicError, APIStatusError, APIConnectionError)
        self._name = model.split("/", 1)[1]
        self._client = Anthropic(max_retries=CONTROL_TRIES)

    def submit(self, name: str, requests: list[Request]) -> str:
        """Begin a batch."""
        asked: list[Any] = [{"custom_id": request.key, "params": body(request, self._name)} for request in requests]
        with self._sdk.handing_over():
            # no blind retry: a batch that was made although the answer got lost would be paid for twice
            return self._client.with_options(max_retries=0).messages.batches.create(requests=asked).id

    def find(self, name: str, keys: set[str], known: set[str]) -> str | None:
        """The batch that asks our keys: batches carry no name here, so those of the right size are read when ended."""

        def search() -> str | None:
            candidate = None
            for number, batch in enumerate(self._client.messages.batches.list(limit=100)):
                if number >= RECENT:
                    break
                counts = batch.request_counts
                total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
                if batch.id in known or total != len(keys):
                    continue
                if batch.processing_status != "ended":
                    candidate = candidate or batch.id
                    continue
                first = next(iter(self._client.messages.batches.results(batch.id)), None)
                if first is not None and first.custom_id in keys:
                    return batch.id
            # not readable yet, but of exactly this size and unknown to us, the newest: taken to be ours. If it is not,
            # its results name none of our requests, and these are submitted again
            return candidate

        return self._sdk.control(search)

    def ended(self, remote: str) -> bool:
        """Whether all of a batch's requests are over."""
        return self._sdk.control(lambda: self._client.messages.batches.retrieve(remote).processing_status) == "ended"

    def results(self, remote: str, requests: dict[str, Request]) -> Iterator[Outcome]:
        """The results of a batch, streamed."""
        lines = iter(self._sdk.control(lambda: self._client.messages.batches.results(remote)))
        while True:
            try:
                line = next(lines, None)
            except Exception as error:  # noqa: BLE001 (the stream broke, in whatever way its transport says so)
                raise Interrupted(scrub(f"{type(error).__name__}: {error}")) from None
            if line is None:
                return
            request = requests.get(line.custom_id)
            if request is not None:
                yield request.key, _outcome(request, line.result)


def body(request: Request, model: str) -> dict[str, Any]:
    """The parameters of a message. The system turn, the same for many requests, is marked for the prompt cache.

    Temperature and top_p are left out: API version 2026-10-21, which anthropic 2 sends, refuses them for every model.
    """
    sampling = request.sampling
    system = [message.content for message in request.messages if message.role == "system"]
    made: dict[str, Any] = {
        "model": model,
        "max_tokens": sampling.max_tokens + thinking_room(request),
        "messages": [
            {"role": message.role, "content": message.content}
            for message in request.messages
            if message.role != "system"
        ],
    }
    settings = {
        "system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in system] or None,
        "stop_sequences": list(sampling.stop) or None,
        "thinking": {"type": "enabled", "budget_tokens": sampling.thinking_tokens}
        if sampling.thinking_tokens
        else None,
        "output_config": {"effort": sampling.effort} if sampling.effort in ("low", "medium", "high") else None,
    }
    return made | {name: value for name, value in settings.items() if value is not None}


def _outcome(request: Request, result: Any) -> Response | CallError:
    if result.type == "errored":
        kind = result.error.error.type
        retriable = kind in ("overloaded_error", "rate_limit_error", "api_error", "timeout_error")
        return CallError("transient" if retriable else "rejected", f"{kind}: {result.error.error.message}")
    if result.type != "succeeded":  # expired, canceled: never answered and never paid for
        return CallError("transient", result.type)
    message = result.message
    counted = message.usage
    cached = counted.cache_read_input_tokens or 0
    return Response(
        key=request.key,
        text="".join(part.text for part in message.content if part.type == "text"),
        reasoning="\n".join(part.thinking for part in message.content if part.type == "thinking"),
        stop=_STOPS.get(message.stop_reason or "", "other"),
        model=message.model,
        usage=Usage(
            input_tokens=counted.input_tokens + cached + (counted.cache_creation_input_tokens or 0),
            output_tokens=counted.output_tokens,
            cached_tokens=cached,
        ),
    )
