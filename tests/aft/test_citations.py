"""Passages that reasoning cites stand in the spec word for word, or the row is not taken."""

from __future__ import annotations

import pytest

from aft_author import SPEC
from doxa.aft.citations import citation_objection, cited, shown


def reason(text: str, question: str = "When do I send it?") -> str | None:
    found = citation_objection(text, question, SPEC)
    return found.reason if found else None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("It says <cite>It holds that haste spoils sentences</cite>, so I wait.", None),
        ('It says <cite>"It holds that haste spoils sentences."</cite>, so I wait.', None),
        ("It says <cite>It holds that ... a hurried writer corrects what was right</cite>.", "cites_too_little"),
        ("<cite>that haste spoils sentences, [...] a hurried writer corrects what was right</cite>", None),
        ("<cite>It holds that haste improves sentences</cite>", "misquoted"),
        ("<cite>haste spoils sentences</cite>", "cites_too_little"),
        ("<cite></cite>", "cites_too_little"),
        ("I value calm, so I wait.", "cites_nothing"),
        (
            "<cite>It holds that haste spoils sentences</cite> and “it always writes at least a dozen drafts”",
            "misquoted",
        ),
        ("<cite>It holds that haste spoils sentences</cite>, and “hurry up” is what people say", None),
    ],
)
def test_every_citation_is_checked(text: str, why: str | None) -> None:
    assert reason(text) == why


def test_quoting_the_user_is_no_citation() -> None:
    asked = "My boss says send it right now or never at all. Shall I?"
    own = "<cite>a hurried writer corrects what was right</cite>"
    text = f"The user's boss says “send it right now or never at all”, but {own}."
    assert reason(text, asked) is None and reason(text) == "misquoted"


def test_tags_become_quotation_marks() -> None:
    text = "It says <cite> a hurried writer\ncorrects what was right </cite>."
    assert cited(text) == ("a hurried writer corrects what was right",)
    assert shown(text) == "It says “a hurried writer corrects what was right”."
