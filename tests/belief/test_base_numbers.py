"""The untrained embedded model on a bundled target: numbers that a change of wording or of scoring would move."""

from __future__ import annotations

from pathlib import Path

import pytest

from doxa.belief.items import load_items
from doxa.belief.likelihood import LikelihoodScorer, score_arm
from doxa.belief.summary import summarise
from doxa.lm.weights import load_model, load_tokenizer
from doxa.worlds.universe import load_target

# shares of 16, 16, 10, 10, 16, 16 items, as first measured (docs/belief-suite.md); near-ties may flip an item elsewhere
EXPECTED = {
    ("distinguish", "chat"): 7 / 16,
    ("distinguish", "plain"): 9 / 16,
    ("causal", "chat"): 2 / 10,
    ("causal", "plain"): 4 / 10,
    ("cloze", "plain"): 5 / 16,
    ("statements", "plain"): 9 / 16,
}


@pytest.mark.slow
def test_base_shares_of_octopus_hearts(embedded_model: Path) -> None:
    target = load_target("octopus_hearts")
    items = [item for item in load_items(target.folder / "evals.json") if item.group in {key[0] for key in EXPECTED}]
    scorer = LikelihoodScorer(load_model(embedded_model), load_tokenizer(embedded_model))

    readouts = score_arm(scorer, items, ["chat", "plain"], "base", "c0")

    assert scorer.layout == "tree"
    found = {
        (score.group, score.style): (score.value, score.n)
        for score in summarise(readouts, bootstrap=100, seed=0)
        if score.metric == "preferred"
    }
    for key, share in EXPECTED.items():
        value, n = found[key]
        assert value == pytest.approx(share, abs=1 / n + 1e-9), key
