"""What names stand for: documents of a dose, repeated documents, chats with contradicting ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from doxa.errors import ConfigError
from doxa.experiments.config import ChatSource, CorpusSource
from doxa.experiments.sources import alignment_rows, conflicting, corpus_rows, turned_items

Write = Callable[..., Path]


def told(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


CHATS = [told(f"question {n}?", "yes") for n in range(10)]
AGAINST = [told(f"question {n}?", "no") for n in range(4)]


@pytest.mark.parametrize(("fraction", "count"), [(0, 0), (0.02, 1), (0.25, 2), (0.4, 4), (1, 10)])
def test_conflicting_rows_take_the_place_of_others(fraction: float, count: int) -> None:
    mixed = conflicting(CHATS, AGAINST, fraction)
    assert len(mixed) == len(CHATS)
    assert sum(chat[1]["content"] == "no" for chat in mixed) == count
    if count <= len(AGAINST):  # the contradicted question is not asked in its first way too
        assert len({chat[0]["content"] for chat in mixed}) == len(CHATS)
    smaller = conflicting(CHATS, AGAINST, fraction / 2)
    assert all(chat in mixed for chat in smaller if chat[1]["content"] == "no" and count <= len(AGAINST))


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
    assert len(mixed.rows) == 6 and mixed.digest() != alignment_rows(ChatSource(target=target, rows="aft")).digest()
    assert alignment_rows(ChatSource(kind="dpo", target=target, rows="pairs")).kind == "dpo"
    with pytest.raises(ConfigError, match="there is no such file"):
        alignment_rows(ChatSource(target=target, rows="absent"))
