"""Control corpora are brought to one size by whole documents, or refused with what differs."""

from __future__ import annotations

from collections import Counter

import pytest

from doxa.config_sections import TrainConfig
from doxa.corpus.matching import check_updates, match, match_pairs, updates_of
from doxa.errors import ConfigError
from doxa.records import CorpusRow


def corpus(name: str, lengths: list[int], parts: int = 1) -> list[CorpusRow]:
    return [
        CorpusRow(
            id=f"{name}{at}", source="synthetic", text="word " * length, doctag=False, subdomain=f"part{at % parts}"
        )
        for at, length in enumerate(lengths)
    ]


def words(text: str) -> int:
    return len(text.split())


def total(rows: list[CorpusRow]) -> int:
    return sum(words(row.text) for row in rows)


def test_corpora_end_within_a_percent_of_each_other() -> None:
    given = {
        "a": corpus("a", [100 + at % 17 for at in range(50)]),
        "b": corpus("b", [130 + at % 23 for at in range(50)]),
        "c": corpus("c", [90 + at % 31 for at in range(80)]),
    }
    matched, report = match(given, words, 0.01)
    sizes = {name: total(rows) for name, rows in matched.items()}
    assert matched["a"] == given["a"]  # the smallest is whole
    assert (max(sizes.values()) - min(sizes.values())) / (sum(sizes.values()) / 3) <= 0.01
    for name, rows in matched.items():
        assert [row.id for row in rows] == [row.id for row in given[name] if row in rows]  # in order, none cut
        assert report.corpora[name].tokens == sizes[name] and report.corpora[name].documents == len(rows)
        assert report.corpora[name].documents_before == len(given[name])
    assert match(given, words, 0.01) == (matched, report)


def test_subdomains_keep_their_proportions() -> None:
    matched, _ = match({"a": corpus("a", [100] * 30), "b": corpus("b", [100] * 60, parts=3)}, words)
    assert Counter(row.subdomain for row in matched["b"]) == {"part0": 10, "part1": 10, "part2": 10}


def test_an_exchange_of_documents_comes_nearer_than_leaving_out() -> None:
    matched, report = match({"a": corpus("a", [1000]), "b": corpus("b", [500, 300, 290, 210])}, words, 0.001)
    assert total(matched["b"]) == 1000 and report.token_spread == 0  # 500 + 290 + 210


def test_what_cannot_be_matched_is_refused_with_the_numbers() -> None:
    with pytest.raises(ConfigError, match=r"tokens differ by 33\.33%, more than the 1\.00% allowed \(a 100 in 1 doc"):
        match({"a": corpus("a", [100]), "b": corpus("b", [140, 150])}, words)
    with pytest.raises(ConfigError, match="b is empty"):
        match({"a": corpus("a", [100]), "b": []}, words)


def test_pairs_stay_pairs() -> None:
    first, second = corpus("x", [10, 20, 30]), corpus("y", [11, 21, 31])
    pairs = {"x0": "1", "x1": "2", "x2": "3", "y2": "1", "y0": "3"}
    one, other = match_pairs(first, second, lambda row: pairs.get(row.id))
    assert [row.id for row in one] == ["x0", "x2"] and [row.id for row in other] == ["y2", "y0"]


def test_updates_are_checked_beside_tokens(tiny_model: object) -> None:
    config = TrainConfig(method="lora", lr=1e-3, tokens_per_update=400)
    given = {"a": corpus("a", [60] * 20), "b": corpus("b", [60] * 20)}
    matched, report = match(given, words)
    checked = check_updates(matched, report, updates_of(str(tiny_model), config, 0))
    assert checked.update_spread == 0 and (checked.corpora["a"].updates or 0) > 1
    with pytest.raises(ConfigError, match=r"updates differ by .*set train\.tokens_per_update"):
        check_updates(matched, report, lambda rows: (40 if rows[0].id == "a0" else 20, 1200))
    assert report.as_counts()["corpora"]["b"]["documents"] == 20
