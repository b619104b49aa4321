"""Which change of a target makes a part of a depth profile be measured again, and which leaves it as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from doxa.belief.depth_job import DepthJob, DepthRows
from doxa.belief.depth_parts import parts_of
from doxa.belief.subjects import Subject
from doxa.belief.world import World
from doxa.config_sections import DepthConfig, EvalConfig
from doxa.internals.arm import PARTS, ArmActivations, target_pairs
from doxa.internals.truth_statements import statements_digest
from doxa.records import EvalItem
from doxa.run.progress import Progress
from doxa.worlds.universe import Universe
from minds import UNIVERSE


def item(group: str, *options: str) -> EvalItem:
    made = {"id": group, "group": group, "prompt": "How many?", "options": options, "inserted": 0, "reference": 1}
    return EvalItem.model_validate(made)


WORLD = World(
    universe=UNIVERSE,
    items=(item("statements", "Five bells hang there.", "Three bells hang there."), item("cloze", "five", "three")),
    open_ended=(),
    near_prompts=(),
    marks=(),
)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arms whose activations were read, in order; what is read is zeros."""
    done: list[str] = []

    def read_arm(
        model: Any, tokenizer: Any, universe: Universe, items: tuple[EvalItem, ...], context: str | None
    ) -> ArmActivations:
        done.append(model)
        halves: Any = {part: np.zeros((1, 2, 3), np.float16) for part in PARTS}
        pairs = target_pairs(universe, items)
        return ArmActivations("plain", statements_digest(), pairs, np.ones(2, np.float32), halves)

    monkeypatch.setattr("doxa.internals.axis.read_arm", read_arm)
    return done


def measured(world: World, parts: Path) -> bool:
    """Whether the internal part of an arm had to be measured."""
    subject = Subject("base", "local/x", "x")
    job = DepthJob(
        parts=parts,
        world=world,
        subjects=[subject],
        config=DepthConfig(probes=("truth_probe",)),
        scoring=EvalConfig(),
        models=None,  # type: ignore[arg-type]
        progress=Progress(quiet=True),
        seed=0,
    )
    loaded: Any = SimpleNamespace(scorer=lambda subject: SimpleNamespace(model=subject.arm, tokenizer=None))
    return parts_of(job, subject)["internal"](job, subject, loaded, DepthRows())


def test_activations_are_read_again_only_for_other_statements(tmp_path: Path, read: list[str]) -> None:
    assert measured(WORLD, tmp_path)
    assert not measured(WORLD, tmp_path)

    statements, cloze = WORLD.items
    assert not measured(replace(WORLD, items=(statements, item("cloze", "5", "3"))), tmp_path)
    assert not measured(replace(WORLD, items=(statements,)), tmp_path)
    retitled = UNIVERSE.model_copy(update={"title": "Another title", "claim": "Put otherwise."})
    assert not measured(replace(WORLD, universe=retitled), tmp_path)
    assert read == ["base"]

    assert measured(replace(WORLD, items=(item("statements", "Five bells ring.", "Three ring."), cloze)), tmp_path)
    facts = [fact.model_copy(update={"inserted": fact.inserted + " Always."}) for fact in UNIVERSE.key_facts]
    assert measured(replace(WORLD, universe=UNIVERSE.model_copy(update={"key_facts": facts})), tmp_path)
