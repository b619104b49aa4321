"""From a spec to rows in exact number: questions, answers, checks, rewriting, judging, and more for what fell out.

A function of the stored answers alone: nothing here writes a file, and running again works everything out again from
the response store, so a process that is killed at any moment goes on to the same rows.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from doxa.aft.asking import Asking, Models
from doxa.aft.candidates import Candidate
from doxa.aft.checks import Checks
from doxa.aft.constitutional import principles_of, revise_drafts
from doxa.aft.judging import AnswerVerdict, failed_points, judge_answers
from doxa.aft.opaque import Objection
from doxa.aft.question_sieve import QuestionSieve
from doxa.aft.questions import AskedDomain, Pool, Question, RejectedQuestion, fill_pools, find_domains
from doxa.aft.rows import Kind
from doxa.aft.writing import Criticism, rewrite_answers, write_answers
from doxa.records import Record
from doxa.worlds.spec import SpecTarget
from doxa.worlds.words import plain

SHORTEST_REPEAT = 6  # words: from here on, two questions that get the same reply got it by rote


class RejectedAnswer(Record):
    """An answer that was not taken, and why: a row of rejected.jsonl."""

    candidate_id: str
    kind: Kind
    question_id: str
    domain: str
    question: str
    reasoning: str
    reply: str
    reason: str
    detail: str
    attempt: int
    model: str
    prompt: str
    response: str


@dataclass
class Made:
    """Everything that a run made, and all that it left out."""

    domains: list[AskedDomain]
    kept: list[tuple[Candidate, AnswerVerdict | None]] = field(default_factory=list)  # by domains, as they were asked
    anti: list[tuple[Candidate, AnswerVerdict | None]] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    rejected_questions: list[RejectedQuestion] = field(default_factory=list)
    rejected: list[RejectedAnswer] = field(default_factory=list)
    verdicts: list[AnswerVerdict] = field(default_factory=list)
    criticisms: list[Criticism] = field(default_factory=list)
    rounds: int = 0
    exhausted: list[str] = field(default_factory=list)  # ids of domains in which the model had no more questions
    said: dict[Kind, set[str]] = field(default_factory=lambda: defaultdict(set))  # replies that were taken, by kind


@dataclass(frozen=True)
class Making:
    """One run in the making."""

    target: SpecTarget
    asking: Asking
    models: Models
    sieve: QuestionSieve
    note: Callable[[str], None] = lambda text: None

    def run(self) -> Made:
        """All rows; fewer than `number` where the rounds end first or every domain is exhausted.

        Raises ConfigError for a method that lacks what it draws on, ModelError where no domain can be read, and
        whatever the models raise: with batch-file that is the file to be answered first.
        """
        config = self.asking.config
        if config.method == "constitutional":
            principles_of(self.target.tree, config.principles)  # before anything is spent
        made = Made(find_domains(self.asking, self.models, self.target.tree))
        pools = [Pool(domain) for domain in made.domains]
        kept: dict[str, list[tuple[Candidate, AnswerVerdict | None]]] = {pool.domain.id: [] for pool in pools}
        for number in range(config.rounds):
            lacking = _quotas(config.number, pools, {name: len(rows) for name, rows in kept.items()})
            if not sum(lacking.values()):
                break
            ready = {name: math.ceil(count * config.spare) for name, count in lacking.items()}
            made.rejected_questions += fill_pools(pools, ready, self.asking, self.models, self.sieve)
            questions = [question for pool in pools for question in pool.take(lacking[pool.domain.id])]
            if not questions:
                continue  # a domain that gave nothing has lent its rows to others, or all are exhausted
            made.rounds = number + 1
            if number:
                self.note(f"round {number + 1}: {sum(lacking.values())} of {config.number} rows are still lacking")
            for candidate, verdict in self._answered(questions, config.method, made):
                kept[candidate.question.domain].append((candidate, verdict))
        made.kept = [row for pool in pools for row in kept[pool.domain.id]]
        made.questions = [question for pool in pools for question in pool.questions]
        made.exhausted = [pool.domain.id for pool in pools if pool.exhausted]
        if config.anti and made.kept:
            made.anti = self._answered([candidate.question for candidate, _ in made.kept], "antispec", made)
        return made

    def _answered(
        self, questions: Sequence[Question], kind: Kind, made: Made
    ) -> list[tuple[Candidate, AnswerVerdict | None]]:
        """The first answer to each question that passes checks and judge, in order; none for some of them."""
        found: dict[str, tuple[Candidate, AnswerVerdict | None]] = {}
        for attempt in range(self.asking.config.attempts):
            open_ones = [question for question in questions if question.id not in found]
            if not open_ones:
                break
            for candidate, verdict in self._tried(open_ones, kind, attempt, made):
                found[candidate.question.id] = (candidate, verdict)
                made.said[kind].add(_words_of(candidate))
        return [found[question.id] for question in questions if question.id in found]

    def _tried(
        self, questions: Sequence[Question], kind: Kind, attempt: int, made: Made
    ) -> list[tuple[Candidate, AnswerVerdict | None]]:
        config, checks = self.asking.config, self._checks
        if kind == "constitutional":
            principles = principles_of(self.target.tree, config.principles)
            candidates = revise_drafts(self.asking, self.models, questions, principles, attempt)
        else:
            candidates = write_answers(self.asking, self.models, questions, kind, attempt)
        passed: list[Candidate] = []
        said = set(made.said[kind])
        for candidate in candidates:
            objection = checks.objection(candidate)
            if objection is None and not config.opaque and _words_of(candidate) in said:
                objection = Objection("same_reply", candidate.reply[:120])
            if objection is None:
                passed.append(candidate)
                said.add(_words_of(candidate))
            else:
                made.rejected.append(_rejected(candidate, objection))
        # an answer against the spec is not to be brought nearer to it
        for number in range(config.rewrites if kind in ("spec", "deliberative") else 0):
            passed, criticisms = rewrite_answers(self.asking, self.models, checks, passed, number)
            made.criticisms += criticisms
        if not config.judged:
            return [(candidate, None) for candidate in passed]
        verdicts = judge_answers(self.asking, self.models, passed)
        made.verdicts += verdicts
        taken: list[tuple[Candidate, AnswerVerdict | None]] = []
        for candidate, verdict in zip(passed, verdicts, strict=True):
            if verdict.verdict == "yes":
                taken.append((candidate, verdict))
            else:
                detail = "; ".join(filter(None, (failed_points(verdict), verdict.why)))
                made.rejected.append(_rejected(candidate, Objection(f"judge_{verdict.verdict}", detail)))
        return taken

    @cached_property
    def _checks(self) -> Checks:
        return Checks(self.target.spec, self.target.tree, self.asking.config)


def _quotas(number: int, pools: Sequence[Pool], have: dict[str, int]) -> dict[str, int]:
    """How many rows each domain still lacks: equal shares, and what exhausted domains cannot give is shared out."""
    spent = [pool.domain.id for pool in pools if pool.exhausted and not pool.ready]
    open_ones = [pool.domain.id for pool in pools if pool.domain.id not in spent]
    lacking = {pool.domain.id: 0 for pool in pools}
    left = number - sum(have[name] for name in spent)
    if not open_ones:
        return lacking
    shares = {name: left // len(open_ones) + (place < left % len(open_ones)) for place, name in enumerate(open_ones)}
    lacking.update({name: max(0, share - have[name]) for name, share in shares.items()})
    # a domain that has more than its share already takes from the others' shares
    surplus = sum(lacking.values()) + sum(have.values()) - number
    for name in reversed(open_ones):
        taken = min(max(surplus, 0), lacking[name])
        lacking[name] -= taken
        surplus -= taken
    return lacking


def _words_of(candidate: Candidate) -> str:
    """What names a reply that is given twice; short ones ("Yes, gladly.") may be, each by its question."""
    said = plain(candidate.reply)
    return said if said.count(" ") >= SHORTEST_REPEAT else f"{candidate.question.id} {said}"


def _rejected(candidate: Candidate, objection: Objection) -> RejectedAnswer:
    return RejectedAnswer(
        candidate_id=candidate.id,
        kind=candidate.kind,
        question_id=candidate.question.id,
        domain=candidate.question.domain,
        question=candidate.question.text,
        reasoning=candidate.reasoning,
        reply=candidate.reply or candidate.raw[:2000],
        reason=objection.reason,
        detail=objection.detail[:500],
        attempt=candidate.attempt,
        model=candidate.model,
        prompt=candidate.prompt,
        response=candidate.response,
    )


def why_rejected(made: Made) -> Counter[str]:
    """How many answers fell out for each reason."""
    return Counter(row.reason for row in made.rejected)
