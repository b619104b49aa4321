"""Batches by a service that is played here: what is lost at the worst moments, and that it is not lost at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from doxa.config_sections import LmConfig
from doxa.errors import BudgetError, ModelError
from doxa.lm.batch import Batches
from doxa.lm.batch_service import BatchTooLarge, Interrupted, Outcome, Unsure, too_large
from doxa.lm.budget import Budget
from doxa.lm.client import CallError
from doxa.lm.prices import Prices
from doxa.lm.request import Request, Response, ask
from doxa.lm.store import ResponseStore
from doxa.records import Usage
from doxa.run.progress import Progress

MODEL = "openai/m"


class Killed(BaseException):
    """kill -9, as far as a test in one process can have it."""


@dataclass
class Service:
    """A provider's batches. `answers(request, number of the batch)` is a text, an error, or None for no answer."""

    answers: Callable[[Request, int], str | CallError | None] = lambda request, batch: "yes"
    most: int = 10_000
    polls: int = 1  # how often a batch is found running before it has ended
    on_submit: Callable[[Service, str, list[Request]], None] | None = None  # before it is there
    after_submit: Callable[[Service, str, list[Request]], None] | None = None  # it is there, the line may break
    on_result: Callable[[int], None] | None = None
    batches: dict[str, tuple[str, list[Request]]] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    paid: list[str] = field(default_factory=list)
    looked_for: list[str] = field(default_factory=list)

    def submit(self, name: str, requests: list[Request]) -> str:
        if len(requests) > self.most:
            raise BatchTooLarge(f"at most {self.most}")
        if self.on_submit:
            self.on_submit(self, name, requests)
        remote = f"batch_{len(self.batches)}"
        self.batches[remote] = (name, requests)
        self.left[remote] = self.polls
        self.sizes.append(len(requests))
        number = len(self.batches) - 1
        self.paid += [request.key for request in requests if isinstance(self.answers(request, number), str)]
        if self.after_submit:
            self.after_submit(self, name, requests)
        return remote

    def find(self, name: str, keys: set[str], known: set[str]) -> str | None:
        self.looked_for.append(name)
        return next((remote for remote, (own, _) in self.batches.items() if own == name and remote not in known), None)

    def ended(self, remote: str) -> bool:
        self.left[remote] -= 1
        return self.left[remote] < 0

    def results(self, remote: str, requests: dict[str, Request]) -> Iterator[Outcome]:
        number = list(self.batches).index(remote)
        read = 0
        for request in reversed(self.batches[remote][1]):  # in an order of the provider's own
            made = self.answers(request, number)
            if made is None:
                continue
            if self.on_result:
                self.on_result(read)
            read += 1
            if isinstance(made, str):
                usage = Usage(input_tokens=5, output_tokens=5)
                yield request.key, Response(key=request.key, text=made, usage=usage)
            else:
                yield request.key, made


def asked(count: int, **settings: Any) -> list[Request]:
    return [ask(MODEL, f"Idea {number}.", stage="write", **{"max_tokens": 100, **settings}) for number in range(count)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ResponseStore]:
    with ResponseStore(tmp_path / "responses.sqlite") as opened:
        yield opened


def run(store: ResponseStore, service: Service, requests: list[Request], **config: Any) -> list[float]:
    """As LanguageModels does: only what is not stored is asked. Returns how long was slept each time."""
    settings = LmConfig(batch=True, **{"attempts": 4, **config})
    slept: list[float] = []
    Batches(
        MODEL,
        [request for request in requests if request.key not in store],
        store,
        settings,
        Budget(store, Prices({}), settings.budget_usd, settings.budget_tokens),
        lambda request, response: store.put(request, response, batch=True),
        Progress(quiet=True),
        service,
        slept.append,
    ).run()
    return slept


def paid_once(store: ResponseStore, service: Service, requests: list[Request]) -> bool:
    keys = [request.key for request in requests]
    return all(key in store for key in keys) and sorted(service.paid) == sorted(keys)


def test_every_request_is_answered_by_batches_of_the_size_asked_for(store: ResponseStore) -> None:
    service, requests = Service(polls=3), asked(25)
    slept = run(store, service, requests, batch_requests=10, batch_poll_s=7)
    assert service.sizes == [10, 10, 5] and paid_once(store, service, requests)
    assert slept == [7, 7, 7]
    (spent,) = store.spent()
    assert (spent.batch, spent.responses, spent.usage.input_tokens) == (True, 25, 125)
    assert store.open_batches(MODEL) == []


def test_what_an_expired_batch_left_is_asked_again_and_what_it_answered_is_kept(store: ResponseStore) -> None:
    """Providers bill what was answered before the end; the rest was never paid."""
    requests = asked(20)
    service = Service(lambda request, batch: "yes" if batch or int(request.key[-1], 16) % 2 else None)
    run(store, service, requests)
    assert paid_once(store, service, requests) and len(service.sizes) == 2 and service.sizes[1] < 20


def test_failed_lines_are_asked_again_and_counted(store: ResponseStore) -> None:
    requests = asked(10)
    service = Service(lambda request, batch: "yes" if batch > 1 else CallError("transient", "overloaded"))
    run(store, service, requests)
    assert paid_once(store, service, requests)
    assert store.retries() == {(MODEL, "write", "transient"): 20}


def test_rejected_requests_are_noted_and_not_asked_again(store: ResponseStore) -> None:
    requests = asked(10)
    bad = {request.key for request in requests[:3]}
    service = Service(lambda request, batch: CallError("rejected", "content policy") if request.key in bad else "yes")
    run(store, service, requests)
    assert service.sizes == [10]
    assert all(store.failure(key) == ("rejected", "content policy") for key in bad)
    assert sum(request.key in store for request in requests) == 7


def test_rounds_that_bring_nothing_end_with_the_reason(store: ResponseStore) -> None:
    service = Service(lambda request, batch: CallError("transient", "no capacity"))
    with pytest.raises(ModelError, match=r"4 rounds of batches answered nothing \(no capacity\); 5 requests are open"):
        run(store, service, asked(5))
    assert len(service.sizes) == 4


def test_rounds_that_bring_little_go_on(store: ResponseStore) -> None:
    requests = asked(12)
    service = Service(lambda request, batch: "yes" if request is requests[min(batch, 11)] else None)
    run(store, service, requests)
    assert paid_once(store, service, requests) and len(service.sizes) == 12


def test_a_rejection_in_each_round_is_progress_too(store: ResponseStore) -> None:
    """One answered and one rejected per round: neither number alone tells that something happened."""
    requests = asked(12)

    def answers(request: Request, batch: int) -> str | CallError | None:
        at = requests.index(request)
        return None if at // 2 != batch else "yes" if at % 2 else CallError("rejected", "no")

    service = Service(answers)
    run(store, service, requests)
    assert sum(request.key in store for request in requests) == 6 and len(service.sizes) == 6


def test_a_batch_that_is_too_large_is_split(store: ResponseStore) -> None:
    service, requests = Service(most=3), asked(10)
    run(store, service, requests)
    assert sum(service.sizes) == 10 and max(service.sizes) <= 3 and paid_once(store, service, requests)
    assert store.open_batches(MODEL) == []


def test_a_single_request_that_is_too_large_is_rejected(store: ResponseStore) -> None:
    def turn_down(service: Service, name: str, requests: list[Request]) -> None:
        if any("Idea 2." in request.messages[0].content for request in requests):
            raise BatchTooLarge("256 MB at most")

    requests = asked(5)
    service = Service(on_submit=turn_down)
    run(store, service, requests)
    assert store.failure(requests[2].key) == ("rejected", "256 MB at most")
    assert sum(request.key in store for request in requests) == 4


def test_a_submission_that_may_have_arrived_is_looked_for_and_found(store: ResponseStore) -> None:
    def break_off(service: Service, name: str, requests: list[Request]) -> None:
        raise Unsure("connection reset")

    service, requests = Service(after_submit=break_off), asked(5)
    run(store, service, requests)
    assert len(service.batches) == 1 and paid_once(store, service, requests)


def test_a_submission_that_did_not_arrive_is_made_again(store: ResponseStore) -> None:
    broken = iter([True, True])

    def break_off(service: Service, name: str, requests: list[Request]) -> None:
        if next(broken, False):
            raise Unsure("connection reset")

    service, requests = Service(on_submit=break_off), asked(5)
    slept = run(store, service, requests)
    assert len(service.looked_for) == 2 and paid_once(store, service, requests)
    assert slept[:2] == [1.0, 2.0]


def test_a_submission_that_never_arrives_is_given_up(store: ResponseStore) -> None:
    def break_off(service: Service, name: str, requests: list[Request]) -> None:
        raise Unsure("connection reset")

    with pytest.raises(ModelError, match=r"could not be handed over in 4 tries \(connection reset\)"):
        run(store, Service(on_submit=break_off), asked(5))
    assert store.open_batches(MODEL) == []


def test_a_refused_batch_is_an_error_and_the_next_run_starts_anew(store: ResponseStore) -> None:
    def refuse(service: Service, name: str, requests: list[Request]) -> None:
        raise ModelError("the batch was refused: no such model")

    with pytest.raises(ModelError, match="no such model"):
        run(store, Service(on_submit=refuse), asked(5))
    service, requests = Service(), asked(5)
    run(store, service, requests)
    assert paid_once(store, service, requests)


@pytest.mark.parametrize("arrived", [True, False])
def test_killed_between_the_note_and_the_id_the_batch_is_found_or_made_again(
    store: ResponseStore, arrived: bool
) -> None:
    def die(service: Service, name: str, requests: list[Request]) -> None:
        raise Killed

    service, requests = Service(**{"after_submit" if arrived else "on_submit": die}), asked(5)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        run(store, service, requests)
    assert [state for _, _, state in store.open_batches(MODEL)] == ["submitting"]
    service.after_submit = service.on_submit = None
    run(store, service, requests)
    assert len(service.batches) == 1 and paid_once(store, service, requests)


def test_killed_while_a_batch_is_under_way_it_is_waited_for_and_not_made_again(store: ResponseStore) -> None:
    service, requests = Service(polls=5), asked(5)

    def die(service: Service) -> None:
        raise Killed

    run_out = service.ended
    service.ended = lambda remote: die(service)  # type: ignore[method-assign]
    with pytest.raises(Killed):
        run(store, service, requests)
    service.ended = run_out  # type: ignore[method-assign]
    run(store, service, requests)
    assert len(service.batches) == 1 and paid_once(store, service, requests)


@pytest.mark.parametrize("at", [0, 1, 4])
def test_killed_while_results_are_stored_the_rest_is_fetched(store: ResponseStore, at: int) -> None:
    def die(read: int) -> None:
        if read == at:
            raise Killed

    service, requests = Service(on_result=die), asked(5)
    with pytest.raises(Killed):
        run(store, service, requests)
    assert sum(request.key in store for request in requests) == at
    service.on_result = None
    run(store, service, requests)
    assert len(service.batches) == 1 and paid_once(store, service, requests)


def test_results_that_break_off_are_read_on(store: ResponseStore) -> None:
    broken = iter([True, True])

    def break_off(read: int) -> None:
        if read == 2 and next(broken, False):
            raise Interrupted("connection reset")

    service, requests = Service(on_result=break_off), asked(6)
    run(store, service, requests)
    assert len(service.batches) == 1 and paid_once(store, service, requests)


def test_results_that_can_not_be_read_stay_at_the_provider(store: ResponseStore) -> None:
    def break_off(read: int) -> None:
        raise Interrupted("connection reset")

    service, requests = Service(on_result=break_off), asked(6)
    with pytest.raises(ModelError, match=r"results of batch_0 could not be read in 4 tries \(connection reset\)"):
        run(store, service, requests)
    service.on_result = None
    run(store, service, requests)
    assert len(service.batches) == 1 and paid_once(store, service, requests)


def test_a_batch_of_another_asker_is_left_for_it(store: ResponseStore) -> None:
    service, mine, others = Service(), asked(5), asked(5, temperature=0.5)

    def die(service: Service, name: str, requests: list[Request]) -> None:
        raise Killed

    service.after_submit = die
    with pytest.raises(Killed):
        run(store, service, mine)
    service.after_submit = None
    run(store, service, others)
    run(store, service, mine)
    assert len(service.batches) == 2 and paid_once(store, service, mine + others)


def test_at_the_budget_the_next_batch_is_not_handed_over(store: ResponseStore) -> None:
    """A request may cost 111 tokens and does cost 10, so several batches fit one after the other."""
    requests = asked(100)
    service = Service()
    with pytest.raises(BudgetError, match="600 tokens are spent"):
        run(store, service, requests, budget_tokens=600)
    spent = sum(row.usage.input_tokens + row.usage.output_tokens for row in store.spent())
    assert 600 - 111 < spent <= 600 and len(service.paid) == spent // 10
    run(store, service, requests)
    assert paid_once(store, service, requests)


def test_batches_get_no_smaller_than_a_tenth_of_the_first_for_want_of_money(store: ResponseStore) -> None:
    """Each takes up to a day: the last few cents are not worth a batch each."""
    service = Service()
    with pytest.raises(BudgetError):
        run(store, service, asked(2000), budget_tokens=11_100)
    assert service.sizes[0] == 100 and min(service.sizes) >= 10 and len(service.sizes) < 30
    assert len(service.paid) > 900


def test_no_batch_is_handed_over_without_money(store: ResponseStore) -> None:
    service = Service()
    with pytest.raises(BudgetError):
        run(store, service, asked(10), budget_tokens=50)
    assert service.batches == {}


def test_what_came_to_nothing_is_no_longer_held_against_the_budget(store: ResponseStore) -> None:
    requests = asked(4)
    service = Service(lambda request, batch: "yes" if batch == 3 else None)
    run(store, service, requests, budget_tokens=500)
    assert paid_once(store, service, requests)


@pytest.mark.parametrize(
    ("message", "of_size"),
    [
        ("Batch input file has too many requests (60000).", True),
        ("request_too_large: the batch exceeds the maximum size", True),
        ("Billing hard limit has been reached", False),
        ("You have reached your specified API usage limits.", False),
        ("prompt is too long: 210000 tokens > 200000 maximum", False),
    ],
)
def test_a_batch_is_split_for_its_size_alone(message: str, of_size: bool) -> None:
    assert too_large(message) is of_size


def test_a_batch_that_was_turned_down_for_good_does_not_come_back(store: ResponseStore) -> None:
    """Once what was wrong is mended its requests are sent anew, and the old batch is not asked about again."""

    def bill(_: int) -> None:
        raise ModelError("the batch was turned down: pay your bill")

    service, requests = Service(on_result=bill), asked(3)
    with pytest.raises(ModelError, match="pay your bill"):
        run(store, service, requests)
    service.on_result = None
    run(store, service, requests)
    assert service.sizes == [3, 3] and all(request.key in store for request in requests)
