"""The one door to language models that generate: requests in, stored responses out.

Whoever asks sees none of how an answer comes: by calls at once to a provider, by its batch service, by files that
travel by hand, or from weights on this computer. An answer that is stored is never asked for again.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.config_sections import LmConfig
from doxa.errors import CheckpointError, ConfigError, ModelError
from doxa.lm.batch_file import ANSWERS, exchange, find_answer, is_batch_file
from doxa.lm.budget import Budget
from doxa.lm.client import CallError, Endpoint, load_keys, provider, require_endpoint, server_address
from doxa.lm.loaded_weights import LOCAL, Lender, LoadedWeights
from doxa.lm.named_weights import find_weights
from doxa.lm.prices import load_prices
from doxa.lm.realtime import Calls, Limiter, call_all
from doxa.lm.request import Request, Response
from doxa.lm.store import ResponseStore

if TYPE_CHECKING:
    from doxa.run.progress import Bar, Progress

STORE = "responses.sqlite"
BATCH = "batch"  # the folder of batch files


class LanguageModels:
    """Answers requests of one run folder. Made by `open_models`."""

    def __init__(self, folder: Path, store: ResponseStore, config: LmConfig, progress: Progress) -> None:
        self.folder = folder
        self.store = store
        self.config = config
        self.progress = progress
        self.prices = load_prices(config.prices)
        self.budget = Budget(store, self.prices, config.budget_usd, config.budget_tokens)
        self._weights: dict[str, str] = {}
        self._loaded = LoadedWeights()
        self._bar: Bar | None = None

    def answer(self, requests: Iterable[Request], label: str = "", total: int | None = None) -> None:
        """See to it that every request has a stored response. Requests are taken one by one, as there is room.

        With `total` a bar shows how far it is. Raises BudgetError, WaitingError (answers that come from elsewhere are
        not there yet), ModelError (a model that can't be used, or calls that failed for good); everything that was
        answered is stored, and the same call goes on.
        """
        # the files of a model on this computer may have been exchanged since the last call
        self._weights = {model: name for model, name in self._weights.items() if not model.startswith(LOCAL)}
        with self._showing(label, total):
            others: dict[str, list[Request]] = {}
            self._realtime(self._open(requests, others))
            for model, waiting in others.items():
                self._elsewhere(model, waiting)

    def response(self, request: Request) -> Response:
        """The stored response. Raises KeyError when there is none."""
        found = self.store.get(self.pinned(request).key)
        if found is None:
            raise KeyError(f"no stored response to request {request.key}")
        return found

    def failure(self, request: Request) -> tuple[str, str] | None:
        """Kind and message of the failure that left a request without a response, or None."""
        return self.store.failure(self.pinned(request).key)

    def where(self, request: Request) -> str:
        """File and line that a response was read from, for a person; "" for one that came by a call."""
        return find_answer(self.folder / BATCH / ANSWERS, self.pinned(request)) if is_batch_file(request.model) else ""

    def lend(self, model: str, digest: str, lender: Lender) -> None:
        """Have requests to `model` (local/...) answered by weights that the caller holds and not loaded once more.

        `lender` gives the transformers model and its tokenizer when there is something to answer; `digest` names them
        in the store: `weights_digest` of their folder and adapter.
        """
        self._loaded.lend(model, digest, lender)
        self._weights.pop(model, None)

    def take_back(self, model: str) -> None:
        """End `lend`: from here on `model` means what lies at its place again."""
        self._loaded.take_back(model)
        self._weights.pop(model, None)

    def release(self) -> None:
        """Let go of the weights that were loaded to answer; the next request to them loads them again."""
        self._loaded.release()

    def pinned(self, request: Request) -> Request:
        """The request with the weights that would answer it: its key in the store."""
        if request.weights:
            return request
        if request.model not in self._weights:
            self._weights[request.model] = self._find_weights(request.model)
        weights = self._weights[request.model]
        return request.model_copy(update={"weights": weights}) if weights else request

    def _find_weights(self, model: str) -> str:
        if model.startswith(LOCAL):
            return self._loaded.digest(model)
        return "" if is_batch_file(model) else server_address(model)

    def _open(self, requests: Iterable[Request], others: dict[str, list[Request]]) -> Iterator[Request]:
        """The unanswered requests that go out one by one; those that go another way are gathered in `others`."""
        seen: set[str] = set()
        for given in requests:
            request = self.pinned(given)
            key = request.key
            if key in self.store:
                self._advance()
            elif key not in seen:  # two askers of one question are one question
                seen.add(key)
                if self._goes_elsewhere(request.model):
                    others.setdefault(request.model, []).append(request)
                else:
                    yield request

    def _goes_elsewhere(self, model: str) -> bool:
        return model.startswith(LOCAL) or is_batch_file(model) or self.config.batch

    def _realtime(self, requests: Iterator[Request]) -> None:
        first = next(requests, None)
        if first is None:
            return
        asyncio.run(self._call(_chain(first, requests)))

    async def _call(self, requests: Iterator[Request]) -> None:
        endpoints: dict[str, Endpoint] = {}
        lost: list[CallError] = []

        def checked() -> Iterator[Request]:
            for request in requests:
                if request.model not in endpoints:
                    self.budget.require_price(request.model)
                    endpoints[request.model] = Endpoint(request.model, self.config.timeout_s)
                yield request

        def failed(request: Request, error: CallError) -> None:
            self.store.fail(request, error.kind, str(error))
            if error.kind != "rejected":  # a rejected request is for its asker to deal with
                lost.append(error)

        try:
            await call_all(
                checked(),
                Calls(
                    ask=lambda request: endpoints[request.model].ask(request),
                    limiter=Limiter(self.config.concurrency),
                    budget=self.budget,
                    attempts=self.config.attempts,
                    answered=self._answered,
                    failed=failed,
                    tried_again=lambda request, error: self.store.count_retry(request, error.kind),
                ),
            )
        finally:
            for endpoint in endpoints.values():
                await endpoint.close()
        if lost:
            raise ModelError(
                f"{len(lost)} calls came to nothing after {self.config.attempts} tries each (lm.attempts); the last: "
                f"{lost[-1]}. All other answers are stored; run the same command to go on"
            )

    def _elsewhere(self, model: str, requests: list[Request]) -> None:
        if is_batch_file(model):
            if self.config.budget_usd or self.config.budget_tokens:
                self.progress.warn("lm.budget: does not bound what the answers to batch files cost where they are made")
            exchange(
                requests,
                self.folder / BATCH,
                self.config.batch_requests,
                self._answered,
                lambda request, error: self.store.fail(request, error.kind, str(error)),
                self.progress.warn,
            )
        elif model.startswith(LOCAL):
            from doxa.lm.local import answer_locally

            for weights in dict.fromkeys(request.weights for request in requests):
                loaded = self._loaded.get(model, weights)
                asked = [request for request in requests if request.weights == weights]
                answer_locally(loaded.model, loaded.tokenizer, asked, self.config.local_batch, self._answered)
        else:
            from doxa.lm.batch import Batches
            from doxa.lm.batch_service import open_service

            self.budget.require_price(model)
            Batches(
                model,
                requests,
                self.store,
                self.config,
                self.budget,
                self._answered_in_batch,
                self.progress,
                open_service(model),
            ).run()

    def _answered(self, request: Request, response: Response) -> None:
        self.store.put(request, response)
        self._advance()

    def _answered_in_batch(self, request: Request, response: Response) -> None:
        self.store.put(request, response, batch=True)
        self._advance()

    def _advance(self) -> None:
        if self._bar is not None:
            self._bar.advance()

    @contextlib.contextmanager
    def _showing(self, label: str, total: int | None) -> Iterator[None]:
        if total is None:
            yield
            return
        with self.progress.bar(label, total) as bar:
            self._bar = bar
            try:
                yield
            finally:
                self._bar = None


@contextlib.contextmanager
def open_models(folder: Path, config: LmConfig, progress: Progress) -> Iterator[LanguageModels]:
    """The language models as one folder sees them, with its response store (responses.sqlite)."""
    load_keys()  # before the first request is named: a server's address in .env is part of the name
    with ResponseStore(folder / STORE) as store:
        models = LanguageModels(folder, store, config, progress)
        try:
            yield models
        finally:
            models.release()


def usage_table(models: LanguageModels) -> list[dict[str, Any]]:
    """The rows of usage.json: what each model cost each stage, summed over stored answers; usd None if unknown."""
    rows = []
    for spent in models.store.spent():
        price = models.prices.of(spent.model)
        rows.append(
            {
                "model": spent.model,
                "stage": spent.stage,
                "batch": spent.batch,
                "responses": spent.responses,
                **spent.usage.model_dump(),
                "usd": None if price is None else round(price.cost(spent.usage, spent.batch), 6),
                "price_of": None if price is None else price.date.isoformat(),
            }
        )
    return rows


def check_model(model: str, field: str, config: LmConfig) -> None:
    """Raise ConfigError for a model string that can't be one, before anything is spent."""
    if not model.strip() or model != model.strip():
        raise ConfigError(f"{field}: must be a model string such as anthropic/claude-haiku-4-5 (got {model!r})")
    if is_batch_file(model) or model.startswith(LOCAL):
        return
    if "/" not in model:
        if difflib.get_close_matches(model, ["recorded"]):
            raise ConfigError(f"{field}: {model!r} is no model; did you mean 'recorded'?")
        raise ConfigError(
            f"{field}: {model!r} names no provider; write provider/model (openai/gpt-4.1-mini, "
            "anthropic/claude-haiku-4-5, openai-api/SERVICE/MODEL), local/MODEL, batch-file or recorded"
        )
    if config.batch and provider(model) not in ("openai", "anthropic", "openai-api"):
        raise ConfigError(f"lm.batch: doxa speaks the batch services of openai and anthropic, not of {provider(model)}")


def require_models(folder: Path, named: Iterable[tuple[str, str]], config: LmConfig) -> None:
    """Raise ConfigError for one of several models, (field, model), that can't be asked. Nothing is sent.

    One that has answered in this folder needs no key any more: all that it said may be there.
    """
    heard = answers_by_model(folder)
    for field, model in named:
        check_model(model, field, config)
        if model not in heard:
            require_usable(model, field)


def require_usable(model: str, field: str) -> None:
    """Raise ConfigError for a model that can't be asked: an unknown provider, no key, no weights. Nothing is sent.

    For models whose turn comes late or whose name is to be remembered; `check_model` reads the string alone.
    """
    if is_batch_file(model):
        return
    load_keys()
    try:
        if model.startswith(LOCAL):
            find_weights(model.removeprefix(LOCAL))
        else:
            require_endpoint(model)
    except (CheckpointError, ModelError) as error:
        raise ConfigError(f"{field}: {error}") from None


def answers_by_model(folder: Path) -> dict[str, int]:
    """How many answers of each model a folder's store holds."""
    if not (folder / STORE).exists():
        return {}
    found: Counter[str] = Counter()
    with ResponseStore(folder / STORE) as store:
        for spent in store.spent():
            found[spent.model] += spent.responses
    return dict(found)


def _chain(first: Request, rest: Iterator[Request]) -> Iterator[Request]:
    yield first
    yield from rest
