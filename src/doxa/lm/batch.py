"""Providers' batch services: about half the price, answers within a day, and nothing paid for is lost.

Each batch is noted in the store before it is handed over, so a run that is killed at any moment finds it again: a batch
whose submission was cut off is looked for at the provider before its requests are submitted anew. What a batch leaves
unanswered (errors, expiry, a cancelled or failed batch) is submitted again; one that is too large is split.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doxa.errors import ModelError
from doxa.lm.batch_service import BatchService, BatchTooLarge, Interrupted, Unsure
from doxa.lm.client import CallError

if TYPE_CHECKING:
    from doxa.config_sections import LmConfig
    from doxa.lm.budget import Budget
    from doxa.lm.request import Request, Response
    from doxa.lm.store import ResponseStore
    from doxa.run.progress import Progress

MOST_BYTES = 90_000_000  # of one batch; OpenAI takes files of up to 200 MB, Anthropic batches of up to 256 MB

# answers cost less than what is set aside for them, so after a round there is room for more; a round takes up to a day,
# so that it goes on only while there is room for a tenth of the first one
WORTH = 10


@dataclass
class Batches:
    """Gets every request to one model answered by batches, each of which `answered` hears of."""

    model: str
    requests: list[Request]
    store: ResponseStore
    config: LmConfig
    budget: Budget
    answered: Callable[[Request, Response], None]
    progress: Progress
    service: BatchService
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.open = {request.key: request for request in self.requests}
        self.rejected: set[str] = set()
        self.last_error = ""
        self.broken: dict[str, int] = {}  # batch -> how often reading its results was cut off
        self.read: set[str] = set()  # batches whose answers to our requests are stored
        self.most = self.config.batch_requests
        self.worth = 0  # requests that a round of batches must have when the budget does not take all

    def run(self) -> None:
        """Raises BudgetError, and ModelError when rounds of batches bring nothing any more."""
        self._recover()
        fruitless = 0
        while True:
            self._collect_all()
            waiting = [request for key, request in self.open.items() if key not in self.rejected]
            if not waiting:
                return
            before = (len(self.open), len(self.rejected), self.most)
            if not self._submit_all(waiting):
                raise self.budget.used_up()
            self._collect_all()
            fruitless = fruitless + 1 if (len(self.open), len(self.rejected), self.most) == before else 0
            if fruitless >= self.config.attempts:
                raise ModelError(
                    f"model {self.model}: {fruitless} rounds of batches answered nothing "
                    f"({self.last_error or 'no reason given'}); {len(self.open)} requests are open. "
                    "What was answered before is stored"
                )

    def _recover(self) -> None:
        """Batches whose handing over was cut off: found at the provider, or given up so that they are sent anew."""
        for name, remote, state in self.store.open_batches(self.model):
            if state != "submitting":
                continue
            remote = self.service.find(name, self.store.batch_keys(name), self._known())
            self._settle(name, remote)

    def _settle(self, name: str, remote: str | None) -> None:
        if remote is None:
            self.store.set_batch(name, "lost")
        else:
            self.store.set_batch(name, "submitted", remote)

    def _known(self) -> set[str]:
        return self.store.remote_batches(self.model)

    def _submit_all(self, waiting: list[Request]) -> bool:
        """Hand over all that the budget has room for. False when that is not worth a batch, and nothing is."""
        affordable = []
        for request in waiting:
            if not self.budget.hold(request, batch=True):
                break
            affordable.append(request)
        self.worth = self.worth or max(1, len(affordable) // WORTH)
        if len(affordable) < min(self.worth, len(waiting)):
            for request in affordable:
                self.budget.release(request, None, batch=True)
            return False
        for part in _parts(affordable, self.most):
            self._submit(part)
        return True

    def _submit(self, part: list[Request]) -> None:
        name = uuid.uuid4().hex
        self.store.begin_batch(name, self.model, (request.key for request in part))
        for attempt in range(self.config.attempts):
            try:
                remote: str | None = self.service.submit(name, part)
            except BatchTooLarge as error:
                self.store.set_batch(name, "lost")
                if len(part) == 1:
                    self._reject(part[0], CallError("rejected", str(error)))
                    return
                middle = len(part) // 2
                self._submit(part[:middle])
                self._submit(part[middle:])
                return
            except Unsure as error:
                self.last_error = str(error)
                remote = self.service.find(name, {request.key for request in part}, self._known())
                if remote is None:
                    self.sleep(min(60.0, 2.0**attempt))
                    continue
            self._settle(name, remote)
            self.progress.note(f"batch of {len(part):,} requests handed to {self.model} as {remote}")
            return
        self.store.set_batch(name, "lost")
        raise ModelError(
            f"model {self.model}: a batch could not be handed over in {self.config.attempts} tries "
            f"({self.last_error}). What was answered before is stored"
        )

    def _collect_all(self) -> None:
        """Wait for the open batches and store what they answered, each as soon as it has ended."""
        while True:
            batches = [(name, remote) for name, remote, _ in self.store.open_batches(self.model) if remote]
            batches = [(name, remote) for name, remote in batches if name not in self.read and self._ours(name)]
            if not batches:
                return
            ended = [(name, remote) for name, remote in batches if self.service.ended(remote)]
            for name, remote in ended:
                self._collect(name, remote)
            if not ended or self.broken:
                self.sleep(self.config.batch_poll_s)

    def _ours(self, name: str) -> bool:
        """Whether a batch holds a request that is asked now; those of other askers wait until these ask."""
        return not self.store.batch_keys(name).isdisjoint(self.open)

    def _collect(self, name: str, remote: str) -> None:
        keys = self.store.batch_keys(name)
        asked = {key: self.open[key] for key in keys if key in self.open}
        try:
            self._take(asked, remote)
        except Interrupted as error:
            self.last_error = str(error)
            self.broken[remote] = self.broken.get(remote, 0) + 1
            if self.broken[remote] < self.config.attempts:
                return  # it stays open and is read again
            if not error.whole:
                raise ModelError(
                    f"model {self.model}: the results of {remote} could not be read in {self.config.attempts} tries "
                    f"({error}). They stay there; run the same command again"
                ) from None
            self.progress.warn(f"{remote}: {error}; what is missing is asked again, and paid for again")
        except BatchTooLarge as error:
            self.last_error = str(error)
            if len(keys) == 1:
                for request in asked.values():
                    self._reject(request, CallError("rejected", str(error)))
            self.most = max(1, min(self.most, len(keys)) // 2)
        except ModelError:
            # turned down for good: what was wrong is said, and once it is mended its requests are sent anew
            self.store.set_batch(name, "collected")
            raise
        self.broken.pop(remote, None)
        for key in asked:
            if key in self.open:  # not answered: what was set aside for it is free again
                self.budget.release(self.open[key], None, batch=True)
        self.read.add(name)
        if all(key in asked or key in self.store for key in keys):
            self.store.set_batch(name, "collected")  # else another asker still has answers to fetch from it

    def _take(self, asked: dict[str, Request], remote: str) -> None:
        for key, outcome in self.service.results(remote, asked):
            request = asked.get(key)
            if request is None or key not in self.open:
                continue
            if isinstance(outcome, CallError):
                self.last_error = str(outcome)
                if outcome.kind in ("rejected", "fatal"):
                    self._reject(request, outcome)
                else:
                    self.store.count_retry(request, outcome.kind)
                continue
            self.answered(request, outcome)
            self.budget.release(request, outcome, batch=True)
            del self.open[key]

    def _reject(self, request: Request, error: CallError) -> None:
        self.store.fail(request, error.kind, str(error))
        self.budget.release(request, None, batch=True)
        self.rejected.add(request.key)


def _parts(requests: list[Request], most: int) -> Iterator[list[Request]]:
    """Requests in batches of at most `most` and of bearable bytes."""
    part: list[Request] = []
    size = 0
    for request in requests:
        own = sum(len(message.content) for message in request.messages) + 500
        if part and (len(part) == most or size + own > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(request)
        size += own
    if part:
        yield part
