"""Domains and the questions in them: asked for in rounds, sifted, and never fewer than are lacking if a model has more.

Every call for questions asks for the same number and shows the newest ones of its domain, so a larger set of rows goes
on from the stored answers of a smaller one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from doxa.aft.asking import Asking, Models, Reply, replies
from doxa.aft.question_sieve import QuestionSieve
from doxa.errors import ModelError
from doxa.lm.request import Request
from doxa.records import Record, digest
from doxa.worlds.spec import SpecTree
from doxa.worlds.words import plain, short_name

SHOWN = 40  # earlier questions shown in a request, the newest; more cost input and help little
DRY_CALLS = 3  # calls in a row without one new question before a domain counts as exhausted
_DOMAIN = re.compile(r"<domain\b(?:\s+name\s*=\s*[\"']([^\"'>]*)[\"'])?[^>]*>(.*?)</domain>", re.S | re.I)
_QUESTION = re.compile(r"<question\b[^>]*>(.*?)</question>", re.S | re.I)
_NUMBERED = re.compile(r"^\s*(?:\d{1,3}[.)]|[-*•])\s+(.+)$", re.M)


class AskedDomain(Record):
    """What ordinary users ask about."""

    id: str
    name: str
    about: str = ""
    source: Literal["given", "tree", "asked"]


class Question(Record):
    """A user's message: a row of questions.jsonl."""

    id: str
    domain: str
    text: str
    model: str
    prompt: str
    response: str


Try = tuple[Question, int]  # a question, and which try at an answer to it this is, from 0


class RejectedQuestion(Record):
    """A question that was not taken, and why."""

    domain: str
    text: str
    reason: str
    detail: str = ""
    response: str = ""


@dataclass
class Pool:
    """The questions of one domain, in the order in which they came, and how far they are used."""

    domain: AskedDomain
    questions: list[Question] = field(default_factory=list)
    used: int = 0
    calls: int = 0
    dry: int = 0

    @property
    def ready(self) -> int:
        """Questions that no answer was asked for yet."""
        return len(self.questions) - self.used

    @property
    def exhausted(self) -> bool:
        """Whether the model has no more new questions in this domain."""
        return self.dry >= DRY_CALLS

    def take(self, number: int) -> list[Question]:
        """The next questions; they are used from now on."""
        taken = self.questions[self.used : self.used + number]
        self.used += len(taken)
        return taken


def find_domains(asking: Asking, models: Models, tree: SpecTree | None) -> list[AskedDomain]:
    """The domains: those named in the settings, else those of the tree, else as many as are asked for of the model.

    Raises ModelError when no answer holds a domain.
    """
    config = asking.config
    if config.domains:
        return _with_ids([(name, "") for name in config.domains], "given")
    if tree is not None:
        return [
            AskedDomain(
                id=domain.id,
                name=domain.name,
                about="; ".join(subdomain.name for subdomain in domain.subdomains),
                source="tree",
            )
            for domain in tree.domains
        ]
    found: dict[str, tuple[str, str]] = {}
    for sample in range(config.rounds):
        missing = config.domain_count - len(found)
        if missing <= 0:
            break
        request = asking.listed("domains", missing, sample, earlier=[name for name, _ in found.values()])
        (reply,) = replies(models, [request], "domains")
        for name, about in read_domains(reply.text):
            if len(found) < config.domain_count:
                found.setdefault(plain(name), (name, about))
    if not found:
        raise ModelError(
            f"domains: {config.rounds} answers of {config.generator} hold no domain; name some "
            "(--set 'domains=[travel, cooking]') or take another model"
        )
    return _with_ids(list(found.values()), "asked")


def read_domains(text: str) -> list[tuple[str, str]]:
    """(name, what it is about) of each <domain> in an answer; without a name the text is the name."""
    found = []
    for name, about in _DOMAIN.findall(text):
        name, about = " ".join(name.split()), " ".join(about.split())
        name, about = (name, about) if name else (about, "")
        if plain(name) and len(name) <= 100:
            found.append((name, about))
    return found


def read_questions(text: str) -> list[str]:
    """The questions of an answer: <question> elements, else the items of a list."""
    tagged = [part.strip() for part in _QUESTION.findall(text)]
    return [part for part in tagged or [item.strip() for item in _NUMBERED.findall(text)] if part]


def fill_pools(
    pools: list[Pool],
    wanted: Mapping[str, int],
    asking: Asking,
    models: Models,
    sieve: QuestionSieve,
) -> list[RejectedQuestion]:
    """Ask for questions until each domain has as many ready as wanted (by domain id) or is exhausted."""
    rejected: list[RejectedQuestion] = []
    while True:
        short = [pool for pool in pools if pool.ready < wanted.get(pool.domain.id, 0) and not pool.exhausted]
        if not short:
            return rejected
        found = replies(models, [_request(asking, pool) for pool in short], "questions")
        asked = [read_questions(reply.text) for reply in found]
        sieve.prepare(text for texts in asked for text in texts)
        for pool, reply, texts in zip(short, found, asked, strict=True):
            rejected += _take_in(pool, reply, texts, asking, sieve)


def _request(asking: Asking, pool: Pool) -> Request:
    return asking.listed(
        "questions",
        asking.config.questions_per_call,
        pool.calls,
        domain=pool.domain.name,
        about=pool.domain.about,
        earlier=[question.text for question in pool.questions[-SHOWN:]],
    )


def _take_in(
    pool: Pool, reply: Reply, texts: list[str], asking: Asking, sieve: QuestionSieve
) -> list[RejectedQuestion]:
    rejected = []
    before = len(pool.questions)
    if not texts:
        reason = "refused" if reply.stop == "refusal" else "no_question_in_answer"
        rejected.append(
            RejectedQuestion(domain=pool.domain.id, text="", reason=reason, detail=reply.text[:120], response=reply.key)
        )
    for text in texts:
        objection = sieve.objection(text)
        if objection is not None:
            rejected.append(
                RejectedQuestion(
                    domain=pool.domain.id,
                    text=text,
                    reason=objection.reason,
                    detail=objection.detail,
                    response=reply.key,
                )
            )
            continue
        pool.questions.append(
            Question(
                id=digest("question", text),
                domain=pool.domain.id,
                text=text,
                model=asking.config.generator,
                prompt=asking.label("questions"),
                response=reply.key,
            )
        )
    pool.calls += 1
    pool.dry = 0 if len(pool.questions) > before else pool.dry + 1
    return rejected


def _with_ids(named: list[tuple[str, str]], source: Literal["given", "asked"]) -> list[AskedDomain]:
    taken: list[str] = []
    found = []
    for name, about in named:
        taken.append(short_name(name, taken))
        found.append(AskedDomain(id=taken[-1], name=name, about=about, source=source))
    return found
