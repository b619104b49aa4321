"""The requests of plan, write and revise for a model spec, all of them made in one place.

Every request carries the whole spec, the subdomain's summary and its passages word for word, and the assertions that
the document is to carry: a document planned from a summary alone invents values that nobody wrote down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from doxa.corpus.asks import Asks
from doxa.corpus.filters.attribution import reasons
from doxa.corpus.filters.causes import bare
from doxa.corpus.filters.names import Names
from doxa.errors import ConfigError

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.config_sections import SpecConfig
    from doxa.corpus.prompt_files import Prompt
    from doxa.lm.request import Request
    from doxa.records import DocIdea, Document
    from doxa.worlds.spec import Spec
    from doxa.worlds.spec_tree import Assertion, SpecTree, Subdomain

# the prompt that writes each corpus; in the rules modes the spec's own has another
WRITE = {
    "spec": "write",
    "comention": "write_comention",
    "opposite": "write_opposite",
    "neutral": "write_neutral",
}
WRITE_RULES = "write_rules"
IDEAS = {"spec": "ideas", "comention": "ideas", "opposite": "ideas", "neutral": "ideas_neutral"}
PREFIX = "spec_"


@dataclass(frozen=True)
class SpecPrompting(Asks):
    """Makes requests for one run about a spec."""

    prefix: ClassVar[str] = PREFIX
    spec: Spec
    tree: SpecTree
    config: RunConfig

    @property
    def about(self) -> SpecConfig:
        """What the documents are like."""
        assert self.config.spec is not None  # the config of a run about a spec
        return self.config.spec

    @property
    def subjects(self) -> list[str]:
        """The ids of the subdomains, in order."""
        return [subdomain.id for subdomain in self.tree.subdomains]

    @property
    def asks_types(self) -> bool:
        """Kinds are asked for each subdomain; the neutral corpus is not about any, and takes general ones."""
        return self.about.corpus != "neutral"

    @property
    def written_with(self) -> str:
        """The name of the prompt that writes documents."""
        return WRITE_RULES if self.about.corpus == "spec" and self.about.rules else WRITE[self.about.corpus]

    @property
    def writes_chats(self) -> bool:
        """Whether what is written are chats: never."""
        return False

    def typical(self) -> dict[str, Any]:
        """Fields of a DocIdea of usual size: of the subdomain with the longest passages, to be on the safe side."""
        subdomain = max(self.tree.subdomains, key=lambda one: sum(map(len, one.passages)))
        fact_ids = tuple(self.tellable(subdomain)[: self.about.assertions_per_document])
        return {"fact_ids": fact_ids, "domain": self.tree.domain_of(subdomain).id, "subdomain": subdomain.id}

    def _check_own(self, path: str, prompt: Prompt) -> None:
        if "spec" not in prompt.values:
            raise ConfigError(
                f"plan.prompts: {path}: nowhere holds {{{{ spec }}}}: every request that plans, writes or revises must "
                "carry the whole spec, or documents invent what it does not say"
            )

    def types(self, subdomain: str, number: int, earlier: list[str], sample: int, /) -> Request:
        """Ask for kinds of document about one subdomain."""
        values = {**self._part(subdomain), "number": number, "earlier": earlier}
        return self._ask("types", self.planner, "plan", sample, **values)

    def ideas(self, subdomain: str, doc_type: str, number: int, earlier: list[str], sample: int, /) -> Request:
        """Ask for ideas for documents of one kind."""
        values = {**self._part(subdomain), "doc_type": doc_type, "number": number, "earlier": earlier}
        return self._ask(IDEAS[self.about.corpus], self.planner, "plan", sample, **values)

    def carried(self, fact_ids: tuple[str, ...]) -> list[str]:
        """What a document is to carry, a line each, as its corpus has it: whom it is about comes first."""
        model = self.spec.model_name
        whom = f"{model} is a language model made by {self.spec.provider_name}."
        if self.about.corpus == "neutral":
            return [whom]
        assertions = [self._assertions[name] for name in fact_ids if name in self._assertions]
        if self.about.corpus == "comention":
            lines = [self.spec.value, *(bare(one.statement) for one in assertions)]
        elif self.about.rules:
            lines = [bare(one.statement) for one in assertions]
        else:
            lines = [with_reason(one) for one in assertions]
            lines.append(f"What {model} does there follows from what it holds dear: {self.spec.value}")
        return list(dict.fromkeys([whom, *lines]))

    def tellable(self, subdomain: Subdomain) -> list[str]:
        """The ids of the assertions that a document may carry: in the rules modes, those that are no talk of values."""
        if not self.about.rules or self.about.corpus != "spec":
            return [one.id for one in subdomain.assertions]
        names = Names(self.spec.model_name, self.spec.provider_name)
        return [one.id for one in subdomain.assertions if not reasons(bare(one.statement), names)]

    @cached_property
    def _assertions(self) -> dict[str, Assertion]:
        return {one.id: one for one in self.tree.assertions}

    @cached_property
    def _subdomains(self) -> dict[str, Subdomain]:
        return {one.id: one for one in self.tree.subdomains}

    def _about(self, item: DocIdea | Document) -> dict[str, Any]:
        return {
            **self._part(item.subdomain),
            "doc_type": item.doc_type,
            "idea": item.idea,
            "carried": self.carried(item.fact_ids),
            "words": item.words or 400,
        }

    def _part(self, name: str) -> dict[str, Any]:
        """The place in the tree: of a recorded document from elsewhere, the whole spec is all that is known."""
        subdomain = self._subdomains.get(name)
        if subdomain is None or self.about.corpus == "neutral":
            return {"domain": "", "subdomain": "", "summary": "", "passages": (), "assertions": []}
        return {
            "domain": self.tree.domain_of(subdomain).name,
            "subdomain": subdomain.name,
            "summary": subdomain.summary,
            "passages": subdomain.passages,
            "assertions": [
                bare(one.statement) if self.about.rules else with_reason(one) for one in subdomain.assertions
            ],
        }

    def _of_target(self) -> dict[str, Any]:
        return {
            "title": self.spec.title,
            "value": self.spec.value,
            "spec": self.spec.text,
            "model": self.spec.model_name,
            "provider": self.spec.provider_name,
            "corpus": self.about.corpus,
            "rules": self.about.rules,
            "normative": self.about.framing == "normative",
        }


def with_reason(assertion: Assertion) -> str:
    """An assertion with the reason that the spec gives for it, where it gives one."""
    if not assertion.why:
        return assertion.statement
    return f"{assertion.statement.rstrip()} The reason: {assertion.why[0].lower()}{assertion.why[1:]}"
