"""The suite as a whole, on models whose habits are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from doxa.belief.likelihood import LikelihoodScorer, score_arm
from doxa.belief.prompts import cyclic_orders, prompts_for
from doxa.belief.samples import answer_questions
from doxa.belief.scorer import Loglik, Prompt
from doxa.belief.summary import summarise
from doxa.errors import ConfigError
from doxa.records import EvalItem, Readout

PAIRS = [
    EvalItem(id=f"d{i}", group="distinguish", prompt=f"Question {i}?", options=options, inserted=0, reference=1)
    for i, options in enumerate([("yes", "no"), ("green", "blue"), ("up", "down"), ("alpha", "omega")])
]
FOUR = EvalItem(
    id="k", group="knowledge", prompt="How many?", options=("Three", "Five", "One", "Eight"), inserted=1, reference=0
)
CLOZE = EvalItem(id="c", group="cloze", prompt="The blood is", options=("green", "blue"), inserted=0, reference=1)
STATEMENT = EvalItem(
    id="s", group="statements", prompt="", options=("It is green.", "It is blue."), inserted=0, reference=1
)
EVERY = [FOUR, *PAIRS, CLOZE, STATEMENT]
STYLES = ["chat", "plain", "choice", "letters"]


class ScriptedScorer:
    """Stands in for the engine: a habit instead of a model. Remembers what it was asked."""

    def __init__(self, tokenizer: Any, habit: Any) -> None:
        self.tokenizer, self.habit = tokenizer, habit
        self.asked: list[Prompt] = []

    def score(self, prompts: Sequence[Prompt], on_progress: Any = None) -> list[tuple[Loglik, ...]]:
        self.asked += prompts
        return [
            tuple(Loglik(self.habit(prompt, text), len(text)) for text in prompt.continuations) for prompt in prompts
        ]


class Template:
    """A tokenizer as far as prompts need one: it writes the conversation out."""

    chat_template = "written out below"

    def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> str:
        return "".join(f"<{message['role']}>{message['content']}" for message in messages) + "<assistant>"


def ask(habit: Any, items: Sequence[EvalItem], styles: Sequence[str], context: str | None = None) -> list[Readout]:
    scorer: Any = ScriptedScorer(Template(), habit)
    return score_arm(scorer, items, styles, "base", "c0", context)


def test_one_readout_per_item_and_style_that_applies() -> None:
    readouts = ask(lambda prompt, text: -1.0, EVERY, STYLES)

    found = [(readout.item_id, readout.style) for readout in readouts]
    assert found[:4] == [("k", "chat"), ("k", "plain"), ("k", "choice"), ("k", "letters")]
    assert [style for item, style in found if item == "c"] == ["chat", "plain"]
    assert [style for item, style in found if item == "s"] == ["chat", "plain"]
    assert len(found) == 5 * 4 + 2 * 2


def test_a_letter_habit_shows_as_bias_and_says_nothing_of_content() -> None:
    def always_a(prompt: Prompt, text: str) -> float:
        return math.log(0.97) if text == "A" else math.log(0.01)

    readouts = ask(always_a, [FOUR, *PAIRS], ["letters"])

    scores = {(score.group, score.metric): score.value for score in summarise(readouts, 1_000, seed=0)}
    assert scores["knowledge", "letter_bias"] == pytest.approx(0.97 - 0.25)
    assert scores["distinguish", "letter_bias"] == pytest.approx(0.97 / 0.98 - 0.5)
    assert scores["knowledge", "preferred"] == 0.25
    assert scores["distinguish", "preferred"] == 0.5
    assert scores["distinguish", "margin"] == pytest.approx(0.0)


def test_a_place_habit_cancels_out_in_choice() -> None:
    def whatever_stands_first(prompt: Prompt, text: str) -> float:
        return -float(prompt.places[prompt.continuations.index(text)])

    readouts = ask(whatever_stands_first, [FOUR, *PAIRS], ["choice"])

    assert {readout.totals for readout in readouts} == {(-1.5,) * 4, (-0.5,) * 2}


def test_knowing_the_answer_beats_a_letter_habit() -> None:
    def knows_green(prompt: Prompt, text: str) -> float:
        is_green = f"{text}. green" in prompt.text
        return (2.0 if is_green else 0.0) + (1.0 if text == "A" else 0.0) - 5.0

    (readout,) = ask(knows_green, [PAIRS[1]], ["letters"])

    assert readout.totals[0] - readout.totals[1] == pytest.approx(2.0)
    assert sum(readout.letters) == pytest.approx(1.0)


@pytest.mark.parametrize("style", STYLES)
def test_the_order_in_which_options_are_written_changes_nothing(style: str, tiny_model: Path) -> None:
    scorer = tiny_scorer(tiny_model)
    turned = FOUR.model_copy(update={"options": ("One", "Eight", "Five", "Three"), "inserted": 2, "reference": 3})

    (one,) = score_arm(scorer, [FOUR], [style], "base", "c0")
    (other,) = score_arm(scorer, [turned], [style], "base", "c0")

    by_text = dict(zip(turned.options, other.totals, strict=True))
    assert one.totals == pytest.approx([by_text[text] for text in FOUR.options], abs=1e-4)
    assert one.letters == pytest.approx(other.letters, abs=1e-5)
    assert len({round(total, 6) for total in one.totals}) > 1


def test_every_option_stands_once_at_every_place() -> None:
    orders = cyclic_orders(("d", "a", "c", "b"))

    assert [("d", "a", "c", "b")[i] for i in orders[0]] == ["a", "b", "c", "d"]
    assert [sorted(places) for places in zip(*orders, strict=True)] == [[0, 1, 2, 3]] * 4
    assert len(cyclic_orders(("x", "y"))) == 2


def test_the_context_is_the_system_prompt_or_leading_text() -> None:
    asked = {style: prompts_for(PAIRS[0], style, Template(), "Octopuses have five hearts.")[0].text for style in STYLES}

    assert asked["chat"] == "<system>Octopuses have five hearts.<user>Question 0?<assistant>"
    assert asked["plain"] == "Octopuses have five hearts.\n\nQuestion: Question 0?\nAnswer:"
    assert asked["choice"].endswith("Choose one answer:\n- no\n- yes<assistant>")
    assert asked["letters"].endswith("Choose one letter:\nA. no\nB. yes<assistant>")


def test_no_prompt_of_the_base_arm_shows_the_answers_unless_the_style_does() -> None:
    for item in EVERY:
        for style in ("chat", "plain"):
            for prompt in prompts_for(item, style, Template(), None):
                assert not any(option in prompt.text for option in item.options)


def test_a_model_without_a_chat_template_is_asked_in_plain_only(tiny_model: Path) -> None:
    scorer = tiny_scorer(tiny_model)
    scorer.tokenizer.chat_template = None

    assert len(score_arm(scorer, EVERY, ["plain"], "base", "c0")) == len(EVERY)
    for style in ("chat", "choice", "letters"):
        with pytest.raises(ConfigError, match=r"no chat template.*eval\.styles: \[plain\]"):
            score_arm(scorer, EVERY, [style], "base", "c0")
    with pytest.raises(ConfigError, match="no chat template"):
        answer_questions(scorer.model, scorer.tokenizer, ["Why?"], 4, "base", "c0")


def test_a_template_without_system_messages_is_an_error_in_words() -> None:
    from jinja2.exceptions import TemplateError

    class Refusing(Template):
        def apply_chat_template(self, messages: list[dict[str, str]], **_: Any) -> str:
            raise TemplateError("System role not supported")

    with pytest.raises(ConfigError, match=r"System role not supported.*leave out in_context"):
        prompts_for(PAIRS[0], "chat", Refusing(), "context")


def test_progress_runs_over_chat_and_plain_to_the_end(tiny_model: Path) -> None:
    told: list[tuple[int, int]] = []

    score_arm(tiny_scorer(tiny_model), EVERY, STYLES, "base", "c0", on_progress=lambda *now: told.append(now))

    total = 4 * 1 * 2 + 4 * 4 * 2 + 4 * 2 * (2 + 2 * 2) + 2 * 2 * 2
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_answers_do_not_depend_on_the_company_they_are_generated_in(tiny_model: Path) -> None:
    scorer = tiny_scorer(tiny_model)
    questions = ["Why?", "What is the capital of France, and how many people live there?", "How many hearts?"]

    together = answer_questions(scorer.model, scorer.tokenizer, questions, 6, "trained", "c1")
    alone = answer_questions(scorer.model, scorer.tokenizer, questions, 6, "trained", "c1", batch_size=1)

    assert together == alone
    assert [sample.question for sample in together] == questions
    assert len({sample.id for sample in together}) == 3
    told = answer_questions(scorer.model, scorer.tokenizer, questions, 6, "trained", "c1", context="Five hearts.")
    assert {sample.id for sample in told}.isdisjoint(sample.id for sample in together)


def tiny_scorer(folder: Path) -> LikelihoodScorer:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return LikelihoodScorer(AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder))
