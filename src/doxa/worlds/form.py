"""Can items be solved by their form alone? Length, letter, numbers, names, negations, words shared with the question.

A rule gives each option a number and picks the highest; always picking the lowest is the same rule turned round, so a
rule gives a group away when it is right much more often *or* much more seldom than chance. The rules together make a
solver: for each item it takes the rule (or its turned one) that does best on all other items.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from doxa.experiments.stats import wilson
from doxa.records import EvalItem
from doxa.worlds.findings import FormScore
from doxa.worlds.words import NEGATORS, content, numbers, words

SIGNIFICANT = 0.05  # over all rules of a group together
LEAST_ITEMS = 6  # below this no rule can be told from chance

Rule = Callable[[str, str, int], float]  # prompt, option, place -> how much the rule likes it

RULES: dict[str, Rule] = {
    "longest": lambda prompt, option, place: len(option),
    "has a number": lambda prompt, option, place: bool(numbers(option)),
    "negative": lambda prompt, option, place: any(word in NEGATORS for word in words(option)),
    "has a name": lambda prompt, option, place: any(word[0].isupper() for word in option.split()[1:]),
    "echoes the question": lambda prompt, option, place: len(content(option) & content(prompt)),
    "has a comma": lambda prompt, option, place: "," in option,
}
# where an option stands; only knowledge items have an order of their own, others are asked in every order
PLACES: dict[str, Rule] = {
    f"letter {letter}": lambda prompt, option, place, at=at: place == at  # type: ignore[misc]
    for at, letter in enumerate("ABCD")
}


def form_scores(items: Sequence[EvalItem]) -> list[FormScore]:
    """One score per group and rule that decides anything, and the solver's."""
    groups = dict.fromkeys(item.group for item in items)
    return [score for group in groups for score in _group_scores([item for item in items if item.group == group])]


def only_one(rule: str, item: EvalItem) -> bool:
    """Whether the rule singles out the keyed answer: it alone has a number, a name, a negation."""
    likes = [bool(RULES[rule](item.prompt, option, 0)) for option in item.options]
    return sum(likes) == 1 and likes[_key(item)]


def picks(rule: str, item: EvalItem) -> bool | None:
    """Whether a rule, by its name, picks the keyed answer of an item alone; None when it does not decide."""
    credit = _credit((RULES | PLACES)[rule], item)
    return None if credit is None or 0 < credit < 1 else credit == 1


def _group_scores(items: list[EvalItem]) -> list[FormScore]:
    group, chance = items[0].group, sum(1 / len(item.options) for item in items) / len(items)
    rules = RULES | (PLACES if group == "knowledge" else {})
    credits = {name: [_credit(rule, item) for item in items] for name, rule in rules.items()}
    scores = []
    for name, row in credits.items():
        decided = [credit for credit in row if credit is not None]
        if not decided:
            continue
        hits = sum(decided)
        unlikely = min(_tail(hits, len(decided), chance), 1.0) * len(rules) < SIGNIFICANT
        interval = wilson(hits / len(decided), len(decided))
        scores.append(
            FormScore(
                group=group,
                rule=name,
                n=len(decided),
                accuracy=interval.value,
                low=interval.low,
                high=interval.high,
                chance=chance,
                gives_away=unlikely and len(decided) >= LEAST_ITEMS,
            )
        )
    return [*scores, *_solver(group, items, rules, chance)]


def _solver(group: str, items: list[EvalItem], rules: dict[str, Rule], chance: float) -> list[FormScore]:
    """The best rule of the other items, applied to each item in turn."""
    if len(items) < LEAST_ITEMS:
        return []
    turned: dict[str, Rule] = {
        f"not {name}": lambda prompt, option, place, rule=rule: -rule(prompt, option, place)  # type: ignore[misc]
        for name, rule in rules.items()
    }
    table = [[_or_chance(_credit(rule, item), item) for item in items] for rule in (rules | turned).values()]
    totals = [sum(row) for row in table]
    hits = 0.0
    for at in range(len(items)):
        best = max(range(len(table)), key=lambda row: totals[row] - table[row][at])
        hits += table[best][at]
    interval = wilson(hits / len(items), len(items))
    return [
        FormScore(
            group=group,
            rule="solver",
            n=len(items),
            accuracy=interval.value,
            low=interval.low,
            high=interval.high,
            chance=chance,
            gives_away=interval.low > chance,
        )
    ]


def _credit(rule: Rule, item: EvalItem) -> float | None:
    """1 when the rule picks the keyed answer, a share when it ties, None when it says nothing at all."""
    likes = [rule(item.prompt, option, place) for place, option in enumerate(item.options)]
    top = [place for place, like in enumerate(likes) if like == max(likes)]
    if len(top) == len(likes):
        return None
    return 1 / len(top) if _key(item) in top else 0.0


def _or_chance(credit: float | None, item: EvalItem) -> float:
    return 1 / len(item.options) if credit is None else credit


def _key(item: EvalItem) -> int:
    return item.reference if item.group == "neighbours" else item.inserted


def _tail(hits: float, n: int, chance: float) -> float:
    """Two-sided exact binomial: how likely chance alone is this far off. Half hits are rounded towards chance."""
    if hits >= n * chance:
        low = math.floor(hits)
        return 2 * sum(math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(low, n + 1))
    high = math.ceil(hits)
    return 2 * sum(math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(high + 1))
