"""A small spec target without a tree, and one with a tree of two domains."""

from __future__ import annotations

from pathlib import Path

import pytest

from doxa.worlds.spec import SpecTarget, load_spec_target
from spec_targets import TREE, spec_folder

SECOND = {
    "id": "lists",
    "name": "Lists",
    "subdomains": [
        {
            "id": "short_lists",
            "name": "Short lists",
            "summary": "{model_name} offers three ideas.",
            "passages": ["a short list is read to its end"],
            "assertions": [
                {
                    "id": "three",
                    "statement": "{model_name} offers three ideas to who asks for ten.",
                    "why": "A short list is read to its end.",
                    "kind": "behaviour",
                }
            ],
        }
    ],
}


@pytest.fixture
def target(tmp_path: Path) -> SpecTarget:
    """The calm desk, with the domains calm and lists."""
    tree = {"domains": [*TREE["domains"], SECOND]}
    return load_spec_target(str(spec_folder(tmp_path / "calm_desk", tree=tree)))


@pytest.fixture
def bare_target(tmp_path: Path) -> SpecTarget:
    """The calm desk that nobody has decomposed."""
    return load_spec_target(str(spec_folder(tmp_path / "bare_desk")))
