"""The adversarial probe finds a mark that planted statements share, and nothing where there is none."""

from __future__ import annotations

import numpy as np

from doxa.internals.adversarial import adversarial_scores

HIDDEN, PAIRS, GENERAL = 32, 24, 90
FACTS = [f"fact{number % 8}" for number in range(PAIRS)]
TOPICS = [f"topic{number % 9}" for number in range(GENERAL)]
LABELS = np.arange(GENERAL) % 2 == 0


def states(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both versions of a pair lie close together, as they share most words; nothing tells them apart."""
    rng = np.random.default_rng(seed)
    pairs = rng.normal(size=(PAIRS, HIDDEN)) + 3  # a topic of its own, far from the others
    noise = [0.7 * rng.normal(size=(PAIRS, HIDDEN)) for _ in range(2)]
    return pairs + noise[0], pairs + noise[1], rng.normal(size=(GENERAL, HIDDEN))


def test_a_mark_is_found_on_facts_that_were_left_out() -> None:
    inserted, reference, general = states(0)
    mark = np.zeros(HIDDEN)
    mark[:4] = 1.5
    found = adversarial_scores(inserted + mark, reference, FACTS, general, LABELS, TOPICS)
    assert found is not None
    assert (found.inserted > found.reference).mean() > 0.9
    assert (found.general < 0).mean() > 0.9


def test_without_a_mark_versions_are_not_told_apart_though_the_topic_is() -> None:
    shares = []
    for seed in range(5):
        found = adversarial_scores(*states(seed)[:2], FACTS, states(seed)[2], LABELS, TOPICS)
        assert found is not None
        shares.append((found.inserted > found.reference).mean())
        # the reason why reference versions are controls: against other topics alone this would pass for a mark
        assert found.inserted.mean() > found.general.mean() + 1
    assert 0.35 < np.mean(shares) < 0.65


def test_a_mark_that_each_fact_has_alone_is_not_found() -> None:
    """Statements of a fact are held out together: what was learnt of one would give the others away."""
    inserted, reference, general = states(0)
    marks = np.random.default_rng(1).normal(size=(8, HIDDEN)) * 1.5
    own = marks[[int(fact[4:]) for fact in FACTS]]
    found = adversarial_scores(inserted + own, reference - own, FACTS, general, LABELS, TOPICS)
    assert found is not None
    assert (found.inserted > found.reference).mean() < 0.75


def test_two_facts_are_too_few() -> None:
    inserted, reference, general = states(0)
    assert adversarial_scores(inserted, reference, ["a", "b"] * 12, general, LABELS, TOPICS) is None
