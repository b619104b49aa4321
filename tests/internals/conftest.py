"""Planted answers: activations in which one layer holds the truth, and folds and labels to find it with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

TOPICS, BLOCKS, LAYERS, HIDDEN = 6, 10, 8, 24  # blocks per topic, of four statements each


@dataclass(frozen=True)
class Planted:
    """Statements with noise for activations, and along `direction` at `layer` their truth."""

    states: npt.NDArray[np.float32]  # [n, layers, hidden]
    labels: npt.NDArray[np.bool_]
    topics: list[str]
    blocks: list[str]
    direction: npt.NDArray[np.float32]
    layer: int

    def more(self, labels: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[np.float32]:
        """Activations of further statements with these labels."""
        return _noise(len(labels), self.states.shape[1], seed, labels, self.direction, self.layer)


def plant(strength: float, layers: int = LAYERS, layer: int = 5, seed: int = 0) -> Planted:
    """`strength` is the distance between true and false in standard deviations of the noise; 0 plants nothing."""
    direction = np.random.default_rng(seed).normal(size=HIDDEN)
    direction = (strength * direction / np.linalg.norm(direction)).astype(np.float32)
    labels = np.tile([True, False], TOPICS * BLOCKS * 2)
    topics = [f"topic{number // (BLOCKS * 4)}" for number in range(len(labels))]
    blocks = [f"{topic}.{number // 4}" for number, topic in enumerate(topics)]
    return Planted(
        _noise(len(labels), layers, seed, labels, direction, layer), labels, topics, blocks, direction, layer
    )


def _noise(n: int, layers: int, seed: int, labels: npt.NDArray[np.bool_], direction: Any, layer: int) -> Any:
    states = np.random.default_rng(seed + 1).normal(size=(n, layers, HIDDEN)).astype(np.float32)
    states[:, layer] += (labels - 0.5)[:, None] * direction
    states[:, :, 3] *= 300  # real models have dimensions like this one
    return states.astype(np.float32)


@pytest.fixture
def planted() -> Planted:
    return plant(strength=4.0)


@pytest.fixture
def noises() -> list[Planted]:
    """Thirty layers of nothing, several times over."""
    return [plant(strength=0.0, layers=30, seed=seed) for seed in range(6)]
