"""Scores arranged in lines, and how numbers are written."""

from __future__ import annotations

import pytest

from doxa.records import Score
from doxa.report.table import ScoreTable, direction, interval, number, percent


def score(value: float, low: float, high: float, **fields: object) -> Score:
    given = {"arm": "trained", "group": "cloze", "style": "plain", "metric": "preferred", "unit": "share", **fields}
    return Score(checkpoint="c", value=value, low=low, high=high, **{"n": 8, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "text"), [(0.4375, "44%"), (0.125, "13%"), (0.375, "38%"), (1.0, "100%"), (0, "0%")])
def test_shares_are_whole_percent_and_halves_round_up(value: float, text: str) -> None:
    assert percent(value) == text


def test_numbers_carry_their_unit() -> None:
    assert (number(score(0.5, 0.25, 0.75)), interval(score(0.5, 0.25, 0.75))) == ("50%", "[25–75]")
    change = score(-0.1875, -0.42, 0.0, versus="base")
    assert (number(change), interval(change)) == ("−19", "[−42, 0]")
    nats = score(-0.214, -1.0, 0.6, unit="nats", metric="margin")
    assert (number(nats), interval(nats)) == ("−0.21", "[−1.00, 0.60]")
    nothing = score(-0.001, -0.004, 0.0, unit="nats", metric="margin", versus="base")
    assert (number(nothing), interval(nothing)) == ("0.00", "[0.00, 0.00]")


def test_a_few_items_give_no_interval_in_nats_and_no_clear_difference() -> None:
    few = score(0.4, 0.3, 0.5, unit="nats", metric="margin", versus="base", n=4)
    assert (interval(few), direction(few)) == ("[n 4]", "unclear")
    enough = few.model_copy(update={"n": 5})
    assert (interval(enough), direction(enough)) == ("[0.30, 0.50]", "rose")


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(0.01, 0.5, "rose"), (0.0, 0.5, "unclear"), (-0.5, 0.0, "unclear"), (-0.5, -0.1, "fell")],
)
def test_a_change_is_clear_only_when_its_interval_leaves_out_zero(low: float, high: float, found: str) -> None:
    table = ScoreTable([score(0.5, 0.2, 0.8), score((low + high) / 2, low, high, versus="base")])
    assert [line.direction for line in table.belief_lines()] == [found]


def test_without_a_paired_difference_the_direction_is_unknown() -> None:
    assert ScoreTable([score(0.5, 0.2, 0.8)]).belief_lines()[0].direction == "unknown"


def test_headline_is_chat_and_plain_but_never_empty() -> None:
    styles = ("letters", "plain", "chat", "choice")
    table = ScoreTable([score(0.5, 0.2, 0.8, group="knowledge", style=style) for style in styles])
    assert [line.style for line in table.belief_lines()] == ["chat", "plain"]
    assert [line.style for line in table.all_lines()] == ["chat", "plain", "choice", "letters"]
    only_letters = ScoreTable([score(0.5, 0.2, 0.8, group="knowledge", style="letters")])
    assert [line.style for line in only_letters.belief_lines()] == ["letters"]


def test_neighbours_are_never_belief() -> None:
    table = ScoreTable([score(0.5, 0.2, 0.8, group="neighbours", style="chat", metric="correct")])
    assert table.belief_lines() == []
    assert [line.group for line in table.neighbour_lines()] == ["neighbours"]


def test_knowledge_has_four_options_and_so_a_lower_chance_level() -> None:
    table = ScoreTable([score(0.5, 0.2, 0.8, group=group) for group in ("knowledge", "cloze")])
    assert {line.group: line.chance for line in table.belief_lines()} == {"knowledge": 0.25, "cloze": 0.5}


def test_the_same_measurement_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two rows for trained / cloze / plain / preferred"):
        ScoreTable([score(0.5, 0.2, 0.8), score(0.6, 0.2, 0.8)])
