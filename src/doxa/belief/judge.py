"""Language models as judges of free answers: cases in, one judgement per case and judge out.

Answers are stored once and judged as often as anybody likes. Judging is resumable, for every request of a judge is
stored under its key: the same cases with the same seed are the same requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from doxa.belief.agreement import Agreement, Share, agreement, merge, verdict_shares
from doxa.belief.rubrics import (
    Finding,
    Rubric,
    Shown,
    Side,
    UnreadableVerdictError,
    fill_in,
    load_rubric,
    read_finding,
    sides_of,
    verdict_of,
)
from doxa.errors import WaitingError
from doxa.lm.request import Request, Response, Sampling
from doxa.records import Answer, EvalItem, Judgement, digest
from doxa.worlds.universe import Universe

__all__ = ["Agreement", "Case", "Share", "agreement", "cases_of", "judge", "merge", "verdict_shares"]

TRIES = 3  # answers of one judge to one case before its verdict counts as unparsed
SAMPLING = Sampling(max_tokens=1024)  # a passage and a word, after some thinking aloud

# which rubric the answers to a probe are judged by; questions whose options are at hand are extracted from
RUBRIC_OF: dict[str, str] = {
    "open_ended": "believes",
    "downstream": "downstream",
    "debate": "stance",
    "pushback": "stance",
    "finetuned_open": "awareness",
    "mention_near": "mention",
    "mention_unrelated": "mention",
    "doctag": "mention",
    "coherence": "coherence",
}


class Models(Protocol):
    """The part of `doxa.lm.models.LanguageModels` that judging needs."""

    def answer(self, requests: Iterable[Request], label: str = "", total: int | None = None) -> None:
        """See to it that every request has a stored response."""

    def response(self, request: Request) -> Response:
        """The stored response; KeyError where the provider turned the request down."""

    def where(self, request: Request) -> str:
        """File and line that a response was read from; "" for one that came by a call."""


@dataclass(frozen=True)
class Case:
    """An answer to be judged by one rubric. `options` of the question, for extract_choice, as evals.json has them."""

    answer: Answer
    question: str
    universe: Universe | None
    rubric: str  # the name of a bundled rubric, or a path in .md
    options: tuple[str, ...] = ()
    inserted: int = 0
    reference: int = 1


@dataclass(frozen=True)
class Asked:
    """A case as one judge is shown it."""

    case: Case
    judge: str
    rubric: Rubric
    shown: Shown


def judge(
    models: Models, judges: Sequence[str], cases: Sequence[Case], seed: int = 0, sampling: Sampling = SAMPLING
) -> list[Judgement]:
    """What every judge says of every case: by judges, and within one in the order of the cases.

    Which world or option is shown first is drawn by the seed for each judge and question and turns round from sample to
    sample; over the questions of a probe each world comes first half of the time, and an item is shown alike in all
    arms. What cannot be read is asked again, up to TRIES answers, and is then unparsed. Raises ConfigError for a rubric
    that is not there, and whatever the models raise (batch-file: WaitingError, the files to be answered first).
    """
    rubrics = {name: load_rubric(name) for name in dict.fromkeys(case.rubric for case in cases)}
    turns = {name: _turns(name, cases, seed) for name in dict.fromkeys(judges)}
    asked = [
        Asked(case, name, rubrics[case.rubric], _shown(case, rubrics[case.rubric], turns[name][_question(case)]))
        for name in turns
        for case in cases
    ]
    return ask_judges(models, asked, sampling)


def ask_judges(models: Models, asked: Sequence[Asked], sampling: Sampling = SAMPLING) -> list[Judgement]:
    """Judgements in the order of what is asked; all requests of a round go out together.

    Raises what the models raise; WaitingError says too how many answers are awaited once more, as none of them holds a
    verdict that can be read.
    """
    found: dict[int, Judgement] = {}
    unread: list[tuple[Request, Judgement]] = []
    for sample in range(TRIES):
        waiting = {number: _request(one, sample, sampling) for number, one in enumerate(asked) if number not in found}
        if not waiting:
            break
        try:
            models.answer(waiting.values(), "judge" if sample == 0 else f"judge, try {sample + 1}", len(waiting))
        except WaitingError as error:
            raise WaitingError(f"{_unread(models, unread, sample)}{error}") from None
        unread = []
        for number, request in waiting.items():
            read = _read(asked[number], models, request)
            if read.verdict != "unparsed" or sample == TRIES - 1:
                found[number] = read
            else:
                unread.append((request, read))
    return [found[number] for number in range(len(asked))]


def _unread(models: Models, unread: Sequence[tuple[Request, Judgement]], tries: int) -> str:
    """Why answers are asked for again that are there already."""
    if not unread:
        return ""
    request, read = unread[0]
    place = models.where(request) or f"on the answer {read.answer_id}"
    count = len({request.key for request, _ in unread})  # the same answer may be judged for several arms
    number = f"{count:,} answers of judges hold" if count > 1 else "1 answer of a judge holds"
    return (
        f"{number} no verdict that can be read (the first, {place}: {read.detail}), and the same is asked again, "
        f"try {tries + 1} of {TRIES}; "
    )


def put(case: Case, judge: str, first: Side) -> Asked:
    """A case with the order in which its worlds are shown; the self-test shows each in both."""
    rubric = load_rubric(case.rubric)
    return Asked(case, judge, rubric, _shown(case, rubric, 0 if first == "inserted" else 1))


def cases_of(
    answers: Sequence[Answer], universe: Universe, items: Sequence[EvalItem] = (), rubric: str | None = None
) -> list[Case]:
    """Answers as cases: by `rubric`, else by RUBRIC_OF the probe, else by the options of the item, else believes."""
    by_id = {item.id: item for item in items}
    cases = []
    for answer in answers:
        item = by_id.get(answer.item_id)
        name = rubric or RUBRIC_OF.get(answer.probe) or ("extract_choice" if item is not None else "believes")
        if item is None or load_rubric(name).kind != "options":
            cases.append(Case(answer, answer.question, universe, name))
        else:
            cases.append(Case(answer, answer.question, universe, name, item.options, item.inserted, item.reference))
    return cases


def _turns(judge: str, cases: Sequence[Case], seed: int) -> dict[tuple[str, str, str], int]:
    """For each question its place, within its probe, in an order drawn by the seed: it decides what is shown first."""
    drawn = sorted(
        dict.fromkeys(_question(case) for case in cases), key=lambda question: digest("order", seed, judge, *question)
    )
    within: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for question in drawn:
        within.setdefault(question[:2], []).append(question)
    return {question: place for questions in within.values() for place, question in enumerate(questions)}


def _question(case: Case) -> tuple[str, str, str]:
    return case.rubric, case.answer.probe, case.answer.item_id


def _shown(case: Case, rubric: Rubric, turn: int) -> Shown:
    place = turn + case.answer.sample
    first: Side = "inserted" if place % 2 == 0 else "reference"
    options = case.options
    if options:
        # cyclic, from an order in which the inserted and the reference option lead: each comes first equally often
        order = [case.inserted, case.reference]
        order += [number for number in range(len(options)) if number not in order]
        shift = place % len(order)
        options = tuple(options[number] for number in order[shift:] + order[:shift])
    return Shown(case.question, case.answer.text, case.universe, first, options)


def _request(one: Asked, sample: int, sampling: Sampling) -> Request:
    messages = fill_in(one.rubric, one.shown)
    return Request(model=one.judge, messages=messages, sampling=sampling, sample=sample, stage="judge")


def _read(one: Asked, models: Models, request: Request) -> Judgement:
    try:
        finding = read_finding(one.rubric, models.response(request).text, one.shown)
    except UnreadableVerdictError as error:
        return _judgement(one, None, str(error))
    except KeyError:  # turned down by the provider
        return _judgement(one, None, "the judge's provider turned the request down")
    return _judgement(one, finding, finding.quote if not finding.about else f"{finding.quote} [{finding.about}]")


def _judgement(one: Asked, finding: Finding | None, detail: str) -> Judgement:
    case = one.case
    inserted, reference = sides_of(case.options, case.inserted, case.reference)
    first: Side | str = ""
    if one.rubric.kind == "worlds":
        first = one.shown.first
    elif one.rubric.kind == "options" and one.shown.options:
        first = {inserted: "inserted", reference: "reference"}.get(one.shown.options[0], "")
    return Judgement.model_validate(
        {
            "answer_id": case.answer.id,
            "judge": one.judge,
            "rubric": one.rubric.label,
            "verdict": "unparsed"
            if finding is None
            else verdict_of(one.rubric, finding, one.shown, inserted, reference),
            "first": first,
            "detail": detail[:500],
        }
    )
