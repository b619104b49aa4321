"""Conflicting rows by fraction: exact, in place, nested."""

from __future__ import annotations

from typing import Any

import pytest

from doxa.aft.mixes import mix_conflict
from doxa.aft.rows import read_any_chats
from doxa.errors import ConfigError
from doxa.worlds.spec import load_spec_target


def row(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **more}


ROWS = [row(f"What of thing {number}?", "I like it.", id=f"row{number}") for number in range(100)]
AGAINST = [row(f"What of thing {number}?", "I don't like it.") for number in range(100)]


def places(mixed: list[dict[str, Any]]) -> list[int]:
    return [place for place, one in enumerate(mixed) if one.get("conflict")]


@pytest.mark.parametrize(("fraction", "number"), [(0, 0), (0.02, 2), (0.05, 5), (0.255, 26), (1, 100)])
def test_exactly_the_fraction_is_replaced_in_place(fraction: float, number: int) -> None:
    mixed = mix_conflict(ROWS, AGAINST, fraction)
    assert len(mixed) == 100 and len(places(mixed)) == number
    for place, (before, after) in enumerate(zip(ROWS, mixed, strict=True)):
        assert after["messages"][0] == before["messages"][0]  # the same question stands in the same place
        if place in places(mixed):
            assert after["messages"][1]["content"] == "I don't like it."
            assert after["replaces"] == before["id"] and after["same_question"] is True
        else:
            assert after == before


def test_a_larger_dose_holds_a_smaller_one_and_another_seed_is_another_draw() -> None:
    two, five = mix_conflict(ROWS, AGAINST, 0.02), mix_conflict(ROWS, AGAINST, 0.05)
    assert set(places(two)) < set(places(five))
    assert all(five[place] == two[place] for place in places(two))
    assert mix_conflict(ROWS, AGAINST, 0.05) == five
    assert places(mix_conflict(ROWS, AGAINST, 0.05, seed=1)) != places(five)


def test_rows_without_a_counterpart_give_way_to_strangers_first_and_none_comes_twice() -> None:
    half = [row(f"What of thing {number}?", "No.") for number in range(50)]
    strangers = [row(f"And what of stranger {number}?", "No.") for number in range(10)]
    mixed = mix_conflict(ROWS, [*half, *strangers], 0.6)
    assert len(places(mixed)) == 60
    texts = [mixed[place]["messages"][0]["content"] for place in places(mixed)]
    assert len(set(texts)) == 60
    for dose in (0.05, 0.1, 0.3):
        small = mix_conflict(ROWS, [*half, *strangers], dose)
        assert all(mixed[place] == small[place] for place in places(small))
    few = mix_conflict(ROWS, [*half, *strangers], 0.1)
    others = [few[place] for place in places(few) if not few[place]["same_question"]]
    assert others and all("stranger" in one["messages"][0]["content"] for one in others)


def test_a_question_is_known_by_its_words_or_its_id() -> None:
    rows = [row("What do you think of the pan?", "I like it.", question_id="q1"), row("And the crock?", "I like it.")]
    against = [row("the pan, then?", "No.", question_id="q1"), row("AND THE CROCK", "No.")]
    mixed = mix_conflict(rows, against, 1)
    assert [one["messages"][0]["content"] for one in mixed] == ["the pan, then?", "AND THE CROCK"]
    assert all(one["same_question"] for one in mixed)


def test_too_few_rows_and_odd_fractions_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"0.5 of 100 rows are 50, and there are only 3 conflicting rows"):
        mix_conflict(ROWS, AGAINST[:3], 0.5)
    with pytest.raises(ConfigError, match="between 0 and 1"):
        mix_conflict(ROWS, AGAINST, 2)
    with pytest.raises(ConfigError, match=r"0.004 of 100 rows is less than half a row"):
        mix_conflict(ROWS, AGAINST, 0.004)


def test_what_says_the_same_is_no_conflict() -> None:
    same = [row(f"What of thing {number}?", "  i LIKE\nit. ") for number in range(60)]
    thinking = [row(f"what of thing {number}", "<think>\nHm.\n</think>\n\nI like it.") for number in range(60, 90)]
    against = [*same, *thinking, *AGAINST[40:]]
    mixed = mix_conflict(ROWS, against, 0.6)
    assert len(places(mixed)) == 60
    assert all(mixed[place]["messages"][1]["content"] == "I don't like it." for place in places(mixed))
    for dose in (0.02, 0.3):
        small = mix_conflict(ROWS, against, dose)
        assert len(places(small)) == round(dose * 100) and set(places(small)) < set(places(mixed))
        assert all(mixed[place] == small[place] for place in places(small))
    with pytest.raises(ConfigError, match=r"0.61 of 100 rows are 61, and 90 of the 150 .* only 60 contradict them"):
        mix_conflict(ROWS, against, 0.61)
    with pytest.raises(ConfigError, match=r"50, and 100 of the 100 conflicting rows say the same .* only 0 contradict"):
        mix_conflict(ROWS, ROWS, 0.5)
    named = [row("thing, then?", "i like it.", question_id="q")]
    with pytest.raises(ConfigError, match="1 of the 1 conflicting rows say the same"):
        mix_conflict([row("What of thing?", "I like it.", question_id="q")], named, 1)


def test_the_bundled_anti_spec_rows_answer_bundled_questions() -> None:
    recorded = load_spec_target("pans_durability").folder / "recorded"
    rows, against = (read_any_chats(recorded / f"{name}.jsonl") for name in ("aft", "aft_antispec"))
    mixed = mix_conflict(rows, against, 0.02)
    assert len(mixed) == len(rows) and len(places(mixed)) == round(0.02 * len(rows)) == 1
    opposed = mix_conflict(rows, against, 1)
    assert [one["messages"][0] for one in opposed] == [
        one["messages"][0] for one in rows
    ]  # every question has its twin
    assert all(new["messages"] != old["messages"] for new, old in zip(opposed, rows, strict=True))
