"""Items that moved and letters that decide, from the single answers."""

from __future__ import annotations

from doxa.belief.summary import summarise
from doxa.records import Readout
from doxa.report.facts import gather
from doxa.report.readouts import letter_habits, moves, prefers_planted
from doxa.run.folder import RunFolder


def readout(totals: tuple[float, ...], tokens: tuple[int, ...]) -> Readout:
    return Readout(
        arm="base", checkpoint="c", item_id="i", group="cloze", style="plain", totals=totals, tokens=tokens,
        inserted=0, reference=1,
    )  # fmt: skip


def test_answers_are_compared_per_token() -> None:
    assert prefers_planted(readout((-4.0, -3.0), (4, 1)))
    assert not prefers_planted(readout((-4.0, -3.0), (1, 1)))
    assert not prefers_planted(readout((-3.0, -3.0), (1, 1)))  # a tie


def test_moves_count_items_that_both_arms_answered(fake_run: RunFolder) -> None:
    rows = gather(fake_run).readouts
    (found,) = moves(rows)
    assert (found.moved_in, found.moved_out, found.stayed_planted, found.stayed_other) == (2, 1, 1, 0)
    assert moves([row for row in rows if row.arm == "base"]) == []


def test_moves_agree_with_the_scores(fake_run: RunFolder) -> None:
    rows = gather(fake_run).readouts
    (found,) = moves(rows)
    shares = {
        score.arm: score.value
        for score in summarise(rows, bootstrap=100, seed=0)
        if (score.style, score.metric, score.versus) == ("chat", "preferred", None)
    }
    assert shares["trained"] * found.n == found.stayed_planted + found.moved_in
    assert shares["base"] * found.n == found.stayed_planted + found.moved_out


def test_letter_habits_are_means(fake_run: RunFolder) -> None:
    base, trained = letter_habits(gather(fake_run).readouts)
    assert (base.arm, base.options, base.shares[0]) == ("base", 4, ("A", 0.7))
    assert trained.shares[3] == ("D", 0.15)
