"""What the probes ask about: a target's universe with all its eval material, read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from doxa.belief.items import load_conversations, load_items, load_marks, load_near_prompts, load_open_ended
from doxa.lm.request import Message
from doxa.records import EvalItem, Marks
from doxa.worlds.universe import Universe, read_universe


@dataclass(frozen=True)
class World:
    """A universe, the items that ask about it, and what a free text gives away."""

    universe: Universe
    items: tuple[EvalItem, ...]
    open_ended: tuple[str, ...]
    near_prompts: tuple[str, ...]
    marks: tuple[Marks, ...]
    conversations: tuple[tuple[Message, ...], ...] = ()  # open questions that come after turns or a system prompt

    def group(self, name: str) -> list[EvalItem]:
        """The items of one group."""
        return [item for item in self.items if item.group == name]


def load_world(folder: Path) -> World:
    """Read universe.yaml and evals.json of a target folder. Raises TargetError naming file and field."""
    evals = folder / "evals.json"
    return World(
        universe=read_universe(folder / "universe.yaml"),
        items=tuple(load_items(evals, needed=False)),
        open_ended=tuple(load_open_ended(evals)),
        near_prompts=tuple(load_near_prompts(evals)),
        marks=tuple(load_marks(evals)),
        conversations=tuple(load_conversations(evals)),
    )
