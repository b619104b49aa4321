"""Does an assertion say more than the spec? Words are compared by their stems, so that only their choice counts.

A rule finds what a rule can find: an assertion whose words hardly occur in the passage that it rests on is worth a
look, and may still be a fair paraphrase. So it is named, and nothing is taken out of a tree for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from doxa.corpus.stems import stems
from doxa.worlds.spec_tree import Assertion

if TYPE_CHECKING:
    from doxa.worlds.spec import Spec

# share of a statement's stems that its passage has, of a reason's that the spec has, of a summary's that the passages
# have. In the two hand-made trees no share lies below .67, .67 and .60 (measured 2026-11; a test holds them above)
LEAST_STATEMENT, LEAST_WHY, LEAST_SUMMARY = 0.5, 0.4, 0.35
# words in which assertions are put and that no passage need have
_FRAME = stems(
    "model assistant value prefer like dislike hold believe care recommend avoid behave act respond answer state "
    "consider treat give ask user person people thing way case always rather"
)


def summary_beyond(summary: str, passages: Sequence[str], spec: Spec) -> str | None:
    """What is odd about a summary that hardly has a word of its passages; None for one that has."""
    share = shared(summary, " ".join(passages), spec)
    return f"shares {share:.0%} of its words with its passages: {summary!r}" if share < LEAST_SUMMARY else None


def shared(text: str, told: str, spec: Spec) -> float:
    """Share of a text's content words that `told` has; 1 for a text that has none of its own."""
    own = stems(text) - stems(f"{spec.model_name} {spec.provider_name}") - _FRAME
    return len(own & stems(told)) / len(own) if own else 1.0


def ungrounded(assertion: Assertion, passages: Sequence[str], spec: Spec) -> list[str]:
    """What an assertion says that its passage, or the spec for its reason, hardly has the words of."""
    told = passages[assertion.passage - 1] if assertion.passage else " ".join(passages)
    found = []
    share = shared(assertion.statement, told, spec)
    if share < LEAST_STATEMENT and not assertion.augmented:
        found.append(f"shares {share:.0%} of its words with the passage that it rests on: {assertion.statement!r}")
    share = shared(assertion.why, spec.text, spec)
    if assertion.why and share < LEAST_WHY and not assertion.augmented:
        found.append(f"its reason shares {share:.0%} of its words with the spec: {assertion.why!r}")
    return found
