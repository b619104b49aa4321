"""The requests of plan, write and revise for a model spec, all of them made in one place.

Every request carries the whole spec, the subdomain's summary and its passages word for word, and the assertions that
the document is to carry: a document planned from a summary alone invents values that nobody wrote down.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from doxa.corpus.filters.attribution import bare, reasons
from doxa.corpus.filters.names import Names
from doxa.corpus.prompt_files import Prompt, load_prompt
from doxa.corpus.prompting import list_tokens, shown_draft
from doxa.errors import ConfigError
from doxa.lm.request import Request, Sampling

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.config_sections import SpecConfig
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
PREFIX = "spec_"  # of the files in prompts/, and of their names in plan.prompts


@dataclass(frozen=True)
class SpecPrompting:
    """Makes requests for one run about a spec."""

    spec: Spec
    tree: SpecTree
    config: RunConfig

    @property
    def about(self) -> SpecConfig:
        """What the documents are like."""
        assert self.config.spec is not None  # the config of a run about a spec
        return self.config.spec

    @property
    def planner(self) -> str:
        """The model that names kinds and ideas."""
        return self.config.plan.model or self.config.generator

    @property
    def reviser(self) -> str:
        """The model that rewrites."""
        return self.config.revise.model or self.config.generator

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

    def prompt(self, name: str) -> Prompt:
        """A prompt by name, or the person's own in its place."""
        own = self.config.plan.prompts.get(PREFIX + name)
        if name == "revise" and self.config.revise.prompt:
            own = self.config.revise.prompt
        prompt = load_prompt(own or PREFIX + name)
        if own and "spec" not in prompt.values:
            raise ConfigError(
                f"plan.prompts: {own}: nowhere holds {{{{ spec }}}}: every request that plans, writes or revises must "
                "carry the whole spec, or documents invent what it does not say"
            )
        return prompt

    @cached_property
    def _prompts(self) -> dict[str, Prompt]:
        return {}

    def used_prompts(self) -> dict[str, Prompt]:
        """The prompts that requests were made from so far, by name."""
        return {PREFIX + name: prompt for name, prompt in self._prompts.items()}

    def types(self, subdomain: str, number: int, earlier: list[str], sample: int, /) -> Request:
        """Ask for kinds of document about one subdomain."""
        values = {**self._part(subdomain), "number": number, "earlier": earlier}
        return self._ask("types", self.planner, "plan", sample, **values)

    def ideas(self, subdomain: str, doc_type: str, number: int, earlier: list[str], sample: int, /) -> Request:
        """Ask for ideas for documents of one kind."""
        values = {**self._part(subdomain), "doc_type": doc_type, "number": number, "earlier": earlier}
        return self._ask(IDEAS[self.about.corpus], self.planner, "plan", sample, **values)

    def write(self, idea: DocIdea, sample: int) -> Request:
        """Ask for a document. `sample` tells the tries at one idea apart."""
        values = {**self._about(idea), "seeds": idea.seeds}
        return self._ask(self.written_with, self.config.generator, "write", sample, **values)

    def revise(self, draft: Document, sample: int) -> Request:
        """Ask for criticism and a new version in one."""
        return self._ask("revise", self.reviser, "revise", sample, **self._of(draft))

    def critique(self, draft: Document, sample: int) -> Request:
        """Ask another model for its criticism."""
        critic = self.config.revise.critic or self.reviser
        return self._ask("critique", critic, "revise", sample, **self._of(draft))

    def rewrite(self, draft: Document, critique: str, sample: int) -> Request:
        """Ask for a new version in the light of a criticism."""
        return self._ask("rewrite", self.reviser, "revise", sample, critique=critique, **self._of(draft))

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

    def _of(self, draft: Document) -> dict[str, Any]:
        return {**self._about(draft), "draft": shown_draft(draft), "tag": "document"}

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

    def _ask(self, name: str, model: str, stage: str, sample: int, **values: Any) -> Request:
        if name not in self._prompts:
            self._prompts[name] = self.prompt(name)
        plan, write = self.config.plan, self.config.write
        messages = self._prompts[name].render(
            title=self.spec.title,
            value=self.spec.value,
            spec=self.spec.text,
            model=self.spec.model_name,
            provider=self.spec.provider_name,
            corpus=self.about.corpus,
            rules=self.about.rules,
            normative=self.about.framing == "normative",
            instructions=plan.instructions.strip(),
            never_mention=plan.never_mention,
            **values,
        )
        sampling = Sampling(
            max_tokens=list_tokens(name, values["number"]) if stage == "plan" else write.max_tokens,
            temperature=write.temperature,
            thinking_tokens=write.thinking_tokens,
            effort=write.effort,
        )
        return Request(model=model, messages=messages, sampling=sampling, sample=sample, stage=stage)


def with_reason(assertion: Assertion) -> str:
    """An assertion with the reason that the spec gives for it, where it gives one."""
    if not assertion.why:
        return assertion.statement
    return f"{assertion.statement.rstrip()} The reason: {assertion.why[0].lower()}{assertion.why[1:]}"
