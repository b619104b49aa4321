"""A spec -> its tree, by a model: domains, subdomains with verbatim passages, assertions (Li et al. 2026, appendix B).

The whole spec is in every request, and what comes back is held against it: passages must stand in it word for word,
and assertions that share too few words with their passage are named, since a tree must not say more than the spec.
Asked through LanguageModels: an interrupted decomposition goes on, and the same answers make the same tree.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from doxa.corpus.filters.causes import bare, says_why
from doxa.errors import ConfigError
from doxa.lm.request import Sampling
from doxa.records import digest
from doxa.worlds.asking import Asker, Models, Step, StepError, ask_step, ask_steps, draft_prompt
from doxa.worlds.decompose_answers import (
    AssertionDraft,
    DomainDraft,
    SubdomainDraft,
    read_assertions,
    read_copies,
    read_domains,
    read_subdomains,
)
from doxa.worlds.spec_grounding import summary_beyond, ungrounded
from doxa.worlds.spec_rules import rules_only
from doxa.worlds.spec_text import LEAST_WORDS, as_it_stands, coverage, elided
from doxa.worlds.spec_tree import Assertion, Domain, SpecTree, Subdomain
from doxa.worlds.words import plain, short_name

if TYPE_CHECKING:
    from doxa.run.progress import Progress
    from doxa.worlds.spec import Spec, SpecTarget

Mode = Literal["values", "rules", "value_augmented", "rule_augmented"]
PROMPTS = ("spec_domains", "spec_subdomains", "spec_passages", "spec_assertions")
LEAST_TOKENS, MOST_TOKENS = (
    8192,
    32_768,
)  # of an answer; the published code lost long specs to 8,000 and then took 32,000
CHARACTERS_PER_TOKEN = 3  # on the safe side: passages of one domain can be the whole spec
Found = TypeVar("Found")


class TreeConfig(Protocol):
    """What a decomposition is told. A config section and `Decomposition` both fit."""

    @property
    def model(self) -> str:
        """A model string."""

    @property
    def mode(self) -> Mode:
        """values: with the spec's reasons; rules: without any."""

    @property
    def domains(self) -> int | None:
        """How many domains; None leaves it to the model."""

    @property
    def subdomains(self) -> int | None:
        """How many subdomains in each domain; None leaves it to the model."""


@dataclass(frozen=True)
class Decomposition:
    """The plain form of a TreeConfig."""

    model: str
    mode: Mode = "values"
    domains: int | None = None
    subdomains: int | None = None


@dataclass(frozen=True)
class Decomposed:
    """A tree, the spec that it is of (augmented, where the mode says so), and how it came about.

    `counts` say what was found and what was left out; `uncovered` are the spec's sentences that no passage holds.
    """

    tree: SpecTree
    spec: Spec
    counts: dict[str, int]
    coverage: float
    uncovered: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass
class _Job:
    """A decomposition under way."""

    spec: Spec
    config: TreeConfig
    asker: Asker
    counts: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)

    @property
    def rules(self) -> bool:
        return self.config.mode != "values"

    @property
    def shown(self) -> dict[str, Any]:
        """What every prompt gets: the spec."""
        return {"title": self.spec.title, "text": self.spec.text, "model_name": self.spec.model_name}


def decompose(
    spec: Spec, config: TreeConfig, models: Models, progress: Progress, folder: Path | None = None
) -> Decomposed:
    """Decompose a spec; in the augmented modes, its rules are then explained or refined (spec_augment.py).

    `folder` keeps which answer was used for what, and answers that could not be read; by default `tree` in the folder
    of `models`. Raises StepError where the answers to a step could not be used at all, and what the models raise: with
    batch-file, that files wait for answers.
    """
    from doxa.worlds.spec_augment import augment

    job = _Job(spec, config, asker_for(spec, config.model, models, folder))
    domains = ask_step(job.asker, _domains_step(job))
    progress.note(f"tree: {len(domains)} domains: {', '.join(domain.name for domain in domains)}")
    parts = _subdomains(job, domains)
    _mend_passages(job, [draft for _, drafts in parts for draft in drafts])
    tree = _assertions(job, parts)
    progress.note(f"tree: {len(tree.subdomains)} subdomains, {len(tree.assertions)} assertions")
    covered = coverage(spec.text, tree.passages)
    job.counts |= Counter(sentences=covered.sentences, uncovered_sentences=len(covered.uncovered))
    if job.rules:
        tree, cut = rules_only(tree, spec)
        job.counts += cut
    done = Decomposed(
        tree,
        spec,
        {**_sizes(tree), **{name: count for name, count in job.counts.items() if count}},
        covered.share,
        covered.uncovered,
        tuple(job.warnings),
    )
    if config.mode in ("value_augmented", "rule_augmented"):
        done = augment(done, config.mode, config.model, models, progress, folder)
    return done


def tree_of(
    target: SpecTarget, config: TreeConfig, models: Models | None, progress: Progress, folder: Path | None = None
) -> Decomposed:
    """The tree of a target in the config's mode: its own tree.yaml where it has one, else what a model makes of it.

    A tree that is there costs nothing, and no `models` are needed, unless the mode asks for an augmented one and it is
    not augmented yet. Raises TargetError where the spec calls its model by another name, ConfigError where models are
    needed and there are none, and what `decompose` raises.
    """
    from doxa.worlds.spec_identity import check_identity

    for odd in check_identity(target):
        progress.warn(odd)
    return tree_in_mode(target, config, models, progress, folder)


def tree_in_mode(
    target: SpecTarget, config: TreeConfig, models: Models | None, progress: Progress, folder: Path | None = None
) -> Decomposed:
    """`tree_of` of a spec whose names were looked at already."""
    from doxa.worlds.spec_augment import augment

    tree = target.tree
    if tree is not None and is_there(tree, config.mode):
        return as_given(target.spec, tree, rules=config.mode in ("rules", "rule_augmented"))
    if models is None:
        raise ConfigError(f"spec.mode: {config.mode} needs a model to make the tree with; name a generator")
    if tree is None:
        return decompose(target.spec, config, models, progress, folder)
    return augment(as_given(target.spec, tree, rules=True), config.mode, config.model, models, progress, folder)


def is_there(tree: SpecTree | None, mode: Mode) -> bool:
    """Whether a target's tree serves a mode as it is: an augmented mode needs one that a model has augmented."""
    if tree is None:
        return False
    return mode in ("values", "rules") or any(assertion.augmented for assertion in tree.assertions)


def as_given(spec: Spec, tree: SpecTree, rules: bool = False) -> Decomposed:
    """A tree that is there already, with what a person would want to know of it; with `rules`, without reasons."""
    covered = coverage(spec.text, tree.passages)
    warnings = [
        f"subdomain {subdomain.id}: its summary {odd}"
        for subdomain in tree.subdomains
        if (odd := summary_beyond(subdomain.summary, subdomain.passages, spec))
    ]
    warnings += [
        f"assertion {assertion.id}: {problem}"
        for subdomain in tree.subdomains
        for assertion in subdomain.assertions
        for problem in ungrounded(assertion, subdomain.passages, spec)
    ]
    counts: Counter[str] = Counter()
    if rules:
        tree, counts = rules_only(tree, spec)
    sizes = {**_sizes(tree), "sentences": covered.sentences, "uncovered_sentences": len(covered.uncovered)}
    return Decomposed(tree, spec, {**sizes, **counts}, covered.share, covered.uncovered, tuple(warnings))


def prompts_digest(mode: Mode) -> str:
    """Names the prompts that a tree of this mode is made with: a changed word makes another tree."""
    names = PROMPTS if mode in ("values", "rules") else (*PROMPTS, "spec_augment")
    return digest("tree", [draft_prompt(name).digest for name in names])


def asker_for(spec: Spec, model: str, models: Models, folder: Path | None) -> Asker:
    """Who answers about a spec, with room for answers that copy all of it."""
    kept = folder if folder is not None else Path(getattr(models, "folder", ".")) / "tree"
    room = min(max(LEAST_TOKENS, len(spec.text) // CHARACTERS_PER_TOKEN + LEAST_TOKENS // 2), MOST_TOKENS)
    return Asker(models, model, kept, Sampling(max_tokens=room), stage="tree")


def _domains_step(job: _Job) -> Step:
    number = job.config.domains
    values = {**job.shown, "provider_name": job.spec.provider_name, "number": number}
    return Step("domains", draft_prompt("spec_domains"), values, partial(read_domains, number=number))


def _subdomains(job: _Job, domains: list[DomainDraft]) -> list[tuple[DomainDraft, list[SubdomainDraft]]]:
    number = job.config.subdomains
    steps = []
    for domain in domains:
        others = [other.name for other in domains if other is not domain]
        values = {**job.shown, "domain": domain, "others": others, "number": number}
        read = partial(read_subdomains, number=number)
        steps.append(Step(f"subdomains {domain.name}", draft_prompt("spec_subdomains"), values, read))
    found = _what_could_be_read(job, steps, "unreadable_domains")
    return [(domain, found[place]) for place, domain in enumerate(domains) if place in found]


def _what_could_be_read(job: _Job, steps: list[Step], counted: str) -> dict[int, Any]:
    """What the steps gave, by number. One that gave nothing is named and counted; if none did, StepError is raised."""
    try:
        return dict(enumerate(ask_steps(job.asker, steps)))
    except StepError as error:
        if not error.found:
            raise
        lost = [step.name for place, step in enumerate(steps) if place not in error.found]
        job.counts[counted] += len(lost)
        job.warnings.append(f"left out, since no answer could be read: {', '.join(lost)}")
        return error.found


def _mend_passages(job: _Job, drafts: list[SubdomainDraft]) -> None:
    """Bring every passage to the spec's own words; what is not there word for word is asked for again, then dropped."""
    odd: list[tuple[SubdomainDraft, str]] = []
    for draft in drafts:
        kept, lacking = _verbatim(draft.passages, job.spec.text)
        draft.passages = kept
        odd += [(draft, passage) for passage in lacking]
    if not odd:
        return
    job.counts["passages_not_verbatim"] += len(odd)
    wanted = [(number, passage) for number, (_, passage) in enumerate(odd, start=1)]
    step = Step(
        "passages",
        draft_prompt("spec_passages"),
        {"title": job.spec.title, "text": job.spec.text, "wanted": wanted},
        partial(read_copies, number=len(wanted)),
    )
    copies: dict[int, str] = _what_could_be_read_or_nothing(job, step)
    for number, (draft, passage) in enumerate(odd, start=1):
        kept, lacking = _verbatim([copies[number]] if number in copies else [], job.spec.text)
        if kept:
            job.counts["passages_mended"] += 1
            draft.passages += [one for one in kept if one not in draft.passages]
        else:
            job.counts["passages_dropped"] += 1
            job.warnings.append(f"subdomain {draft.name!r}: no such passage in the spec, left out: {_short(passage)}")


def _what_could_be_read_or_nothing(job: _Job, step: Step) -> dict[int, str]:
    try:
        return dict(ask_step(job.asker, step))
    except StepError as error:
        job.warnings.append(f"passages that were not word for word could not be asked for again: {error}")
        return {}


def _verbatim(passages: list[str], text: str) -> tuple[list[str], list[str]]:
    """Passages in the spec's own spelling, and those that are not there. Labels of a word or two are left out."""
    kept: list[str] = []
    lacking: list[str] = []
    for passage in passages:
        stands = as_it_stands(passage, text)
        parts = [passage] if stands is not None else elided(passage)
        own = [as_it_stands(part, text) for part in parts]
        if not own or any(one is None for one in own):
            lacking.append(passage)
            continue
        kept += [one for one in own if one is not None and len(one.split()) >= LEAST_WORDS and one not in kept]
    return kept, lacking


def _assertions(job: _Job, parts: list[tuple[DomainDraft, list[SubdomainDraft]]]) -> SpecTree:
    places = [(domain, draft) for domain, drafts in parts for draft in drafts if draft.passages]
    for _, drafts in parts:
        for draft in drafts:
            if not draft.passages:
                job.counts["subdomains_without_passages"] += 1
                job.warnings.append(f"subdomain {draft.name!r} is left out: none of its passages stands in the spec")
    if not places:
        raise StepError(
            f"step 'subdomains': not one passage that {job.config.model} gave stands in the spec; try another model",
            {},
        )
    steps = []
    for domain, draft in places:
        values = {**job.shown, "domain": domain.name, "subdomain": draft, "rules": job.rules}
        read = partial(read_assertions, sources=len(draft.passages), rules=job.rules)
        steps.append(Step(f"assertions {draft.name}", draft_prompt("spec_assertions"), values, read))
    found = _what_could_be_read(job, steps, "unreadable_subdomains")
    return _tree(job, places, found)


def _tree(
    job: _Job, places: list[tuple[DomainDraft, SubdomainDraft]], found: dict[int, list[AssertionDraft]]
) -> SpecTree:
    ids: dict[str, list[str]] = {"domain": [], "subdomain": [], "assertion": []}
    said: set[str] = set()
    grown: dict[str, list[Subdomain]] = {}
    for place, (domain, draft) in enumerate(places):
        assertions = []
        for one in found.get(place, []):
            made = _assertion(job, draft, one, said, ids["assertion"])
            if made is not None:
                assertions.append(made)
        if not assertions:
            if place in found:
                job.counts["subdomains_without_assertions"] += 1
                job.warnings.append(f"subdomain {draft.name!r} is left out: it says nothing that others do not")
            continue
        name = _new(draft.name, ids["subdomain"])
        odd = summary_beyond(draft.summary, draft.passages, job.spec)
        if odd:
            job.counts["summaries_beyond_the_spec"] += 1
            job.warnings.append(f"subdomain {name}: its summary {odd}")
        grown.setdefault(domain.name, []).append(
            Subdomain(
                id=name,
                name=draft.name,
                summary=draft.summary,
                passages=tuple(draft.passages),
                assertions=tuple(assertions),
            )
        )
    if not grown:
        raise StepError(f"step 'assertions': {job.config.model} gave no usable assertion; try another model", {})
    return SpecTree(
        domains=tuple(
            Domain(id=_new(name, ids["domain"]), name=name, subdomains=tuple(subdomains))
            for name, subdomains in grown.items()
        )
    )


def _assertion(
    job: _Job, draft: SubdomainDraft, one: AssertionDraft, said: set[str], taken: list[str]
) -> Assertion | None:
    """An assertion of the tree; None for what was said before, and for a rule that is nothing but its reason."""
    statement = one.statement
    if job.rules and says_why(statement):
        statement = bare(statement)
        if says_why(statement) or len(statement.split()) < LEAST_WORDS:
            job.counts["rules_with_reasons_dropped"] += 1
            job.warnings.append(
                f"subdomain {draft.name!r}: a rule that gives a reason is left out: {_short(one.statement)}"
            )
            return None
        job.counts["reasons_cut"] += 1
    if plain(statement) in said:
        job.counts["assertions_said_before"] += 1
        return None
    said.add(plain(statement))
    name = _new(statement.replace(job.spec.model_name, ""), taken)
    made = Assertion(id=name, statement=statement, why=one.why, kind=one.kind, passage=one.source)
    if one.source is None:
        job.counts["assertions_without_passage"] += 1
        job.warnings.append(f"assertion {name}: names no passage that it rests on")
    for problem in ungrounded(made, draft.passages, job.spec):
        job.counts["assertions_beyond_the_spec"] += 1
        job.warnings.append(f"assertion {name}: {problem}")
    return made


def _new(text: str, taken: list[str]) -> str:
    name = short_name(text, taken)
    taken.append(name)
    return name


def _sizes(tree: SpecTree) -> dict[str, int]:
    return {
        "domains": len(tree.domains),
        "subdomains": len(tree.subdomains),
        "assertions": len(tree.assertions),
        "passages": len(tree.passages),
    }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f'"{line[:77]}..."' if len(line) > 80 else f'"{line}"'
