"""What the single answers add to the scores: which items moved, and how far letters decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from doxa.records import Readout
from doxa.report.table import ARM_NAMES, ARMS, BELIEF_GROUPS, GROUP_NAMES, HEADLINE_STYLES

LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Moves:
    """How the items of one group and style went from base to trained, by the answer that each prefers."""

    name: str
    style: str
    stayed_planted: int
    moved_in: int  # to the planted answer
    moved_out: int  # away from it
    stayed_other: int

    @property
    def n(self) -> int:
        return self.stayed_planted + self.moved_in + self.moved_out + self.stayed_other


@dataclass(frozen=True)
class LetterHabit:
    """Mean probability of each option letter when every answer has stood under every letter equally often."""

    arm: str
    options: int
    shares: tuple[tuple[str, float], ...]
    n: int


def moves(readouts: Sequence[Readout]) -> list[Moves]:
    """Items that both base and trained answered, per belief group and headline style, in reading order."""
    answered: dict[tuple[str, str, str], dict[str, bool]] = {}
    for row in readouts:
        if row.arm in ("base", "trained") and row.style in HEADLINE_STYLES and row.group in BELIEF_GROUPS:
            key = (row.group, row.style, row.item_id)
            answered.setdefault(key, {})[row.arm] = prefers_planted(row)
    found = []
    for group in BELIEF_GROUPS:
        for style in HEADLINE_STYLES:
            both = [arms for key, arms in answered.items() if key[:2] == (group, style) and len(arms) == 2]
            if both:
                pairs = [(arms["base"], arms["trained"]) for arms in both]
                found.append(
                    Moves(
                        GROUP_NAMES[group],
                        style,
                        stayed_planted=pairs.count((True, True)),
                        moved_in=pairs.count((False, True)),
                        moved_out=pairs.count((True, False)),
                        stayed_other=pairs.count((False, False)),
                    )
                )
    return found


def prefers_planted(row: Readout) -> bool:
    """Whether the planted answer has the highest log-probability per token; a tie is no preference for it."""
    means = [total / tokens for total, tokens in zip(row.totals, row.tokens, strict=True)]
    return all(means[row.inserted] > mean for place, mean in enumerate(means) if place != row.inserted)


def letter_habits(readouts: Sequence[Readout]) -> list[LetterHabit]:
    """Mean letter probabilities per arm and number of options."""
    kinds: dict[tuple[int, str], list[tuple[float, ...]]] = {}
    for row in readouts:
        if row.letters:
            kinds.setdefault((len(row.letters), row.arm), []).append(row.letters)
    found = []
    for count, arm in sorted(kinds, key=lambda kind: (-kind[0], ARMS.index(kind[1]) if kind[1] in ARMS else 9)):
        rows = kinds[count, arm]
        means = [sum(row[place] for row in rows) / len(rows) for place in range(count)]
        shares = tuple(zip(LETTERS, means, strict=False))
        found.append(LetterHabit(ARM_NAMES.get(arm, arm), count, shares, len(rows)))
    return found
