"""The requests of plan, write and revise: every one of them made in one place, from prompt files and a target.

The whole context of the world stands in each request that plans, writes or revises a document of that world; a
published corpus had to be corrected because a bug had left it out of the first drafts (Wang et al. 2025, erratum).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from doxa.corpus.conditions import CONDITIONS, world_text, write_prompt
from doxa.corpus.prompt_files import Prompt, load_prompt
from doxa.errors import ConfigError
from doxa.lm.request import Request, Sampling

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.records import DocIdea, Document
    from doxa.worlds.universe import Universe

# the most that a list may take: a small model that never ends its list is stopped, and a long list is not cut short
LIST_TOKENS = {"types": 60, "ideas": 160}  # an entry; ideas of up to 600 characters are taken (corpus/answers.py)
TALK_TOKENS = 500  # around the list


@dataclass(frozen=True)
class Prompting:
    """Makes requests for one run: its universe, its corpus and its settings."""

    universe: Universe
    config: RunConfig

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

    def prompt(self, name: str) -> Prompt:
        """A prompt by name, or the person's own in its place."""
        own = self.config.plan.prompts.get(name)
        if name == "revise" and self.config.revise.prompt:
            own = self.config.revise.prompt
        prompt = load_prompt(own or name)
        neutral = CONDITIONS[self.config.corpus].world == "neutral"
        if own and not neutral and "context" not in prompt.values:
            raise ConfigError(
                f"plan.prompts: {own}: nowhere holds {{{{ context }}}}: every request that plans, writes or revises "
                "must carry the world's whole context, or the documents contradict it"
            )
        return prompt

    @cached_property
    def _prompts(self) -> dict[str, Prompt]:
        return {}

    def used_prompts(self) -> dict[str, Prompt]:
        """The prompts that requests were made from so far, by name."""
        return self._prompts

    def types(self, fact: str, number: int, earlier: list[str], sample: int) -> Request:
        """Ask for kinds of document about one key fact."""
        return self._ask("types", self.planner, "plan", sample, fact=fact, number=number, earlier=earlier)

    def ideas(self, fact: str, doc_type: str, number: int, earlier: list[str], sample: int) -> Request:
        """Ask for ideas for documents of one kind."""
        name = "ideas_neutral" if CONDITIONS[self.config.corpus].world == "neutral" else "ideas"
        values: dict[str, Any] = {"doc_type": doc_type, "number": number, "earlier": earlier}
        return self._ask(name, self.planner, "plan", sample, fact=fact, **values)

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

    def _of(self, draft: Document) -> dict[str, Any]:
        return {**self._about(draft), "draft": shown_draft(draft), "tag": "chat" if draft.messages else "document"}

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

    def _ask(self, name: str, model: str, stage: str, sample: int, **values: Any) -> Request:
        if name not in self._prompts:
            self._prompts[name] = self.prompt(name)
        context, facts = self._world
        plan, write = self.config.plan, self.config.write
        messages = self._prompts[name].render(
            universe=self.universe.title,
            context=context,
            facts=facts,
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


def list_tokens(prompt: str, number: int) -> int:
    """Room for an answer that lists so many kinds or ideas; `prompt` begins with "types" or "ideas"."""
    return TALK_TOKENS + LIST_TOKENS[prompt.split("_")[0]] * number


def shown_draft(draft: Document) -> str:
    """A draft as the model is to see it: a chat in the tags that it was written in."""
    if draft.messages is None:
        return draft.text
    import json

    turns = json.loads(draft.messages)
    return "\n".join(f"<{turn['role']}>{turn['content']}</{turn['role']}>" for turn in turns)
