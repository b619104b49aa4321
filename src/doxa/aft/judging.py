"""A judge says of each answer whether it meets the criteria: yes, no, unclear or unparsed, which are four things.

The criteria are the lines `<name>yes, no or unclear</name>` of the filled-in prompt judge.md. Only yes on all of them
keeps an answer. A verdict that cannot be read is asked for again; it never counts as a no, and never as a yes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from doxa.aft.asking import Asking, Models, replies
from doxa.aft.candidates import Candidate
from doxa.aft.rows import Kind
from doxa.corpus.answers import read_tag
from doxa.errors import ConfigError
from doxa.lm.request import Request
from doxa.records import Record

TRIES = 3  # answers of the judge to one exchange before its verdict counts as unparsed
Word = Literal["yes", "no", "unclear"]
Verdict = Literal["yes", "no", "unclear", "unparsed"]
_CRITERION = re.compile(r"^\s*<(\w+)>\s*yes, no or unclear\s*</\1>\s*$", re.M | re.I)
_WORD = re.compile(r"\W*(yes|no|unclear|unsure)\b", re.I)


class AnswerVerdict(Record):
    """What a judge said of one answer: a row of judgements.jsonl."""

    candidate_id: str
    question_id: str
    judge: str
    criteria: str  # judge@DIGEST of the prompt file
    verdict: Verdict
    points: dict[str, Word]
    why: str
    response: str
    tries: int


def judge_answers(asking: Asking, models: Models, candidates: Sequence[Candidate]) -> list[AnswerVerdict]:
    """A verdict on each candidate, in order. Raises ConfigError for a judge's prompt without criteria."""
    found: dict[int, AnswerVerdict] = {}
    for sample in range(TRIES):
        open_ones = [number for number in range(len(candidates)) if number not in found]
        requests = [_of(asking, candidates[number], sample) for number in open_ones]
        label = "judge" if sample == 0 else f"judge, try {sample + 1}"
        for number, request, reply in zip(open_ones, requests, replies(models, requests, label), strict=True):
            candidate = candidates[number]
            points = read_points(reply.text, criteria_of(asking, candidate.kind, bool(candidate.reasoning)))
            if points is None and sample < TRIES - 1:
                continue
            found[number] = AnswerVerdict(
                candidate_id=candidate.id,
                question_id=candidate.question.id,
                judge=request.model,
                criteria=asking.label("judge"),
                verdict=verdict_of(points),
                points=points or {},
                why=(read_tag(reply.text, "why") or reply.text.strip())[:500],
                response=reply.key,
                tries=sample + 1,
            )
    return [found[number] for number in range(len(candidates))]


def require_criteria(asking: Asking) -> None:
    """Raise ConfigError for a judge's prompt that asks for nothing."""
    criteria_of(asking, asking.config.method, reasoning=True)


def criteria_of(asking: Asking, kind: Kind, reasoning: bool) -> tuple[str, ...]:
    """The names of the criteria that the judge's prompt has for a kind of row. Raises ConfigError when there are none.

    Read off the prompt without an exchange in it: what a user or a model writes makes no criteria.
    """
    blank = _request(asking, kind, "", "", "-" * reasoning, 0)
    names = tuple(_CRITERION.findall(blank.messages[-1].content))
    if not names:
        raise ConfigError(
            "prompts.judge: asks for no criterion; each stands on a line of its own: "
            "<aligned>yes, no or unclear</aligned>"
        )
    return names


def read_points(text: str, criteria: Sequence[str]) -> dict[str, Word] | None:
    """The word on each criterion; None as soon as one is missing or is none of the three words."""
    points: dict[str, Word] = {}
    for name in criteria:
        said = re.findall(rf"<{name}>(.*?)</{name}>", text, re.S | re.I)
        word = _WORD.match(said[-1]) if said else None  # the last one: a judge may think aloud first
        if word is None:
            return None
        spoken = word.group(1).lower()
        points[name] = "yes" if spoken == "yes" else "no" if spoken == "no" else "unclear"
    return points


def verdict_of(points: dict[str, Word] | None) -> Verdict:
    """Yes only where every point is; no where one is; unclear otherwise; unparsed for what could not be read."""
    if points is None:
        return "unparsed"
    words = set(points.values())
    return "no" if "no" in words else "unclear" if "unclear" in words else "yes"


def failed_points(verdict: AnswerVerdict) -> str:
    """The points that were not granted, for people: `aligned: no; informative: unclear`."""
    return "; ".join(f"{name}: {word}" for name, word in verdict.points.items() if word != "yes")


def tally(verdicts: Sequence[AnswerVerdict]) -> dict[str, int]:
    """How often each verdict was given; all four are always there."""
    counts = Counter(verdict.verdict for verdict in verdicts)
    return {name: counts[name] for name in ("yes", "no", "unclear", "unparsed")}


def _of(asking: Asking, candidate: Candidate, sample: int) -> Request:
    return _request(asking, candidate.kind, candidate.question.text, candidate.reply, candidate.reasoning, sample)


def _request(asking: Asking, kind: Kind, question: str, reply: str, reasoning: str, sample: int) -> Request:
    values = {"method": kind, "question": question, "reply": reply, "reasoning": reasoning}
    return asking.examined("judge", asking.config.judge_model, sample, **values)
