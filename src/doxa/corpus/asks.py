"""What plan, write and revise want of whoever makes their requests, be the target a universe or a model spec."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from doxa.corpus.prompt_files import Prompt, load_prompt
from doxa.lm.request import Request, Sampling

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.records import DocIdea, Document

# the most that a list may take: a small model that never ends its list is stopped, and a long list is not cut short
LIST_TOKENS = {"types": 60, "ideas": 160}  # an entry; ideas of up to 600 characters are taken (corpus/answers.py)
TALK_TOKENS = 500  # around the list


class Asks(ABC):
    """Makes the requests of one run: corpus/prompting.py for universes, corpus/spec_prompting.py for specs.

    What they do alike stands here; which values a prompt gets is theirs to say.
    """

    prefix: ClassVar[str] = ""  # of the files in prompts/, and of their names in plan.prompts
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
    @abstractmethod
    def subjects(self) -> list[str]:
        """What documents are about, each with kinds of its own: key facts, or ids of subdomains."""

    @property
    @abstractmethod
    def asks_types(self) -> bool:
        """Whether a model names the kinds of document; else they come from the pool of general ones."""

    @property
    @abstractmethod
    def written_with(self) -> str:
        """The name of the prompt that writes documents."""

    @property
    @abstractmethod
    def writes_chats(self) -> bool:
        """Whether what is written are chats."""

    @abstractmethod
    def typical(self) -> dict[str, Any]:
        """Fields of a DocIdea of usual size, to measure requests by before there is a plan."""

    @abstractmethod
    def types(self, subject: str, number: int, earlier: list[str], sample: int, /) -> Request:
        """Ask for kinds of document about one subject."""

    @abstractmethod
    def ideas(self, subject: str, doc_type: str, number: int, earlier: list[str], sample: int, /) -> Request:
        """Ask for ideas for documents of one kind."""

    @abstractmethod
    def _check_own(self, path: str, prompt: Prompt) -> None:
        """Raise ConfigError for a person's own prompt that lacks what every request must carry."""

    @abstractmethod
    def _about(self, item: DocIdea | Document) -> dict[str, Any]:
        """The values of a prompt that one document decides."""

    @abstractmethod
    def _of_target(self) -> dict[str, Any]:
        """The values that every prompt gets."""

    def prompt(self, name: str) -> Prompt:
        """A prompt by what it does ("revise", or `written_with`), or the person's own in its place."""
        own = self.config.plan.prompts.get(self.prefix + name)
        if name == "revise" and self.config.revise.prompt:
            own = self.config.revise.prompt
        prompt = load_prompt(own or self.prefix + name)
        if own:
            self._check_own(own, prompt)
        return prompt

    @cached_property
    def _prompts(self) -> dict[str, Prompt]:
        return {}

    def used_prompts(self) -> dict[str, Prompt]:
        """The prompts that requests were made from so far, by name."""
        return {self.prefix + name: prompt for name, prompt in self._prompts.items()}

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
        return {**self._about(draft), "draft": _shown(draft), "tag": "chat" if draft.messages else "document"}

    def _ask(self, name: str, model: str, stage: str, sample: int, **values: Any) -> Request:
        if name not in self._prompts:
            self._prompts[name] = self.prompt(name)
        plan, write = self.config.plan, self.config.write
        messages = self._prompts[name].render(
            instructions=plan.instructions.strip(), never_mention=plan.never_mention, **self._of_target(), **values
        )
        sampling = Sampling(
            max_tokens=_list_tokens(name, values["number"]) if stage == "plan" else write.max_tokens,
            temperature=write.temperature,
            thinking_tokens=write.thinking_tokens,
            effort=write.effort,
        )
        return Request(model=model, messages=messages, sampling=sampling, sample=sample, stage=stage)


def _list_tokens(prompt: str, number: int) -> int:
    """Room for an answer that lists so many kinds or ideas; `prompt` begins with "types" or "ideas"."""
    return TALK_TOKENS + LIST_TOKENS[prompt.split("_")[0]] * number


def _shown(draft: Document) -> str:
    """A draft as the model is to see it: a chat in the tags that it was written in."""
    if draft.messages is None:
        return draft.text
    turns = json.loads(draft.messages)
    return "\n".join(f"<{turn['role']}>{turn['content']}</{turn['role']}>" for turn in turns)
