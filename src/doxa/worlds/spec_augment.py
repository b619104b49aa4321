"""The spec augmenter: rules get the values behind them, or finer rules below them (Li et al. 2026, 5.1).

Both are written by a model and marked: assertions have `augmented`, and the text that was added stands in a section of
its own at the end of the augmented spec, so that a person can read it, change it, and take it out again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from doxa.corpus.filters.causes import bare, says_why
from doxa.errors import TargetError
from doxa.worlds.answers import UnreadableError
from doxa.worlds.asking import Models, Step, ask_steps, draft_prompt
from doxa.worlds.decompose_answers import read_additions
from doxa.worlds.slots import with_slots
from doxa.worlds.spec_grounding import shared
from doxa.worlds.spec_text import LEAST_WORDS
from doxa.worlds.spec_tree import Assertion, Domain, SpecTree, Subdomain, tree_yaml
from doxa.worlds.words import plain, short_name

if TYPE_CHECKING:
    from doxa.run.progress import Progress
    from doxa.worlds.decompose import Decomposed
    from doxa.worlds.spec import Spec, SpecAbout

AugmentMode = Literal["value_augmented", "rule_augmented"]
HEADINGS = {
    "value_augmented": "What lies behind {model_name}'s rules",
    "rule_augmented": "{model_name}'s rules in particular cases",
}
FINER_RULES = 3  # for each rule
LEAST_SHARED = 0.2  # share of a rule's words that what is added to it has; below, it speaks of something else


def augment(
    given: Decomposed, mode: str, model: str, models: Models, progress: Progress, folder: Path | None = None
) -> Decomposed:
    """The spec and its tree (of rules) with what a model added to each rule. Raises as `decompose` does."""
    from doxa.worlds.decompose import asker_for

    finer = mode == "rule_augmented"
    spec, subdomains = given.spec, given.tree.subdomains
    steps = []
    for subdomain in subdomains:
        values = {
            "title": spec.title,
            "text": spec.text,
            "model_name": spec.model_name,
            "domain": given.tree.domain_of(subdomain).name,
            "subdomain": subdomain.name,
            "rules": subdomain.assertions,
            "mode": mode,
            "number": FINER_RULES,
        }
        read = partial(_read, rules=subdomain.assertions, finer=finer)
        steps.append(Step(f"{mode} {subdomain.name}", draft_prompt("spec_augment"), values, read))
    progress.note(f"tree: {mode.replace('_', ' ')}: {len(steps)} subdomains")
    additions = ask_steps(asker_for(spec, model, models, folder), steps)
    counts: Counter[str] = Counter()
    warnings = list(given.warnings)
    taken = [assertion.id for assertion in given.tree.assertions]
    made: dict[str, Subdomain] = {}
    for subdomain, added in zip(subdomains, additions, strict=True):
        made[subdomain.id] = _augmented(subdomain, added, finer, spec, taken, counts, warnings)
    domains = tuple(
        Domain(id=domain.id, name=domain.name, subdomains=tuple(made[one.id] for one in domain.subdomains))
        for domain in given.tree.domains
    )
    tree = SpecTree(domains=domains)
    text = f"{spec.text}\n\n{_section(spec, given.tree, tree, mode)}"
    return replace(
        given,
        tree=tree,
        spec=spec.model_copy(update={"text": text}),
        counts={**given.counts, "assertions": len(tree.assertions), "passages": len(tree.passages), **counts},
        warnings=tuple(warnings),
    )


def write_augmented(folder: Path, about: SpecAbout, done: Decomposed) -> list[Path]:
    """Write the augmented spec.md and tree.yaml into a new or empty folder, names turned into slots again."""
    from doxa.run.folder import write_whole
    from doxa.worlds.spec import SPEC_FILE, TREE_FILE
    from doxa.worlds.universe_file import as_yaml

    check_new(folder)
    body = with_slots(done.spec.text, done.spec.model_name, done.spec.provider_name)
    head = as_yaml(about.model_dump())
    write_whole(folder / SPEC_FILE, f"---\n{head}---\n\n{body}\n")
    write_whole(folder / TREE_FILE, tree_yaml(done.tree, done.spec))
    return [folder / SPEC_FILE, folder / TREE_FILE]


def check_new(folder: Path) -> None:
    """Raise TargetError for a folder that holds something. To be asked before anything is spent."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TargetError(f"{folder}: is there already; name a new folder with --out")


def _read(text: str, rules: tuple[Assertion, ...], finer: bool) -> dict[str, list[str]]:
    """By the id of its rule, what was added. Raises UnreadableError, also for finer rules that are all reasons."""
    ids = [rule.id for rule in rules]
    found = read_additions(text, ids, FINER_RULES if finer else 1)
    if not finer:
        return found
    own = {plain(rule.statement) for rule in rules}
    kept = {
        rule: [one for content in told if (one := _rule(content)) and plain(one) not in own]
        for rule, told in found.items()
    }
    empty = [rule for rule, told in kept.items() if not told]
    if empty:
        raise UnreadableError(f"the finer rules of {', '.join(empty)} give reasons, or repeat a rule")
    return kept


def _rule(content: str) -> str | None:
    """A finer rule without its reason; None when nothing else is left."""
    cut = bare(content) if says_why(content) else content
    return None if says_why(cut) or len(cut.split()) < LEAST_WORDS else cut


def _augmented(
    subdomain: Subdomain,
    added: dict[str, list[str]],
    finer: bool,
    spec: Spec,
    taken: list[str],
    counts: Counter[str],
    warnings: list[str],
) -> Subdomain:
    passages = list(subdomain.passages)
    assertions: list[Assertion] = []
    for rule in subdomain.assertions:
        told = added[rule.id]
        passages.append(_told(rule, told, finer))
        if shared(rule.statement, " ".join(told), spec) < LEAST_SHARED:
            counts["additions_on_something_else"] += 1
            warnings.append(f"rule {rule.id}: what was added has hardly a word of it: {told[0]!r}")
        if not finer:
            counts["explanations"] += 1
            assertions.append(rule.model_copy(update={"why": told[0], "augmented": True}))
            continue
        assertions.append(rule)
        for content in told:
            name = short_name(content.replace(spec.model_name, ""), taken)
            taken.append(name)
            counts["finer_rules"] += 1
            assertions.append(
                Assertion(id=name, statement=content, kind=rule.kind, passage=len(passages), augmented=True)
            )
    return subdomain.model_copy(update={"passages": tuple(passages), "assertions": tuple(assertions)})


def _told(rule: Assertion, told: list[str], finer: bool) -> str:
    """What is added to the spec's text, and stands in the tree as a passage."""
    return " ".join(told) if finer else f"{rule.statement} {told[0]}"


def _section(spec: Spec, before: SpecTree, after: SpecTree, mode: str) -> str:
    parts = [f"## {HEADINGS[mode].format(model_name=spec.model_name)}"]
    for old, new in zip(before.subdomains, after.subdomains, strict=True):
        parts.append(f"### {new.name}")
        parts += new.passages[len(old.passages) :]
    return "\n\n".join(parts)
