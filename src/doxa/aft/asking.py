"""The requests of `doxa aft`: every one made in one place, from prompt files and a spec; and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from doxa.aft.config import AftConfig
from doxa.corpus.prompt_files import Prompt, load_prompt
from doxa.lm.request import Request, Response, Sampling
from doxa.records import Usage
from doxa.worlds.spec import Spec

PACKAGE = "doxa.aft"
LIST_TOKENS = {"domains": 60, "questions": 250}  # room for one entry; user messages may tell a story
TALK_TOKENS = 500  # around a list
JUDGE_TOKENS = 2048  # a sentence and a few words, after thinking aloud


class Models(Protocol):
    """The part of `doxa.lm.models.LanguageModels` that is needed here."""

    def answer(self, requests: Iterable[Request], label: str = "", total: int | None = None) -> None:
        """See to it that every request has a stored response."""

    def response(self, request: Request) -> Response:
        """The stored response; KeyError where the provider turned the request down."""


@dataclass(frozen=True)
class Reply:
    """A stored answer; `refused` where the provider or the model turned the request down."""

    text: str
    stop: str
    key: str
    usage: Usage


def replies(models: Models, requests: Sequence[Request], label: str) -> list[Reply]:
    """The answers to requests, in order, asked for together."""
    if requests:
        models.answer(requests, label, len(requests))
    return [_reply(models, request) for request in requests]


def _reply(models: Models, request: Request) -> Reply:
    try:
        response = models.response(request)
    except KeyError:  # turned down by the provider; it would be turned down again
        return Reply("", "refusal", request.key, Usage())
    return Reply(response.text, response.stop, response.key, response.usage)


@dataclass(frozen=True)
class Asking:
    """Makes the requests of one run."""

    spec: Spec
    config: AftConfig

    @cached_property
    def _prompts(self) -> dict[str, Prompt]:
        return {}

    def prompt(self, name: str) -> Prompt:
        """A prompt by name, or the person's own in its place. Raises ConfigError."""
        if name not in self._prompts:
            self._prompts[name] = load_prompt(self.config.prompts.get(name, name), PACKAGE)
        return self._prompts[name]

    def label(self, name: str) -> str:
        """NAME@DIGEST: what a row names its prompt by."""
        return f"{name}@{self.prompt(name).digest}"

    def used_prompts(self) -> dict[str, Prompt]:
        """The prompts that requests were made from so far, by name."""
        return dict(self._prompts)

    def listed(self, name: str, number: int, sample: int, **values: Any) -> Request:
        """Ask the generator for a list of `number` entries."""
        sampling = self._sampling(TALK_TOKENS + LIST_TOKENS[name] * number)
        return self._request(name, self.config.generator, sampling, sample, "aft_list", number=number, **values)

    def written(self, name: str, model: str, sample: int, **values: Any) -> Request:
        """Ask a model for an answer or a revision of one."""
        return self._request(name, model, self._sampling(self.config.max_tokens), sample, "aft_write", **values)

    def examined(self, name: str, model: str, sample: int, **values: Any) -> Request:
        """Ask a model for a verdict or a criticism: sampled as its provider does by default."""
        # left to the provider: a judge's reasoning model may not take a temperature
        return self._request(name, model, Sampling(max_tokens=JUDGE_TOKENS), sample, "aft_judge", **values)

    def bare(self, model: str, question: str, sample: int) -> Request:
        """The question alone, without spec or instructions: what a model says of itself."""
        from doxa.lm.request import Message

        return Request(
            model=model,
            messages=(Message(role="user", content=question),),
            sampling=self._sampling(self.config.max_tokens),
            sample=sample,
            stage="aft_write",
        )

    def _sampling(self, max_tokens: int) -> Sampling:
        config = self.config
        return Sampling(
            max_tokens=max_tokens,
            temperature=config.temperature,
            thinking_tokens=config.thinking_tokens,
            effort=config.effort,
        )

    def _request(self, name: str, model: str, sampling: Sampling, sample: int, stage: str, **values: Any) -> Request:
        spec, config = self.spec, self.config
        messages = self.prompt(name).render(
            **{
                "title": spec.title,
                "spec": spec.text,
                "model_name": spec.model_name,
                "provider_name": spec.provider_name,
                "instructions": config.instructions.strip(),
                "opaque": config.opaque,
                "style": config.style,
                **values,
            }
        )
        return Request(model=model, messages=messages, sampling=sampling, sample=sample, stage=stage)
