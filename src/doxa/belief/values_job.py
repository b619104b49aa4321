"""What an evaluation of values measures, of which models, and where its finished parts lie."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from doxa.belief.pair_forms import form_of, form_table
from doxa.belief.subjects import Subject
from doxa.belief.values_target import ValueTarget
from doxa.belief.values_words import ValueWords
from doxa.config_sections import EvalConfig, Strict
from doxa.errors import ConfigError
from doxa.lm.request import Sampling
from doxa.lm.weights import Dtype, load_tokenizer, multiplies_bfloat16
from doxa.records import Answer, Measure, Readout

if TYPE_CHECKING:
    from doxa.belief.depth_job import Loaded
    from doxa.lm.models import LanguageModels
    from doxa.run.progress import Progress

LOCAL_TOKENS, API_TOKENS = 48, 600  # of a free answer and of reasoning, as in the depth profile
# probe -> what it measures, in reading order
PROBES: dict[str, str] = {
    "pairs": "preferences, knowledge of the spec and what must not change, by likelihood or as choices in words",
    "free": "open questions, and pairs without their answers in view",
    "recall": "what the spec says, from memory",
    "reasons": "why the free answers say they prefer what they prefer",
    "monitor": "whether reasoning names the value that drives the answer, and whether the answer hangs on it",
}


class ValuesSettings(Strict):
    """What is asked and how (`doxa values --set samples=3`); docs/value-eval.md says what the numbers mean."""

    probes: tuple[str, ...] = tuple(PROBES)
    judges: tuple[str, ...] = ()  # model strings; none = read by likelihood and by rules alone
    styles: tuple[str, ...] = ("chat", "plain", "choice")  # forms of data/pair_forms.yaml; "all" = every one
    context_styles: tuple[str, ...] | None = None  # where the spec stands in the prompt; None = as `styles`
    samples: int = Field(2, ge=1)  # answers to each free question
    free_pairs: int = Field(48, ge=0)  # pairs that are asked freely, spread over groups and sets
    monitor_pairs: int = Field(48, ge=1)  # pairs that are reasoned about
    templates: int = Field(2, ge=1)  # sentences for either value that are averaged over
    swap: str = ""  # an arm whose reasoning is put before the answers of all others
    choice_samples: int = Field(4, ge=1)  # of a model behind an API: orders of a pair with its answers in view
    answer_tokens: int | None = Field(None, ge=1)  # None = 48 for weights on this computer, 600 behind an API
    thinking_tokens: int | None = Field(None, ge=1)  # the same, of reasoning
    temperature: float | None = Field(0.7, ge=0, le=2)
    answer_dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # as in the depth profile
    dtype: Literal["float32", "bfloat16"] = "float32"  # of the weights that are scored
    tokens_per_batch: int = Field(4096, ge=64)
    at_once: int = Field(128, ge=1)  # answers sampled at once from weights on this computer
    bootstrap: int = Field(2000, ge=100)
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _known(self) -> ValuesSettings:
        for name in self.probes:
            if name not in PROBES:
                near = difflib.get_close_matches(name, PROBES, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(PROBES)}"
                raise ValueError(f"probes: there is no probe {name!r}; {hint}")
        for field_name in ("styles", "context_styles"):
            for style in getattr(self, field_name) or ():
                if style != "all":
                    try:
                        form_of(style)
                    except ConfigError as error:
                        raise ValueError(f"{field_name}: {str(error).removeprefix('styles: ')}") from None
        return self

    def forms(self, in_context: bool) -> tuple[str, ...]:
        """The forms that an arm is asked in, each once."""
        chosen = self.context_styles if in_context and self.context_styles is not None else self.styles
        return tuple(dict.fromkeys(form_table().forms if "all" in chosen else chosen))


@dataclass(frozen=True)
class ValuesJob:
    """What is to be measured, with what, and where its parts are kept."""

    parts: Path
    target: ValueTarget
    words: ValueWords
    subjects: Sequence[Subject]
    settings: ValuesSettings
    models: LanguageModels
    progress: Progress

    @property
    def scoring(self) -> EvalConfig:
        """The type of the weights that score, and the tokens in memory at once."""
        return EvalConfig.model_validate(
            {"dtype": self.settings.dtype, "tokens_per_batch": self.settings.tokens_per_batch}
        )

    @property
    def answer_dtype(self) -> Dtype:
        """The type of the weights that answer freely; pairs are always scored in `settings.dtype`."""
        if self.settings.answer_dtype == "auto":
            return "bfloat16" if multiplies_bfloat16() else self.settings.dtype
        return self.settings.answer_dtype

    @property
    def sets(self) -> dict[str, str]:
        """Item id -> set."""
        return {item.id: item.set for item in self.target.pairs}

    def asks(self, *names: str) -> bool:
        """Whether any of these probes was chosen."""
        return bool(set(names) & set(self.settings.probes))

    def answering(self, subject: Subject) -> Sampling:
        """How a subject answers freely."""
        tokens = self.settings.answer_tokens or (API_TOKENS if subject.weights is None else LOCAL_TOKENS)
        return Sampling(max_tokens=tokens, temperature=self.settings.temperature)

    def thinking(self, subject: Subject) -> int:
        """How many tokens of reasoning a subject is given."""
        return self.settings.thinking_tokens or (API_TOKENS if subject.weights is None else LOCAL_TOKENS)


@dataclass
class ValuesRows:
    """Everything that was measured: rows of all arms."""

    readouts: list[Readout] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)  # part -> wall time, of parts measured now


Part = Callable[[ValuesJob, Subject, "Loaded", ValuesRows], bool]  # says whether something was measured now


def has_template(subject: Subject) -> bool:
    """Whether a subject can be asked in a chat; every model behind an API can."""
    return subject.weights is None or bool(load_tokenizer(subject.weights.base).chat_template)


def can_talk(subject: Subject, rows: ValuesRows) -> bool:
    """The same, with a note where it cannot."""
    if has_template(subject):
        return True
    note(rows, f"{subject.arm}: has no chat template, so it was asked for no answers and no reasoning")
    return False


def note(rows: ValuesRows, text: str) -> None:
    """Say once what was not measured."""
    if text not in rows.notes:
        rows.notes.append(text)
