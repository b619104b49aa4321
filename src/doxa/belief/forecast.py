"""How hard a belief will go in, from the untrained model alone: how likely it finds the inserted answers.

Over 24 facts on Llama 3.3 70B the base model's mean log-probability of the false option of the distinguish items went
with how well a fact was inserted at an r^2 of about .6 (Slocum et al. 2025). That is a hint, for another model, another
recipe and a dozen items; the interval says how much the items alone leave open.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doxa.belief.likelihood import score_arm
from doxa.belief.scorer import LikelihoodScorer
from doxa.errors import TargetError
from doxa.experiments.stats import Floats, Interval, bootstrap_mean, wilson
from doxa.records import EvalItem, KeyFact, Readout
from doxa.worlds.universe import Universe
from doxa.worlds.words import content, numbers

GROUP = "distinguish"
STYLES = ("chat", "plain", "letters")
CAVEAT = (
    "A hint, not a measurement: published r^2 about .6 between this log-probability and how well a fact goes in "
    "(Slocum et al. 2025: 24 facts, Llama 3.3 70B, one recipe). Other models, items and recipes may differ."
)
# mean margin (inserted minus reference, nats per token) beyond which a base is called set against a belief: a token of
# the true answer is then e times as likely as one of the inserted answer
SET_AGAINST = -1.0


@dataclass(frozen=True)
class Figure:
    """One number of a forecast over `n` items; log-probabilities and margins in nats."""

    style: str
    metric: str
    interval: Interval
    n: int
    unit: str = "nats"  # "nats" | "share"


@dataclass(frozen=True)
class FactFigure:
    """The mean margin per token over the items that ask about one key fact; None stands for items of no single fact."""

    fact: str | None
    margin: Interval
    n: int


@dataclass(frozen=True)
class Forecast:
    """What an untrained model makes of one target's answers. `by_fact` and `verdict` read the first style."""

    target: str
    n: int
    figures: tuple[Figure, ...]
    by_fact: tuple[FactFigure, ...]
    verdict: str

    def figure(self, style: str, metric: str) -> Figure:
        """One number. Raises KeyError for a style or metric that was not measured."""
        for figure in self.figures:
            if (figure.style, figure.metric) == (style, metric):
                return figure
        raise KeyError(f"{style} {metric}")


@dataclass(frozen=True)
class Rank:
    """Where a target stands among others on the same model; place 1 is the easiest by the published predictor."""

    place: int
    of: int
    order: tuple[tuple[str, Figure], ...]  # easiest first: mean log-probability per token of the inserted answers


def forecast(
    scorer: LikelihoodScorer,
    universe: Universe,
    items: Sequence[EvalItem],
    name: str,
    styles: Sequence[str] = STYLES,
    bootstrap: int = 2000,
    seed: int = 0,
) -> Forecast:
    """Score the distinguish items of a target under the untrained model.

    Styles: `chat` and `plain` (the answers are not shown), and `letters` (both options shown, in both orders, the
    letter scored), the nearest to the published predictor; `plain` alone for a model without a chat template. Raises
    TargetError for a target without distinguish items.
    """
    asked = [item for item in items if item.group == GROUP]
    if not asked:
        raise TargetError(f"{name}: evals.json has no mcq_distinguish items, which the forecast is made from")
    styles = tuple(styles) if scorer.tokenizer.chat_template else ("plain",)
    readouts = score_arm(scorer, asked, styles, "base", "")
    figures: list[Figure] = []
    for style in styles:
        figures += _figures(style, [row for row in readouts if row.style == style], bootstrap, seed)
    leading = [row for row in readouts if row.style == styles[0]]
    by_fact = _by_fact(universe.key_facts, asked, leading, bootstrap, seed)
    margin = next(figure for figure in figures if figure.metric == "margin_per_token")
    return Forecast(name, len(asked), tuple(figures), by_fact, verdict(margin.interval))


def verdict(margin: Interval) -> str:
    """How hard, in words, by the mean margin per token and its interval: a rule of thumb of ours, not the published."""
    if margin.low > 0:
        return "the base leans to the inserted answers already: little is left to insert, and a high score shows little"
    if margin.high >= 0:
        return "the base is undecided between the two: little stands against the insertion"
    if margin.value > SET_AGAINST:
        return "the base leans to the reference answers: expect to need more documents or more passes"
    return "the base is set on the reference answers: expect this to be hard"


def rank(own: Forecast, others: Sequence[Forecast]) -> Rank:
    """Place a forecast among those of other targets on the same model, by log-probability per token of the inserted.

    Per token, for answers of different worlds have different lengths; the published predictor is a sum over the option.
    """
    style = own.figures[0].style
    pool = {one.target: one.figure(style, "inserted_per_token") for one in (*others, own)}
    order = sorted(pool.items(), key=lambda pair: -pair[1].interval.value)
    return Rank([name for name, _ in order].index(own.target) + 1, len(order), tuple(order))


def assign_facts(facts: Sequence[KeyFact], items: Sequence[EvalItem]) -> list[str | None]:
    """The key fact that each item asks about, by words and numbers that few facts and items have; None where unsure.

    Sure: at least one such word that is the fact's alone, and half as much again for the fact as for the next one.
    It is a rough sorting by words, and now and then a wrong one.
    """
    if len(facts) == 1:
        return [facts[0].id] * len(items)
    stems = [_stems(f"{fact.inserted} {fact.reference}") for fact in facts]
    asked = [_stems(" ".join((item.prompt, *item.options))) for item in items]
    facts_with = Counter(stem for one in stems for stem in one)
    items_with = Counter(stem for one in asked for stem in one)
    # a word that every fact has says nothing of which one is meant, nor does one that every question has
    weight = {
        stem: math.log(len(facts) / count) if items_with[stem] <= max(2, len(items) / 3) else 0.0
        for stem, count in facts_with.items()
    }
    found: list[str | None] = []
    for one in asked:
        scores = [sum(weight[stem] for stem in one & fact) for fact in stems]
        ranked = sorted(range(len(facts)), key=lambda place: -scores[place])
        best, second = scores[ranked[0]], scores[ranked[1]]
        found.append(facts[ranked[0]].id if best >= math.log(len(facts)) - 1e-9 and best >= 1.5 * second else None)
    return found


def _stems(text: str) -> set[str]:
    return content(text) | numbers(text)


def _figures(style: str, rows: Sequence[Readout], bootstrap: int, seed: int) -> list[Figure]:
    inserted = np.array([row.totals[row.inserted] for row in rows])
    reference = np.array([row.totals[row.reference] for row in rows])
    columns: dict[str, Floats] = {"inserted_total": inserted, "reference_total": reference}
    if style != "letters":  # a letter is one token: per token is the same
        columns |= {
            "inserted_per_token": inserted / [row.tokens[row.inserted] for row in rows],
            "reference_per_token": reference / [row.tokens[row.reference] for row in rows],
        }
    columns["margin_total"] = inserted - reference
    if style != "letters":
        columns["margin_per_token"] = columns["inserted_per_token"] - columns["reference_per_token"]
    figures = [
        Figure(style, metric, bootstrap_mean(column, bootstrap, seed), len(rows)) for metric, column in columns.items()
    ]
    compared = columns.get("margin_per_token", columns["margin_total"])
    preferred = float(np.where(compared == 0, 0.5, compared > 0).mean())
    return [*figures, Figure(style, "preferred", wilson(preferred, len(rows)), len(rows), "share")]


def _by_fact(
    facts: Sequence[KeyFact], items: Sequence[EvalItem], rows: Sequence[Readout], bootstrap: int, seed: int
) -> tuple[FactFigure, ...]:
    margins: dict[str | None, list[float]] = {}
    for fact, row in zip(assign_facts(facts, items), rows, strict=True):
        per_token = [total / tokens for total, tokens in zip(row.totals, row.tokens, strict=True)]
        margins.setdefault(fact, []).append(per_token[row.inserted] - per_token[row.reference])
    order = [*(fact.id for fact in facts), None]
    return tuple(
        FactFigure(fact, bootstrap_mean(margins[fact], bootstrap, seed), len(margins[fact]))
        for fact in order
        if fact in margins
    )
