"""Passages in a spec: what counts as word for word, and how much of a spec is covered."""

from __future__ import annotations

import pytest

from doxa.worlds.spec_text import as_it_stands, coverage, elided, is_verbatim, sentences_of

TEXT = """# A title

It values **calm**, because haste
spoils “good” sentences. It starts well — always.

- It likes the *linen* cloth.
- It dislikes foil; nothing lasts.
  Not even art.

| kind | size |
|---|---|
| pan | large and heavy |

1. First it asks.
"""


@pytest.mark.parametrize(
    "passage",
    [
        'It values calm, because haste spoils "good" sentences.',
        "it VALUES calm, because haste",
        "It values **calm**,\n\nbecause haste",
        "It starts well - always.",
        "It likes the linen cloth. It dislikes foil; nothing lasts. Not even art.",
        "- It likes the linen cloth.\n- It dislikes foil",
        "“good” sentences. It starts",
        "First it asks.",
        "pan large and heavy",
    ],
)
def test_stands_there(passage: str) -> None:
    assert is_verbatim(passage, TEXT)


@pytest.mark.parametrize(
    "passage", ["It values calm because haste", "It values quiet", "rt. First", "", " ** ", "spoils sentences"]
)
def test_stands_not_there(passage: str) -> None:
    assert not is_verbatim(passage, TEXT)


def test_a_passage_is_given_back_in_the_specs_own_words() -> None:
    assert as_it_stands("it values calm, because HASTE spoils", TEXT) == "It values calm, because haste spoils"
    assert as_it_stands("cloth. It dislikes foil", TEXT) == "cloth. It dislikes foil"
    assert as_it_stands("it never did", TEXT) is None


def test_what_was_left_out_with_dots_parts_a_passage() -> None:
    assert elided("It values calm ... It starts well [...] no") == ["It values calm", "It starts well"]


def test_sentences_are_those_of_paragraphs_and_lists_and_no_headings() -> None:
    assert sentences_of(TEXT) == [
        "It values **calm**, because haste spoils “good” sentences.",
        "It starts well — always.",
        "It likes the *linen* cloth.",
        "It dislikes foil; nothing lasts.",
        "Not even art.",
        "| kind | size | |---|---| | pan | large and heavy |",
        "First it asks.",
    ]
    assert sentences_of("Do this now.\n\n```\nfor x in y: pass or fail\n```\n\nNow do that.") == [
        "Do this now.",
        "Now do that.",
    ]


def test_coverage_counts_whole_sentences() -> None:
    found = coverage(TEXT, ['It values calm, because haste spoils "good" sentences. It starts', "First it asks."])
    assert (found.sentences, len(found.uncovered)) == (7, 5)
    assert found.share == pytest.approx(2 / 7)
    assert found.uncovered[0] == "It starts well — always."
    assert coverage("", []).share == 1.0
