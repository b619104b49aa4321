"""What names stand for: documents of a dose, repeated documents, chats with contradicting ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from doxa.errors import ConfigError
from doxa.experiments.config import ChatSource, CorpusSource
from doxa.experiments.sources import alignment_rows, corpus_rows, turned_items

Write = Callable[..., Path]


def test_questions_are_turned(write_experiment: Write) -> None:
    from doxa.belief.pairs import load_pairs

    items = load_pairs(write_experiment().parent / "sturdy/evals.json")
    turned = turned_items(items, {"would you take": "would you leave"})
    pairs = [item for item in items if item.set == "far"]
    assert set(turned) == {item.id for item in pairs}
    assert turned[pairs[0].id].question == "Which lamp would you leave?"
    assert turned[pairs[0].id].options == pairs[0].options
    with pytest.raises(ConfigError, match="'would you buy' stands in no question"):
        turned_items(items, {"would you buy": "would you sell"})


def test_doses_nest_and_repeats_have_ids_of_their_own(write_experiment: Write) -> None:
    target = str(write_experiment().parent / "sturdy")
    few = corpus_rows(CorpusSource(target=target, documents=2), "few")
    more = corpus_rows(CorpusSource(target=target, documents=4), "more")
    assert len(few) == 2 and {row.text for row in few} < {row.text for row in more}
    twice = corpus_rows(CorpusSource(target=target, repeat=2), "twice")
    assert len(twice) == 12 == len({row.id for row in twice}) and len({row.text for row in twice}) == 6
    with pytest.raises(ConfigError, match=r"corpora.many.documents: 60, but there are 6"):
        corpus_rows(CorpusSource(target=target, documents=60), "many")


def test_chats_and_preferences_are_read(write_experiment: Write) -> None:
    target = str(write_experiment().parent / "sturdy")
    assert len(alignment_rows(ChatSource(target=target, rows="aft", limit=3)).rows) == 3
    mixed = alignment_rows(
        ChatSource.model_validate({"target": target, "rows": "aft", "conflict": {"rows": "against", "fraction": 0.5}})
    )
    plain = alignment_rows(ChatSource(target=target, rows="aft"))
    assert len(mixed.rows) == 6 and mixed.digest() != plain.digest()
    answers = [[row.messages for row in data.rows] for data in (mixed, plain)]  # type: ignore[union-attr]
    assert sum(new != old for new, old in zip(*answers, strict=True)) == 3
    assert alignment_rows(ChatSource(kind="dpo", target=target, rows="pairs")).kind == "dpo"
    with pytest.raises(ConfigError, match="there is no such file"):
        alignment_rows(ChatSource(target=target, rows="absent"))
