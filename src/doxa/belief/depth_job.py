"""What a depth profile measures, with which loaded weights, and where each finished part of it lies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from doxa.belief.axes import PROBES
from doxa.belief.free import stored_weights
from doxa.belief.known_readouts import KnownReadouts
from doxa.belief.likelihood import LikelihoodScorer
from doxa.belief.subjects import Subject
from doxa.belief.world import World
from doxa.config_sections import DepthConfig, EvalConfig
from doxa.lm.named_weights import Weights
from doxa.lm.request import Sampling
from doxa.lm.weights import Dtype, copied_as, multiplies_bfloat16
from doxa.records import Answer, Measure, Readout, Record, digest
from doxa.run.folder import make_folder, read_rows, write_rows

if TYPE_CHECKING:
    from doxa.internals.axis import ArmActivations
    from doxa.lm.models import LanguageModels
    from doxa.run.progress import Progress

Row = TypeVar("Row", bound=Record)
VERSION = 1  # goes up when the code changes what a part holds
# of a free answer, and of reasoning before one; 600 is the published bound (Wang et al. 2025, code)
LOCAL_TOKENS, API_TOKENS = 48, 600
LED = ("debate", "pushback", "critique")  # probes with a form in which the model speaks for itself
# a review that takes a text for right need not repeat what it says: only a judge can read it
LED_BY_MARKS = ("debate", "pushback")


class PartsJob(Protocol):
    """What keeping parts and lending weights need of a job: that of a depth profile, or of another evaluation."""

    @property
    def parts(self) -> Path:
        """The folder of the parts."""

    @property
    def scoring(self) -> EvalConfig:
        """The type of the weights that score, and the tokens in memory at once."""

    @property
    def models(self) -> LanguageModels:
        """The door that answers."""

    @property
    def answer_dtype(self) -> Dtype:
        """The type of the weights that answer freely."""


@dataclass(frozen=True)
class DepthJob:
    """What is to be measured, with what, and where its parts are kept."""

    parts: Path
    world: World
    subjects: Sequence[Subject]
    config: DepthConfig
    scoring: EvalConfig  # dtype and tokens per batch
    models: LanguageModels
    progress: Progress
    seed: int
    doctag: str = ""
    known: KnownReadouts = field(default_factory=KnownReadouts)  # of items that the run scored already

    @property
    def probes(self) -> tuple[str, ...]:
        """The chosen probes; all when none are named."""
        return self.config.probes or tuple(probe.name for probe in PROBES)

    @property
    def answer_dtype(self) -> Dtype:
        """The type of the weights that answer freely; options are always scored in `scoring.dtype`."""
        if self.config.answer_dtype == "auto":
            return "bfloat16" if multiplies_bfloat16() else self.scoring.dtype
        return self.config.answer_dtype


@dataclass
class DepthRows:
    """Everything that was measured: rows of all arms."""

    readouts: list[Readout] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    activations: dict[str, ArmActivations] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # part -> wall time, of parts measured now


class Loaded:
    """One model at a time, loaded when the first part that is missing needs it, and lent to answer freely."""

    def __init__(self, job: PartsJob) -> None:
        self.job = job
        self._weights: Weights | None = None
        self._scorer: LikelihoodScorer | None = None
        self._answering: Any = None  # the same weights in the type that answers

    @contextlib.contextmanager
    def lent(self, subject: Subject) -> Iterator[None]:
        """While it lasts, requests to a subject with weights are answered by what is loaded here."""
        if subject.weights is None:
            yield
            return
        digest = stored_weights(subject, self.job.answer_dtype)
        self.job.models.lend(subject.model, digest, lambda: self._answerer(subject))
        try:
            yield
        finally:
            self.job.models.take_back(subject.model)

    def scorer(self, subject: Subject) -> LikelihoodScorer:
        """What scores options with a subject's weights."""
        assert subject.weights is not None
        if self._scorer is None or self._weights != subject.weights:
            self._scorer = self._answering = None  # one model goes before the next one comes
            model, tokenizer = subject.weights.load(self.job.scoring.dtype)
            self._scorer = LikelihoodScorer(model, tokenizer, self.job.scoring.tokens_per_batch)
            self._weights = subject.weights
        return self._scorer

    def _answerer(self, subject: Subject) -> tuple[Any, Any]:
        scorer, dtype = self.scorer(subject), self.job.answer_dtype
        if self._answering is None:
            self._answering = scorer.model if dtype == self.job.scoring.dtype else copied_as(scorer.model, dtype)
        return self._answering, scorer.tokenizer


def sampling_of(job: DepthJob, subject: Subject) -> Sampling:
    """How a subject answers freely."""
    local = subject.weights is not None
    tokens = job.config.answer_tokens or (LOCAL_TOKENS if local else API_TOKENS)
    return Sampling(max_tokens=tokens, temperature=job.config.temperature)


def thinking_budgets(job: DepthJob, subject: Subject) -> tuple[int, ...]:
    """How many tokens of reasoning a subject is given, from none upwards."""
    if job.config.thinking_tokens is not None:
        return tuple(dict.fromkeys(job.config.thinking_tokens))
    return (0, API_TOKENS if subject.weights is None else LOCAL_TOKENS)


def led(job: DepthJob, subject: Subject) -> tuple[str, ...]:
    """The chosen probes that are led as conversations of this subject, for a judge to read, or the target's marks."""
    wanted, judges = job.config.conversations, bool(job.config.judges)
    if wanted == "auto":
        wanted = judges or subject.weights is None
    readable = LED if judges else LED_BY_MARKS if job.world.marks else ()
    return tuple(probe for probe in readable if wanted and probe in job.probes)


def kept(
    job: PartsJob,
    subject: Subject,
    name: str,
    asked: Any,
    model: type[Row],
    measure: Callable[[], list[Row]],
    into: list[Row],
) -> bool:
    """Take a part from its file, or measure it and write the file in one step. Says whether it was measured."""
    path = job.parts / f"{name}-{subject.arm}-{part_key(job, subject, asked)}.jsonl"
    missing = not path.exists()
    if missing:
        make_folder(path.parent)
        write_rows(path, measure())
    into.extend(read_rows(path, model))
    return missing


def part_key(job: PartsJob, subject: Subject, asked: Any) -> str:
    """A digest of all that decides a part: `asked` is what was asked in it, word for word, as plain data."""
    return digest(VERSION, subject.checkpoint, subject.context, job.scoring.dtype, asked)
