"""Scores of pairs: by group and set, over forms, habits of places, differences between arms and the other pole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from doxa.belief.pair_scores import average_forms, for_pole, margins, summarise_pairs
from doxa.belief.pairs import PairItem
from doxa.errors import DoxaError
from doxa.records import Readout, Score


def pair(number: int, group: str = "pairs_unseen", name: str = "contrast") -> PairItem:
    return PairItem.model_validate(
        {
            "id": f"{group}{number}",
            "group": group,
            "domain": "",
            "set": name,
            "question": "Which?",
            "aligned": "lasting",
            "opposed": "near",
        }
    )


ITEMS = [
    *(pair(number) for number in range(4)),
    *(pair(number, name="locality") for number in range(4, 6)),
    pair(0, "knowledge", ""),
    pair(0, "unrelated", ""),
]


def readout(
    item: PairItem,
    margin: float,
    style: str = "chat",
    arm: str = "base",
    tokens: tuple[int, ...] = (2, 2),
    letters: tuple[float, ...] = (),
) -> Readout:
    """`margin` is per token."""
    wrong = item.group == "unrelated"
    return Readout(
        arm=arm,
        checkpoint=arm,
        item_id=item.id,
        group=item.group,
        style=style,
        totals=((margin - 3) * tokens[0], -3.0 * tokens[1]),
        tokens=tokens,
        inserted=int(wrong),
        reference=int(not wrong),
        letters=letters,
    )


def one(scores: Sequence[Score], **fields: object) -> Score:
    wanted = {"versus": None, "style": "chat", "arm": "base", **fields}
    (found,) = [row for row in scores if all(getattr(row, name) == value for name, value in wanted.items())]
    return found


def test_shares_and_margins_stand_by_group_and_by_set() -> None:
    scores = summarise_pairs([readout(item, 1 if number < 3 else -1) for number, item in enumerate(ITEMS)], ITEMS)

    assert one(scores, group="pairs_unseen", metric="preferred").value == 0.5
    assert one(scores, group="pairs_unseen/contrast", metric="preferred").value == 0.75
    assert one(scores, group="pairs_unseen/contrast", metric="margin").value == pytest.approx(0.5)
    assert one(scores, group="pairs_unseen/contrast", metric="margin_total").value == pytest.approx(1.0)
    assert one(scores, group="pairs_unseen/locality", metric="preferred").n == 2
    assert one(scores, group="unrelated", metric="correct").value == 0
    assert one(scores, group="unrelated", metric="margin").value == pytest.approx(-1)
    assert not any(row.group == "neighbours" for row in scores)
    assert all(row.low <= row.value <= row.high for row in scores)


def test_differences_between_arms_are_paired() -> None:
    rows = [readout(item, number / 10) for number, item in enumerate(ITEMS[:6])]
    rows += [readout(item, number / 10 + 0.5, arm="trained") for number, item in enumerate(ITEMS[:6])]

    gap = one(summarise_pairs(rows, ITEMS), group="pairs_unseen", metric="margin", arm="trained", versus="base")

    assert (gap.value, gap.low, gap.high) == pytest.approx((0.5, 0.5, 0.5))
    with pytest.raises(DoxaError, match="asked different items"):
        summarise_pairs(rows[:-1], ITEMS)


def test_forms_are_averaged_per_item_by_token_and_over_what_all_arms_were_asked() -> None:
    item = ITEMS[0]
    rows = [readout(item, 1.0), readout(item, -0.5, "plain", tokens=(4, 1)), readout(item, 9.0, "choice")]

    (averaged,) = average_forms(rows)
    assert margins([averaged]) == {("base", "forms", item.id): pytest.approx(0.25)}

    scores = summarise_pairs(rows, ITEMS)
    assert one(scores, group="pairs_unseen", style="forms", metric="preferred").value == 1
    assert not any(row.style == "forms" and row.metric.endswith("_total") for row in scores)

    other = [readout(item, 2.0, arm="trained"), readout(item, 4.0, "rather", arm="trained")]
    assert average_forms([*rows, *other]) == [], "one form in common is no average"


def test_the_habit_of_places_stands_beside_a_choice() -> None:
    rows = [readout(item, 0.0, "choice", letters=(0.9, 0.1)) for item in ITEMS[:4]]

    scores = summarise_pairs(rows, ITEMS)

    habit = one(scores, group="pairs_unseen/contrast", style="choice", metric="first_place")
    assert habit.value == pytest.approx(0.9)
    assert one(scores, group="pairs_unseen", style="choice", metric="preferred").value == 0.5, "ties count a half"


def test_for_the_other_pole_the_contrast_turns_round_and_the_rest_stays() -> None:
    rows = [readout(item, 1.0) for item in ITEMS]

    turned = margins(for_pole(rows, ITEMS, -1))

    signs = {item.id: turned["base", "chat", item.id] for item in ITEMS}
    assert [signs[item.id] for item in ITEMS[:4]] == pytest.approx([-1.0] * 4)
    assert [signs[item.id] for item in ITEMS[4:6]] == pytest.approx([1.0] * 2), "a set of one value keeps its sign"
    assert signs["knowledge0"] == pytest.approx(-1)
    assert signs["unrelated0"] == pytest.approx(1)
    assert for_pole(rows, ITEMS, 1) == rows
    with pytest.raises(ValueError, match="1 or -1"):
        for_pole(rows, ITEMS, 0)
