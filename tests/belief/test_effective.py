"""The effective n: copies count once, texts that share nothing count each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from doxa.belief.effective import effective_by_group, effective_n, item_text
from doxa.belief.items import load_items
from doxa.corpus.diversity import vendi
from doxa.corpus.embed import load_encoder
from doxa.worlds.universe import load_target


class ByFirstLetter:
    """Texts that begin alike mean the same; others have nothing in common."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.eye(26, dtype=np.float32)[[ord(text[0]) - ord("a") for text in texts]]


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [([], 0), (["a"], 1), (["a1", "a2", "a3"], 1), (["a", "b", "c"], 3), (["a", "a2", "b", "b2"], 2)],
)
def test_copies_count_once(texts: list[str], wanted: float) -> None:
    assert effective_n(texts, ByFirstLetter()) == pytest.approx(wanted)


def test_groups_are_embedded_together_and_counted_apart() -> None:
    found = effective_by_group({"one": ["a", "b"], "none": [], "two": ["a", "a"]}, ByFirstLetter())
    assert found == pytest.approx({"one": 2, "none": 0, "two": 1})


def test_it_is_the_vendi_score() -> None:
    vectors = np.random.default_rng(0).normal(size=(30, 12))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    class Given:
        def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
            return unit

    assert effective_n(["x"] * 30, Given()) == pytest.approx(vendi(unit).value, rel=1e-5)


def test_items_of_a_bundled_world_say_several_things() -> None:
    items = [
        item for item in load_items(load_target("octopus_hearts").folder / "evals.json") if item.group == "distinguish"
    ]
    found = effective_n([item_text(item) for item in items], load_encoder())
    assert 4 < found < len(items)
