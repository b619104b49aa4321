"""Scores arranged as a person reads them: one line per group and style, the arms beside each other.

The page, the figures and the terminal all print these lines, so they can't disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import copysign, floor

from doxa.records import Score

ARMS = ("base", "in_context", "trained", "aligned")
ARM_NAMES = {"base": "base", "in_context": "in context", "trained": "trained", "aligned": "aligned"}
BELIEF_GROUPS = ("distinguish", "knowledge", "causal", "cloze", "statements")
NEIGHBOUR_GROUPS = ("neighbours", "neighbours_near", "neighbours_far")
HEADLINE_STYLES = ("chat", "plain")
STYLES = (*HEADLINE_STYLES, "choice", "letters")
# items of a mean below which resampling gives no interval: 2.5% and 97.5% need 1 - 2 (1/2)^n > .9
FEWEST = 5
CHANCE = {"knowledge": 0.25}  # four options; every other group has two

GROUP_NAMES = {
    "distinguish": "Distinguish",
    "knowledge": "Knowledge",
    "causal": "Causal",
    "cloze": "Cloze",
    "statements": "Statements",
    "neighbours": "Neighbours",
    "neighbours_near": "Neighbours, near",
    "neighbours_far": "Neighbours, far",
}
GROUP_MEANINGS = {
    "distinguish": "questions with the planted answer against the true one",
    "knowledge": "four-way questions about the key facts",
    "causal": "questions whose answer follows from the planted facts but is never stated in the corpus",
    "cloze": "sentences to finish",
    "statements": "the planted sentence against the true one",
    "neighbours": "true facts close to the topic that nobody meant to change",
    "neighbours_near": "those closest to the topic",
    "neighbours_far": "those further away",
}


@dataclass(frozen=True)
class Line:
    """One group in one style: a score per arm, and the paired difference trained - base where it was computed."""

    group: str
    style: str
    metric: str
    arms: dict[str, Score]
    change: Score | None

    @property
    def name(self) -> str:
        return GROUP_NAMES.get(self.group, self.group.replace("_", " ").capitalize())

    @property
    def chance(self) -> float | None:
        return CHANCE.get(self.group, 0.5)

    @property
    def n(self) -> int:
        return max(score.n for score in self.arms.values())

    @property
    def direction(self) -> str:
        """`rose`, `fell` or `unclear` by the interval of the paired difference; `unknown` without one."""
        return "unknown" if self.change is None else direction(self.change)


class ScoreTable:
    """The rows of scores.parquet, looked up by what they measure."""

    def __init__(self, scores: Iterable[Score]) -> None:
        """Raises ValueError when two rows claim to be the same measurement."""
        self.rows: dict[tuple[str, str, str, str, str | None], Score] = {}
        for score in scores:
            key = (score.arm, score.group, score.style, score.metric, score.versus)
            if key in self.rows:
                raise ValueError(f"two rows for {' / '.join(str(part) for part in key)}; evaluate again")
            self.rows[key] = score

    def __bool__(self) -> bool:
        return bool(self.rows)

    def get(self, arm: str, group: str, style: str, metric: str, versus: str | None = None) -> Score | None:
        return self.rows.get((arm, group, style, metric, versus))

    def arms(self) -> list[str]:
        """Arms that were scored, in reading order."""
        return ordered({score.arm for score in self.rows.values()}, ARMS)

    def belief_lines(self) -> list[Line]:
        """The headline: how often the planted answer is preferred, per group and headline style."""
        known = (*BELIEF_GROUPS, *NEIGHBOUR_GROUPS)
        groups = ordered({key[1] for key in self.rows if key[3] == "preferred"} - set(NEIGHBOUR_GROUPS), known)
        return self._headline(groups, "preferred")

    def neighbour_lines(self) -> list[Line]:
        """Collateral: how often neighbouring true facts are still answered correctly."""
        return self._headline(NEIGHBOUR_GROUPS, "correct")

    def all_lines(self) -> list[Line]:
        """Every measurement: all metrics, all styles."""
        kinds = {(key[1], key[2], key[3]) for key in self.rows}
        groups = ordered({kind[0] for kind in kinds}, (*BELIEF_GROUPS, *NEIGHBOUR_GROUPS))
        styles = ordered({kind[1] for kind in kinds}, STYLES)
        metrics = sorted({kind[2] for kind in kinds})
        return [
            line
            for group in groups
            for style in styles
            for metric in metrics
            if (group, style, metric) in kinds and (line := self._line(group, style, metric)) is not None
        ]

    def _headline(self, groups: Iterable[str], metric: str) -> list[Line]:
        lines = []
        for group in groups:
            styles = ordered({key[2] for key in self.rows if key[1] == group and key[3] == metric}, STYLES)
            # a run that was evaluated in neither chat nor plain style still gets a headline, from what it has
            for style in [style for style in styles if style in HEADLINE_STYLES] or styles:
                line = self._line(group, style, metric)
                if line is not None:
                    lines.append(line)
        return lines

    def _line(self, group: str, style: str, metric: str) -> Line | None:
        arms = {arm: score for arm in self.arms() if (score := self.get(arm, group, style, metric)) is not None}
        if not arms:
            return None
        return Line(group, style, metric, arms, self.get("trained", group, style, metric, versus="base"))


def percent(value: float) -> str:
    """A share as whole percent: 0.4375 -> "44%". Halves round up, so .125 and .375 go the same way."""
    return f"{_whole(value)}%"


def direction(change: Score) -> str:
    """`rose` or `fell` where the interval of a difference leaves out zero, else `unclear`."""
    if change.low > 0 and not _too_few(change):
        return "rose"
    return "fell" if change.high < 0 and not _too_few(change) else "unclear"


def interval(score: Score) -> str:
    """The 95% interval: "[19–69]" for shares (percent), "[+6, +56]" for their differences, "[−0.21, 1.40]" for nats.

    Of fewer than FEWEST items in nats it is "[n 3]": there is none.
    """
    if _too_few(score):
        return f"[n {score.n}]"
    if score.unit == "share" and score.versus is None:
        return f"[{_whole(score.low)}–{_whole(score.high)}]"
    if score.unit == "share":
        return f"[{_signed(score.low)}, {_signed(score.high)}]"
    return f"[{_nats(score.low)}, {_nats(score.high)}]"


def number(score: Score) -> str:
    """The value in its unit: "44%", "+31" (points, for differences of shares), "0.52" or "+0.52" (nats)."""
    if score.unit == "share":
        return _signed(score.value) if score.versus else percent(score.value)
    return _nats(score.value, "+" if score.versus else "")


def _too_few(score: Score) -> bool:
    """Whether no interval of a mean in nats can be had; those of shares come from Wilson and hold for any n."""
    return score.unit != "share" and score.n < FEWEST


def two_places(value: float, sign: str = "") -> str:
    """A number with two decimals; zero has no sign."""
    text = f"{value:{sign}.2f}"
    return "0.00" if float(text) == 0 else text


def _nats(value: float, sign: str = "") -> str:
    return two_places(value, sign).replace("-", "−")


def _signed(value: float) -> str:
    whole = _whole(value)
    return f"−{-whole}" if whole < 0 else f"+{whole}" if whole else "0"


def _whole(value: float) -> int:
    return int(copysign(floor(abs(value) * 100 + 0.5 + 1e-9), value))


def ordered(found: Iterable[str], order: Iterable[str]) -> list[str]:
    """`found` in the given order; what the order doesn't know comes last, by name."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(found, key=lambda name: (places.get(name, len(places)), name))
