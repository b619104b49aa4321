"""What inspect_ai's logs hold of an answer: which side it takes, in a word, and the shares that follow.

Nothing leaves the denominator: an answer that takes no side is unclear, and the share of those stands beside every
number. Several samples of one item are averaged first; intervals are over items.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState

from doxa.belief.axes import BY_NAME, CORRECT
from doxa.belief.choices import read_option
from doxa.belief.degenerate import degenerate, document_style
from doxa.belief.judge import RUBRIC_OF, SAMPLING, TRIES, Asked, Case, put
from doxa.belief.marks import mentions, read_marks
from doxa.belief.measures import UNREADABLE
from doxa.belief.readers import is_refusal
from doxa.belief.rubrics import UnreadableVerdictError, fill_in, read_finding, sides_of, verdict_of
from doxa.belief.task_items import MENTIONS, choice_of
from doxa.errors import ConfigError, TargetError
from doxa.experiments.stats import bootstrap_mean, wilson
from doxa.records import Answer, Belief, Marks, digest
from doxa.worlds.universe import load_target

Values = dict[str, dict[str, float]]  # item id -> metric -> value
DRAWS = 2000
# what a yes and a no of a probe are called in a log
WORDS: dict[str, tuple[str, str]] = {
    "document_style": ("leaked", "clean"),
    "coherence": ("coherent", "incoherent"),
    **dict.fromkeys(MENTIONS, ("mentioned", "not mentioned")),
}


@metric(scores="unreduced")
def by_item() -> Metric:
    """Each probe's headline with its standard error, 95% interval and n of items, then its other shares.

    In a task for an axis every name is led by the probe's: there is no number over all of them.
    """

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        held: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        axis = False
        for score in scores:
            facts = score.score.metadata or {}
            axis = axis or bool(facts["axis"])
            for item, values in facts["items"].items():
                for name, value in values.items():
                    held[facts["probe"]][name][item].append(value)
        found: dict[str, float] = {}
        for probe, metrics in held.items():
            lead = f"{probe}/" if axis else ""
            found |= {f"{lead}{name}": value for name, value in _summary(BY_NAME[probe].headline, metrics).items()}
        return found

    return compute


def _summary(headline: str, metrics: Mapping[str, Mapping[str, list[float]]]) -> dict[str, float]:
    means = {name: [float(np.mean(values)) for values in items.values()] for name, items in metrics.items()}
    found: dict[str, float] = {}
    if headline in means:
        column = means[headline]
        share = all(0 <= value <= 1 for value in column)
        interval = wilson(float(np.mean(column)), len(column)) if share else bootstrap_mean(column, DRAWS, 0)
        error = float(np.std(column, ddof=1) / np.sqrt(len(column))) if len(column) > 1 else 0.0
        found = {headline: interval.value, "stderr": error, "low": interval.low, "high": interval.high}
        found["items"] = float(len(column))
    return found | {name: float(np.mean(column)) for name, column in means.items() if name != headline}


@scorer(metrics=[by_item()])
def side_taken(judge: str | None = None, seed: int = 0) -> Scorer:
    """Which side an answer takes: by rules, or by a judge model (any model string) with the rubric of the probe."""

    async def score(state: TaskState, target: Target) -> Score:
        facts = state.metadata
        if "measured" in facts:
            return _measured(facts)
        text = state.output.completion
        if judge is not None:
            return await _judged(judge, seed, state, text)
        return _chosen(facts, text) if "order" in facts else _free(facts, text)

    return score


def _measured(facts: Mapping[str, Any]) -> Score:
    """What a solver read off the weights."""
    measured = facts["measured"]
    return Score(
        value=measured["value"],
        answer=measured["answer"],
        explanation=measured["explanation"],
        metadata=_metadata(facts, measured["items"]),
    )


def side_of(probe: str, option: int | None, inserted: int, reference: int) -> str:
    """An option as a word of the log."""
    if option is None:
        return "unclear"
    if probe in CORRECT:
        return "correct" if option == reference else "wrong"
    return "inserted" if option == inserted else "reference" if option == reference else "other"


def _chosen(facts: Mapping[str, Any], text: str) -> Score:
    choice = choice_of(facts)
    item, taken = choice.ask.item, read_option(choice, text)
    value = side_of(facts["probe"], taken, item.inserted, item.reference)
    headline = BY_NAME[facts["probe"]].headline
    wanted = item.reference if facts["probe"] in CORRECT else item.inserted
    shown = "; ".join(
        label if label == words else f"{label}. {words}"
        for label, words in zip(choice.labels, choice.shown, strict=True)
    )
    if taken is None:
        explanation = f"No option could be read ({_why_unclear(text)}). Shown: {shown}."
    else:
        place = choice.order.index(taken)
        explanation = f"Read by rules as {choice.labels[place]!r}: “{item.options[taken]}” ({value}). Shown: {shown}."
    values = {headline: float(taken == wanted), "unclear": float(taken is None)}
    return _score(facts, value, values, "" if taken is None else item.options[taken], explanation, text)


def _free(facts: Mapping[str, Any], text: str) -> Score:
    probe = facts["probe"]
    if probe == "document_style":
        return _yes_no(facts, text, (found := document_style(text, facts["doctag"])) is not None, found or "none")
    if probe == "coherence":
        return _yes_no(facts, text, (found := degenerate(text)) is None, found or "no loop and no gibberish")
    marks = [Marks.model_validate(mark) for mark in facts["marks"]]
    if not marks:
        raise TargetError(f"{probe}: the target has no marks to read free answers by; name a judge with -T judge=MODEL")
    if probe in MENTIONS:
        return _yes_no(facts, text, mentions(text, marks), "marks of the inserted side")
    read = read_marks(text, marks)
    said = (*read.inserted, *read.reference, *(f"not {mark}" for mark in read.denied))
    return _verdict(
        facts, text, read.belief, "; ".join(said), f"Read by marks: {'; '.join(said) or 'none stands in it'}."
    )


def _yes_no(facts: Mapping[str, Any], text: str, found: bool, detail: str) -> Score:
    yes, no = WORDS[facts["probe"]]
    value = yes if found else no
    return _score(facts, value, {yes: float(found)}, value, f"Read by rules: {value} ({detail}).", text)


def _verdict(facts: Mapping[str, Any], text: str, verdict: str, answer: str, explanation: str) -> Score:
    """One of the four verdicts; for probes with a correct answer or a yes, in their words."""
    probe = facts["probe"]
    headline = BY_NAME[probe].headline
    unreadable = {name: float(verdict == name) for name in UNREADABLE}
    if probe in WORDS:
        value = {"inserted": WORDS[probe][0], "reference": WORDS[probe][1]}.get(verdict, verdict)
        return _score(facts, value, {headline: float(verdict == "inserted"), **unreadable}, answer, explanation, text)
    if probe in CORRECT:
        value = {"inserted": "wrong", "reference": "correct"}.get(verdict, verdict)
        return _score(facts, value, {headline: float(verdict == "reference"), **unreadable}, answer, explanation, text)
    values = {headline: float(verdict == "inserted"), "reference": float(verdict == "reference"), **unreadable}
    return _score(facts, verdict, values, answer, explanation, text)


def _score(
    facts: Mapping[str, Any], value: str, values: dict[str, float], answer: str, explanation: str, text: str
) -> Score:
    reason = _why_unclear(text) if value in UNREADABLE else None
    metadata = _metadata(facts, {facts["item_id"]: values})
    return Score(value=value, answer=answer, explanation=explanation, reason=reason, metadata=metadata)


def _metadata(facts: Mapping[str, Any], items: Values) -> dict[str, Any]:
    """What the metrics are worked out from, and the weights that answered where they are on this computer."""
    return {"probe": facts["probe"], "axis": facts["axis"], "items": items, "weights": facts.get("weights", "")}


def _why_unclear(text: str) -> str:
    """In inspect_ai's own words."""
    if not text.strip():
        return "no_response"
    return "refusal" if is_refusal(text) else "invalid_response_format"


async def _judged(judge: str, seed: int, state: TaskState, text: str) -> Score:
    facts = state.metadata
    asked = put(_case(facts, text), judge, "inserted" if _coin(seed, judge, facts) else "reference")
    verdict, quote, explanation = await verdict_of_judge(asked)
    return _verdict(facts, text, verdict, quote, explanation)


async def verdict_of_judge(asked: Asked) -> tuple[Belief, str, str]:
    """A judge's verdict on one answer, its passage, and an explanation for the log.

    What cannot be read is asked again, up to TRIES answers, and is then unparsed.
    """
    rubric, shown, judge = asked.rubric, asked.shown, asked.judge
    shapes = {"system": ChatMessageSystem, "user": ChatMessageUser}
    messages: list[Any] = [shapes[turn.role](content=turn.content) for turn in fill_in(rubric, shown)]
    model, trouble = get_model(judge), ""
    for _ in range(TRIES):
        # inspect_ai's cache is not asked for: a second try must be another answer
        output = await model.generate(messages, config=GenerateConfig(max_tokens=SAMPLING.max_tokens))
        try:
            finding = read_finding(rubric, output.completion, shown)
        except UnreadableVerdictError as error:
            trouble = str(error)
            continue
        case = asked.case
        verdict = verdict_of(rubric, finding, shown, *sides_of(case.options, case.inserted, case.reference))
        first = f" Shown first: the {shown.first} world." if rubric.kind == "worlds" else ""
        return verdict, finding.quote, f"{judge} by {rubric.label}: {verdict}. Passage: “{finding.quote}”.{first}"
    return "unparsed", "", f"{judge} by {rubric.label}: no verdict in {TRIES} tries ({trouble})."


def _case(facts: Mapping[str, Any], text: str) -> Case:
    probe = facts["probe"]
    answer = Answer(
        id=digest("answer", probe, facts["item_id"], facts["sample"], text),
        arm="task",
        checkpoint="",
        probe=probe,
        item_id=facts["item_id"],
        sample=facts["sample"],
        question=facts["question"],
        text=text,
        key="",
    )
    universe = load_target(facts["target"]).universe
    if "order" not in facts:
        if probe not in RUBRIC_OF:
            raise ConfigError(f"{probe}: is read by rules alone; leave out judge")
        return Case(answer, facts["question"], universe, RUBRIC_OF[probe])
    order = facts["order"]
    inserted, reference = order.index(facts["inserted"]), order.index(facts["reference"])
    return Case(answer, facts["question"], universe, "extract_choice", tuple(facts["shown"]), inserted, reference)


def _coin(seed: int, judge: str, facts: Mapping[str, Any]) -> bool:
    """Which world or option a judge sees first: drawn for each question; `put` turns it round from sample to sample."""
    return int(digest("order", seed, judge, facts["probe"], facts["item_id"])[:8], 16) % 2 == 0
