"""What models behind an API are asked for a depth profile: everything as text, all arms together, a round at a time.

Answers lie in the response store, so that no part is kept beside them.
"""

from __future__ import annotations

from collections.abc import Sequence

from doxa.belief.choices import Choice, choice_measures, choices, item_asks
from doxa.belief.depth_job import DepthJob, DepthRows, Loaded, sampling_of, thinking_budgets
from doxa.belief.depth_parts import ASKS, Part, chosen_asks, chosen_items, conversations, free_part, questions_of
from doxa.belief.free import chat_request, requests_of
from doxa.belief.rounds import Exchange, heard, in_rounds
from doxa.belief.subjects import Subject
from doxa.belief.thinking import think_and_choose
from doxa.lm.request import Request


def asked_parts(job: DepthJob, subject: Subject) -> dict[str, Part]:
    """The parts of an arm that can only speak."""
    return {"choices": _choices, **({"thinking": _thinking} if "thinking" in job.probes else {}), "free": free_part}


def ask_ahead(job: DepthJob) -> None:
    """Have everything answered that the arms behind an API are asked, so that a batch or a file serves all of them.

    As many rounds as the longest exchange has turns; what depends on no answer is asked in the first.
    """
    asked: list[Exchange[object]] = []
    for subject in job.subjects:
        if subject.weights is None:
            asked += [_at_once(job, subject), _thoughts(job, subject), conversations(job, subject)]
    in_rounds(job.models, asked, "asking")


def _at_once(job: DepthJob, subject: Subject) -> Exchange[None]:
    """All that takes one question and one answer."""
    requests = [request for _, request in _put_choices(job, subject)]
    sampling = sampling_of(job, subject)
    for question in questions_of(job, subject):
        requests += requests_of(subject, question, sampling, job.answer_dtype)
    yield requests


def _put_choices(job: DepthJob, subject: Subject) -> list[tuple[Choice, Request]]:
    asks = item_asks(chosen_items(job)) + [ask for name in ASKS for ask in chosen_asks(job, name)]
    put = [choice for ask in asks for choice in choices(ask, job.config.choice_samples)]
    sampling = sampling_of(job, subject)
    return [(choice, chat_request(subject, choice.turns, sampling, job.answer_dtype, choice.sample)) for choice in put]


def _choices(job: DepthJob, subject: Subject, loaded: Loaded, rows: DepthRows) -> bool:
    """Everything that has options, asked of a model that can only speak."""
    put = _put_choices(job, subject)
    job.models.answer([request for _, request in put])
    _read(subject, [(choice, heard(job.models, request).text) for choice, request in put], rows)
    return True


def _thoughts(job: DepthJob, subject: Subject) -> Exchange[list[tuple[Choice, str]]]:
    items = job.world.group("distinguish") if "thinking" in job.probes else []
    budgets, samples = thinking_budgets(job, subject), job.config.choice_samples
    return think_and_choose(job.models, subject, items, budgets, samples, sampling_of(job, subject), job.answer_dtype)


def _thinking(job: DepthJob, subject: Subject, loaded: Loaded, rows: DepthRows) -> bool:
    _read(subject, in_rounds(job.models, [_thoughts(job, subject)])[0], rows)
    return True


def _read(subject: Subject, said: Sequence[tuple[Choice, str]], rows: DepthRows) -> None:
    for choice, text in said:
        readout = choice.ask.style if choice.ask.probe == "thinking" else "text"
        rows.measures += choice_measures(choice, text, subject.arm, subject.checkpoint, readout)
