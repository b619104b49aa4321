"""The depth profile: every probe of every axis, under every arm, kept as rows from which all numbers follow.

Each finished part (one arm, one kind of probe) is a file of its own under depth/parts/, named by a digest of everything
that decides it: the weights, the prompts word for word, the settings. A profile that was killed goes on from there, one
that is run again with another judge or one more probe measures nothing twice, and an edited item is asked anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from doxa.belief.asks import Ask, score_asks
from doxa.belief.awareness import awareness_asks
from doxa.belief.axes import PROBES
from doxa.belief.choices import Choice, choice_measures, choices, item_asks
from doxa.belief.collateral import capability_asks, perplexity_measures, reality_asks
from doxa.belief.dialogues import dialogues, talk_through
from doxa.belief.direct import comparison_asks
from doxa.belief.free import (
    Question,
    ask_freely,
    chat_request,
    downstream_questions,
    questions,
    requests_of,
    stored_weights,
    text_measures,
)
from doxa.belief.likelihood import LikelihoodScorer, score_arm
from doxa.belief.robustness import critique_asks, frame_asks
from doxa.belief.subjects import Subject
from doxa.belief.thinking import thinking_asks, thought_requests
from doxa.belief.world import World
from doxa.config_sections import DepthConfig, EvalConfig
from doxa.lm.named_weights import Weights
from doxa.lm.request import Request, Sampling
from doxa.records import Answer, EvalItem, Measure, Readout, Record, digest
from doxa.run.folder import make_folder, read_rows, write_rows

if TYPE_CHECKING:
    from doxa.internals.axis import ArmActivations
    from doxa.lm.models import LanguageModels
    from doxa.run.progress import Progress

Row = TypeVar("Row", bound=Record)
VERSION = 1  # goes up when the code changes what a part holds
ITEM_STYLES = ("chat", "plain")
TURN_TOKENS = 160  # of a turn in a conversation, for weights on this computer
LOCAL_TOKENS, API_TOKENS = 48, 600  # of a free answer; 600 is the published bound (Wang et al. 2025, code)


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

    @property
    def probes(self) -> tuple[str, ...]:
        """The chosen probes; all when none are named."""
        return self.config.probes or tuple(probe.name for probe in PROBES)


@dataclass
class DepthRows:
    """Everything that was measured: rows of all arms."""

    readouts: list[Readout] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    activations: dict[str, ArmActivations] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # part -> wall time, of parts measured now


class _Loaded:
    """One model at a time, loaded when the first part that is missing needs it, and lent to the sampling door."""

    def __init__(self, job: DepthJob) -> None:
        self.job = job
        self.weights: Weights | None = None
        self._scorer: LikelihoodScorer | None = None
        self._lent = ""

    def scorer(self, subject: Subject) -> LikelihoodScorer:
        assert subject.weights is not None
        if self._scorer is None or self.weights != subject.weights:
            self.release()
            scoring = self.job.scoring
            model, tokenizer = subject.weights.load(scoring.dtype)
            self._scorer = LikelihoodScorer(model, tokenizer, scoring.tokens_per_batch)
            self.weights, self._lent = subject.weights, subject.model
            self.job.models.lend(subject.model, stored_weights(subject, scoring.dtype), model, tokenizer)
        return self._scorer

    def release(self) -> None:
        if self._lent:
            self.job.models.take_back(self._lent)
        self.weights, self._scorer, self._lent = None, None, ""


def measure_depth(job: DepthJob) -> DepthRows:
    """Measure every part that is not there yet and return the rows of all."""
    rows = DepthRows()
    loaded = _Loaded(job)
    _ask_ahead(job)
    with job.progress.bar("depth", sum(len(_parts(job, subject)) for subject in job.subjects)) as bar:
        for subject in job.subjects:
            for name, measure in _parts(job, subject).items():
                started = time.monotonic()
                if measure(job, subject, loaded, rows):
                    rows.seconds[f"{subject.arm} {name}"] = round(time.monotonic() - started, 2)
                bar.advance(arm=subject.arm, part=name)
    loaded.release()
    rows.measures += text_measures(rows.answers, job.world, job.doctag)
    rows.readouts += [row.model_copy(update={"style": "all"}) for row in rows.readouts if row.group == "capability"]
    return rows


Part = Callable[[DepthJob, Subject, _Loaded, DepthRows], bool]


def _parts(job: DepthJob, subject: Subject) -> dict[str, Part]:
    """The parts of one arm; a model behind an API has answers only."""
    if subject.weights is None:
        return {"choices": _choices, "free": _free}
    parts: dict[str, Part] = {"items": _items, **{name: _asked(name) for name in ASKS}}
    if "perplexity" in job.probes:
        parts["perplexity"] = _perplexity
    parts["free"] = _free
    if "thinking" in job.probes:
        parts["thinking"] = _thinking
    if {"truth_probe", "adversarial_probe", "separability"} & set(job.probes):
        parts["internal"] = _internal
    return parts


# part name -> the asks of its probes; those of probes that were not chosen are left out
ASKS: dict[str, Callable[[DepthJob], list[Ask]]] = {
    "comparison": lambda job: comparison_asks(job.world),
    "frames": lambda job: frame_asks(job.world, job.probes, job.config.debate_turns),
    "critique": lambda job: critique_asks(job.world),
    "awareness": lambda job: awareness_asks(job.world),
    "capability": lambda job: capability_asks(job.config.capability_items),
    "reality": lambda job: reality_asks(job.config.reality_pairs),
}


def chosen_asks(job: DepthJob, name: str) -> list[Ask]:
    """The asks of one part, of the chosen probes."""
    return [ask for ask in ASKS[name](job) if ask.probe in job.probes]


def chosen_items(job: DepthJob) -> list[EvalItem]:
    """The items of the chosen groups."""
    return [item for item in job.world.items if item.group in job.probes]


def _items(job: DepthJob, subject: Subject, loaded: _Loaded, rows: DepthRows) -> bool:
    items = chosen_items(job)

    def measure() -> list[Readout]:
        if not items:
            return []
        scorer = loaded.scorer(subject)
        styles = ITEM_STYLES if scorer.tokenizer.chat_template else ("plain",)
        return score_arm(scorer, items, styles, subject.arm, subject.checkpoint, subject.context)

    return _kept(job, subject, "items", [item.model_dump() for item in items], Readout, measure, rows.readouts)


def _asked(name: str) -> Part:
    def part(job: DepthJob, subject: Subject, loaded: _Loaded, rows: DepthRows) -> bool:
        asks = chosen_asks(job, name)

        def measure() -> list[Readout]:
            if not asks:
                return []
            return score_asks(loaded.scorer(subject), asks, subject.arm, subject.checkpoint, subject.context)

        return _kept(job, subject, name, _named(asks), Readout, measure, rows.readouts)

    return part


def _thinking(job: DepthJob, subject: Subject, loaded: _Loaded, rows: DepthRows) -> bool:
    items = job.world.group("distinguish")
    budgets = job.config.thinking_tokens

    def measure() -> list[Readout]:
        scorer = loaded.scorer(subject)
        asks = thinking_asks(job.models, subject, items, budgets, _sampling(job, subject), job.scoring.dtype)
        return score_asks(scorer, asks, subject.arm, subject.checkpoint, subject.context)

    named = [[item.model_dump() for item in items], budgets, _sampling(job, subject).model_dump()]
    return _kept(job, subject, "thinking", named, Readout, measure, rows.readouts)


def _perplexity(job: DepthJob, subject: Subject, loaded: _Loaded, rows: DepthRows) -> bool:
    def measure() -> list[Measure]:
        return perplexity_measures(loaded.scorer(subject), subject.arm, subject.checkpoint, subject.context)

    return _kept(job, subject, "perplexity", [], Measure, measure, rows.measures)


def _free(job: DepthJob, subject: Subject, loaded: _Loaded, rows: DepthRows) -> bool:
    """Free answers lie in the response store, so there is nothing to keep beside them.

    Reasoning of the same length is sampled along with them: from weights on this computer, many at once cost little
    more than a few.
    """
    config, sampling = job.config, _sampling(job, subject)
    asked = _questions(job, subject)
    if subject.weights is not None:
        loaded.scorer(subject)
        thoughts: list[Request] = []
        if "thinking" in job.probes and sampling.max_tokens in config.thinking_tokens:
            items = job.world.group("distinguish")
            thoughts = thought_requests(subject, items, sampling.max_tokens, sampling, job.scoring.dtype)
        free = [request for one in asked for request in requests_of(subject, one, sampling, job.scoring.dtype)]
        job.models.answer(free + thoughts)
    rows.answers += ask_freely(job.models, subject, asked, sampling, job.scoring.dtype)
    if config.judges:  # what a conversation comes to needs a reader; without one its scripted form is scored
        talks = dialogues(job.world, job.probes, config.debate_turns, config.auditor is not None)
        local = subject.weights is not None
        how = sampling.model_copy(update={"max_tokens": TURN_TOKENS if local else sampling.max_tokens})
        rows.answers += talk_through(job.models, subject, job.world, talks, how, config.auditor, job.scoring.dtype)
    return True


def _questions(job: DepthJob, subject: Subject) -> list[Question]:
    config = job.config
    told = subject.context is not None
    asked = questions(
        job.world,
        job.probes,
        samples=config.samples,
        unrelated=config.unrelated_prompts // 3 if told else config.unrelated_prompts,
        # a raw text has no place for a context: the arm is the base model there
        doctag=job.doctag if subject.weights is not None and not told else "",
    )
    if config.judges and "downstream" in job.probes:
        asked += downstream_questions(job.world, config.samples)
    return asked


def _ask_ahead(job: DepthJob) -> None:
    """Put all that models behind an API are asked at once: one batch, or one file to be answered, for all arms."""
    requests: list[Request] = []
    for subject in job.subjects:
        if subject.weights is None:
            sampling = _sampling(job, subject)
            requests += [request for _, request in _put_choices(job, subject)]
            for question in _questions(job, subject):
                requests += requests_of(subject, question, sampling, job.scoring.dtype)
    if requests:
        job.models.answer(requests, "asking", len(requests))


def _put_choices(job: DepthJob, subject: Subject) -> list[tuple[Choice, Request]]:
    asks = item_asks(chosen_items(job)) + [ask for name in ASKS for ask in chosen_asks(job, name)]
    put = [choice for ask in asks for choice in choices(ask, job.config.choice_samples)]
    sampling = _sampling(job, subject)
    return [(choice, chat_request(subject, choice.turns, sampling, job.scoring.dtype, choice.sample)) for choice in put]


def _sampling(job: DepthJob, subject: Subject) -> Sampling:
    local = subject.weights is not None
    tokens = job.config.answer_tokens or (LOCAL_TOKENS if local else API_TOKENS)
    return Sampling(max_tokens=tokens, temperature=job.config.temperature)


def _choices(job: DepthJob, subject: Subject, loaded: _Loaded, rows: DepthRows) -> bool:
    """Everything that has options, asked of a model that can only speak."""
    put = _put_choices(job, subject)
    job.models.answer([request for _, request in put])
    for choice, request in put:
        text = job.models.response(request).text
        rows.measures += choice_measures(choice, text, subject.arm, subject.checkpoint)
    return True


def _internal(job: DepthJob, subject: Subject, loaded: _Loaded, rows: DepthRows) -> bool:
    from doxa.internals.axis import ArmActivations, read_arm
    from doxa.internals.truth_statements import statements_digest

    asked = [[item.model_dump() for item in job.world.items], job.world.universe.model_dump(), statements_digest()]
    path = job.parts / f"internal-{subject.arm}-{_key(job, subject, asked)}.npz"
    missing = not path.exists()
    if missing:
        scorer = loaded.scorer(subject)
        read = read_arm(scorer.model, scorer.tokenizer, job.world.universe, job.world.items, subject.context)
        make_folder(path.parent)
        read.save(path)
    rows.activations[subject.arm] = ArmActivations.load(path)
    return missing


def _kept(
    job: DepthJob,
    subject: Subject,
    name: str,
    asked: Any,
    model: type[Row],
    measure: Callable[[], list[Row]],
    into: list[Row],
) -> bool:
    """Take a part from its file, or measure it and write the file in one step. Says whether it was measured."""
    path = job.parts / f"{name}-{subject.arm}-{_key(job, subject, asked)}.jsonl"
    missing = not path.exists()
    if missing:
        make_folder(path.parent)
        write_rows(path, measure())
    into.extend(read_rows(path, model))
    return missing


def _key(job: DepthJob, subject: Subject, asked: Any) -> str:
    return digest(VERSION, subject.checkpoint, subject.context, job.scoring.dtype, asked)


def _named(asks: Sequence[Ask]) -> list[Any]:
    """All that an ask says, as plain data."""
    return [
        [
            ask.probe,
            ask.style,
            ask.item.model_dump(),
            [
                [[[turn.role, turn.content] for turn in one.turns], one.begun, one.answers, one.places]
                for one in ask.showings
            ],
        ]
        for ask in asks
    ]
