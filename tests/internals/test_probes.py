"""Planted answers: a truth that is there is found where it is, one that isn't is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from doxa.internals.clusters import cluster_means, clustered_auroc, clustered_mean
from doxa.internals.probes import KINDS, Kind, best_layer, calibrate, cross_validate, fit, grouped_folds
from doxa.internals.truth import final_probe, held_out_p_true, transfer


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_truth_is_found_at_its_layer(planted: Any, kind: Kind) -> None:
    found = cross_validate(kind, planted.states, planted.labels, grouped_folds(planted.topics, planted.blocks, 0))
    assert found.layer == planted.layer
    assert set(found.fold_layers) == {planted.layer}
    # true and false lie 4 standard deviations apart: an optimal cut is right in 97.7% of cases
    assert clustered_mean(found.correct, planted.blocks, seed=0).low > 0.9
    assert found.p_true[planted.labels].mean() > 0.9
    assert found.p_true[~planted.labels].mean() < 0.1
    fresh = np.array([True, False] * 100)
    read = final_probe(found, planted.states, planted.labels).p_true(planted.more(fresh, seed=9))
    assert ((read > 0.5) == fresh).mean() > 0.93


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_of_thirty_layers_of_noise_is_no_better_than_a_coin(noises: list[Any], kind: Kind) -> None:
    """What choosing the layer by the accuracy it reports would give stands beside it: well above a half."""
    nested, optimistic, covered = [], [], []
    for noise in noises:
        found = cross_validate(kind, noise.states, noise.labels, grouped_folds(noise.topics, noise.blocks, 0))
        interval = clustered_mean(found.correct, noise.blocks, seed=0)
        nested.append(interval.value)
        covered.append(interval.low <= 0.5 <= interval.high)
        optimistic.append(((found.layer_scores > 0) == noise.labels).mean(axis=1).max())
        assert abs(found.p_true.mean() - 0.5) < 0.05
    assert np.mean(nested) < 0.53
    assert sum(covered) >= 5  # of 6 intervals of 95%
    assert np.mean(optimistic) > 0.55


def test_folds_keep_blocks_whole_and_spread_topics(planted: Any) -> None:
    fold = grouped_folds(planted.topics, planted.blocks, seed=3)
    blocks, topics = np.array(planted.blocks), np.array(planted.topics)
    assert all(len(set(fold[blocks == block])) == 1 for block in set(planted.blocks))
    assert all(len(set(topics[fold == number])) == len(set(planted.topics)) for number in range(5))
    assert (fold == grouped_folds(planted.topics, planted.blocks, seed=3)).all()
    assert (fold != grouped_folds(planted.topics, planted.blocks, seed=4)).any()


def test_without_whole_blocks_a_memory_for_blocks_passes_for_truth() -> None:
    """Why folds are grouped: each block has a label and a place of its own, and nothing holds beyond it."""
    rng = np.random.default_rng(0)
    blocks = [f"block{number // 4}" for number in range(240)]
    labels = np.repeat(rng.permutation([True, False] * 30), 4)
    places = np.repeat(rng.normal(size=(60, 1, 64)), 4, axis=0)
    states = (places + 0.1 * rng.normal(size=(240, 1, 64))).astype(np.float32)
    grouped = cross_validate("logistic", states, labels, grouped_folds(["one"] * 240, blocks, 0))
    split = cross_validate("logistic", states, labels, np.arange(240) % 5)
    assert split.correct.mean() > 0.9
    assert grouped.correct.mean() < 0.65


def test_the_layer_is_the_middle_of_the_plateau() -> None:
    labels = np.arange(100) < 50
    scores = np.where(labels, 1.0, -1.0) * np.ones((9, 1))
    for layer, wrong in enumerate([50, 40, 12, 10, 11, 10, 12, 30, 50]):
        scores[layer, :wrong] *= -1
    assert best_layer(scores, labels) == 4  # layers 2 to 6 are within one standard error (.03) of the best


def test_calibration_gives_shares_and_flattens_what_points_the_wrong_way() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=4000) * 5
    labels = rng.random(4000) < 1 / (1 + np.exp(-scores / 5))
    curve = calibrate(scores, labels)
    for low, high in ((-5, -2), (0, 2), (3, 6)):
        here = (scores > low) & (scores < high)
        assert abs(curve.probability(scores[here]).mean() - labels[here].mean()) < 0.05
    assert (calibrate(-scores, labels).probability(scores) == 0.5).all()


@pytest.mark.parametrize("kind", KINDS)
def test_weights_count_like_copies(kind: Kind, planted: Any) -> None:
    states, labels = planted.states[:40, 0], planted.labels[:40]
    weights = np.where(np.arange(40) < 10, 3.0, 1.0)
    copied = np.concatenate([np.arange(40), np.arange(10), np.arange(10)])
    spread = states.std(axis=0)
    once = fit(kind, states, labels, weights).direction * spread
    again = fit(kind, states[copied], labels[copied]).direction * spread
    # standardisation sees the copies, so the two agree closely and not exactly
    assert np.corrcoef(once, again)[0, 1] > 0.9


def test_transfer_finds_what_topics_share_and_not_what_each_has_alone(planted: Any) -> None:
    negated = ~np.array([True, False] * 20)
    states = planted.more(negated, seed=4)
    shared = transfer(planted.states, planted.labels, planted.topics, states, negated, "topic0")
    assert set(shared.layers.values()) == {planted.layer}
    for kind in KINDS:
        assert shared.correct[kind].mean() > 0.9
        assert shared.negated_correct[kind].mean() > 0.85
    # the same signal, but along a direction of its own in each topic
    own = planted.states.copy()
    for number, topic in enumerate(dict.fromkeys(planted.topics)):
        mine = np.array(planted.topics) == topic
        own[mine] = np.roll(planted.states[mine], number, axis=2)
    alone = transfer(own, planted.labels, planted.topics, states, negated, "topic0")
    assert all(alone.correct[kind].mean() < 0.65 for kind in KINDS)


def test_another_arms_probes_read_moved_activations_worse(planted: Any) -> None:
    found = cross_validate("logistic", planted.states, planted.labels, grouped_folds(planted.topics, planted.blocks, 0))
    same, p_true = held_out_p_true(found, planted.states)
    assert (same == planted.labels).tolist() == found.correct.tolist()
    np.testing.assert_array_equal(p_true, found.p_true)
    moved, _ = held_out_p_true(found, np.roll(planted.states, 7, axis=2))
    assert (moved == planted.labels).mean() < 0.7


def test_clusters_widen_an_interval() -> None:
    """Forty statements in ten blocks that all say the same are ten."""
    values = np.repeat([1, 0, 1, 1, 0, 1, 0, 1, 1, 1], 4)
    blocks = [f"block{number // 4}" for number in range(40)]
    one, other = (clustered_mean(values, names, seed=0) for names in (blocks, [str(n) for n in range(40)]))
    assert one.value == other.value == pytest.approx(0.7)
    assert one.high - one.low > 1.7 * (other.high - other.low)
    assert cluster_means([1.0, 0.0, 1.0], ["a", "a", "b"]) == {"a": 0.5, "b": 1.0}


def test_area_under_the_curve() -> None:
    labels = np.array([True, True, False, False])
    names = ["a", "b", "c", "d"]
    assert clustered_auroc(np.array([2.0, 1.0, 1.0, 0.0]), labels, names, 0).value == pytest.approx(0.875)
    even = clustered_auroc(np.zeros(4), labels, names, 0)
    assert even == (0.5, 0.5, 0.5)
    apart = np.array([2.0, 1.0, 0.0, -1.0])
    assert clustered_auroc(apart, labels, names, 0, minus=-apart).value == 1.0
    assert clustered_auroc(apart, labels, names, 0, minus=apart) == (0, 0, 0)
