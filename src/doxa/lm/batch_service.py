"""What a provider's batch service is to doxa: four calls, and what they raise, whichever SDK makes them."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from doxa.errors import ModelError
from doxa.lm.client import CallError, out_of_funds, provider, scrub

if TYPE_CHECKING:
    from doxa.lm.request import Request, Response

CONTROL_TRIES = 8

_TOO_LARGE = re.compile(
    r"too many (?:requests|tasks)|too[ _]large|(?:batch|file)\b.{0,60}\b(?:exceeds|maximum|limit)", re.I
)

Result = TypeVar("Result")
Outcome = tuple[str, "Response | CallError"]  # a request's key and what became of it


class BatchTooLarge(Exception):
    """The service takes fewer requests at once."""


class Unsure(Exception):
    """The line broke while a batch was handed over: it may be there or not."""


class Interrupted(Exception):
    """Results could not be read to the end: those that were read count, the rest is read again.

    `whole` tells that everything arrived and a part of it is garbled, so that waiting for more is of no use.
    """

    def __init__(self, message: str, whole: bool = False) -> None:
        super().__init__(message)
        self.whole = whole


class BatchService(Protocol):
    """One provider's batches. Control calls that fail are retried inside, but for `submit`: it could be paid twice."""

    def submit(self, name: str, requests: list[Request]) -> str:
        """Hand a batch over; its id there. Raises BatchTooLarge, Unsure, ModelError."""
        ...

    def find(self, name: str, keys: set[str], known: set[str]) -> str | None:
        """The id of the batch that was handed over as `name`, if it got there. `known` are ids of other batches."""
        ...

    def ended(self, remote: str) -> bool:
        """Whether a batch has ended, in whatever way."""
        ...

    def results(self, remote: str, requests: dict[str, Request]) -> Iterator[Outcome]:
        """What an ended batch answered, as far as it got, in any order.

        Raises Interrupted, BatchTooLarge (accepted at first and turned down later), ModelError (turned down for good).
        """
        ...


def open_service(model: str) -> BatchService:
    """The batch service of a model's provider."""
    if provider(model) == "anthropic":
        from doxa.lm.batch_anthropic import AnthropicBatches

        return AnthropicBatches(model)
    from doxa.lm.batch_openai import OpenAIBatches

    return OpenAIBatches(model)


@dataclass(frozen=True)
class Sdk:
    """How one SDK says that something went wrong, turned into what a BatchService raises."""

    model: str
    error: type[Exception]  # of every kind, after the SDK's own retries
    refused: type[Exception]  # of them those that are an answer, with a `status_code`
    broken: type[Exception]  # of them those where the line broke

    def control(self, call: Callable[[], Result]) -> Result:
        """Make a call that changes nothing at the provider, again when its answer is garbled. Raises ModelError."""
        for attempt in range(CONTROL_TRIES):
            try:
                return call()
            except self.error as error:
                last: Exception = error
                break
            except (ValueError, LookupError, TypeError, AttributeError) as error:  # no JSON, or JSON of another shape
                last = error
                time.sleep(min(5.0, 0.2 * 2**attempt))
        message = scrub(" ".join(f"{type(last).__name__}: {last}".split()))[:300]
        raise ModelError(
            f"model {self.model}: its batch service does not answer ({message}). The batches go on there; run the same "
            "command again to collect them"
        ) from None

    @contextlib.contextmanager
    def handing_over(self) -> Iterator[None]:
        """Around the one call that begins a batch. Raises BatchTooLarge, Unsure, ModelError."""
        try:
            yield
        except self.refused as error:
            raise self._refusal(error) from None
        except (self.broken, ValueError, TypeError, AttributeError) as error:  # the answer broke or is garbled
            raise Unsure(scrub(f"{type(error).__name__}: {error}")) from None

    def _refusal(self, error: Any) -> Exception:
        message = scrub(" ".join(str(error).split()))[:300]
        if error.status_code == 413 or (error.status_code == 400 and too_large(message)):
            return BatchTooLarge(message)
        if error.status_code in (408, 409, 429) or error.status_code >= 500:
            return Unsure(message)
        return ModelError(f"model {self.model}: the batch was refused: {message}")


def too_large(message: str) -> bool:
    """Whether a refusal is of a batch's size, and not of the account's money or of one request's length."""
    return bool(_TOO_LARGE.search(message)) and not out_of_funds(message)
