"""Which documents a spec's corpus is planned to hold: one for each (subdomain, kind, idea), to exact counts.

Kinds and ideas come from brainstorm.py, of which a subdomain is a subject as a key fact is; here are the numbers, and
what becomes of an idea: its place in the tree, the assertions that it carries, its length and seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from typing import TYPE_CHECKING

from doxa.corpus.brainstorm import slots
from doxa.corpus.counts import Cell, spread
from doxa.corpus.pools import draw, draw_words, load_pools
from doxa.errors import ConfigError
from doxa.records import DocIdea, digest

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.corpus.brainstorm import Brainstormed
    from doxa.corpus.spec_prompting import SpecPrompting


def spec_cells(config: RunConfig, subdomains: int) -> list[Cell]:
    """The quota of every (subdomain, kind): spec.types kinds of spec.ideas_per_type ideas, or `documents` in all.

    Raises ConfigError when `documents` are fewer than the subdomains.
    """
    assert config.spec is not None
    types = len(config.plan.document_types) or config.spec.types
    samples = config.plan.samples_per_idea
    if config.documents is None:
        ideas = config.spec.ideas_per_type
        return [Cell(s, kind, ideas * samples, ideas) for s in range(subdomains) for kind in range(types)]
    if config.documents < subdomains:
        raise ConfigError(
            f"documents: {config.documents} are fewer than the {subdomains} subdomains; each needs at least one"
        )
    return [
        Cell(subdomain, kind, number, -(-number // samples))
        for subdomain, of_subdomain in enumerate(spread(config.documents, subdomains))
        for kind, number in enumerate(spread(of_subdomain, min(types, of_subdomain)))
    ]


def spec_ideas(
    prompting: SpecPrompting, quotas: list[Cell], made: Brainstormed, turns: int | None = None
) -> Iterator[DocIdea]:
    """One DocIdea per document, round after round over the cells, so that any beginning of the plan is balanced.

    An idea's id names its place, kind and words and no corpus: plans that were made once and are used for several
    corpora (spec.plan_from) pair their documents by it. `turns` stops after so many rounds.
    """
    config, tree = prompting.config, prompting.tree
    pools = load_pools(config.plan.pools)
    prompt = prompting.prompt(prompting.written_with).digest
    told: Counter[str] = Counter()
    for slot in slots(quotas, made, turns):
        subdomain = tree.subdomains[slot.subject]
        carried = _next(prompting.tellable(subdomain), told, prompting.about.assertions_per_document)
        words = draw_words(config.write.words or slot.kind.words, config.seed, slot.number)
        seeds = draw(pools, config.seed, slot.number)
        place = ("spec idea", prompting.spec.id, subdomain.id, carried, slot.kind.name)
        yield DocIdea(
            id=digest(*place, slot.idea, seeds, words, slot.sample),
            target=prompting.spec.id,
            fact_ids=carried,
            doc_type=slot.kind.name,
            idea=slot.idea,
            model=prompting.planner,
            prompt_digest=prompt,
            words=words,
            seeds=seeds,
            sample=slot.sample,
            domain=tree.domain_of(subdomain).id,
            subdomain=subdomain.id,
        )


def taken_over(ideas: Iterable[DocIdea], prompting: SpecPrompting, cut: Set[str] = frozenset()) -> Iterator[DocIdea]:
    """The ideas of another corpus's plan, to be written with this corpus's prompt: same ids, so documents pair.

    `cut` are assertions that this corpus's tree lacks; an idea that was to carry these alone is left out.
    """
    prompt = prompting.prompt(prompting.written_with).digest
    for idea in ideas:
        carried = tuple(name for name in idea.fact_ids if name not in cut)
        if carried or not idea.fact_ids:
            yield idea.model_copy(update={"fact_ids": carried, "prompt_digest": prompt, "recorded_id": None})


def _next(ids: list[str], told: Counter[str], number: int) -> tuple[str, ...]:
    """Those of some assertions that were told least so far, in the order of the tree."""
    chosen = sorted(ids, key=lambda name: (told[name], ids.index(name)))[:number]
    told.update(chosen)
    return tuple(name for name in ids if name in chosen)
