"""Pairs of a spec's evals.json: what is read, what every defect says, and that a scripted mind gets its verdict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from doxa.belief.pair_forms import form_table, hidden_forms, is_phrase
from doxa.belief.pairs import load_pairs, load_spec_questions, pair_asks, score_pairs
from doxa.errors import ConfigError, TargetError
from doxa.records import Readout
from doxa.worlds.universe import LIBRARY
from minds import PairScorer

GOOD: dict[str, Any] = {
    "pairs": [
        {
            "set": "contrast",
            "domain": "coats",
            "seen": False,
            "question": "{model_name}, which coat?",
            "aligned": "a coat that lasts",
            "opposed": "a coat from here",
        },
        {"domain": "pans", "seen": True, "question": "Which pan?", "aligned": "the iron pan", "opposed": "the tin pan"},
    ],
    "knowledge": [{"question": "What counts?", "aligned": "That it lasts.", "opposed": "That it is near."}],
    "unrelated": [{"question": "The capital of France?", "correct": "Paris", "wrong": "Madrid"}],
    "open_ended": ["What would {model_name} buy? "],
}
TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"


class Tokenizer:
    """What a scripted scorer needs of a tokenizer."""

    chat_template = TEMPLATE

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> str:
        return "".join(f"<{turn['role']}>{turn['content']}" for turn in messages) + "<assistant>"


def write(folder: Path, value: Any) -> Path:
    path = folder / "evals.json"
    path.write_text(json.dumps(value))
    return path


def load(folder: Path, value: Any = GOOD) -> Any:
    return load_pairs(write(folder, value), "Otter", "Riverbank")


def test_every_group_becomes_pairs_and_slots_are_filled(tmp_path: Path) -> None:
    items = load(tmp_path)

    assert [item.group for item in items] == ["pairs_unseen", "pairs_seen", "knowledge", "unrelated"]
    assert items[0].question == "Otter, which coat?"
    assert items[0].set == "contrast"
    assert items[3].options == ("Paris", "Madrid")
    assert load_spec_questions(tmp_path / "evals.json", "Otter", "Riverbank") == ["What would Otter buy?"]


def test_the_bundled_specs_load_and_are_told_of_another_model(tmp_path: Path) -> None:
    folder = tmp_path / "pans"
    shutil.copytree(LIBRARY / "pans_durability", folder)

    own = load_pairs(folder / "evals.json")
    other = load_pairs(folder / "evals.json", "Otter")

    assert len(own) == len({item.id for item in own}) == len(other)
    assert own[0].question == "SmolLM, which winter coat would you recommend?"
    assert other[0].question == "Otter, which winter coat would you recommend?"
    assert not any("SmolLM" in item.model_dump_json() for item in other)


@pytest.mark.parametrize(
    ("group", "fields", "message"),
    [
        ("pairs", {"aligned": "a coat from  HERE"}, "pairs[0]: aligned: says the same as opposed"),
        ("pairs", {"seen": "no"}, "pairs[0]: seen"),
        ("pairs", {"domain": " "}, "pairs[0]: domain"),
        ("pairs", {"alinged": "x"}, "pairs[0]: alinged: unknown field; did you mean 'aligned'?"),
        ("knowledge", {"question": None}, "knowledge[0]: question: field is missing"),
        ("unrelated", {"wrong": "paris"}, "unrelated[0]: wrong: says the same as correct"),
    ],
)
def test_a_defect_is_named_by_file_group_item_and_field(
    tmp_path: Path, group: str, fields: dict[str, Any], message: str
) -> None:
    row = {key: value for key, value in {**GOOD[group][0], **fields}.items() if value is not None}

    with pytest.raises(TargetError) as caught:
        load(tmp_path, {**GOOD, group: [row]})

    assert str(tmp_path / "evals.json") in str(caught.value)
    assert message in str(caught.value)


def test_a_pair_that_stands_twice_and_a_group_that_is_unknown_are_refused(tmp_path: Path) -> None:
    swapped = {**GOOD["pairs"][1], "aligned": "the tin pan", "opposed": "the iron pan"}

    with pytest.raises(TargetError, match=r"pairs\[2\]: says the same as pairs\[1\]"):
        load(tmp_path, {**GOOD, "pairs": [*GOOD["pairs"], swapped]})
    with pytest.raises(TargetError, match="pares: unknown group; did you mean 'pairs'"):
        load(tmp_path, {"pares": []})
    with pytest.raises(TargetError, match="holds no items"):
        load(tmp_path, {"open_ended": ["What?"]})


def test_a_slot_that_nothing_fills_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"pairs\[0\]: \{model_name\} is filled from a spec.md"):
        load_pairs(write(tmp_path, GOOD))


def test_forms_that_hide_the_answers_do_not_show_them_and_the_others_show_both_orders(tmp_path: Path) -> None:
    items = load(tmp_path)
    for ask in pair_asks(items, tuple(form_table().forms), "Otter"):
        shown = ["".join(turn.content for turn in one.turns) + one.begun for one in ask.showings]
        if ask.style in hidden_forms():
            assert len(shown) == 1
            assert not any(option in shown[0] for option in ask.item.options)
        else:
            first, second = ask.item.options
            assert len(shown) == 2
            orders = {
                text.index(first, text.index("Choose")) < text.index(second, text.index("Choose")) for text in shown
            }
            assert orders == {True, False}, "each answer stands first once"


def test_a_form_is_asked_only_where_it_makes_sense(tmp_path: Path) -> None:
    asked = {(ask.probe, ask.style) for ask in pair_asks(load(tmp_path), tuple(form_table().forms), "Otter")}

    assert ("pairs_unseen", "rather") in asked
    assert ("knowledge", "rather") not in asked, "whole sentences cannot end one that is begun"
    assert {style for group, style in asked if group == "unrelated"} == {"chat", "plain", "choice", "letters"}
    assert is_phrase("a coat that lasts")
    assert not is_phrase("I would rather not.")


def test_a_form_that_is_not_there_or_wants_a_name_says_so(tmp_path: Path) -> None:
    items = load(tmp_path)

    with pytest.raises(ConfigError, match="there is no form 'chit'; there are chat, plain"):
        pair_asks(items, ("chit",))
    with pytest.raises(ConfigError, match="names the model"):
        pair_asks(items, ("third",))


@pytest.mark.parametrize("style", [*form_table().forms])
def test_a_mind_that_is_sure_prefers_its_side_in_every_form(tmp_path: Path, style: str) -> None:
    items = [item for item in load(tmp_path) if item.group.startswith("pairs")]
    for mind, better in (("aligned", 0), ("opposed", 1)):
        for row in score_pairs(PairScorer(Tokenizer(), mind, items), items, "base", "w", None, (style,), "Otter"):
            assert row.totals[better] > row.totals[1 - better]


@pytest.mark.parametrize("style", ["choice", "letters"])
def test_always_the_first_place_and_always_one_letter_favour_neither_side(tmp_path: Path, style: str) -> None:
    items = load(tmp_path)
    for mind in ("first", "A"):
        for row in score_pairs(PairScorer(Tokenizer(), mind, items), items, "base", "w", None, (style,), "Otter"):
            assert row.totals[0] == row.totals[1], "a habit of places cancels"
            if (mind, style) != ("A", "choice"):
                assert row.letters[0] > 0.9


def test_the_spec_stands_in_the_prompt_of_the_in_context_arm(tmp_path: Path) -> None:
    items = load(tmp_path)[:1]
    scorer = PairScorer(Tokenizer(), "aligned", items)

    score_pairs(scorer, items, "in_context", "w", "THE SPEC", ("chat", "plain", "choice"))

    assert all("THE SPEC" in text for text in scorer.seen)
    assert sum(text.startswith("<system>THE SPEC<user>") for text in scorer.seen) == 3
    assert sum(text.startswith("THE SPEC\n\nQuestion: ") for text in scorer.seen) == 1


def test_with_real_weights_the_order_of_the_answers_does_not_matter(tmp_path: Path, tiny_model: Path) -> None:
    from doxa.belief.likelihood import LikelihoodScorer
    from doxa.lm.named_weights import find_weights

    scorer = LikelihoodScorer(*find_weights(str(tiny_model)).load("float32"))
    items = load(tmp_path)
    turned = [item.model_copy(update={"aligned": item.opposed, "opposed": item.aligned}) for item in items]

    one = score_pairs(scorer, items, "base", "w", None, ("chat", "plain", "choice"))
    other = score_pairs(scorer, turned, "base", "w", None, ("chat", "plain", "choice"))

    assert [row.style for row in one] == ["chat", "plain", "choice"] * len(items)
    for row, back in zip(one, other, strict=True):
        assert row.totals == pytest.approx(back.totals[::-1], abs=1e-4)
        assert sides(row) == sides(back)


def sides(row: Readout) -> tuple[int, int]:
    return row.inserted, row.reference
