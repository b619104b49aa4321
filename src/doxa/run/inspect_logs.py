"""Logs of Inspect tasks, read: which is a cell's, which weights answered in it, and its numbers with n and interval."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log
from inspect_ai.scorer import value_to_float

from doxa.experiments.stats import Interval, bootstrap_mean, paired_bootstrap, paired_shares, wilson

DRAWS = 2000
PLAIN_MEANS = ("accuracy", "mean")  # metrics that are the mean over items, so that an interval follows
UNREAD = ("invalid_response_format", "no_response")


@dataclass(frozen=True)
class Line:
    """One number of a log."""

    scorer: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Facts:
    """What stands beside the numbers of a log. `unread` is None where a scorer does not say what it read."""

    answers: int  # samples that were answered and scored, epochs counted
    items: int
    errors: float  # share of all samples
    unread: float | None  # share of the answers in which the scorer found no answer
    weights: str
    temperature: float | None
    location: str


def finished_log(folder: Path, key: str, weights: str) -> EvalLog | None:
    """The newest whole log of a cell, with its samples, or None."""
    for info in list_eval_logs(str(folder.absolute()), recursive=False):  # the newest first
        try:
            head = read_eval_log(info, header_only=True)
        except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
            continue  # of a run that was killed while it wrote
        about = head.eval.metadata or {}
        if about.get("doxa_key") != key or about.get("doxa_weights", "") != weights or not _is_whole(head):
            continue
        log = read_eval_log(info)
        if weights and weights_in(log) - {weights}:
            continue
        return log
    return None


def _is_whole(head: EvalLog) -> bool:
    results = head.results
    return (
        head.status == "success"
        and not head.invalidated
        and results is not None
        and results.total_samples > 0
        and results.completed_samples == results.total_samples
    )


def weights_in(log: EvalLog) -> set[str]:
    """The digests of the weights on this computer that answered in a log."""
    return {
        str(sample.output.metadata["weights"])
        for sample in log.samples or []
        if sample.output.metadata and sample.output.metadata.get("weights")
    }


def facts_of(log: EvalLog) -> Facts:
    """What stands beside the numbers."""
    samples = log.samples or []
    scored = [sample for sample in samples if sample.error is None]
    weights = weights_in(log) or {str((log.eval.metadata or {}).get("doxa_weights", ""))}
    return Facts(
        answers=len(scored),
        items=len({sample.id for sample in scored}),
        errors=1 - len(scored) / len(samples) if samples else 0.0,
        unread=_unread(scored),
        weights=", ".join(sorted(weights)),
        temperature=log.plan.config.temperature,
        location=log.location,
    )


def _unread(samples: Sequence[EvalSample]) -> float | None:
    answers = [score for sample in samples for score in (sample.scores or {}).values()]
    known = [score for score in answers if score.answer is not None or score.reason is not None]
    if not known:
        return None
    return sum(score.reason in UNREAD or (not score.answer and not score.reason) for score in answers) / len(answers)


def lines_of(log: EvalLog) -> list[Line]:
    """Every metric of a log, in its order; ends of intervals stand with the number that they belong to."""
    found = []
    for score in log.results.scores if log.results is not None else []:
        values = {name: metric.value for name, metric in score.metrics.items()}
        first: dict[str, str] = {}
        for name in values:
            first.setdefault(name.rpartition("/")[0], name)
        for name, value in values.items():
            lead, _, last = name.rpartition("/")
            prefix = f"{lead}/" if lead else ""
            if last in ("low", "high") or (last.endswith(("_low", "_high")) and name.rpartition("_")[0] in values):
                continue
            low, high = values.get(f"{name}_low"), values.get(f"{name}_high")
            if low is None and first[lead] == name:
                low, high = values.get(f"{prefix}low"), values.get(f"{prefix}high")
            if low is None:
                interval = _interval(name, value, item_means(log, score.name))
                low, high = (interval.low, interval.high) if interval is not None else (None, None)
            found.append(Line(score.name, name, float(value), low, high))
    return found


def item_means(log: EvalLog, scorer: str) -> dict[str, float]:
    """The mean value of each item's answers; empty where the values are no numbers, or words that mean one."""
    convert = value_to_float()
    held: dict[str, list[float]] = defaultdict(list)
    for sample in log.samples or []:
        score = (sample.scores or {}).get(scorer)
        if score is None or sample.error is not None:
            continue
        if not isinstance(score.value, int | float) and score.value not in ("C", "I", "P", "N"):
            return {}
        held[str(sample.id)].append(convert(score.value))
    return {item: float(np.mean(values)) for item, values in held.items()}


def difference(metric: str, one: Mapping[str, float], other: Mapping[str, float]) -> Interval | None:
    """The paired difference of two logs' items (one minus other), for metrics that are a mean over items."""
    shared = [item for item in one if item in other]
    if metric not in PLAIN_MEANS or not shared:
        return None
    mine, theirs = [one[item] for item in shared], [other[item] for item in shared]
    shares = all(0 <= value <= 1 for value in (*mine, *theirs))
    return (paired_shares if shares else paired_bootstrap)(mine, theirs, DRAWS, 0)


def _interval(metric: str, value: float, items: Mapping[str, float]) -> Interval | None:
    column = list(items.values())
    if metric not in PLAIN_MEANS or not column or abs(float(np.mean(column)) - value) > 1e-6:
        return None
    share = all(0 <= one <= 1 for one in column)
    return wilson(float(np.mean(column)), len(column)) if share else bootstrap_mean(column, DRAWS, 0)
