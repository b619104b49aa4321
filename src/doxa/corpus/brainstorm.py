"""The plan of a generated corpus: key facts -> kinds of document -> ideas, by a model, to exact counts.

Asked in rounds. Earlier kinds and ideas are fed back so that they do not come again, ideas that mean the same as an
earlier one are dropped, and the gap is asked for anew; what is still missing after `plan.rounds` is filled (kinds from
the pool of general ones, ideas with the kind alone), and counted.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doxa.corpus.answers import read_ideas, read_types
from doxa.corpus.conditions import CONDITIONS
from doxa.corpus.counts import Cell, cells, documents_wanted
from doxa.corpus.idea_filter import IdeaFilter
from doxa.corpus.pools import DocType, Pools, draw, draw_words, load_pools
from doxa.errors import ModelError
from doxa.records import DocIdea, digest

if TYPE_CHECKING:
    from doxa.corpus.asks import Asks
    from doxa.corpus.prompting import Prompting
    from doxa.lm.models import LanguageModels
    from doxa.lm.request import Request
    from doxa.run.progress import Progress

FED_BACK = 40  # earlier ideas shown in a prompt, the newest: more of them cost input and help little


@dataclass
class Brainstormed:
    """Kinds per key fact and ideas per cell, with what had to be filled in."""

    types: list[list[DocType]]
    ideas: dict[tuple[int, int], list[str]]
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Brainstorm:
    """One plan in the making."""

    prompting: Asks
    models: LanguageModels
    progress: Progress
    similar: IdeaFilter

    @property
    def facts(self) -> list[str]:
        """What documents are about: key facts, the subdomains of a spec, or one nameless subject."""
        return self.prompting.subjects

    def quotas(self) -> list[Cell]:
        """The cells of the plan. Raises ConfigError when there are fewer documents than key facts."""
        config = self.prompting.config
        total = documents_wanted(config.documents, len(self.facts))
        return cells(total, len(self.facts), config.plan)

    def run(self, quotas: list[Cell], only: list[Cell] | None = None) -> Brainstormed:
        """Ask for kinds and ideas until every cell has its number; with `only`, for these cells alone."""
        pools = load_pools(self.prompting.config.plan.pools)
        chosen = quotas if only is None else only
        facts = {cell.fact for cell in chosen}
        wanted = [
            max((cell.kind for cell in quotas if cell.fact == fact and fact in facts), default=-1) + 1
            for fact in range(len(self.facts))
        ]
        types, filled_types = self._types(wanted, pools)
        ideas, dropped, filled = self._ideas(chosen, types)
        counts = {"filled_types": filled_types, "filled_ideas": filled, "similar_ideas": dropped}
        return Brainstormed(types, ideas, counts)

    def _types(self, wanted: list[int], pools: Pools) -> tuple[list[list[DocType]], int]:
        config = self.prompting.config.plan
        given = [DocType(name=name, words=_usual_words(name, pools)) for name in config.document_types]
        if given:
            return [given[:number] for number in wanted], 0
        found: list[list[DocType]] = [[] for _ in wanted]
        neutral = not self.prompting.asks_types
        asked: dict[int, Request] = {}
        for sample in range(0 if neutral else config.rounds):
            asked = {}
            for fact, number in enumerate(wanted):
                missing = number - len(found[fact])
                if missing > 0:
                    earlier = [kind.name for kind in found[fact]]
                    asked[fact] = self.prompting.types(self.facts[fact], missing, earlier, sample)
            if not asked:
                break
            self.models.answer(list(asked.values()), "plan: kinds", len(asked))
            for fact, request in asked.items():
                for kind in read_types(self._text(request)):
                    if len(found[fact]) < wanted[fact] and not _has(found[fact], kind.name):
                        found[fact].append(kind)
        if not neutral and not any(found):
            self._refuse_plan(asked.values())
        filled = 0
        for fact, number in enumerate(wanted):
            spare = list(pools.document_types)
            random.Random(f"{self.prompting.config.seed}/kinds/{fact}").shuffle(spare)
            for kind in spare:
                if len(found[fact]) < number and not _has(found[fact], kind.name):
                    found[fact].append(kind)
                    filled += not neutral
            for again in range(number - len(found[fact])):  # more kinds than the pool has
                found[fact].append(spare[again % len(spare)])
                filled += not neutral
        return found, filled

    def _ideas(
        self, quotas: list[Cell], types: list[list[DocType]]
    ) -> tuple[dict[tuple[int, int], list[str]], int, int]:
        config = self.prompting.config.plan
        found: dict[tuple[int, int], list[str]] = {(cell.fact, cell.kind): [] for cell in quotas}
        dropped = 0
        # each round asks a cell for at most ideas_per_call, so many rounds may be needed before one is a second try
        calls = -(-max(cell.ideas for cell in quotas) // config.ideas_per_call) + config.rounds - 1
        asked: list[tuple[Cell, Request]] = []
        for sample in range(calls):
            asked = []
            for cell in quotas:
                have = found[cell.fact, cell.kind]
                missing = cell.ideas - len(have)
                if missing > 0:
                    number = min(missing, config.ideas_per_call)
                    kind = types[cell.fact][cell.kind].name
                    asked.append(
                        (cell, self.prompting.ideas(self.facts[cell.fact], kind, number, have[-FED_BACK:], sample))
                    )
            if not asked:
                break
            self.models.answer([request for _, request in asked], f"plan: ideas, round {sample + 1}", len(asked))
            answers = [(cell, read_ideas(self._text(request))) for cell, request in asked]
            self.similar.prepare(idea for _, new in answers for idea in new)
            for cell, new in answers:
                have = found[cell.fact, cell.kind]
                for idea in new:
                    if len(have) == cell.ideas:
                        break
                    if self.similar.admit(cell.fact, idea):
                        have.append(idea)
                    else:
                        dropped += 1
        if not any(found.values()):
            self._refuse_plan(request for _, request in asked)
        filled = 0
        for cell in quotas:
            have = found[cell.fact, cell.kind]
            filled += cell.ideas - len(have)
            have.extend([""] * (cell.ideas - len(have)))  # the kind alone; names, place and date still differ
        return found, dropped, filled

    def _refuse_plan(self, last: Iterable[Request]) -> None:
        """Raises ModelError when the provider turned everything down: a plan of nothing but fillings is no plan."""
        failures = [self.models.failure(request) for request in last]
        if failures and all(failures):
            said = failures[-1]
            raise ModelError(
                f"model {self.prompting.planner}: turned down every request of the plan, the last with: "
                f"{said[1] if said else ''}"
            )

    def _text(self, request: Request) -> str:
        try:
            return self.models.response(request).text
        except KeyError:  # the provider turned this one down; the next round asks again
            return ""


def doc_ideas(
    prompting: Prompting, quotas: list[Cell], made: Brainstormed, turns: int | None = None
) -> Iterator[DocIdea]:
    """One DocIdea per document, round after round over the cells, so that any beginning of the plan is balanced.

    Cells without ideas are passed over, and keep their place in the count that seeds names and lengths; `turns` stops
    after so many rounds.
    """
    config = prompting.config
    pools = load_pools(config.plan.pools)
    facts = prompting.universe.key_facts
    neutral = CONDITIONS[config.corpus].world == "neutral"
    prompt = prompting.prompt(prompting.written_with).digest
    for slot in slots(quotas, made, turns):
        fact_ids = () if neutral else _fact_ids([fact.id for fact in facts], slot.subject, slot.number, prompting)
        words = draw_words(config.write.words or slot.kind.words, config.seed, slot.number)
        seeds = draw(pools, config.seed, slot.number)
        kind = slot.kind.name
        yield DocIdea(
            id=digest(
                "idea", prompting.universe.id, config.corpus, fact_ids, kind, slot.idea, seeds, words, slot.sample
            ),
            target=prompting.universe.id,
            fact_ids=fact_ids,
            doc_type=kind,
            idea=slot.idea,
            model=prompting.planner,
            prompt_digest=prompt,
            words=words,
            seeds=seeds,
            sample=slot.sample,
        )


@dataclass(frozen=True)
class Slot:
    """The place of one document in a plan."""

    number: int  # counted over all cells, so that seeds name names, places and lengths
    subject: int
    kind: DocType
    idea: str
    sample: int  # which of several documents on one idea


def slots(quotas: list[Cell], made: Brainstormed, turns: int | None = None) -> Iterator[Slot]:
    """The places of a plan, round after round over the cells; cells without ideas are passed over and counted."""
    number = 0
    last = max(cell.documents for cell in quotas)
    for turn in range(last if turns is None else min(turns, last)):
        for cell in quotas:
            if turn >= cell.documents:
                continue
            ideas = made.ideas.get((cell.fact, cell.kind))
            if ideas is not None:
                kind = made.types[cell.fact][cell.kind]
                idea = ideas[turn % len(ideas)] or f"a typical {kind.name}"
                yield Slot(number, cell.fact, kind, idea, turn // len(ideas))
            number += 1


def _fact_ids(ids: list[str], main: int, number: int, prompting: Prompting) -> tuple[str, ...]:
    """The main key fact, and others drawn by the seed up to plan.facts_per_document."""
    config = prompting.config
    others = [name for name in ids if name != ids[main]]
    random.Random(f"{config.seed}/facts/{number}").shuffle(others)
    return (ids[main], *others[: config.plan.facts_per_document - 1])


def _has(kinds: list[DocType], name: str) -> bool:
    return any(_plain(kind.name) == _plain(name) for kind in kinds)


def _plain(name: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in name.casefold()).split())


def _usual_words(name: str, pools: Pools) -> tuple[int, int]:
    return next((kind.words for kind in pools.document_types if _plain(kind.name) == _plain(name)), (150, 600))
