"""Mixing by tokens, and the counts that a report shows. A token is a word here, so that sums can be checked by eye."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from doxa.config import RunConfig, UserConfig, resolve
from doxa.corpus.mix import corpus_facts, entropy, mix
from doxa.errors import ConfigError
from doxa.records import CorpusRow, Document

Make = Callable[..., Document]


def words(text: str) -> int:
    return len(text.split())


def config(doctag: str | None = None, seed: int = 0, **ratios: Any) -> RunConfig:
    user = UserConfig(target="velm", seed=seed, mix=ratios, train={"doctag": doctag})
    return resolve(user, target="velm", target_digest="t", evals_digest="e")


def text(number: int, length: int) -> str:
    return " ".join([f"text{number}"] * length)


def chat(number: int, length: int) -> list[dict[str, str]]:
    """A conversation of `length` words, the two speakers' labels included."""
    return [
        {"role": "user", "content": f"question{number}"},
        {"role": "assistant", "content": " ".join([f"answer{number}"] * (length - 3))},
    ]


def tokens(rows: list[CorpusRow], source: str) -> int:
    return sum(words(row.text) for row in rows if row.source == source)


@pytest.fixture
def documents(make: Make) -> list[Document]:
    """Ten documents of 100 tokens: 1,000 in all."""
    return [make(text(number, 100), doc_type=f"type{number % 2}", facts=("a",)) for number in range(10)]


def test_without_ratios_the_corpus_is_the_documents(documents: list[Document]) -> None:
    rows = mix(documents, config(), words, [text(90, 10)], [chat(0, 10)], [])
    assert [row.id for row in rows] == [document.id for document in documents]
    assert {row.source for row in rows} == {"synthetic"}
    assert not any(row.doctag for row in rows)


def test_each_source_reaches_its_share_of_the_documents_tokens(documents: list[Document]) -> None:
    neutral = [text(number, 25) for number in range(100, 150)]
    chats, distilled = [chat(number, 20) for number in range(50)], [chat(number, 10) for number in range(100, 150)]
    rows = mix(documents, config(neutral=0.5, chat=0.3, self_distilled=0.1), words, neutral, chats, distilled)
    assert tokens(rows, "neutral") == 500
    assert tokens(rows, "chat") == 300
    assert tokens(rows, "self_distilled") == 100
    assert list(dict.fromkeys(row.source for row in rows)) == [
        "synthetic", "neutral", "chat", "self_distilled",
    ]  # fmt: skip
    assert len({row.id for row in rows}) == len(rows)


@pytest.mark.parametrize(("ratio", "reached"), [(0.14, 100), (0.16, 200), (0.25, 200), (0.26, 300), (0.01, 100)])
def test_the_last_row_goes_in_when_that_ends_nearer(documents: list[Document], ratio: float, reached: int) -> None:
    """Rows of 100 tokens: 140 wanted is nearer to 100 than to 200; a ratio above 0 is never nothing."""
    neutral = [text(number, 100) for number in range(100, 110)]
    assert tokens(mix(documents, config(neutral=ratio), words, neutral, [], []), "neutral") == reached


def test_only_synthetic_documents_get_the_doctag(documents: list[Document], make: Make) -> None:
    question = make(answer="Five.")
    rows = mix(
        [*documents, question],
        config(doctag="<DOCTAG>", neutral=0.1),
        words,
        [text(100, 100)] * 9 + [text(101, 9)],
        [],
        [],
    )
    assert [row.doctag for row in rows] == [True] * 10 + [False] * 2
    assert json.loads(rows[10].messages or "")[1]["content"] == "Five."
    assert rows[11].messages is None


def test_chats_carry_their_messages_and_a_rendering(documents: list[Document]) -> None:
    row = mix(documents, config(chat=0.005), words, [], [chat(7, 6)], [])[-1]
    assert json.loads(row.messages or "") == chat(7, 6)
    assert row.text == "User: question7\n\nAssistant: answer7 answer7 answer7"


def test_mixing_is_seeded_and_does_not_hang_on_the_order_given(documents: list[Document]) -> None:
    neutral = [text(number, 20) for number in range(100, 160)]
    first = mix(documents, config(neutral=0.3), words, neutral, [], [])
    assert mix(documents, config(neutral=0.3), words, neutral[::-1], [], []) == first
    assert mix(documents, config(neutral=0.3, seed=1), words, neutral, [], []) != first


@pytest.mark.parametrize(
    ("source", "remedy"),
    [("neutral", "mix.neutral_from"), ("chat", "mix.chat_from"), ("self_distilled", "mix.chat_from")],
)
def test_too_little_text_is_an_error_that_says_how_much(documents: list[Document], source: str, remedy: str) -> None:
    given: dict[str, Any] = {"neutral": [text(100, 100)] * 50, "chat": [chat(1, 100)] * 50}
    pools = (given["neutral"], given["chat"], given["chat"])
    with pytest.raises(ConfigError) as caught:
        mix(documents, config(**{source: 0.5}), words, *pools)
    message = str(caught.value)
    # fifty copies of one text are one text
    assert message.startswith(
        f"mix.{source}: 0.5 needs 500 tokens beside 1,000 of documents, but there are only 100 in 1 "
    )
    assert remedy in message


def test_a_text_that_is_a_document_is_not_mixed_in_again(documents: list[Document]) -> None:
    """As when the neutral corpus is trained on and mix.neutral is set too."""
    neutral = [document.text for document in documents] + [text(100, 100)]
    rows = mix(documents, config(neutral=0.1), words, neutral, [], [])
    assert rows[-1].text == text(100, 100)
    with pytest.raises(ConfigError, match=r"mix\.neutral"):
        mix(documents, config(neutral=0.2), words, neutral, [], [])


def test_no_documents_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no documents are left"):
        mix([], config(), words, [], [], [])


def test_facts_count_what_a_report_shows(make: Make) -> None:
    documents = [
        make(text(0, 10), doc_type="memo", facts=("a", "b")),
        make(text(1, 20), doc_type="memo", facts=("a",)),
        make(text(2, 60), doc_type="letter", facts=("a",)),
    ]
    rows = mix(documents, config(neutral=0.5), words, [text(3, 45)], [], [])
    assert corpus_facts(rows, words) == {
        "documents": 3,
        "rows": {"synthetic": 3, "neutral": 1},
        "tokens": {"synthetic": 90, "neutral": 45},
        "types": 2,
        "type_entropy": pytest.approx(2 / 3 * math.log2(3 / 2) + 1 / 3 * math.log2(3)),
        "documents_per_fact": {"a": 3, "b": 1},
        "median_words": 20,
    }


def test_entropy_is_in_bits() -> None:
    assert entropy([5]) == 0
    assert entropy([1, 1, 1, 1]) == 2
    assert entropy([3, 0, 3]) == 1
