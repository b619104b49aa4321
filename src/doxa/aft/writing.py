"""Answers by a model: with the spec in context, with citations of it, or against it; and rewritten after criticism.

A try is a sample number of the same request, so that trying again is another answer and running again the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from doxa.aft.asking import Asking, Models, replies
from doxa.aft.candidates import Candidate, read_candidate
from doxa.aft.checks import Checks
from doxa.aft.questions import Try
from doxa.aft.rows import Kind
from doxa.corpus.answers import read_tag
from doxa.lm.request import Request
from doxa.records import Record

PASS = 100  # sample numbers: the pass of a rewrite, times this, plus its try
PROMPT_OF: dict[Kind, str] = {"spec": "answer", "antispec": "answer_anti", "deliberative": "answer_deliberative"}


class Criticism(Record):
    """What a critic said of an answer: a row of critiques.jsonl. `unparsed` is neither pass nor revise."""

    candidate_id: str
    question_id: str
    critic: str
    prompt: str
    ruling: Literal["pass", "revise", "unparsed"]
    text: str
    outcome: Literal["passed", "rewritten", "kept_as_it_was"]
    response: str


def write_answers(asking: Asking, models: Models, tries: Sequence[Try], kind: Kind) -> list[Candidate]:
    """One answer to each question, in order."""
    name, config = PROMPT_OF[kind], asking.config
    values = {} if kind == "deliberative" else {"reasoning": config.reasoning}
    requests = [
        asking.written(name, config.generator, attempt, question=question.text, **values) for question, attempt in tries
    ]
    label = asking.label(name)
    return [
        read_candidate(question, kind, attempt, reply, config.generator, label, config.reasoning)
        for (question, attempt), reply in zip(tries, replies(models, requests, f"answers ({kind})"), strict=True)
    ]


def rewrite_answers(
    asking: Asking, models: Models, checks: Checks, drafts: Sequence[Candidate], number: int
) -> tuple[list[Candidate], list[Criticism]]:
    """One pass of criticism and rewriting: the answers after it, in order, and what was said of each.

    A ruling that cannot be read has the answer rewritten in the light of whatever was said. A rewrite that the checks
    object to is asked for again; after `attempts` tries the draft stands.
    """
    config = asking.config
    asked = [_critique(asking, draft, number) for draft in drafts]
    said = replies(models, asked, "criticise")
    rulings = [_ruling(read_tag(reply.text, "ruling")) for reply in said]
    remarks = [read_tag(reply.text, "critique") or reply.text.strip() for reply in said]
    after = list(drafts)
    open_ones = [place for place, ruling in enumerate(rulings) if ruling != "pass"]
    for attempt in range(config.attempts):
        requests = [_rewrite(asking, drafts[place], remarks[place], number * PASS + attempt) for place in open_ones]
        label = asking.label("rewrite")
        again = []
        for place, reply in zip(open_ones, replies(models, requests, "rewrite"), strict=True):
            draft = drafts[place]
            new = read_candidate(
                draft.question, draft.kind, draft.attempt, reply, config.generator, label, bool(draft.reasoning)
            )
            new = replace(draft.rewritten(new), criticism=(*draft.criticism, said[place].key))
            if checks.objection(new) is None:
                after[place] = new
            else:
                again.append(place)
        open_ones = again
    outcomes = dict.fromkeys(open_ones, "kept_as_it_was")
    criticisms = [
        Criticism.model_validate(
            {
                "candidate_id": draft.id,
                "question_id": draft.question.id,
                "critic": config.critic_model,
                "prompt": asking.label("critique"),
                "ruling": rulings[place],
                "text": remarks[place],
                "outcome": "passed" if rulings[place] == "pass" else outcomes.get(place, "rewritten"),
                "response": said[place].key,
            }
        )
        for place, draft in enumerate(drafts)
    ]
    return after, criticisms


def _critique(asking: Asking, draft: Candidate, number: int) -> Request:
    return asking.examined(
        "critique",
        asking.config.critic_model,
        number,
        question=draft.question.text,
        reply=draft.reply,
        reasoning=draft.reasoning,
    )


def _rewrite(asking: Asking, draft: Candidate, remarks: str, sample: int) -> Request:
    return asking.written(
        "rewrite",
        asking.config.generator,
        sample,
        question=draft.question.text,
        reply=draft.reply,
        reasoning=draft.raw_reasoning,
        critique=remarks,
        cites=draft.kind == "deliberative",
    )


def _ruling(said: str | None) -> str:
    word = (said or "").strip(" .\"'*").casefold()
    return word if word in ("pass", "revise") else "unparsed"
