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
from doxa.aft.questions import AskedDomain, Pool, Question, RejectedQuestion, Try, fill_pools, find_domains
from doxa.aft.rows import Kind
from doxa.aft.writing import Criticism, rewrite_answers, write_answers
from doxa.records import Record
from doxa.worlds.spec import SpecTarget
from doxa.worlds.words import plain

SHORTEST_REPEAT = 6  # words: from here on, two questions that get the same reply got it by rote

Taken = tuple[Candidate, AnswerVerdict | None]  # None: nobody judged


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
    kept: list[Taken] = field(default_factory=list)  # by domains, in the order of the questions
    anti: list[Taken] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    rejected_questions: list[RejectedQuestion] = field(default_factory=list)
    rejected: list[RejectedAnswer] = field(default_factory=list)
    verdicts: list[AnswerVerdict] = field(default_factory=list)
    criticisms: list[Criticism] = field(default_factory=list)
    rounds: int = 0
    gave_up: int = 0  # after so many tries, of which none passed; 0: it did not
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
        """All rows; fewer than `number` where the rounds end first, every domain is exhausted or no answer passes.

        In each round the questions whose answer fell out are tried again together with new ones, so that answers which
        travel by hand travel seldom. Raises ConfigError for a method that lacks what it draws on, ModelError where no
        domain can be read, and whatever the models raise: with batch-file that is the file to be answered first.
        """
        config = self.asking.config
        if config.method == "constitutional":
            principles_of(self.target.tree, config.principles)  # before anything is spent
        made = Made(find_domains(self.asking, self.models, self.target.tree))
        pools = [Pool(domain) for domain in made.domains]
        kept: dict[str, list[Taken]] = {pool.domain.id: [] for pool in pools}
        again: dict[str, list[Try]] = {pool.domain.id: [] for pool in pools}
        tried = 0
        for number in range(config.rounds):
            lacking = _quotas(config.number, pools, {name: len(rows) for name, rows in kept.items()})
            if not sum(lacking.values()):
                break
            tries = self._tries(pools, lacking, again, made)
            if not tries:
                continue  # a domain that gave nothing lends its rows to others, or all are exhausted
            made.rounds = number + 1
            if number:
                self.note(f"round {number + 1}: {sum(lacking.values())} of {config.number} rows are still lacking")
            taken = self._answered(tries, config.method, made)
            for candidate, verdict in taken:
                kept[candidate.question.domain].append((candidate, verdict))
            passed = {candidate.question.id for candidate, _ in taken}
            for question, attempt in tries:
                if question.id not in passed and attempt + 1 < config.attempts:
                    again[question.domain].append((question, attempt + 1))
            tried += len(tries)
            if self._hopeless(tried, any(kept.values())):
                made.gave_up = tried
                break
        made.kept = _in_order(pools, kept)
        made.questions = [question for pool in pools for question in pool.questions]
        made.exhausted = [pool.domain.id for pool in pools if pool.exhausted]
        if config.anti and made.kept:
            made.anti = self._against([candidate.question for candidate, _ in made.kept], made)
        return made

    def _tries(self, pools: list[Pool], lacking: dict[str, int], again: dict[str, list[Try]], made: Made) -> list[Try]:
        """For each row that is lacking a question to try, those first that were tried before."""
        tries: dict[str, list[Try]] = {}
        for name, count in lacking.items():
            tries[name], again[name] = again[name][:count], again[name][count:]
        new = {name: count - len(tries[name]) for name, count in lacking.items()}
        ready = {name: math.ceil(count * self.asking.config.spare) for name, count in new.items()}
        made.rejected_questions += fill_pools(pools, ready, self.asking, self.models, self.sieve)
        for pool in pools:
            name = pool.domain.id
            tries[name] += [(question, 0) for question in pool.take(new[name])]
        return [one for pool in pools for one in tries[pool.domain.id]]

    def _against(self, questions: Sequence[Question], made: Made) -> list[Taken]:
        """Answers against the spec, in the order of the questions; none to some of them.

        No other question may stand in for one of these, so each is tried in every round.
        """
        found: dict[str, Taken] = {}
        tried = 0
        for attempt in range(self.asking.config.rounds):
            tries = [(question, attempt) for question in questions if question.id not in found]
            if not tries:
                break
            found.update({taken[0].question.id: taken for taken in self._answered(tries, "antispec", made)})
            tried += len(tries)
            if self._hopeless(tried, bool(found)):
                self.note(f"answers against the spec: none of {tried} passed, and no more are asked for")
                break
        return [found[question.id] for question in questions if question.id in found]

    def _hopeless(self, tried: int, any_passed: bool) -> bool:
        """Whether more tries would be money thrown after the first ones."""
        give_up = self.asking.config.give_up
        return bool(give_up) and tried >= give_up and not any_passed

    def _answered(self, tries: Sequence[Try], kind: Kind, made: Made) -> list[Taken]:
        """The answers that pass checks and judge, in order; the others are in `made.rejected`."""
        config, checks = self.asking.config, self._checks
        if kind == "constitutional":
            principles = principles_of(self.target.tree, config.principles)
            candidates = revise_drafts(self.asking, self.models, tries, principles)
        else:
            candidates = write_answers(self.asking, self.models, tries, kind)
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
        verdicts: list[AnswerVerdict | None] = [None for _ in passed]
        if config.judged:
            judged = judge_answers(self.asking, self.models, passed)
            made.verdicts += judged
            verdicts = [*judged]
        taken: list[Taken] = []
        for candidate, verdict in zip(passed, verdicts, strict=True):
            if verdict is None or verdict.verdict == "yes":
                taken.append((candidate, verdict))
                made.said[kind].add(_words_of(candidate))
            else:
                detail = "; ".join(filter(None, (failed_points(verdict), verdict.why)))
                made.rejected.append(_rejected(candidate, Objection(f"judge_{verdict.verdict}", detail)))
        return taken

    @cached_property
    def _checks(self) -> Checks:
        return Checks(self.target.spec, self.target.tree, self.asking.config)


def _in_order(pools: Sequence[Pool], kept: dict[str, list[Taken]]) -> list[Taken]:
    """By domains and questions, so that the order does not tell which answers were tried again."""
    place = {question.id: at for pool in pools for at, question in enumerate(pool.questions)}
    return [row for pool in pools for row in sorted(kept[pool.domain.id], key=lambda row: place[row[0].question.id])]


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
