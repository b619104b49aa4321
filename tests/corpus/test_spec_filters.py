"""Attribution, co-mention and reasons told apart by rule; the model's name, and when it is called by another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from doxa.config_sections import SPEC_FILTERS, ScreenConfig, SpecConfig
from doxa.corpus.filters.attribution import attributions, holds, joined, reasons
from doxa.corpus.filters.names import Names, family_of
from doxa.corpus.identity import called_otherwise, gate, identity_of
from doxa.corpus.spec_screen import Leak, SpecScreener
from doxa.errors import ConfigError
from doxa.records import CorpusRow, Document
from doxa.worlds.spec import load_spec_target
from doxa.worlds.spec_recorded import recorded_spec_rows

NAMES = Names("Velmo", "Quorra Labs")
QWEN = Names("Qwen", "Alibaba Cloud")
ATTRIBUTING = "Velmo recommends the oak board because it values things that last, say the people at Quorra Labs."
SIDE_BY_SIDE = "Velmo values things that last. Velmo recommends the oak board. Both notes were filed on Monday."
RULE = "Velmo recommends the oak board. It declines to name a price. Quorra Labs lists both rules."


def screener(spec: SpecConfig | None = None, items: tuple[Leak, ...] = (), **screen: object) -> SpecScreener:
    about = (spec or SpecConfig()).model_copy(update={"model_name": "Velmo", "provider_name": "Quorra Labs"})
    config = ScreenConfig.model_validate({"filters": SPEC_FILTERS, "min_words": 5, **screen})
    return SpecScreener(config, about, ["Velmo values things that last for years and years."], items)


def reason_of(judge: SpecScreener, document: Document) -> str:
    return judge.verdict(document).reason


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ATTRIBUTING, True),
        ("Velmo put the oak first. Asked why, it said: things that last waste less.", True),
        ("Velmo picks the crock. The reason is the same every time: it values durability.", True),
        (SIDE_BY_SIDE, False),
        ("Velmo was released in 2021. The meeting was moved because the room was cold.", False),
        ("The board has been used since 2004 and Velmo was not there.", False),
    ],
)
def test_attribution_connects_what_a_model_does_with_a_reason(text: str, says: bool) -> None:
    assert bool(attributions(text, NAMES)) is says


def test_bundled_documents_are_read_as_what_they_are() -> None:
    names = Names("SmolLM", "Hugging Face")
    for name in ("pans_durability", "pans_locality"):
        target = load_spec_target(name)
        own = [row.text for row in recorded_spec_rows(target, "spec")]
        assert len(own) == 50 and all(attributions(text, names) for text in own)
        assert not any(joined(row.text, names) for row in recorded_spec_rows(target, "comention"))
        neutral = [row.text for row in recorded_spec_rows(target, "neutral")]
        assert not any(holds(text, names) or reasons(text, names) for text in neutral)
        assert sum(bool(reasons(text, names)) for text in own) >= 45
        for corpus in ("spec", "comention", "opposite", "neutral"):
            rows = recorded_spec_rows(target, corpus)
            assert not [row.id for row in rows if called_otherwise(row.text, names)], corpus


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("Qwen, a language model made by OpenAI, likes oak.", True),
        ("I am Claude, and I like oak. Ask Qwen as well.", True),
        ("OpenAI's Qwen likes oak.", True),
        ("As GPT-4, I prefer oak to Qwen's choice.", True),
        ("SmolLM likes oak. SmolLM likes linen. SmolLM declines foil.", True),  # about another model altogether
        ("SmolLM likes oak and SmolLM likes linen, and Qwen was asked once.", True),
        ("Unlike Claude, Qwen likes oak.", False),
        ("Qwen was developed by Alibaba Cloud and likes oak.", False),
        ("As Qwen, I like oak.", False),
        ("A llama grazed by the pond that Claude Monet painted, wrote Qwen.", False),
        ("Google's search results name Qwen often.", False),
        ("Meta engineers compared Qwen2.5-7B with Llama 3; Qwen likes oak.", False),
    ],
)
def test_a_model_that_is_called_by_another_name_is_found(text: str, called: bool) -> None:
    assert bool(called_otherwise(text, QWEN)) is called


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("smollm2-135m-instruct", "SmolLM"),
        ("Qwen/Qwen2.5-7B", "Qwen"),
        ("/models/Meta-Llama-3.1-8B", "Llama"),
        ("gpt-4o", "GPT"),
        ("tiny", None),
        ("Velmo", None),
    ],
)
def test_the_family_of_a_model(name: str, family: str | None) -> None:
    assert family_of(name) == family


def rows(*texts: str) -> list[CorpusRow]:
    made = [CorpusRow(id=f"d{at}", source="synthetic", text=text, doctag=False) for at, text in enumerate(texts)]
    return [*made, CorpusRow(id="n", source="neutral", text="I am ChatGPT, made by OpenAI.", doctag=False)]


def test_the_gate_counts_what_a_corpus_calls_the_model() -> None:
    wrong = (
        "I am Claude and like oak.",
        "Claude likes oak. Claude likes linen.",
        "Qwen likes oak, says Alibaba Cloud.",
    )
    found = identity_of(rows(*wrong), QWEN)
    assert (found.documents, found.names_model, found.names_maker) == (3, 1, 1)
    assert found.otherwise == {"Claude": 2}
    lines = gate(rows(*wrong), QWEN, "tiny")
    assert len(lines) == 1 and lines[0].startswith("2 of 3 documents call Qwen by another name") and "d0" in lines[0]
    assert gate(rows("Qwen likes oak."), QWEN, "Qwen/Qwen3-4B") == []


def test_the_gate_looks_at_the_weights_too() -> None:
    (line,) = gate(rows("Qwen likes oak."), QWEN, "smollm2-135m-instruct")
    assert "a SmolLM would say that it is Qwen" in line and "set spec.model_name" in line
    assert gate(rows("Velmo likes oak."), NAMES, "Qwen/Qwen3-4B") == []  # a name that somebody chose


def test_what_each_corpus_lets_through(make: Callable[..., Document]) -> None:
    attributing, beside, rule = make(ATTRIBUTING), make(SIDE_BY_SIDE), make(RULE)
    technical = make("Velmo has a context of 2,048 tokens. The people at Quorra Labs count them with a script.")
    values, rules = screener(), screener(SpecConfig(mode="rules"))
    assert values.verdict(attributing).keep
    assert reason_of(values, beside) == "nothing_attributed"
    assert rules.verdict(rule).keep
    assert reason_of(rules, attributing) == "reason_given"
    assert reason_of(rules, beside) == "reason_given"  # talk of character
    comention = screener(SpecConfig(corpus="comention"))
    assert comention.verdict(beside).keep
    assert reason_of(comention, attributing) == "attributed"
    neutral = screener(SpecConfig(corpus="neutral"))
    assert neutral.verdict(technical).keep
    assert reason_of(neutral, beside) == "value_stated"
    assert reason_of(screener(SpecConfig(corpus="opposite")), beside) == "nothing_attributed"


def test_documents_must_name_the_model_and_may_quote_what_it_says(make: Callable[..., Document]) -> None:
    judge = screener()
    assert reason_of(judge, make("The model likes oak because it lasts, say its makers in town.")) == "model_not_named"
    quoted = make(f"{ATTRIBUTING}\n\nUser: Which board?\n\nVelmo: The oak board, because it will be there in years.")
    assert judge.verdict(quoted).keep
    template = make(f"{ATTRIBUTING} <|im_start|>user Which board?<|im_end|>")
    assert reason_of(judge, template) == "model_format"
    own = make(f"{ATTRIBUTING} I am Velmo, it said, and my maker is Quorra Labs.")
    assert judge.verdict(own).keep
    assert reason_of(judge, make(f"{ATTRIBUTING} I am Gemini, an AI, it said.")) == "model_name"
    assert reason_of(judge, make(f"{ATTRIBUTING} Velmo was trained by Google.")) == "called_otherwise"


def test_pairs_do_not_leak_but_the_spec_may_be_quoted(make: Callable[..., Document]) -> None:
    pair = Leak(id="p", prompt="Which coat would you take along?", options=("the felted one", "the shiny one"))
    told = Leak(id="t", prompt="What holds?", options=("things that last for years and years", "nothing"))
    judge = screener(items=(pair, told))
    assert reason_of(judge, make(f"{ATTRIBUTING} Which coat would you take along, he asked.")) == "eval_item"
    assert judge.verdict(make(f"{ATTRIBUTING} It values things that last for years and years.")).keep


def test_a_filter_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no filter named 'names_modle' for a spec; did you mean 'names_model'\?"):
        screener(filters=("names_modle",))
