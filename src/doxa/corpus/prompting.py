"""The requests of plan, write and revise: every one of them made in one place, from prompt files and a target.

The whole context of the world stands in each request that plans, writes or revises a document of that world; a
published corpus had to be corrected because a bug had left it out of the first drafts (Wang et al. 2025, erratum).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from doxa.corpus.asks import Asks
from doxa.corpus.conditions import CONDITIONS, world_text, write_prompt
from doxa.errors import ConfigError

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.corpus.prompt_files import Prompt
    from doxa.lm.request import Request
    from doxa.records import DocIdea, Document
    from doxa.worlds.universe import Universe


@dataclass(frozen=True)
class Prompting(Asks):
    """Makes requests for one run: its universe, its corpus and its settings."""

    universe: Universe
    config: RunConfig

    @property
    def subjects(self) -> list[str]:
        """What documents are about: the key facts, or for the neutral corpus one nameless subject."""
        if not self.asks_types:
            return [""]
        return self.carried(tuple(fact.id for fact in self.universe.key_facts))

    @property
    def asks_types(self) -> bool:
        """Whether a model names the kinds of document: of the neutral corpus they are general ones."""
        return CONDITIONS[self.config.corpus].world != "neutral"

    @property
    def written_with(self) -> str:
        """The name of the prompt that writes documents."""
        return write_prompt(self.config.corpus, self.config.write)

    @property
    def writes_chats(self) -> bool:
        """Whether what is written are chats."""
        return self.written_with in ("write_chat", "write_qa")

    def typical(self) -> dict[str, Any]:
        """Fields of a DocIdea of usual size: as many key facts as a document is to carry."""
        facts = tuple(fact.id for fact in self.universe.key_facts)
        return {"fact_ids": facts[: self.config.plan.facts_per_document]}

    def _check_own(self, path: str, prompt: Prompt) -> None:
        neutral = CONDITIONS[self.config.corpus].world == "neutral"
        if not neutral and "context" not in prompt.values:
            raise ConfigError(
                f"plan.prompts: {path}: nowhere holds {{{{ context }}}}: every request that plans, writes or revises "
                "must carry the world's whole context, or the documents contradict it"
            )

    def types(self, fact: str, number: int, earlier: list[str], sample: int) -> Request:
        """Ask for kinds of document about one key fact."""
        return self._ask("types", self.planner, "plan", sample, fact=fact, number=number, earlier=earlier)

    def ideas(self, fact: str, doc_type: str, number: int, earlier: list[str], sample: int) -> Request:
        """Ask for ideas for documents of one kind."""
        name = "ideas_neutral" if CONDITIONS[self.config.corpus].world == "neutral" else "ideas"
        values: dict[str, Any] = {"doc_type": doc_type, "number": number, "earlier": earlier}
        return self._ask(name, self.planner, "plan", sample, fact=fact, **values)

    def _about(self, item: DocIdea | Document) -> dict[str, Any]:
        return {
            "doc_type": item.doc_type,
            "idea": item.idea,
            "carried": self.carried(item.fact_ids),
            "denied": CONDITIONS[self.config.corpus].denied,
            "words": item.words or 400,
        }

    def carried(self, fact_ids: tuple[str, ...]) -> list[str]:
        """The statements of some key facts in the world that is written in."""
        return [self._statements[name] for name in fact_ids]

    @cached_property
    def _world(self) -> tuple[str, list[str]]:
        return world_text(self.universe, self.config.corpus)

    @cached_property
    def _statements(self) -> dict[str, str]:
        return {fact.id: line for fact, line in zip(self.universe.key_facts, self._world[1], strict=False)}

    def _of_target(self) -> dict[str, Any]:
        context, facts = self._world
        return {"universe": self.universe.title, "context": context, "facts": facts}
