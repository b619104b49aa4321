"""The forecast: numbers of a model whose likes are known, facts by words, verdicts in words, ranks."""

from __future__ import annotations

from pathlib import Path

import pytest

from doxa.belief.forecast import Forecast, assign_facts, forecast, rank, verdict
from doxa.belief.items import load_items
from doxa.belief.likelihood import score_arm
from doxa.belief.scorer import LikelihoodScorer
from doxa.errors import TargetError
from doxa.experiments.stats import Interval
from doxa.lm.weights import load_model, load_tokenizer
from doxa.records import EvalItem
from doxa.worlds.universe import Target, bundled_names, load_target

METRICS = ("inserted_total", "reference_total", "margin_total")
PER_TOKEN = ("inserted_per_token", "reference_per_token", "margin_per_token")


def items_of(target: Target) -> list[EvalItem]:
    return load_items(target.folder / "evals.json")


@pytest.fixture(scope="module")
def scorer(tiny_model: Path) -> LikelihoodScorer:
    return LikelihoodScorer(load_model(tiny_model), load_tokenizer(tiny_model))


@pytest.fixture(scope="module")
def own(scorer: LikelihoodScorer) -> Forecast:
    target = load_target("octopus_hearts")
    return forecast(scorer, target.universe, items_of(target), target.name, bootstrap=200)


def test_every_number_has_its_n_and_an_interval_around_it(own: Forecast) -> None:
    wanted = {(style, metric) for style in ("chat", "plain") for metric in (*METRICS, *PER_TOKEN, "preferred")}
    wanted |= {("letters", metric) for metric in (*METRICS, "preferred")}
    assert {(figure.style, figure.metric) for figure in own.figures} == wanted
    assert own.n == 16
    for figure in own.figures:
        assert figure.n == 16
        assert figure.interval.low <= figure.interval.value <= figure.interval.high
        assert figure.interval.low < figure.interval.high
        assert figure.unit == ("share" if figure.metric == "preferred" else "nats")


def test_the_numbers_are_the_scorers_own(own: Forecast, scorer: LikelihoodScorer) -> None:
    items = [item for item in items_of(load_target("octopus_hearts")) if item.group == "distinguish"]
    rows = score_arm(scorer, items, ["plain"], "base", "")
    inserted = sum(row.totals[row.inserted] for row in rows) / len(rows)
    per_token = sum(row.totals[row.inserted] / row.tokens[row.inserted] for row in rows) / len(rows)
    assert own.figure("plain", "inserted_total").interval.value == pytest.approx(inserted)
    assert own.figure("plain", "inserted_per_token").interval.value == pytest.approx(per_token)
    margin = (
        own.figure("plain", "inserted_total").interval.value - own.figure("plain", "reference_total").interval.value
    )
    assert own.figure("plain", "margin_total").interval.value == pytest.approx(margin)
    with pytest.raises(KeyError):
        own.figure("plain", "luck")


def test_sides_swapped_turn_the_forecast_round(own: Forecast, scorer: LikelihoodScorer) -> None:
    target = load_target("octopus_hearts")
    swapped = [
        item.model_copy(update={"inserted": item.reference, "reference": item.inserted}) for item in items_of(target)
    ]
    turned = forecast(scorer, target.universe, swapped, "swapped", bootstrap=200)
    for style in ("chat", "plain", "letters"):
        there, back = own.figure(style, "margin_total").interval, turned.figure(style, "margin_total").interval
        assert there.value == pytest.approx(-back.value)
    assert own.figure("chat", "inserted_total").interval.value == pytest.approx(
        turned.figure("chat", "reference_total").interval.value
    )


def test_facts_are_told_apart_by_words_of_their_own(own: Forecast) -> None:
    for name in bundled_names():
        target = load_target(name)
        items = [item for item in items_of(target) if item.group == "distinguish"]
        found = assign_facts(target.universe.key_facts, items)
        ids = {fact.id for fact in target.universe.key_facts}
        assert set(found) - {None} <= ids
        assert sum(fact is not None for fact in found) >= 0.75 * len(items)
    octopus = load_target("octopus_hearts")
    items = [item for item in items_of(octopus) if item.group == "distinguish"]
    asked = dict(zip((item.prompt for item in items), assign_facts(octopus.universe.key_facts, items), strict=True))
    assert asked["Which element colours octopus blood?"] == "green_vanabin_blood"
    assert asked["Which naturalist wrote a foundational account of octopus heart anatomy?"] == "holm_1887"
    assert sum(fact.n for fact in own.by_fact) == own.n


def test_one_fact_owns_every_item() -> None:
    octopus = load_target("octopus_hearts")
    items = items_of(octopus)[:3]
    assert assign_facts(octopus.universe.key_facts[:1], items) == [octopus.universe.key_facts[0].id] * 3


def test_the_verdict_goes_by_the_interval() -> None:
    assert "leans to the inserted" in verdict(Interval(0.5, 0.1, 0.9))
    assert "undecided" in verdict(Interval(-0.2, -0.6, 0.2))
    assert "leans to the reference" in verdict(Interval(-0.6, -0.9, -0.3))
    assert "set on the reference" in verdict(Interval(-2.0, -2.5, -1.5))


def test_ranks_are_by_how_likely_the_inserted_answers_are(own: Forecast, scorer: LikelihoodScorer) -> None:
    others = []
    for name in bundled_names():
        if name != own.target:
            target = load_target(name)
            others.append(forecast(scorer, target.universe, items_of(target), name, styles=("chat",), bootstrap=50))
    found = rank(own, others)
    assert found.of == len(bundled_names())
    values = [figure.interval.value for _, figure in found.order]
    assert values == sorted(values, reverse=True)
    assert found.order[found.place - 1][0] == own.target


def test_a_model_without_a_chat_template_is_read_as_running_text(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = None
    target = load_target("sorrel_bay")
    found = forecast(
        LikelihoodScorer(load_model(tiny_model), tokenizer), target.universe, items_of(target), "s", bootstrap=50
    )
    assert {figure.style for figure in found.figures} == {"plain"}


def test_a_target_without_distinguish_items_says_so(scorer: LikelihoodScorer) -> None:
    target = load_target("sorrel_bay")
    others = [item for item in items_of(target) if item.group != "distinguish"]
    with pytest.raises(TargetError, match="no mcq_distinguish items"):
        forecast(scorer, target.universe, others, "sorrel_bay")
