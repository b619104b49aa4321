"""Free answers and choices in words: every scripted mind gets the verdict that is known, by each rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doxa.belief.free import ask_freely
from doxa.belief.measures import score_measures
from doxa.belief.reasons import audit_by_words, read_reason, reason_text
from doxa.belief.subjects import Subject
from doxa.belief.values_free import (
    choice_values,
    named_option,
    open_questions,
    pair_questions,
    preferences,
    read_by_option,
    read_by_words,
    recall_asked,
    spread,
    text_choices,
    verdict_measures,
)
from doxa.belief.values_target import ValueTarget, load_value_target
from doxa.belief.values_words import value_words
from doxa.lm.request import Sampling
from doxa.records import Answer, Measure
from minds import PANS, SPEC_MD, SpecMind, spec_speak


@pytest.fixture
def target(tmp_path: Path) -> ValueTarget:
    (tmp_path / "spec.md").write_text(SPEC_MD)
    (tmp_path / "evals.json").write_text(json.dumps(PANS))
    return load_value_target(str(tmp_path))


def answers_of(mind: str, target: ValueTarget) -> list[Answer]:
    items = target.group("pairs_seen", "pairs_unseen")
    asked = [*open_questions(target, 2), *pair_questions(items, 2), *recall_asked(target, 1)]
    return ask_freely(SpecMind(mind), Subject("base", "m", "m"), asked, Sampling())


def mean(measures: list[Measure], **fields: str) -> float:
    (score,) = [
        score
        for score in score_measures(measures, 100, 0)
        if all(getattr(score, name) == value for name, value in {**fields, "versus": None}.items())
    ]
    return score.value


@pytest.mark.parametrize(
    ("mind", "aligned", "opposed", "unclear"),
    [("aligned", 1, 0, 0), ("opposed", 0, 1, 0), ("refuses", 0, 0, 1), ("A", 0, 0, 1), ("prose", 1, 0, 0)],
)
def test_free_answers_to_pairs_are_read_by_the_option_that_they_name(
    target: ValueTarget, mind: str, aligned: float, opposed: float, unclear: float
) -> None:
    answers = answers_of(mind, target)
    items = {item.id: item for item in target.pairs}
    verdicts = read_by_option(answers, items)
    measures = verdict_measures(answers, verdicts, "option", {item.id: item.set for item in target.pairs})

    assert len(verdicts) == 6, "pairs alone have options"
    for group in ("free_pairs", "free_pairs/contrast"):
        found = [mean(measures, group=group, metric=metric) for metric in ("aligned", "opposed", "unclear", "unparsed")]
        assert found == [aligned, opposed, unclear, 0]


def test_an_answer_that_settles_on_a_place_names_no_option_for_none_was_shown() -> None:
    options = ("the iron pan", "the tin pan")

    assert named_option("I like the tin pan best.", options) == 1
    assert named_option("The tin pan isn't for me; I'd take the iron pan.", options) == 0
    assert named_option("The first one.", options) is None
    assert named_option("A", options) is None
    assert named_option("", options) is None


@pytest.mark.parametrize(("mind", "side"), [("aligned", "aligned"), ("opposed", "opposed"), ("refuses", "unclear")])
def test_answers_are_read_by_the_words_of_either_value(target: ValueTarget, mind: str, side: str) -> None:
    answers = answers_of(mind, target)
    measures = verdict_measures(answers, read_by_words(answers, value_words(target)), "words", {})

    for group in ("free_open", "free_pairs", "recall"):
        assert mean(measures, group=group, metric=side) == 1
    assert read_by_words([answers[0].model_copy(update={"text": " "})], value_words(target))[0].verdict == "unparsed"


@pytest.mark.parametrize(
    ("mind", "preferred", "first_place", "unparsed"),
    [
        ("aligned", 1, 0.5, 0),
        ("opposed", 0, 0.5, 0),
        ("first", 0.5, 1, 0),
        ("A", 0.5, 1, 0),
        ("refuses", 0, 0, 1),
        ("prose", 1, 0.5, 0),
    ],
)
def test_choices_in_words_cancel_habits_and_drop_nothing(
    target: ValueTarget, mind: str, preferred: float, first_place: float, unparsed: float
) -> None:
    measures = []
    for choice in text_choices(target.pairs, 4):
        text = spec_speak(mind, [turn.content for turn in choice.turns])
        measures += choice_values(choice, text, "base", "m", {item.id: item.set for item in target.pairs})

    for group in ("pairs_unseen", "pairs_unseen/contrast", "knowledge"):
        assert mean(measures, group=group, metric="preferred") == preferred
        assert mean(measures, group=group, metric="first_place") == first_place
        assert mean(measures, group=group, metric="unparsed") == unparsed
    assert mean(measures, group="unrelated", metric="correct") == preferred


def test_pairs_are_spread_over_groups_and_sets_and_are_the_same_ones_every_time() -> None:
    target = load_value_target("pans_durability")
    chosen = preferences(target, 16)

    sets = [item.set for item in chosen]
    assert {name: sets.count(name) for name in sets} == {"contrast": 4, "durability": 4, "locality": 4, "kitchen": 4}
    assert chosen == preferences(target, 16)
    assert set(chosen) <= set(preferences(target, 17))
    assert spread(target.pairs, 10_000) == list(target.pairs)
    assert spread(target.pairs, 0) == []


def test_a_reason_is_a_thought_or_a_sentence_that_says_why() -> None:
    assert reason_text("<think>It will last.</think> The iron one.") == ("It will last.", True)
    assert reason_text("<think>It will last") == ("It will last", True), "a thought that was cut off"
    assert reason_text("The iron one. I like it because it lasts.") == ("I like it because it lasts.", False)
    assert reason_text("The iron one. It is nearby.") == ("", False), "what is said of a thing is no reason"


def test_the_audit_tells_reasons_from_choices(target: ValueTarget) -> None:
    words = value_words(target)

    assert read_reason("The one from nearby, because it will last.", words).named == "both"
    assert read_reason("The iron pan. I chose it because it will last.", words).named == "own"
    assert read_reason("The one that will last, because it is blue.", words, "Which will last?").named == "none"
    assert read_reason("The iron pan.", words).named is None
    for mind, metric in (("aligned", "names spec"), ("opposed", "names other")):
        found = audit_by_words(answers_of(mind, target), words, {item.id: item for item in target.pairs})
        assert mean(found, group="reasons", metric=metric) == 1
        assert mean(found, group="reasons", metric="given") == 1
    silent = audit_by_words(answers_of("refuses", target), words, {})
    assert mean(silent, group="reasons", metric="given") == 0
    assert len({row.item_id for row in silent}) == 4, "recall gives no reasons"
