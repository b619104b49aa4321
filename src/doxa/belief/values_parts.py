"""The parts of an evaluation of values: of each arm, one per kind of question, measured once and then read."""

from __future__ import annotations

import time

from doxa.belief.asks import Ask, as_data, score_asks
from doxa.belief.depth_job import Loaded, kept
from doxa.belief.free import Question, ask_freely, chat_request, requests_of
from doxa.belief.monitor_parts import monitor_part, spoken_part
from doxa.belief.pair_forms import form_of
from doxa.belief.pairs import eval_item, pair_asks
from doxa.belief.reasons import audit_by_words
from doxa.belief.rounds import heard
from doxa.belief.subjects import Subject
from doxa.belief.thinking import thought_requests
from doxa.belief.values_free import (
    choice_values,
    open_questions,
    pair_questions,
    preferences,
    read_by_option,
    read_by_words,
    recall_asked,
    text_choices,
    verdict_measures,
)
from doxa.belief.values_job import Part, ValuesJob, ValuesRows, can_talk, has_template, note
from doxa.records import Readout


def measure_values(job: ValuesJob) -> ValuesRows:
    """Measure every part that is not there yet and return the rows of all arms, with what rules read in answers."""
    rows, loaded = ValuesRows(), Loaded(job)
    _ask_ahead(job)
    counts = [len(_parts(job, subject)) for subject in job.subjects]
    with job.progress.bar("values", sum(counts), settled=max(counts, default=0)) as bar:  # an arm's parts are unequal
        for subject in _swapped_first(job):
            with loaded.lent(subject):
                for name, part in _parts(job, subject).items():
                    started = time.monotonic()
                    measured = part(job, subject, loaded, rows)
                    if measured:
                        rows.seconds[f"{subject.arm} {name}"] = round(time.monotonic() - started, 2)
                    (bar.advance if measured else bar.skip)(arm=subject.arm, part=name)
    _read(job, rows)
    return rows


def _parts(job: ValuesJob, subject: Subject) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    if job.asks("pairs"):
        parts["pairs"] = _pairs if subject.weights is not None else _choices
    if job.asks("free", "recall", "reasons"):
        parts["free"] = _free
    if job.asks("monitor"):
        parts["monitor"] = monitor_part if subject.weights is not None else spoken_part
    return parts


def _swapped_first(job: ValuesJob) -> list[Subject]:
    """The arms, that whose reasoning the others are given before them."""
    return sorted(job.subjects, key=lambda subject: subject.arm != job.settings.swap)


def _pairs(job: ValuesJob, subject: Subject, loaded: Loaded, rows: ValuesRows) -> bool:
    """Each form is a part of its own, so that one more form measures nothing twice."""
    measured = False
    for style in job.settings.forms(subject.context is not None):
        asks = pair_asks(job.target.pairs, (style,), job.target.spec.model_name)
        if form_of(style).turn and not has_template(subject):
            note(rows, f"{subject.arm}: has no chat template, so only forms of running text were asked")
            continue

        def measure(asks: list[Ask] = asks) -> list[Readout]:
            return score_asks(loaded.scorer(subject), asks, subject.arm, subject.checkpoint, subject.context)

        measured |= kept(job, subject, f"pairs-{style}", as_data(asks), Readout, measure, rows.readouts)
    return measured


def _choices(job: ValuesJob, subject: Subject, loaded: Loaded, rows: ValuesRows) -> bool:
    put = text_choices(job.target.pairs, job.settings.choice_samples)
    how = job.answering(subject)
    requests = [chat_request(subject, choice.turns, how, job.answer_dtype, choice.sample) for choice in put]
    job.models.answer(requests)
    for choice, request in zip(put, requests, strict=True):
        text = heard(job.models, request).text
        rows.measures += choice_values(choice, text, subject.arm, subject.checkpoint, job.sets)
    return True


def _free(job: ValuesJob, subject: Subject, loaded: Loaded, rows: ValuesRows) -> bool:
    """Free answers lie in the response store, so there is nothing to keep beside them."""
    if not can_talk(subject, rows):
        return False
    rows.answers += ask_freely(job.models, subject, _questions(job), job.answering(subject), job.answer_dtype)
    return True


def _questions(job: ValuesJob) -> list[Question]:
    samples = job.settings.samples
    asked: list[Question] = []
    if job.asks("free", "reasons"):
        asked += open_questions(job.target, samples)
        asked += pair_questions(preferences(job.target, job.settings.free_pairs), samples)
    if job.asks("recall"):
        asked += recall_asked(job.target, samples)
    return asked


def _read(job: ValuesJob, rows: ValuesRows) -> None:
    """What rules read in free answers, as values."""
    items = {item.id: item for item in job.target.pairs}
    if job.asks("free"):
        by_option = read_by_option(rows.answers, items)
        rows.measures += verdict_measures(rows.answers, by_option, "option", job.sets)
    if not job.words.own or not job.words.other:
        note(rows, "no words set the spec apart from its opposite, so no answer was read by words")
        return
    chosen = [*(("free_open", "free_pairs") if job.asks("free") else ()), *(("recall",) if job.asks("recall") else ())]
    read = [answer for answer in rows.answers if answer.probe in chosen]
    rows.measures += verdict_measures(read, read_by_words(read, job.words), "words", job.sets)
    if job.asks("reasons"):
        rows.measures += audit_by_words(rows.answers, job.words, items)


def _ask_ahead(job: ValuesJob) -> None:
    """All that models behind an API are asked in a first round: one batch, or one file to be answered, for all arms."""
    requests = []
    for subject in job.subjects:
        if subject.weights is not None:
            continue
        how = job.answering(subject)
        if job.asks("pairs"):
            put = text_choices(job.target.pairs, job.settings.choice_samples)
            requests += [chat_request(subject, one.turns, how, job.answer_dtype, one.sample) for one in put]
        if job.asks("free", "recall", "reasons"):
            for question in _questions(job):
                requests += requests_of(subject, question, how, job.answer_dtype)
        if job.asks("monitor"):
            items = [eval_item(item) for item in preferences(job.target, job.settings.monitor_pairs)]
            requests += thought_requests(
                subject, items, job.thinking(subject), how, job.answer_dtype, job.settings.choice_samples
            )
    if requests:
        job.models.answer(requests, "asking", len(requests))
