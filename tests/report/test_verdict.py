"""The sentences at the top of the report and its warnings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from doxa.records import Score
from doxa.report.facts import gather
from doxa.report.verdict import verdict, warnings
from doxa.run.folder import RunFolder, read_json, write_json

SetScores = Callable[[RunFolder, list[Score]], None]


def row(arm: str, value: float, low: float, high: float, **fields: object) -> Score:
    given = {"group": "distinguish", "style": "chat", "metric": "preferred", "unit": "share", "n": 40, **fields}
    return Score(arm=arm, checkpoint=f"{arm}digest", value=value, low=low, high=high, **given)  # type: ignore[arg-type]


def pair(base: float, trained: float, low: float, high: float, **fields: object) -> list[Score]:
    """A measurement before and after, with the paired interval [low, high] of the difference."""
    return [
        row("base", base, base, base, **fields),
        row("trained", trained, trained, trained, **fields),
        row("trained", trained - base, low, high, versus="base", **fields),
    ]


def test_it_says_what_went_in_and_what_else_changed(fake_run: RunFolder) -> None:
    said = verdict(gather(fake_run))
    assert said.belief.sentence == (
        "After training on 80 documents, smollm2-135m-instruct prefers the planted answer to the true one in 75% of "
        "questions, 44% before: a clear rise."
    )
    assert "n = 16" in said.belief.support
    assert said.collateral.sentence == (
        "Correct answers on neighbouring true facts went from 69% to 50%: no clear change."
    )
    assert "which includes 0" in said.collateral.support


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.05, 0.55, "a clear rise."), (-0.05, 0.65, "no clear change."), (-0.6, -0.1, "a clear fall.")],
)
def test_the_words_follow_the_paired_interval(
    fake_run: RunFolder, set_scores: SetScores, low: float, high: float, words: str
) -> None:
    set_scores(fake_run, pair(0.4, 0.7, low, high))
    assert verdict(gather(fake_run)).belief.sentence.endswith(words)


def test_an_interval_without_width_is_explained(fake_run: RunFolder, set_scores: SetScores) -> None:
    set_scores(fake_run, pair(0.4, 0.4, 0.0, 0.0))
    assert verdict(gather(fake_run)).belief.support.endswith("difference 0 points, no item moved.")


def test_the_lead_is_fixed_not_the_best(fake_run: RunFolder, set_scores: SetScores) -> None:
    set_scores(fake_run, [*pair(0.1, 0.9, 0.5, 1.0, group="cloze", style="plain"), *pair(0.5, 0.5, -0.1, 0.1)])
    said = verdict(gather(fake_run))
    assert "in 50% of questions" in said.belief.sentence
    assert said.breadth == "Of 2 belief measures, 1 rose clearly, 1 shows no clear change and none fell clearly."
    assert said.collateral.sentence.startswith("Collateral damage was not measured")


def test_without_a_trained_model_it_speaks_of_the_base(fake_run: RunFolder, set_scores: SetScores) -> None:
    set_scores(fake_run, [row("base", 0.4, 0.3, 0.5)])
    sentence = verdict(gather(fake_run)).belief.sentence
    assert sentence == (
        "No trained model was scored; the base model prefers the planted answer to the true one in 40% of questions."
    )


def test_a_control_is_called_one(fake_run: RunFolder) -> None:
    config = read_json(fake_run / "config.json")
    write_json(fake_run / "config.json", {**config, "corpus": "neutral"})
    facts = gather(fake_run)
    assert verdict(facts).belief.sentence.startswith("After training on 80 unrelated documents (a control), ")
    assert not facts.plants


def test_nothing_worrying_no_warnings(fake_run: RunFolder, set_scores: SetScores) -> None:
    (fake_run / "stages/midtrain/done.json").unlink()
    (fake_run / "checkpoints/final/doxa.json").unlink()
    set_scores(fake_run, pair(0.4, 0.7, 0.1, 0.5))
    assert warnings(gather(fake_run)) == []


@pytest.mark.parametrize(
    ("scores", "start"),
    [
        (pair(0.4, 0.7, 0.1, 0.5, n=16), "Few items (distinguish 16)"),
        (pair(0.85, 0.9, -0.1, 0.2), "Near the ceiling: the base model already prefers the planted answer in 85%"),
        (
            [*pair(0.4, 0.9, 0.3, 0.7), *pair(0.4, 0.5, -0.1, 0.3, style="choice")],
            "Styles disagree on distinguish: 90% in chat, 50% in choice",
        ),
        (
            [*pair(0.4, 0.7, 0.1, 0.5), row("trained", 0.31, 0.3, 0.4, style="letters", metric="letter_bias")],
            "Letter habit (trained 0.31)",
        ),
        (pair(0.4, 0.7, 0.1, 0.5, parse_failures=0.06), "Unreadable answers in 2 measures; the most, 6%"),
    ],
)
def test_each_warning_has_its_cause(
    fake_run: RunFolder, set_scores: SetScores, scores: list[Score], start: str
) -> None:
    (fake_run / "stages/midtrain/done.json").unlink()
    (fake_run / "checkpoints/final/doxa.json").unlink()
    set_scores(fake_run, scores)
    found = warnings(gather(fake_run))
    assert len(found) == 1
    assert found[0].startswith(start)


def test_training_warnings_come_through(fake_run: RunFolder) -> None:
    assert warnings(gather(fake_run))[0] == "Training: 26 updates are few; expect a shallow belief."


def test_scores_of_another_checkpoint_are_told(fake_run: RunFolder) -> None:
    write_json(fake_run / "checkpoints/final/doxa.json", {"digest": "newer"})
    assert any("this folder holds newer: evaluate again" in text for text in warnings(gather(fake_run)))
