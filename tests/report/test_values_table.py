"""The table of `doxa values`: whole in a wide terminal and in a narrow one."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from doxa.records import Score
from doxa.report.values_table import print_values

ARMS = ("base", "in_context", "sturdy_for_three_epochs", "aligned")
GROUPS = ("pairs_unseen", "pairs_unseen/contrast")


def scores(arms: tuple[str, ...], value: float = 0.25) -> list[Score]:
    return [
        Score(
            arm=arm, checkpoint="c", group=group, style="choice", metric=metric, value=value + number / 10,
            low=value - 0.2, high=value + 0.2, n=48, unit="share" if metric == "preferred" else "nats", versus=versus,
        )
        for number, arm in enumerate(arms)
        for group in GROUPS
        for metric in ("preferred", "margin", "effect templates")
        for versus in (None, *(["base"] if arm != "base" else []))
    ]  # fmt: skip


def printed(found: list[Score], width: int) -> str:
    file = io.StringIO()
    print_values(found, Console(file=file, width=width, highlight=False, soft_wrap=True))
    return file.getvalue()


@pytest.mark.parametrize("arms", [ARMS[:1], ARMS[:2], ARMS])
def test_nothing_is_cut_at_eighty_columns(arms: tuple[str, ...]) -> None:
    found = scores(arms)
    text = printed(found, 80)
    assert "…" not in text and max(len(line) for line in text.splitlines()) <= 80
    numbers = re.findall(r"[+-]?\d\.\d\d(?![,\]])", text)
    intervals = re.findall(r"\[\S+ \S+\]", text)
    assert len(numbers) == len(intervals) == len(found)
    stacked = ("choice effect templates", "n 48") if len(arms) > 1 else ()
    for word in (*arms, *GROUPS, *stacked):
        assert word in text


def test_a_wide_terminal_has_a_line_to_each_measure() -> None:
    text = printed(scores(ARMS), 200)
    assert re.search(r"^pairs_unseen/contrast +│ choice +│ preferred +│ 48 │ +0.25 \[0.05, 0.45\]", text, re.MULTILINE)


def test_an_arm_of_any_name_is_whole_in_any_terminal() -> None:
    assert f"{'long_' * 20}" in printed(scores(("long_" * 20,)), 40)


def test_zero_has_no_sign() -> None:
    for value in (0.0, 0.001, -0.001):
        found = [one.model_copy(update={"low": value, "high": value}) for one in scores(("base",), value)]
        text = printed(found, 80)
        assert "0.00" in text and "-0.00" not in text and "+0.00" not in text
    assert "+0.25" in printed(scores(("base",)), 80)
