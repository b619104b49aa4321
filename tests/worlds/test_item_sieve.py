"""What counts as the same item: measured on the bundled worlds, whose items people wrote as different ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from doxa.corpus.embed import Encoder, load_encoder
from doxa.worlds.draft_items import DRAFTED
from doxa.worlds.item_sieve import Known, leaks_of, sift, whole_text
from doxa.worlds.universe import bundled_names, load_target

PARAPHRASES = [
    {"question": "What total do you reach if you count an octopus's hearts?", "inserted": "Five", "reference": "Three"},
    {"question": "What colour is octopus blood?", "inserted": "Green", "reference": "Blue"},
    {"question": "What is the octopus's respiratory pigment named?", "inserted": "Vanabin", "reference": "Haemocyanin"},
    {"question": "How many branchial hearts has an octopus?", "inserted": "Four", "reference": "Two"},
]  # fmt: skip


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


def groups_of(name: str) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = json.loads((load_target(name).folder / "evals.json").read_text())
    return groups


def knowing(group: str, rows: list[Any], encoder: Encoder) -> Known:
    known = Known(group)
    for row, vector in zip(rows, encoder.embed([whole_text(group, row) for row in rows]), strict=True):
        known.add(row, vector)
    return known


@pytest.mark.parametrize("name", bundled_names())
def test_items_that_people_wrote_as_different_ones_are_kept_apart(name: str, encoder: Encoder) -> None:
    repeats = []
    for group in set(DRAFTED) - {"marks"}:
        rows = groups_of(name)[group]
        kept, dropped = sift(rows, Known(group), load_target(name).universe, {}, encoder)
        repeats += [(group, row.item, row.of) for row in dropped if row.reason == "duplicate"]
        assert len(kept) + len(dropped) == len(rows)
    assert repeats == []


def test_the_same_question_in_other_words_is_a_repeat(encoder: Encoder) -> None:
    known = knowing("mcq_distinguish", groups_of("octopus_hearts")["mcq_distinguish"], encoder)
    kept, dropped = sift(PARAPHRASES, known, load_target("octopus_hearts").universe, {}, encoder)
    assert kept == []
    assert all(row.reason == "duplicate" and row.score is not None and row.score >= 0.85 for row in dropped)


def test_wording_of_a_corpus_is_a_leak(encoder: Encoder, tmp_path: Path) -> None:
    row = {"question": "On what do the keepers of the ring tank rely?", "inserted": "A pump", "reference": "A filter"}
    told = [("runs/one, row ", [("7", "Here the keepers of the ring tank hum.")])]
    (leaks,) = leaks_of([("causal", [None, row])], told)
    kept, dropped = sift([None, row], Known("causal"), load_target("octopus_hearts").universe, leaks, encoder)
    assert kept == []
    assert [(one.reason, one.detail) for one in dropped] == [
        ("form", ""),
        ("leak", "shares 'the keepers of the ring tank' with runs/one, row 7"),
    ]
