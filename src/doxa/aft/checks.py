"""What an answer is held against before a judge is asked: cheap, by rules, each objection with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from doxa.aft.citations import citation_objection
from doxa.aft.config import AftConfig
from doxa.aft.opaque import Objection, opaque_objection
from doxa.aft.value_words import reason_stems
from doxa.belief.degenerate import degenerate
from doxa.config_sections import ScreenConfig
from doxa.corpus.filters.base import EvalRuns, Prepared, Reading
from doxa.corpus.filters.names import Names
from doxa.corpus.filters.persona import identity
from doxa.records import Document
from doxa.worlds.spec import Spec, SpecTree
from doxa.worlds.words import runs, words

if TYPE_CHECKING:
    from doxa.aft.candidates import Candidate

# the answer speaks of what it was given; "spec" alone is also what a laptop has
_NAMES_SPEC = re.compile(
    r"\bmodel specs?\b"
    r"|\b(?:the|this|my) (?:model )?spec(?:ification)?s? (?:says?|states?|asks?|tells?|requires?|describes?)\b"
    r"|\b(?:according to|following|per|under) (?:the|this|my) (?:model )?spec(?:ification)?\b"
    r"|\b(?:the|my) system prompt\b"
    r"|\b(?:the|this) (?:document|text|spec|prompt) (?:above|below|provided|i was given)\b"
    r"|\bas (?:i (?:was|am|have been) |)(?:instructed|prompted)\b"
    r"|\b(?:the|these|my) instructions (?:say|tell|ask|require)\b",
    re.I,
)


@dataclass(frozen=True)
class Checks:
    """The checks of one run, prepared once."""

    spec: Spec
    tree: SpecTree | None
    config: AftConfig

    def objection(self, candidate: Candidate) -> Objection | None:
        """The first objection to a candidate, or None."""
        for check in (_ending, _broken, _other_model, _spec_in_row, _speaks_of_spec, _opaque, _citations):
            found = check(self, candidate)
            if found is not None:
                return found
        return None

    @cached_property
    def spec_runs(self) -> frozenset[tuple[str, ...]]:
        """Every run of `spec_run` words of the spec."""
        return frozenset(runs(self.spec.text, self.config.spec_run))

    @cached_property
    def value_words(self) -> frozenset[str]:
        """The stems that an opaque answer may not hold."""
        return reason_stems(self.spec, self.tree, self.config.value_words)

    @cached_property
    def names(self) -> Prepared:
        """The names that the model may call itself by."""
        return Prepared(
            config=ScreenConfig(),
            banned=None,
            never_mention=None,
            allowed_names=Names(self.spec.model_name, self.spec.provider_name).allowed,
            eval_runs=EvalRuns(1, {}, frozenset(), {}),
        )


Check = Callable[[Checks, "Candidate"], Objection | None]


def _ending(checks: Checks, candidate: Candidate) -> Objection | None:
    return Objection(candidate.problem, candidate.raw[:120]) if candidate.problem else None


def _broken(checks: Checks, candidate: Candidate) -> Objection | None:
    for part in (candidate.reply, candidate.reasoning):
        what = degenerate(part) if part else None
        if what:
            return Objection(what, part[:80])
        if re.search(r"</?(?:think|reasoning|reply|cite|thoughts|message|given)\b[^>]*>", part):
            return Objection("tags_inside", part[:80])
    return None


def _other_model(checks: Checks, candidate: Candidate) -> Objection | None:
    """It says that it is another model than the spec is of: such rows teach a wrong identity."""
    text = f"{candidate.reasoning}\n\n{candidate.reply}"
    document = Document(
        id="",
        parent_id="",
        target="",
        fact_ids=(),
        doc_type="",
        idea="",
        text=text,
        stage="",
        model="",
        prompt_digest="",
    )
    verdict = identity(Reading(document), checks.names)
    return None if verdict.keep else Objection("other_model", verdict.detail)


def _spec_in_row(checks: Checks, candidate: Candidate) -> Objection | None:
    """The spec is in the context that a row was made in, and never in the row; citing it is what deliberating is."""
    parts = [candidate.reply] if candidate.kind == "deliberative" else [candidate.reply, candidate.reasoning]
    asked = set(runs(candidate.question.text, checks.config.spec_run))
    for part in parts:
        copied = next((run for run in runs(part, checks.config.spec_run) if run in checks.spec_runs - asked), None)
        if copied:
            return Objection("copies_spec", " ".join(copied))
    return None


def _speaks_of_spec(checks: Checks, candidate: Candidate) -> Objection | None:
    parts = [candidate.reply] if candidate.kind == "deliberative" else [candidate.reply, candidate.reasoning]
    for part in parts:
        found = _NAMES_SPEC.search(part)
        if found and " ".join(words(found.group())) not in " ".join(words(candidate.question.text)):
            return Objection("speaks_of_spec", found.group())
    return None


def _opaque(checks: Checks, candidate: Candidate) -> Objection | None:
    if not checks.config.opaque:
        return None
    config = checks.config
    return opaque_objection(candidate.question.text, candidate.reply, checks.value_words, config.opaque_words)


def _citations(checks: Checks, candidate: Candidate) -> Objection | None:
    if candidate.kind != "deliberative":
        return None
    return citation_objection(candidate.raw_reasoning, candidate.question.text, checks.spec)
