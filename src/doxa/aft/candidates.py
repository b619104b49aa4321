"""An answer to a question on its way to becoming a row, and how it is read out of what a model wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property

from doxa.aft.asking import Reply
from doxa.aft.citations import cited, shown
from doxa.aft.questions import Question
from doxa.aft.rows import ChatRow, Kind, with_reasoning
from doxa.corpus.answers import read_tag
from doxa.records import digest
from doxa.worlds.rows import Message

_NATIVE_THINKING = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>\s*", re.S | re.I)


@dataclass(frozen=True)
class Candidate:
    """One answer to one question. `problem` names what kept it from being read; `raw` is then the whole of it."""

    question: Question
    kind: Kind
    attempt: int
    reply: str
    reasoning: str  # as it is trained on
    raw_reasoning: str  # with the tags of its citations
    raw: str
    problem: str
    model: str
    prompt: str
    response: str
    parent_id: str | None = None
    draft: str = ""  # method constitutional: what was said without the spec
    principles: tuple[str, ...] = ()
    criticism: tuple[str, ...] = field(default=())

    @cached_property
    def id(self) -> str:
        """Names the answer by what it is an answer to and where it is stored."""
        return digest("aft", self.kind, self.question.id, self.response)

    def rewritten(self, read: Candidate) -> Candidate:
        """The new version `read`, as a version of this one."""
        return replace(
            read,
            parent_id=self.id,
            draft=self.draft,
            principles=self.principles,
            criticism=(*self.criticism, *read.criticism),
        )


def read_candidate(
    question: Question, kind: Kind, attempt: int, reply: Reply, model: str, prompt: str, reasoning: bool
) -> Candidate:
    """The reply (and with `reasoning` the thoughts) between their tags; what is missing becomes the problem."""
    text = _NATIVE_THINKING.sub("", reply.text)
    said, thought = read_tag(text, "reply"), read_tag(text, "reasoning") if reasoning else ""
    problem = ""
    if reply.stop == "refusal":
        problem = "refused"
    elif not said:
        problem = "cut_off" if reply.stop == "length" else "no_reply_in_answer"
    elif reasoning and not thought:
        problem = "no_reasoning_in_answer"
    thought = thought or ""
    return Candidate(
        question=question,
        kind=kind,
        attempt=attempt,
        reply=said or "",
        reasoning=shown(thought),
        raw_reasoning=thought,
        raw=reply.text,
        problem=problem,
        model=model,
        prompt=prompt,
        response=reply.key,
    )


def read_bare(question: Question, attempt: int, reply: Reply, model: str) -> Candidate:
    """An answer that is wholly the reply, as a model gives it that was asked nothing but the question."""
    text = _NATIVE_THINKING.sub("", reply.text).strip()
    problem = "" if text else "empty"
    if reply.stop in ("refusal", "length"):
        problem = {"refusal": "refused", "length": "cut_off"}[reply.stop]
    return Candidate(
        question=question,
        kind="constitutional",
        attempt=attempt,
        reply=text,
        reasoning="",
        raw_reasoning="",
        raw=reply.text,
        problem=problem,
        model=model,
        prompt="",
        response=reply.key,
        draft=text,
    )


def chat_row(candidate: Candidate, thinks: bool, **lineage: str) -> ChatRow:
    """A candidate as a row; `lineage` holds the fields that all rows of the run share, and the verdict."""
    turn = with_reasoning(candidate.reasoning, candidate.reply) if thinks else candidate.reply
    return ChatRow.model_validate(
        {
            "id": digest("think", candidate.id) if thinks else candidate.id,
            "messages": (
                Message(role="user", content=candidate.question.text),
                Message(role="assistant", content=turn),
            ),
            "kind": candidate.kind,
            "domain": candidate.question.domain,
            "question_id": candidate.question.id,
            "parent_id": candidate.parent_id,
            "model": candidate.model,
            "prompt": candidate.prompt,
            "response": candidate.response,
            "principles": candidate.principles,
            "cited": cited(candidate.raw_reasoning),
            **lineage,
        }
    )
