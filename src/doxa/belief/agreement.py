"""How far judges agree, what they say together, and the shares of verdicts with nothing left out.

Chance-corrected agreement is Cohen's kappa for each pair (Cohen 1960) and Fleiss' kappa over all (Fleiss 1971), on the
answers that all of those judges judged by the same rubric. The four verdicts are the categories: a judge that could
not be read disagrees with one that could.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import get_args

import numpy as np

from doxa.experiments.stats import Floats, Interval, percentile_interval, resample_weights, wilson
from doxa.records import Belief, Judgement

VERDICTS: tuple[Belief, ...] = get_args(Belief)


@dataclass(frozen=True)
class Agreement:
    """How far some judges agree on one rubric. `kappa` is None where all gave one and the same verdict throughout."""

    rubric: str
    judges: tuple[str, ...]
    measure: str  # "cohen" | "fleiss"
    kappa: Interval | None
    agree: Interval  # share of (pairs of judges on) answers with the same verdict
    n: int  # answers


@dataclass(frozen=True)
class Share:
    """The share of one verdict among all judgements, the unclear and unparsed ones included."""

    verdict: Belief
    share: Interval
    judgements: int
    n: int  # independent units: items where they are given, else answers


def agreement(judgements: Sequence[Judgement], draws: int = 2000, seed: int = 0) -> list[Agreement]:
    """Cohen's kappa of every pair and, for three or more judges, Fleiss' over all; per rubric, pairs first.

    Intervals are percentile bootstraps over answers. A resample in which all verdicts are one category has no kappa and
    is left out of the interval. Empty for fewer than two judges, or where no answer was judged by two.
    """
    by_rubric: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for row in judgements:
        by_rubric[row.rubric][row.judge][row.answer_id] = row.verdict
    found = []
    for rubric, said in by_rubric.items():
        judges = sorted(said)
        groups = [*combinations(judges, 2), *([tuple(judges)] if len(judges) > 2 else [])]
        for group in groups:
            answers = [name for name in said[group[0]] if all(name in said[judge] for judge in group)]
            if answers:
                codes = np.array([[VERDICTS.index(said[judge][name]) for judge in group] for name in answers])
                found.append(_agreement(rubric, tuple(group), codes, draws, seed))
    return found


def verdict_shares(
    judgements: Sequence[Judgement], items: Mapping[str, str] | None = None, draws: int = 2000, seed: int = 0
) -> dict[Belief, Share]:
    """The share of each verdict among all judgements given, with its interval; always all four, summing to 1.

    `items` maps answer ids to items: several answers to one question are not independent, so the interval is then a
    bootstrap over items (Wilson's over items where they all say the same). Without it, Wilson's over judgements. Raises
    ValueError for no judgements.
    """
    if not judgements:
        raise ValueError("shares of no judgements")
    groups: dict[str, list[Belief]] = defaultdict(list)
    for number, row in enumerate(judgements):
        name = str(number) if items is None else items.get(row.answer_id, row.answer_id)
        groups[name].append(row.verdict)
    shares: dict[Belief, Share] = {}
    sizes = np.array([len(group) for group in groups.values()], dtype=np.float64)
    for verdict in VERDICTS:
        hits = np.array([group.count(verdict) for group in groups.values()], dtype=np.float64)
        value = float(hits.sum() / sizes.sum())
        if items is None or value in (0.0, 1.0) or len(groups) == 1:
            interval = wilson(value, len(groups))
        else:
            weights = resample_weights(len(groups), draws, seed)
            interval = percentile_interval(value, (weights @ hits) / (weights @ sizes))
        shares[verdict] = Share(verdict, interval, len(judgements), len(groups))
    return shares


def merge(judgements: Sequence[Judgement]) -> list[Judgement]:
    """One judgement per answer and rubric: the verdict of most judges; a tie is unclear.

    Unparsed is no vote, and stands only where no judge could be read. A single judge's rows come back as they are.
    """
    votes: dict[tuple[str, str], list[Judgement]] = defaultdict(list)
    for row in judgements:
        votes[row.answer_id, row.rubric].append(row)
    merged = []
    for rows in votes.values():
        if len(rows) == 1:
            merged.append(rows[0])
            continue
        counts = Counter(row.verdict for row in rows if row.verdict != "unparsed").most_common(2)
        verdict: Belief = "unparsed"
        if counts:
            tied = len(counts) > 1 and counts[0][1] == counts[1][1]
            verdict = "unclear" if tied else counts[0][0]
        said = "; ".join(f"{row.judge}: {row.verdict}" for row in rows)
        merged.append(
            Judgement(
                answer_id=rows[0].answer_id,
                judge=f"majority of {len(rows)}",
                rubric=rows[0].rubric,
                verdict=verdict,
                detail=said,
            )
        )
    return merged


def _agreement(rubric: str, judges: tuple[str, ...], codes_NJ: np.ndarray, draws: int, seed: int) -> Agreement:
    count, raters = codes_NJ.shape
    weights_DN = resample_weights(count, draws, seed)
    hits_NC = np.stack([(codes_NJ == category).sum(axis=1) for category in range(len(VERDICTS))], axis=1)
    same_N = (hits_NC * (hits_NC - 1)).sum(axis=1) / (raters * (raters - 1))
    if raters == 2:
        one_NC = np.eye(len(VERDICTS))[codes_NJ[:, 0]]
        other_NC = np.eye(len(VERDICTS))[codes_NJ[:, 1]]

        def chance(weights: Floats) -> Floats:
            return np.asarray(((weights @ one_NC) * (weights @ other_NC)).sum(axis=-1))
    else:
        portions_NC = hits_NC / raters

        def chance(weights: Floats) -> Floats:
            return np.asarray(((weights @ portions_NC) ** 2).sum(axis=-1))

    even = np.full(count, 1 / count)
    agreed = float(same_N.mean())
    agree = (
        wilson(agreed, count) if agreed in (0.0, 1.0) else percentile_interval(agreed, np.asarray(weights_DN @ same_N))
    )
    value = _kappa(np.array([agreed]), chance(even[None]))
    resampled = _kappa(np.asarray(weights_DN @ same_N), chance(weights_DN))
    kappa = None
    if np.isfinite(value[0]):
        kappa = percentile_interval(float(value[0]), resampled[np.isfinite(resampled)])
    return Agreement(rubric, judges, "cohen" if raters == 2 else "fleiss", kappa, agree, count)


def _kappa(agreed: Floats, chance: Floats) -> Floats:
    """(agreed - chance) / (1 - chance); not a number where chance alone makes all agree."""
    room = 1 - chance
    return np.where(room > 1e-12, (agreed - chance) / np.where(room > 1e-12, room, 1), np.nan)
