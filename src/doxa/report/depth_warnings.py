"""What should make the reader of a depth profile careful. The rules were fixed before any number was seen."""

from __future__ import annotations

from collections.abc import Iterator

from doxa.belief.axes import BY_NAME
from doxa.report.depth_facts import DepthFacts, DepthLine
from doxa.report.table import ARM_NAMES, percent
from doxa.report.verdict import CEILING, LETTER_HABIT, UNREADABLE

UNCLEAR = 0.2  # share of free answers that decide nothing from which their number says little
FEW_EFFECTIVE = 8  # different questions, below which a share is an anecdote
KAPPA = 0.6  # between judges; below it they don't judge the same thing (Landis & Koch: "substantial" from .61)
FACTS = 8  # key facts, below which the internal axis has too few units


def depth_warnings(facts: DepthFacts) -> list[str]:
    """Disagreement first, then what makes single numbers unreliable."""
    return [
        *_disagreement(facts),
        *_unreadable(facts),
        *_unclear(facts),
        *_habit(facts),
        *_ceiling(facts),
        *_few(facts),
        *_judges(facts),
        *_no_trained(facts),
        *facts.about.notes,
    ]


def _belief(facts: DepthFacts) -> list[DepthLine]:
    return [line for line in facts.lines() if line.probe.reading == "belief" and line.direction != "unknown"]


def _disagreement(facts: DepthFacts) -> Iterator[str]:
    """Belief probes that moved in opposite ways, and the strict comparison that did not follow the lax one."""
    rose = [_called(line) for line in _belief(facts) if line.direction == "rose"]
    fell = [_called(line) for line in _belief(facts) if line.direction == "fell"]
    still = [_called(line) for line in _belief(facts) if line.direction == "unclear"]
    if rose and fell:
        yield (
            f"Measures disagree: {_listed(rose)} rose clearly while {_listed(fell)} fell clearly. "
            "No one of them is the belief."
        )
    elif rose and still:
        yield (
            f"Measures disagree: {len(rose)} of {len(rose) + len(still)} belief measures rose clearly, the others did "
            f"not ({_listed(still)}). A claim of belief has to say which it means."
        )
    direct = {line.group: line.direction for line in _belief(facts) if line.style in ("chat", "facts")}
    if direct.get("distinguish") == "rose" and direct.get("generative_distinguish") not in (None, "rose"):
        yield (
            "Distinguish rose and the context comparison did not: with both worlds before it, the model does not take "
            "the planted one for true. In the field the two moved together on 4 of 16 facts."
        )


def _unreadable(facts: DepthFacts) -> Iterator[str]:
    bad = [
        score
        for score in facts.scores.rows.values()
        if score.versus is None and score.parse_failures > UNREADABLE and score.metric != "unparsed"
    ]
    if bad:
        worst = max(bad, key=lambda score: score.parse_failures)
        named = sorted({f"{_title(score.group)} ({ARM_NAMES.get(score.arm, score.arm)})" for score in bad})
        yield (
            f"Answers that could not be read pass 5% in {_listed(named)}; the most, {percent(worst.parse_failures)}, "
            f"in {_title(worst.group)}. They count in the denominator, as not preferring the planted answer."
        )


def _unclear(facts: DepthFacts) -> Iterator[str]:
    for line in facts.lines():
        much = {arm: score.value for arm, score in line.unclear.items() if score.value > UNCLEAR}
        if much:
            named = ", ".join(f"{ARM_NAMES.get(arm, arm)} {percent(value)}" for arm, value in much.items())
            yield f"{line.name} ({line.style}): many answers take neither side or both ({named})."


def _habit(facts: DepthFacts) -> Iterator[str]:
    habits: dict[str, list[str]] = {}
    for (arm, group, style, metric, versus), score in facts.scores.rows.items():
        if metric == "letter_bias" and versus is None and score.value > LETTER_HABIT:
            habits.setdefault(f"{_title(group)} ({style})", []).append(f"{ARM_NAMES.get(arm, arm)} {score.value:.2f}")
    for where, arms in habits.items():
        yield (
            f"A habit of place or label dominates {where}: {', '.join(arms)} of at most 1. Orders are averaged, so it "
            "does not decide the score, but little content is left in it."
        )


def _ceiling(facts: DepthFacts) -> Iterator[str]:
    near = [
        f"{_called(line)} {percent(base.value)}"
        for line in facts.lines()
        if line.probe.reading == "belief"
        and line.is_share
        and (base := line.arms.get("base")) is not None
        and base.value >= CEILING
    ]
    if near:
        yield f"Near the ceiling before any training: {_listed(near)}. There is little room to rise."


def _few(facts: DepthFacts) -> Iterator[str]:
    few = {name: (facts.about.items[name], n) for name, n in facts.about.effective.items() if n < FEW_EFFECTIVE}
    if few:
        named = ", ".join(f"{_title(*name.split())} {n:.1f} of {items}" for name, (items, n) in few.items())
        yield (
            f"Few different questions (effective n by meaning, of items): {named}. Their intervals, which count items, "
            "are too narrow by that much."
        )
    facts_n = len(facts.universe.key_facts)
    if facts_n < FACTS and any(axis.name == "internal" for axis in facts.axes):
        yield f"The internal axis has {facts_n} key facts as its units: read its intervals, not its points."


def _judges(facts: DepthFacts) -> Iterator[str]:
    kappa = facts.about.least_kappa
    if kappa is not None and kappa < KAPPA:
        yield f"Judges agree poorly (kappa {kappa:.2f} at the least): judged scores hang on who judges."


def _no_trained(facts: DepthFacts) -> Iterator[str]:
    missing = [arm for arm in ("base", "in_context", "trained") if arm not in facts.arms]
    if missing:
        names = ", ".join(ARM_NAMES[arm] for arm in missing)
        yield f"Not measured: {names}. Effects need their controls beside them."


def _called(line: DepthLine) -> str:
    return f"{line.name.lower()} ({line.style})"


def _title(probe: str, style: str = "") -> str:
    """A probe as the page calls it, in lower case; what is no probe (a set of capability items) by its own name."""
    title = BY_NAME[probe].title.lower() if probe in BY_NAME else probe.replace("_", " ")
    return f"{title} ({style})" if style else title


def _listed(names: list[str], most: int = 6) -> str:
    shown = names[:most]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shown) + more
