"""What `doxa aft make` may be told: one validated set of settings, from options and `--set key=value`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from doxa.config import apply_override, validate
from doxa.config_sections import LmConfig, Strict
from doxa.errors import ConfigError

Method = Literal["spec", "deliberative", "constitutional"]
Style = Literal["value", "rule"]

# the prompts that a person may replace by a file of their own (`prompts.answer=path.md`)
PROMPTS = (
    "domains", "questions", "answer", "answer_deliberative", "answer_anti", "judge", "critique", "rewrite",
    "principle_critique", "principle_revision",
)  # fmt: skip


def _listed(value: Any) -> Any:
    """A list that a person wrote in one word or with commas."""
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class AftConfig(Strict):
    """Everything that decides the rows of one `doxa aft make`."""

    generator: str  # who writes domains, questions and answers
    judge: str | None = None  # None = the generator; "none" = nobody
    method: Method = "spec"
    style: Style = "value"  # rule: the reasoning complies with what the spec asks; value: it is the model's own reasons
    opaque: bool = False  # answers state likes and dislikes and never a reason (the toy of Li et al. 2026)
    anti: bool = False  # also the opposite of what the spec asks, to the same questions
    reasoning: bool = True  # also rows with <think>...</think> before the answer
    number: int = Field(100, ge=1)  # rows, exactly
    domains: Listed = ()  # none named: the tree's, else `domain_count` are asked for
    domain_count: int = Field(8, ge=1, le=200)
    questions_per_call: int = Field(25, ge=1, le=100)
    similarity: float = Field(0.91, gt=0, le=1)  # cosine of MiniLM from which two questions are one; Li et al. 2026
    spare: float = Field(1.2, ge=1)  # questions held ready for each row that is lacking: some answers will not pass
    attempts: int = Field(2, ge=1)  # answers to a question before another question takes its place
    rounds: int = Field(10, ge=1)  # of answers: in each, what fell out is tried again beside new questions
    give_up: int = Field(12, ge=0)  # tries in whole rounds of which none passed before no more are made; 0: never
    rewrites: int = Field(0, ge=0, le=5)  # critique and rewrite of each answer, so many times
    critic: str | None = None  # None = the judge
    revisions: int = Field(1, ge=1, le=5)  # method constitutional: principles that each draft is revised by
    drafter: str | None = None  # method constitutional: who answers without the spec; None = the generator
    principles: tuple[str, ...] = ()  # method constitutional: instead of the tree's assertions
    value_words: Listed = ()  # opaque: words that no answer may hold, beside those found in the spec
    opaque_words: int = Field(40, ge=1)  # opaque: the longest answer, in words
    spec_run: int = Field(12, ge=4)  # words in a row that no message may share with the spec
    instructions: str = ""  # wishes that reach every request
    temperature: float | None = Field(1.0, ge=0, le=2)  # of questions and answers; judges and critics: the provider's
    max_tokens: int = Field(4096, ge=1)
    thinking_tokens: int | None = Field(None, ge=1)
    effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    prompts: dict[str, str] = Field(default_factory=dict)
    seed: int = Field(0, ge=0)
    model_name: str | None = None  # None = spec.md's
    provider_name: str | None = None
    lm: LmConfig = LmConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> AftConfig:
        unknown = sorted(set(self.prompts) - set(PROMPTS))
        if unknown:
            raise ValueError(f"prompts: there is no prompt {unknown[0]!r}; there are {', '.join(PROMPTS)}")
        if len({name.casefold() for name in self.domains}) < len(self.domains):
            raise ValueError("domains: names one of them twice")
        if self.opaque and self.method != "spec":
            raise ValueError(f"opaque: answers of method {self.method} have reasons; it goes with method spec alone")
        if self.anti and self.method != "spec":
            raise ValueError(f"anti: goes with method spec alone (got method {self.method})")
        if self.method == "deliberative" and not self.reasoning:
            raise ValueError("reasoning: method deliberative trains on reasoning; it cannot be left out")
        if self.method == "constitutional" and self.rewrites:
            raise ValueError("rewrites: method constitutional revises by principles; use revisions")
        return self

    @property
    def judged(self) -> bool:
        """Whether anybody judges."""
        return self.judge != "none"

    @property
    def judge_model(self) -> str:
        """Who judges."""
        return self.generator if self.judge in (None, "none") else str(self.judge)

    @property
    def critic_model(self) -> str:
        """Who criticises answers."""
        return self.critic or self.judge_model

    @property
    def drafter_model(self) -> str:
        """Who answers without the spec."""
        return self.drafter or self.generator

    @property
    def thinks(self) -> bool:
        """Whether rows have reasoning: revisions by principles are answers alone."""
        return self.reasoning and self.method != "constitutional"


def read_settings(overrides: Iterable[str], **options: Any) -> AftConfig:
    """Settings from `--set` values and the options that were given (None: not given). Raises ConfigError by field."""
    raw: dict[str, Any] = {}
    for override in overrides:
        apply_override(raw, override, "questions_per_call=10")
    for name, value in options.items():
        if value is not None:
            if name in raw:
                raise ConfigError(f"--set {name}: is given as --{name.replace('_', '-')} too; give it once")
            raw[name] = value
    return validate(AftConfig, raw, "doxa aft")
