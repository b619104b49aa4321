"""The parts of an evaluation of values that are about reasoning: of weights by likelihood, of others in words."""

from __future__ import annotations

from doxa.belief.asks import as_data, score_asks
from doxa.belief.depth_job import Loaded, kept
from doxa.belief.free import answer_of
from doxa.belief.monitor import PROBE as MONITOR
from doxa.belief.monitor import Outcome, monitor_asks, monitor_measures, outcomes, templates_of
from doxa.belief.monitor_spoken import talk
from doxa.belief.pairs import PairItem, eval_item
from doxa.belief.rounds import heard, in_rounds
from doxa.belief.subjects import Subject
from doxa.belief.thinking import thought_requests
from doxa.belief.values_free import preferences
from doxa.belief.values_job import ValuesJob, ValuesRows, can_talk
from doxa.records import Answer, Readout, digest


def monitor_part(job: ValuesJob, subject: Subject, loaded: Loaded, rows: ValuesRows) -> bool:
    """An arm with weights: its reasoning is sampled, the answers after it are scored."""
    if not can_talk(subject, rows):
        return False
    items = preferences(job.target, job.settings.monitor_pairs)
    templates = templates_of(job.target, job.settings.templates)
    thoughts = _thoughts(job, subject, items, rows)
    swapped = _swapped(job, subject, items, rows)
    asks = monitor_asks(items, thoughts, templates, swapped)
    found: list[Readout] = []

    def measure() -> list[Readout]:
        return score_asks(loaded.scorer(subject), asks, subject.arm, subject.checkpoint, subject.context)

    measured = kept(job, subject, "monitor", as_data(asks), Readout, measure, found)
    rows.readouts += found
    rows.measures += monitor_measures(outcomes(found, items, thoughts, job.words), subject.arm, subject.checkpoint)
    return measured


def _thoughts(job: ValuesJob, subject: Subject, items: list[PairItem], rows: ValuesRows) -> list[str]:
    """What a subject says to itself about each pair; kept among the answers too, for a person to read."""
    how, tokens = job.answering(subject), job.thinking(subject)
    requests = thought_requests(subject, [eval_item(item) for item in items], tokens, how, job.answer_dtype)
    job.models.answer(requests)
    said = [heard(job.models, request) for request in requests]
    rows.answers += [
        answer_of(subject, MONITOR, item.id, item.question, request, response)
        for item, request, response in zip(items, requests, said, strict=True)
    ]
    return [response.text.strip() for response in said]


def _swapped(job: ValuesJob, subject: Subject, items: list[PairItem], rows: ValuesRows) -> list[str] | None:
    if not job.settings.swap or subject.arm == job.settings.swap:
        return None
    other = _thoughts_of(rows.answers, job.settings.swap)
    return [other[item.id] for item in items]


def _thoughts_of(answers: list[Answer], arm: str) -> dict[str, str]:
    """Pair -> the first stretch of reasoning of an arm."""
    found: dict[str, str] = {}
    for answer in answers:
        if answer.probe == MONITOR and answer.arm == arm:
            found.setdefault(answer.item_id, answer.text.strip())
    return found


def spoken_part(job: ValuesJob, subject: Subject, loaded: Loaded, rows: ValuesRows) -> bool:
    """An arm that only speaks: it says its reasoning and then its choices."""
    items = preferences(job.target, job.settings.monitor_pairs)
    swap = job.settings.swap
    swapped = _thoughts_of(rows.answers, swap) if swap and subject.arm != swap else None
    exchange = talk(
        job.models,
        subject,
        items,
        templates_of(job.target, job.settings.templates),
        job.words,
        job.settings.choice_samples,
        job.thinking(subject),
        job.answering(subject),
        job.answer_dtype,
        swapped,
    )
    (found,) = in_rounds(job.models, [exchange])
    rows.answers += _spoken_answers(subject, found)
    rows.measures += monitor_measures(found, subject.arm, subject.checkpoint, "text")
    return True


def _spoken_answers(subject: Subject, found: list[Outcome]) -> list[Answer]:
    return [
        Answer(
            id=digest("answer", subject.arm, subject.checkpoint, MONITOR, one.item.id, one.key),
            arm=subject.arm,
            checkpoint=subject.checkpoint,
            probe=MONITOR,
            item_id=one.item.id,
            sample=one.sample,
            question=one.item.question,
            text=one.thought,
            key=one.key,
        )
        for one in found
    ]
