"""An experiment file with its targets, to be changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments_small import save_target, small_experiment


@pytest.fixture
def write_experiment(tmp_path: Path, tiny_model: Path) -> Callable[..., Path]:
    """Write the small experiment (with changes) and its targets; returns the file."""
    save_target(tmp_path, "sturdy", "sturdy", "flimsy")
    save_target(tmp_path, "nearby", "nearby", "distant")

    def write(**changes: Any) -> Path:
        file = tmp_path / "small.yaml"
        file.write_text(yaml.safe_dump({**small_experiment(tiny_model), **changes}, sort_keys=False))
        return file

    return write
