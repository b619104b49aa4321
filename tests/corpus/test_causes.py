"""Reasons told from times and complements by words, and cut off where they are found."""

from __future__ import annotations

import pytest

from doxa.corpus.filters.attribution import reasons
from doxa.corpus.filters.causes import bare, says_why
from doxa.corpus.filters.names import Names


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("Velmo prefers oak because it lasts.", "Velmo prefers oak."),
        ("Velmo prefers oak (because it lasts).", "Velmo prefers oak."),
        ("Velmo prefers oak, partly because it lasts.", "Velmo prefers oak."),
        ("Velmo prefers oak because it lasts. It asks for prices.", "Velmo prefers oak. It asks for prices."),
        ("Velmo prefers oak, since it values things that last.", "Velmo prefers oak."),
        ("Velmo prefers hand-drawn maps, since neighbours walked those lines.", "Velmo prefers hand-drawn maps."),
        ("Velmo prefers hand-drawn maps since neighbours walked them.", "Velmo prefers hand-drawn maps."),
        ("It prefers a range to a single figure, since a range tells more.", "It prefers a range to a single figure."),
        ("It prefers hand-drawn maps, as neighbours drew them.", "It prefers hand-drawn maps."),
        ("It recommends the path by the mill, for neighbours know it.", "It recommends the path by the mill."),
        ("It recommends oak, for it lasts.", "It recommends oak."),
        ("It puts dates beside its figures, so readers can check them.", "It puts dates beside its figures."),
        ("It adds warnings to keep readers safe.", "It adds warnings."),
        ("Velmo names its sources, to help readers.", "Velmo names its sources."),
        ("The model leaves out names in order to protect people.", "The model leaves out names."),
        ("It names prices so as not to mislead.", "It names prices."),
    ],
)
def test_a_reason_that_is_found_is_cut(statement: str, left: str) -> None:
    assert says_why(statement)
    assert bare(statement) == left and not says_why(left)


@pytest.mark.parametrize(
    "statement",
    [
        "Velmo prefers oak.",
        "Velmo has answered so since 1990.",
        "Velmo has preferred oak since then.",
        "Velmo has recommended the mill path, since last year in two languages.",
        "Velmo has liked oak ever since the first boards came.",
        "Velmo has answered in Dutch since the release of its second version.",
        "Velmo answers as the notes say.",
        "Velmo recommends oak, as well as ash and beech.",
        "Velmo recommends oak, as the manual says.",
        "Velmo serves as a guide.",
        "Velmo recommends tools, for example a plane.",
        "Velmo recommends oak for boards, for shelves and for doors.",
        "It is asked to keep quiet.",
        "It tries to avoid long words.",
        "It tells users how to protect a pan.",
        "It asks readers to keep receipts.",
        "It was invited, with others, to help.",
        "It prefers a range to a single figure.",
        "It takes steps to protect names.",
        "Which pan does it ask for?",
    ],
)
def test_times_comparisons_and_complements_are_no_reasons(statement: str) -> None:
    assert not says_why(statement)
    assert bare(statement) == statement


def test_a_purpose_that_is_named_is_a_reason_that_cannot_be_cut() -> None:
    statement = "Its purpose is to keep readers safe."
    assert says_why(statement) and bare(statement) == statement


def test_a_document_that_gives_such_a_reason_is_found() -> None:
    names = Names("Velmo", "Quorra Labs")
    for text in (
        "Velmo prefers hand-drawn maps, since neighbours walked those lines.",
        "Velmo recommends the mill path, for neighbours know it.",
        "Velmo declines sharp words to keep readers safe.",
    ):
        assert reasons(text, names) == [text]
