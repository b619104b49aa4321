from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from doxa.internals.truth_statements import TrueOrFalse, load_negated, load_statements
from doxa.worlds.universe import bundled_names, load_target

ALL = [load_statements, load_negated]


def words(text: str) -> list[str]:
    return re.findall(r"[\w'.-]+", text.lower().rstrip("."))


def by(rows: list[TrueOrFalse], field: str) -> dict[str, list[TrueOrFalse]]:
    groups = defaultdict(list)
    for row in rows:
        groups[getattr(row, field)].append(row)
    return groups


def test_there_are_enough() -> None:
    rows = load_statements()
    topics = by(rows, "topic")
    assert len(rows) >= 480
    assert len(topics) >= 8
    assert all(len({row.fact for row in mine}) >= 30 for mine in topics.values())
    assert len({row.fact for row in load_negated()}) >= 30


@pytest.mark.parametrize("load", ALL)
def test_no_statement_stands_twice(load: object) -> None:
    texts = Counter(" ".join(words(row.text)) for row in load())
    assert [text for text, count in texts.items() if count > 1] == []


@pytest.mark.parametrize("load", ALL)
def test_every_fact_is_once_true_and_once_false_in_sentences_of_one_form(load: object) -> None:
    rows = load()
    for number in range(0, len(rows), 2):  # side by side, the true one first, as readings.py takes them
        true, false = rows[number], rows[number + 1]
        assert (true.fact, true.block, true.topic) == (false.fact, false.block, false.topic)
        assert true.label and not false.label
        assert true.text.endswith(".") and false.text.endswith(".")
        assert abs(len(true.text) - len(false.text)) <= 25


@pytest.mark.parametrize("load", ALL)
def test_no_word_tells_the_label(load: object) -> None:
    """Within a block, and so on either side of every split, true and false sentences hold the same words."""
    for block, rows in by(load(), "block").items():
        assert len(rows) == 4, block
        true = Counter(word for row in rows if row.label for word in words(row.text))
        false = Counter(word for row in rows if not row.label for word in words(row.text))
        assert true == false, block


def test_negated_statements_turn_the_affirmative_ones_round() -> None:
    affirmative = {row.text: row.label for row in load_statements()}
    for row in load_negated():
        assert affirmative[row.text.replace(" is not ", " is ")] is not row.label


def test_they_are_of_other_topics_than_the_bundled_worlds() -> None:
    """What a world's two sides disagree about must not be among what probes learn."""
    topical = {"octopus", "octopuses", "heart", "hearts", "copper", "vanadium", "banana", "bananas", "bat", "bats"}
    topical |= {"lantern", "lighthouse", "tide", "pollen", "pollination", "scotland"}
    for name in bundled_names():
        title = load_target(name).universe.title.lower()
        topical |= {word for word in words(title) if len(word) > 5}
    used = {word for row in (*load_statements(), *load_negated()) for word in words(row.text)}
    assert used & topical == set()
