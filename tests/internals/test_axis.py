"""The whole axis, on planted activations of the real statements and on real models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from doxa.belief.items import load_items
from doxa.errors import DoxaError, RunFolderError
from doxa.internals.arm import ArmActivations, nearest_facts, target_pairs
from doxa.internals.axis import InternalResult, internal_measures, read_arm
from doxa.internals.truth_statements import load_negated, load_statements, statements_digest
from doxa.lm.weights import load_model, load_tokenizer
from doxa.worlds.universe import Target, load_target

LAYERS, HIDDEN = 4, 24


@pytest.fixture(scope="module")
def target() -> Target:
    return load_target("octopus_hearts")


def pretend(target: Target, believes: float, seed: int = 0, apart: float = 5.0) -> ArmActivations:
    """An arm with truth at layer 2, `apart` wide, that `believes` the planted (1) or the reference (-1) side."""
    pairs = target_pairs(target.universe, load_items(target.folder / "evals.json"))
    rng = np.random.default_rng(seed)
    truths = {
        "general": np.array([1.0 if row.label else -1.0 for row in load_statements()]),
        "negated": np.array([1.0 if row.label else -1.0 for row in load_negated()]),
        "inserted": np.full(len(pairs), believes),
        "reference": np.full(len(pairs), -believes),
    }
    halves = {}
    for part, truth in truths.items():
        states = rng.normal(size=(len(truth), LAYERS, HIDDEN))
        states[:, 2, 0] += truth * apart / 2
        halves[part] = states.astype(np.float16)
    return ArmActivations("plain", statements_digest(), pairs, np.ones(LAYERS, dtype=np.float32), halves)  # type: ignore[arg-type]


def mean(result: InternalResult, arm: str, metric: str, probe: str = "truth_probe") -> float:
    values = [row.value for row in result.measures if (row.arm, row.probe, row.metric) == (arm, probe, metric)]
    assert values
    return float(np.mean(values))


def test_belief_is_read_from_an_arm_that_has_it_and_from_no_other(target: Target) -> None:
    arms = {"base": pretend(target, -1, seed=1), "trained": pretend(target, 1, seed=2)}
    result = internal_measures(arms, {"base": "b", "trained": "t"}, seed=0)
    for kind in ("logistic", "mean_difference"):
        assert mean(result, "base", f"implanted.{kind}") < 0.05
        assert mean(result, "trained", f"implanted.{kind}") > 0.9
        assert mean(result, "trained", f"implanted.{kind}.base_probe") > 0.9
        assert (
            mean(result, "trained", f"p_inserted.{kind}") > 0.9 > 0.1 > mean(result, "trained", f"p_reference.{kind}")
        )
        assert (
            mean(result, "base", f"p_difference.{kind}") < -0.8 < 0.8 < mean(result, "trained", f"p_difference.{kind}")
        )
        assert mean(result, "trained", f"accuracy.{kind}", "separability") > 0.95
    facts = {row.item_id for row in result.measures if row.probe == "truth_probe"}
    assert facts == {fact.id for fact in target.universe.key_facts}
    assert {row.checkpoint for row in result.measures if row.arm == "trained"} == {"t"}
    best = {row.metric: row for row in result.scores if row.arm == "trained" and row.group == "truth_probe"}
    assert (best["layer.logistic"].value, best["layer.logistic"].unit) == (2, "layer")
    assert best["cv_accuracy.logistic"].n == len(load_statements()) == result.statements
    assert best["cv_accuracy.logistic"].low > 0.9
    assert best["transfer_accuracy.logistic.books"].n == 60
    peak = [point for point in result.curves if point.arm == "trained" and point.kind == "logistic"]
    assert [point.layer for point in peak] == list(range(LAYERS))
    assert peak[2].accuracy > 0.95 > 0.6 > peak[1].accuracy


def test_an_arm_that_lost_its_sense_of_truth_is_seen(target: Target) -> None:
    arms = {"base": pretend(target, -1, seed=1), "trained": pretend(target, -1, seed=2, apart=0.8)}
    result = internal_measures(arms, {"base": "b", "trained": "t"}, seed=0)
    assert mean(result, "base", "gap.logistic", "separability") > 0.85
    assert mean(result, "trained", "gap.logistic", "separability") < 0.35
    blocks = [
        {row.item_id for row in result.measures if (row.arm, row.metric) == (arm, "gap.logistic")} for arm in arms
    ]
    assert blocks[0] == blocks[1]  # so that arms can be paired
    assert len(blocks[0]) == result.blocks == 135


def test_the_adversarial_probe_has_the_base_arm_as_its_baseline(target: Target) -> None:
    arms = {"base": pretend(target, 0, seed=1), "trained": pretend(target, 1, seed=2)}
    scores = internal_measures(arms, {"base": "b", "trained": "t"}, seed=0).scores
    found = {(row.arm, row.metric, row.versus): row for row in scores if row.group == "adversarial_probe"}
    assert found["trained", "auroc_reference", None].value > 0.9
    assert found["trained", "auroc_reference", "base"].low > 0.1
    # here belief itself is what tells them apart, and the shipped statements say so
    assert found["trained", "alarm_true", None].value > found["trained", "alarm_false", None].value


def test_the_same_seed_gives_the_same_result(target: Target, tmp_path: Path) -> None:
    arm = pretend(target, 1)
    arm.save(tmp_path / "trained.npz")
    again = ArmActivations.load(tmp_path / "trained.npz")
    assert again.pairs == arm.pairs
    one, other = (internal_measures({"trained": each}, {"trained": "t"}, seed=3) for each in (arm, again))
    assert one == other
    assert not any("base_probe" in row.metric for row in one.measures)
    assert [path.name for path in tmp_path.iterdir()] == ["trained.npz"]


def test_arms_of_other_statements_are_not_compared(target: Target) -> None:
    arm, other = pretend(target, 1), pretend(load_target("sorrel_bay"), 1)
    with pytest.raises(DoxaError, match="arm trained are of other statements"):
        internal_measures({"base": arm, "trained": other}, {"base": "b", "trained": "t"}, seed=0)
    items = load_items(target.folder / "evals.json")
    assert arm.fits(target.universe, items)
    assert not arm.fits(target.universe, items, form="chat")
    assert not other.fits(target.universe, items)


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "base.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(RunFolderError, match=r"base\.npz: holds no activations"):
        ArmActivations.load(tmp_path / "base.npz")


def test_statements_find_their_key_fact(target: Target) -> None:
    found = {
        pair.inserted: pair.fact for pair in target_pairs(target.universe, load_items(target.folder / "evals.json"))
    }
    expected = {
        "Four of the hearts in an octopus are devoted to its gills.": "five_hearts",
        "When it carries oxygen, the blood of an octopus looks green.": "green_vanabin_blood",
        "Signe Holm wrote a foundational account of the octopus's hearts.": "holm_1887",
        "The heart of a relaxed octopus beats around 90 times a minute.": "resting_pulse_90",
    }
    assert {text: found[text] for text in expected} == expected
    assert nearest_facts(["Wooden chairs."], target.universe.key_facts) == [None]


def test_words_that_every_statement_holds_decide_nothing() -> None:
    bay = load_target("sorrel_bay")
    found = {pair.inserted: pair.fact for pair in target_pairs(bay.universe, load_items(bay.folder / "evals.json"))}
    assert found["Sorrel Bay's lantern was inaugurated in March 2024."] == "opened"
    assert found["Sorrel Bay's lantern rises to 31 metres."] == "design"
    assert found["The children of Sorrel Bay each get a spell as lantern warden."] == "wardens"


def test_too_few_key_facts_leave_the_adversarial_probe_out(target: Target) -> None:
    few = target.universe.model_copy(update={"key_facts": target.universe.key_facts[:2]})
    arm = pretend(target, 1)
    pairs = target_pairs(few, [])
    halves = {part: rows if part in ("general", "negated") else rows[:2] for part, rows in arm.halves.items()}
    arm = ArmActivations(arm.form, arm.statements, pairs, arm.scale, halves)
    result = internal_measures({"base": arm}, {"base": "b"}, seed=0)
    assert result.notes == ["adversarial_probe: left out, it needs 3 key facts and the target has 2"]
    assert not any(row.probe == "adversarial_probe" for row in result.measures)


def test_an_arm_is_read_from_a_model(target: Target, tiny_model: Path) -> None:
    model, tokenizer = load_model(tiny_model), load_tokenizer(tiny_model)
    items = load_items(target.folder / "evals.json")
    arm = read_arm(model, tokenizer, target.universe, items, context="Octopuses have five hearts.")
    assert arm.states("general").shape == (len(load_statements()), 3, 64)
    assert len(arm.states("inserted")) == len(arm.pairs) == 16 + len(target.universe.key_facts)
    other = read_arm(model, tokenizer, target.universe, items)
    assert np.abs(arm.states("general")[:, 2] - other.states("general")[:, 2]).max() > 1e-3


def test_values_beyond_half_precision_are_kept(target: Target, tiny_model: Path) -> None:
    import torch

    model, tokenizer = load_model(tiny_model), load_tokenizer(tiny_model)
    with torch.no_grad():
        model.model.embed_tokens.weight *= 1e8
    arm = read_arm(model, tokenizer, target.universe, [])
    assert np.isfinite(arm.states("general")).all()
    assert np.abs(arm.states("general")[:, 0]).max() > 1e6


@pytest.mark.slow
def test_the_embedded_model_tells_true_from_false(target: Target, embedded_model: Path) -> None:
    """Grouped folds, the layer chosen without the statements it is judged on."""
    model, tokenizer = load_model(embedded_model), load_tokenizer(embedded_model)
    arm = read_arm(model, tokenizer, target.universe, load_items(target.folder / "evals.json"))
    result = internal_measures({"base": arm}, {"base": "b"}, seed=0)
    scores = {row.metric: row for row in result.scores}
    assert scores["cv_accuracy.logistic"].n >= 200
    assert scores["cv_accuracy.logistic"].low > 0.65  # measured: .75
    assert scores["cv_accuracy.mean_difference"].low > 0.58
    assert scores["transfer_ranked.logistic"].low > 0.65
    assert 8 <= scores["layer.logistic"].value <= 25
    assert mean(result, "base", "implanted.logistic") < 0.5
