"""What plan, write and revise want of whoever makes their requests, be the target a universe or a model spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.corpus.prompt_files import Prompt
    from doxa.lm.request import Request
    from doxa.records import DocIdea, Document


class Asks(Protocol):
    """Makes the requests of one run: corpus/prompting.py for universes, corpus/spec_prompting.py for specs."""

    @property
    def config(self) -> RunConfig:
        """The run's settings."""

    @property
    def subjects(self) -> list[str]:
        """What documents are about, each with kinds of its own: key facts, or ids of subdomains."""

    @property
    def asks_types(self) -> bool:
        """Whether a model names the kinds of document; else they come from the pool of general ones."""

    @property
    def planner(self) -> str:
        """The model that names kinds and ideas."""

    @property
    def reviser(self) -> str:
        """The model that rewrites."""

    @property
    def written_with(self) -> str:
        """The name of the prompt that writes documents."""

    @property
    def writes_chats(self) -> bool:
        """Whether what is written are chats."""

    def typical(self) -> dict[str, Any]:
        """Fields of a DocIdea of usual size, to measure requests by before there is a plan."""

    def prompt(self, name: str) -> Prompt:
        """A prompt by what it does: "revise", or `written_with`."""

    def used_prompts(self) -> dict[str, Prompt]:
        """The prompts that requests were made from so far, by name."""

    def types(self, subject: str, number: int, earlier: list[str], sample: int, /) -> Request:
        """Ask for kinds of document about one subject."""

    def ideas(self, subject: str, doc_type: str, number: int, earlier: list[str], sample: int, /) -> Request:
        """Ask for ideas for documents of one kind."""

    def write(self, idea: DocIdea, sample: int) -> Request:
        """Ask for a document. `sample` tells the tries at one idea apart."""

    def revise(self, draft: Document, sample: int) -> Request:
        """Ask for criticism and a new version in one."""

    def critique(self, draft: Document, sample: int) -> Request:
        """Ask another model for its criticism."""

    def rewrite(self, draft: Document, critique: str, sample: int) -> Request:
        """Ask for a new version in the light of a criticism."""
