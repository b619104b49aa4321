"""What is kept of one arm for the internal axis: activations of the shipped statements and of the target's own."""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from doxa.corpus.stems import stems
from doxa.errors import RunFolderError
from doxa.internals.activations import Floats32, Form, Progress, last_token_states
from doxa.internals.truth_statements import load_negated, load_statements, statements_digest
from doxa.records import EvalItem, KeyFact, Record
from doxa.worlds.universe import Universe

Part = Literal["general", "negated", "inserted", "reference"]
PARTS: tuple[Part, ...] = ("general", "negated", "inserted", "reference")
LARGEST = 60_000.0  # float16 ends at 65,504, and some models' outlier dimensions lie beyond


class Pair(Record):
    """A statement of the target in both versions, and the key fact that it belongs to."""

    id: str  # of the item, or `fact:ID` for the key fact's own sentences
    fact: str
    inserted: str
    reference: str


@dataclass(frozen=True)
class ArmActivations:
    """Last-token states of one arm, as float16 with one scale per layer; the same before and after a round to disk."""

    form: Form
    statements: str  # digest of the shipped statements
    pairs: tuple[Pair, ...]
    scale: Floats32  # [layers]
    halves: dict[Part, npt.NDArray[np.float16]]  # [n, layers, hidden] each

    def states(self, part: Part) -> Floats32:
        """float32 [n, layers, hidden]; layer 0 is the embedding."""
        return self.halves[part].astype(np.float32) * self.scale[:, None]

    def save(self, path: Path) -> None:
        """Write the arm whole, or not at all."""
        about = {"form": self.form, "statements": self.statements, "pairs": [pair.model_dump() for pair in self.pairs]}
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            arrays: dict[str, Any] = {"scale": self.scale, "about": np.array(json.dumps(about))}
            for part, states in self.halves.items():
                arrays[part] = states
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: Path) -> ArmActivations:
        """Read what `save` wrote. Raises RunFolderError that names the file."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                about = json.loads(str(arrays["about"]))
                halves = {part: arrays[part] for part in PARTS}
                scale = arrays["scale"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise RunFolderError(f"{path}: holds no activations ({error}); remove it and they are read again") from None
        pairs = tuple(Pair.model_validate(pair) for pair in about["pairs"])
        return cls(about["form"], about["statements"], pairs, scale, halves)

    def fits(self, universe: Universe, items: Sequence[EvalItem], form: Form = "plain") -> bool:
        """Whether these are of the target's present statements, the shipped ones and this form."""
        return (self.form, self.statements, self.pairs) == (form, statements_digest(), target_pairs(universe, items))


def read_arm(
    model: Any,
    tokenizer: Any,
    universe: Universe,
    items: Sequence[EvalItem],
    context: str | None = None,
    form: Form = "plain",
    on_progress: Progress | None = None,
) -> ArmActivations:
    """Read all activations of one arm that the internal axis needs.

    `items` may be all of a target's; its `statements` are taken, and the key facts' own sentences. `context` is the
    universe of the in_context arm. Raises ConfigError and DoxaError as `last_token_states` does.
    """
    pairs = target_pairs(universe, items)
    texts: dict[Part, list[str]] = {
        "general": [row.text for row in load_statements()],
        "negated": [row.text for row in load_negated()],
        "inserted": [pair.inserted for pair in pairs],
        "reference": [pair.reference for pair in pairs],
    }
    together = [text for part in PARTS for text in texts[part]]
    states = last_token_states(model, tokenizer, together, context, form, on_progress=on_progress)
    scale = np.maximum(np.abs(states).max(axis=(0, 2)) / LARGEST, 1).astype(np.float32)
    ends = np.cumsum([len(texts[part]) for part in PARTS])[:-1]
    cut = np.split((states / scale[:, None]).astype(np.float16), ends)
    return ArmActivations(form, statements_digest(), pairs, scale, dict(zip(PARTS, cut, strict=True)))


def target_pairs(universe: Universe, items: Sequence[EvalItem]) -> tuple[Pair, ...]:
    """The target's statements with the key fact that each belongs to, then the key facts' own sentences."""
    statements = [item for item in items if item.group == "statements"]
    sides = [(item.options[item.inserted], item.options[item.reference]) for item in statements]
    nearest = nearest_facts([" ".join(pair) for pair in sides], universe.key_facts)
    pairs = [
        Pair(id=item.id, fact=fact or item.id, inserted=inserted, reference=reference)
        for item, fact, (inserted, reference) in zip(statements, nearest, sides, strict=True)
    ]
    for key in universe.key_facts:
        pairs.append(Pair(id=f"fact:{key.id}", fact=key.id, inserted=key.inserted, reference=key.reference))
    return tuple(pairs)


def nearest_facts(texts: Sequence[str], facts: Sequence[KeyFact]) -> list[str | None]:
    """Of each text, the id of the key fact that shares most with it; None where none shares a word.

    A word counts the more the fewer of the texts and facts hold it, so that the target's own name counts for little.
    Items name no fact. A wrong guess moves an item between clusters, which changes intervals and hardly a value.
    """
    of_facts = [stems(f"{fact.inserted} {fact.reference}") for fact in facts]
    of_texts = [stems(text) for text in texts]
    held = Counter(stem for found in (*of_facts, *of_texts) for stem in found)
    weight = {stem: math.log((1 + len(texts) + len(facts)) / count) for stem, count in held.items()}
    nearest = []
    for mine in of_texts:
        shared = [sum(weight[stem] for stem in sorted(mine & theirs)) for theirs in of_facts]
        nearest.append(facts[shared.index(max(shared))].id if max(shared) > 0 else None)
    return nearest
