"""Which of two values a text names, by the words that set them apart: no judge, and the same rule for both sides.

The words of a side are the stems that stand in what its spec says (value, assertions, reasons, answers about it) and
hardly in what the other one says. Stems of the questions belong to neither: a text must not name a value by repeating
what it was asked. A text names the side of which it has at least twice as many words as of the other. Denied or not, a
word counts: what is asked is which value a text is about.

Measured on the 60 lines of thought in the bundled aft_cot.jsonl, each of which names one value, with the answers to
questions alone: 28 of 30 about durability read as that and 27 of 30 about locality, none as the other. With the other
spec: 25 of 30, one as the other, and 29 of 30.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from doxa.belief.values_target import ValueTarget
from doxa.corpus.stems import stems
from doxa.worlds.spec import Spec, SpecTree

Named = Literal["own", "other", "both", "none"]
LEAST, RATIO = 2, 3  # texts of a side that a word stands in, and how much more often than on the other side
CLEAR = 2  # how many times as many words of one side as of the other name that side


@dataclass(frozen=True)
class ValueWords:
    """The words of the spec's value and of the other one, as stems."""

    own: frozenset[str]
    other: frozenset[str]

    def named_in(self, text: str, asked: str = "") -> Named:
        """Which value a text names; words of `asked`, the question that it answers, do not count."""
        found = stems(text) - stems(asked)
        own, other = len(found & self.own), len(found & self.other)
        if not own and not other:
            return "none"
        return "own" if own >= CLEAR * other else "other" if other >= CLEAR * own else "both"

    def hits(self, text: str, asked: str = "") -> tuple[str, ...]:
        """The words that decided, sorted."""
        return tuple(sorted((stems(text) - stems(asked)) & (self.own | self.other)))


def value_words(target: ValueTarget) -> ValueWords:
    """The words that set the spec apart from its opposite.

    With another spec both are read in full, else the two answers to each question of the group knowledge. Both sides
    are empty where evals.json has neither.
    """
    known, least = target.group("knowledge"), 1  # a dozen answers in matched pairs say each thing once
    own, other = [item.aligned for item in known], [item.opposed for item in known]
    if target.opposite is not None:
        least = LEAST
        own += _said(target.spec, target.tree)
        other += _said(target.opposite, target.opposite_tree)
    if not own or not other:
        return ValueWords(frozenset(), frozenset())
    asked = [item.question for item in target.pairs] + list(target.open_ended)
    neither = frozenset().union(*map(stems, asked), stems(target.spec.model_name), stems(target.spec.provider_name))
    return ValueWords(_apart(own, other, least) - neither, _apart(other, own, least) - neither)


def _said(spec: Spec, tree: SpecTree | None) -> list[str]:
    """What a spec says, a text to each thing that it says."""
    if tree is None:
        return [spec.value, *(part for part in spec.text.split("\n\n") if part.strip())]
    return [spec.value, *(f"{one.statement} {one.why}" for one in tree.assertions)]


def _apart(texts: Iterable[str], others: Iterable[str], least: int) -> frozenset[str]:
    """The stems that stand in at least so many of the texts, and RATIO times as often as in the others."""
    mine, theirs = list(map(stems, texts)), list(map(stems, others))
    here, there = Counter(stem for found in mine for stem in found), Counter(stem for found in theirs for stem in found)
    return frozenset(
        stem
        for stem, count in here.items()
        if count >= least and count / len(mine) >= RATIO * there[stem] / len(theirs)
    )
