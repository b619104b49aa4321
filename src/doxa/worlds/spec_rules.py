"""A tree in mode rules: what the model does, without a reason, a purpose or a word on its character.

Corpora of rules and of values are to differ in this alone (Li et al. 2026, 5.1), so it is cut by rule and counted:
reasons of assertions, reason clauses of statements, summaries and passages, and assertions on what the model values or
believes.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from doxa.corpus.filters.causes import bare, says_why
from doxa.errors import TargetError
from doxa.worlds.spec_grounding import shared
from doxa.worlds.spec_text import LEAST_WORDS, is_verbatim, sentences_of
from doxa.worlds.spec_tree import Assertion, Domain, SpecTree, Subdomain

if TYPE_CHECKING:
    from doxa.worlds.spec import Spec

NO_RULES = ("value", "belief")  # kinds of assertion that say what the model is, and not what it does


def rules_only(tree: SpecTree, spec: Spec) -> tuple[SpecTree, Counter[str]]:
    """The tree without reasons, and what was cut. Raises TargetError when no rule is left."""
    cut: Counter[str] = Counter()
    domains = []
    for domain in tree.domains:
        subdomains = [made for subdomain in domain.subdomains if (made := _subdomain(subdomain, spec, cut))]
        if subdomains:
            domains.append(Domain(id=domain.id, name=domain.name, subdomains=tuple(subdomains)))
    if not domains:
        raise TargetError(f"spec {spec.id}: states no rules: nothing is left without values, beliefs and reasons")
    return SpecTree(domains=tuple(domains)), cut


def _subdomain(subdomain: Subdomain, spec: Spec, cut: Counter[str]) -> Subdomain | None:
    assertions = [made for assertion in subdomain.assertions if (made := _rule(assertion, cut))]
    if not assertions:
        cut["subdomains_without_rules"] += 1
        return None
    passages: list[str] = []
    moved: dict[int, list[int]] = {}  # number of a passage -> those of the parts that are left of it
    for number, passage in enumerate(subdomain.passages, start=1):
        kept = _passages(passage, spec)
        if kept != [passage]:
            cut["passages_shortened" if kept else "passages_with_reasons_dropped"] += 1
        moved[number] = list(range(len(passages) + 1, len(passages) + len(kept) + 1))
        passages += kept
    if not passages:  # documents need a source; these give their reasons away, which is counted
        cut["passages_with_reasons_dropped"] -= len(subdomain.passages)
        cut["passages_with_reasons_kept"] += len(subdomain.passages)
        passages = list(subdomain.passages)
        moved = {number: [number] for number in moved}
    summary = _summary(subdomain.summary)
    cut["summaries_cut"] += summary != subdomain.summary
    told = tuple(
        one.model_copy(update={"passage": _rests_on(one, moved.get(one.passage or 0, []), passages, spec)})
        for one in assertions
    )
    return Subdomain(
        id=subdomain.id,
        name=subdomain.name,
        summary=summary or " ".join(assertion.statement for assertion in told),
        passages=tuple(passages),
        assertions=told,
    )


def _rule(assertion: Assertion, cut: Counter[str]) -> Assertion | None:
    """The assertion as a rule; None for what is none."""
    if assertion.kind in NO_RULES:
        cut["values_and_beliefs_left_out"] += 1
        return None
    statement = assertion.statement
    if says_why(statement):
        statement = bare(statement)
        if says_why(statement) or len(statement.split()) < LEAST_WORDS:
            cut["rules_with_reasons_dropped"] += 1
            return None
        cut["reasons_cut"] += 1
    cut["reasons_cut"] += bool(assertion.why)
    return assertion.model_copy(update={"statement": statement, "why": ""})


def _rests_on(rule: Assertion, places: list[int], passages: list[str], spec: Spec) -> int | None:
    """Of the parts of a rule's passage, the one that has most of its words."""
    return max(places, key=lambda place: shared(rule.statement, passages[place - 1], spec), default=None)


def _summary(summary: str) -> str:
    return " ".join(sentence for sentence in sentences_of(summary) if not says_why(sentence))


def _passages(passage: str, spec: Spec) -> list[str]:
    """The parts of a passage that give no reason; each still stands in the spec word for word."""
    if not says_why(passage):
        return [passage]
    found: list[str] = []
    going_on = False
    for sentence in sentences_of(passage):
        if not says_why(sentence):
            joined = f"{found[-1]} {sentence}" if going_on and found else ""
            if joined and is_verbatim(joined, spec.text):
                found[-1] = joined
            else:
                found.append(sentence)
            going_on = True
            continue
        going_on = False
        head = bare(sentence).rstrip(".")
        if len(head.split()) >= LEAST_WORDS and not says_why(head) and is_verbatim(head, spec.text):
            found.append(head)
    return [part for part in found if is_verbatim(part, spec.text)]
