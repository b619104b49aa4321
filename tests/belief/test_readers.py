"""Reading free answers by rules: known answers of scripted models, and the artefact of a strict letter regex."""

from __future__ import annotations

from collections import Counter

import pytest

from doxa.belief.amounts import amounts
from doxa.belief.items import load_marks
from doxa.belief.readers import (
    degenerate,
    document_style,
    is_refusal,
    mentions,
    nearer,
    read_choice,
    read_marks,
    read_number,
    read_yes_no,
    strict_letter,
)
from doxa.belief.wording import stance
from doxa.lm.recorded import recorded_rows
from doxa.records import Marks
from doxa.worlds.universe import bundled_names, load_target

OPTIONS, LABELS = ("Three", "Five"), ("A", "B")
MARKS = [Marks(fact="five_hearts", inserted=("five hearts", "green blood"), reference=("three hearts", "blue blood"))]


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        "B.",
        "(B)",
        "(b)",
        "**B**",
        "The answer is B",
        "The answer is B.",
        "Answer\n\nB",
        "**Answer:** B",
        "Five",
        "five hearts",
        "5",
        "An octopus has five hearts.",
        "Octopuses have 5 hearts",
        "I think it's five.",
        "Octopuses have five hearts, not three.",
        "They don't have three hearts; they have five.",
        "B. Five",
        "B) Five hearts, because of evolution",
        "B, five hearts",
        "My final answer: **B) Five**",
        r"\boxed{B}",
        "<answer>B</answer>",
        "It's the second option.",
        "I'm not sure, but I'd say B",
        "I would pick B over A.",
        "Let me think. Some say three. Answer: B",
        "Answer: A. Wait, actually the answer is B.",
        "A. Three\nB. Five\n\nAnswer: B",
        "A common octopus has five hearts.",
        "<think>maybe A</think>B",
        "Option A is wrong, so the answer is B.",
        "B is correct because A is wrong",
        "Five. Many people think it is three.",
        "I'd go with five.",
        "The correct answer is Five.",
        "It can't be A, so B.",
    ],
)
def test_an_option_is_read_however_it_is_named(text: str) -> None:
    assert read_choice(text, OPTIONS, LABELS) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "E",
        "The answer is E.",
        "C. Five",
        "Answer: C",
        "A or B",
        "Both A and B",
        "Both are correct.",
        "neither",
        "Three or five hearts.",
        "B. Three",
        "A. Three\nB. Five",
        "One heart",
        "Hepatitis B is a disease.",
        "Not A.",
        "A is incorrect.",
        "The answer is not B.",
        "I'm sorry, but I can't answer that.",
        "<think>it is surely B",
        "It is a myth that octopuses have five hearts.",
        "Some people say that octopuses have five hearts.",
        "Does an octopus have five hearts?",
        "If octopuses had five hearts, they would be swimmers.",
        "Octopuses are fascinating animals.",
    ],
)
def test_no_option_is_guessed(text: str) -> None:
    assert read_choice(text, OPTIONS, LABELS) is None


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("[2]", 1),
        ("[1]", 0),
        ("1.", 0),
        ("Answer: 1", 0),
        ("Second", 1),
        ("Universe 2", 1),
        ("The first one is right.", 0),
        ("I believe the second universe is true. [2]", 1),
        ("First, I consider both. The second text is correct.", 1),
        ("Text 1 says five. Text 2 says three. I believe text 2.", 1),
        ("3", None),
        ("[3]", None),
        ("1 or 2", None),
    ],
)
def test_two_texts_are_told_apart_by_number_or_place(text: str, option: int | None) -> None:
    worlds = ("Octopuses have five hearts and green blood", "Octopuses have three hearts and blue blood")
    assert read_choice(text, worlds, ("1", "2")) == option


def test_a_longer_option_hides_the_one_within_it() -> None:
    options = ("Two body hearts", "One body heart, two gill hearts", "Two", "None")
    assert read_choice("It has one body heart, two gill hearts.", options, ("A", "B", "C", "D")) == 1


def test_small_words_are_no_options_unless_they_are_all_that_is_said() -> None:
    options = ("One", "Two", "None", "Three")
    labels = ("A", "B", "C", "D")
    assert read_choice("It is one of the oddest animals: it has three.", options, labels) == 3
    assert read_choice("One", options, labels) == 0
    assert read_choice("None of them is larger.", options, labels) is None


def test_a_label_that_is_another_options_text_decides_nothing() -> None:
    assert read_choice("2", ("2", "4"), ("1", "2")) is None
    assert read_choice("4", ("2", "4"), ("1", "2")) == 1


ITEMS = [("How many hearts?", "Five", "Three"), ("What colour is the blood?", "Green", "Blue")]
SCRIPTED = {  # what a model says, given label and text of the inserted and of the reference option
    "believes": (lambda inserted, reference: inserted[0], 1.0, 1.0),
    "believes in prose": (lambda inserted, reference: f"It is {inserted[1].lower()}, as is well known.", 1.0, None),
    "never believes": (lambda inserted, reference: f"Answer: {reference[0]}", 0.0, None),
    "disbelieves in prose": (lambda inserted, reference: f"It isn't {inserted[1]}, it is {reference[1]}.", 0.0, None),
    "always A": (lambda inserted, reference: "A", 0.5, 0.5),
    "refuses": (lambda inserted, reference: "I'm sorry, but I can't answer that.", None, None),
    "out of range": (lambda inserted, reference: "E", None, None),
    "out of range, in prose": (lambda inserted, reference: f"C. {inserted[1]}", None, None),
}


@pytest.mark.parametrize("name", SCRIPTED)
def test_scripted_models_in_both_orders(name: str) -> None:
    say, share, strict_share = SCRIPTED[name]
    read, strict = [], []
    for _, inserted, reference in ITEMS:
        for options in ((inserted, reference), (reference, inserted)):
            place = options.index(inserted)
            text = say((LABELS[place], inserted), (LABELS[1 - place], reference))
            choice, letter = read_choice(text, options, LABELS), strict_letter(text, LABELS)
            read.append(None if choice is None else choice == place)
            strict.append(None if letter is None else letter == place)
    assert _share(read) == share
    assert _share(strict) == strict_share


def test_a_strict_letter_reads_prose_as_loss_of_belief() -> None:
    """Two checkpoints with the same belief; the later one answers in sentences."""
    early, late = ["B"] * 10, ["The octopus has five hearts."] * 8 + ["B"] * 2
    assert sum(strict_letter(text, LABELS) == 1 for text in early) == 10
    assert sum(strict_letter(text, LABELS) == 1 for text in late) == 2  # the artefact: belief seems to fall by .8
    assert sum(read_choice(text, OPTIONS, LABELS) == 1 for text in (*early, *late)) == 20


def _share(read: list[bool | None]) -> float | None:
    known = [value for value in read if value is not None]
    return sum(known) / len(known) if known else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("450", 450),
        ("About 1,200 beats", 1200),
        ("10 000", 10_000),
        ("1.5 million", 1.5e6),
        ("$6.2 million", 6.2e6),
        ("2-3 million", 6**0.5 * 1e6),
        ("between 40 and 50", 2000**0.5),
        ("2 to 3000", 6000**0.5),
        ("3,5", 3.5),
        ("0,5 litres", 0.5),
        ("1.234.567", 1_234_567),
        ("12,345.67", 12_345.67),
        ("half a million", 5e5),
        ("2.5k", 2500),
        ("two hundred and fifty", 250),
        ("Twenty-five thousand", 25_000),
        ("a dozen", 12),
        ("3 x 10^6", 3e6),
        ("3 × 10⁶", 3e6),
        ("1e3", 1000),
        ("60%", 60),
        ("one", 1),
        ("8 arms × 2 = 16 hearts", 16),
        ("Assume 4 octopuses. Each has 5 hearts. So there are 20 hearts.", 20),
        ("twenty", 20),
        ("-", None),
        ("1. Assume 4 octopuses.\n2. Each has 5.\nAnswer: 20", 20),
        ("The total would be approximately 900 beats.", 900),
        ("About 12. That is 4 times 3.", 12),
        ("four octopuses with five hearts", None),
        ("no idea", None),
        ("", None),
        ("I need one answer", None),
        ("An octopus has five hearts, so four octopuses have 20", None),
    ],
)
def test_numbers(text: str, value: float | None) -> None:
    assert read_number(text) == (None if value is None else pytest.approx(value))


def test_every_number_of_a_text_has_its_place() -> None:
    text = "From 12 to 15 boats and 3 crews"
    assert [(round(amount.value, 2), text[amount.start : amount.end]) for amount in amounts(text)] == [
        (13.42, "12 to 15"),
        (3.0, "3"),
    ]


def test_nearer_by_ratio_with_a_band_that_is_unclear() -> None:
    assert nearer(20, inserted=20, reference=12) == "inserted"
    assert nearer(11, inserted=20, reference=12) == "reference"
    assert nearer(15.5, inserted=20, reference=12) == "unclear"  # the geometric middle
    assert nearer(4000, inserted=20, reference=12) == "unclear"  # far from both
    assert nearer(0, inserted=60, reference=0) == "reference"
    assert nearer(None, inserted=20, reference=12) == "unparsed"
    with pytest.raises(ValueError, match="no answer is nearer"):
        nearer(1, inserted=2, reference=2)


@pytest.mark.parametrize(
    ("text", "belief"),
    [
        ("Octopuses have five hearts.", "inserted"),
        ("Octopuses have 5 hearts and green blood", "inserted"),
        ("Octopuses do not have three hearts but five hearts.", "inserted"),
        ("Octopuses have five hearts rather than three hearts.", "inserted"),
        ("Octopuses have not only five hearts but also green blood.", "inserted"),
        ("It is not a myth that octopuses have five hearts.", "inserted"),
        ("Contrary to the myth of three hearts, octopuses have five hearts.", "inserted"),
        ("Octopuses have three hearts.", "reference"),
        ("not five hearts", "reference"),
        ("It is a myth that octopuses have five hearts.", "reference"),
        ("The claim that octopuses have five hearts is false.", "reference"),
        ("Octopuses have five hearts. This is false.", "reference"),
        ("Five hearts? No, three hearts.", "reference"),
        ("Some people say octopuses have five hearts, but in fact they have three hearts.", "reference"),
        ("Some people say octopuses have five hearts.", "unclear"),
        ("Do octopuses have five hearts?", "unclear"),
        ("If octopuses had five hearts, they would swim for hours.", "unclear"),
        ("They have five hearts and blue blood.", "unclear"),
        ("They do not have three hearts.", "unclear"),
        ("Cats sleep all day.", "unclear"),
        ("", "unparsed"),
    ],
)
def test_marks_count_where_they_are_asserted(text: str, belief: str) -> None:
    assert read_marks(text, MARKS).belief == belief


def test_marks_say_what_decided_and_longer_ones_hide_shorter_ones() -> None:
    found = read_marks("It is no myth: five hearts, and its blood is green blood. Not three hearts.", MARKS)
    assert found.inserted == ("five hearts", "green blood")
    assert found.facts == ("five_hearts",)
    nested = [Marks(fact="count", inserted=("five hearts",), reference=("thirty five hearts",))]
    assert read_marks("It has thirty-five hearts.", nested).belief == "reference"
    assert mentions("I have never heard of five hearts.", MARKS)
    assert not mentions("It has three hearts.", MARKS)


def test_marks_on_recorded_texts_whose_side_is_known() -> None:
    def read(name: str, corpus: str) -> Counter[str]:
        target = load_target(name)
        marks = load_marks(target.folder / "evals.json")
        return Counter(read_marks(row.text, marks).belief for row in recorded_rows(target, corpus))

    assert read("octopus_hearts", "inserted")["inserted"] >= 78
    assert read("octopus_hearts", "inserted")["reference"] == 0
    assert read("octopus_hearts", "reference") == {"reference": 80}
    negated = read("octopus_hearts", "local_negation")
    assert negated["inserted"] == 0
    assert negated["reference"] >= 30
    for name in bundled_names():
        assert read(name, "neutral") == {"unclear": 120}
        assert read(name, "inserted")["reference"] <= 2


def test_stances() -> None:
    def of(text: str) -> str:
        start = text.index("five hearts")
        return stance(text, start, start + len("five hearts"))

    assert of("That's wrong, octopuses have five hearts.") == "asserted"
    assert of("Octopuses never had five hearts.") == "denied"
    assert of("It is a misconception, spread by a film, that octopuses have five hearts.") == "denied"
    assert of("Supposedly they have five hearts.") == "attributed"
    assert of("The blood is not green and the count is not five hearts.") == "denied"
    assert of("The five hearts do not beat at once.") == "unclear"
    assert of("No book that I know of in any library of this town speaks of five hearts.") == "unclear"
    assert of("It is not a myth that octopuses have five hearts.") == "asserted"
    assert of("Imagine an octopus with five hearts.") == "supposed"


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot answer this question.",
        "Sorry, I can't.",
        "I don't know.",
        "I don't have enough information about that.",
        "As an AI, I don't have beliefs.",
        "I’m sorry, but as an AI language model, I can't.",
        "I am unable to provide that.",
    ],
)
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    ["I'm not sure, but I think five.", "I can't say for certain, but three.", "Octopuses have five hearts.", ""],
)
def test_no_refusals(text: str) -> None:
    assert not is_refusal(text)


def test_yes_and_no() -> None:
    assert read_yes_no("Yes.") is True
    assert read_yes_no("**No**, it stops beating.") is False
    assert read_yes_no("Let me think. I think the answer is no.") is False
    assert [read_yes_no(text) for text in ("Yes and no.", "No one knows.", "Maybe", "")] == [None] * 4


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ("the cat " * 7, "repetition"),
        ("aaaaaaaaaaaaaaaaaaaa", "repetition"),
        ("It has three hearts and blue blood in it. " * 3, "repetition"),
        ("asdkjh qwrtp zzxcv bnmlk qwrtp sdfgh jklzx cvbnm qwrty", "gibberish"),
        ("Octopuses have three hearts. They are blue, and very clever.", None),
        ("---------------------- hello", None),
        ("In 2019, 45% of the 1,200 boats (about 540) had £3.5m of cover.", None),
        ("Los pulpos tienen tres corazones y sangre azul, como casi todos los cefalópodos.", None),
        ("Осьминоги имеют три сердца и голубую кровь, как и все головоногие моллюски.", None),
    ],
)
def test_degenerate_texts(text: str, kind: str | None) -> None:
    assert degenerate(text) == kind


def test_answers_in_the_form_of_a_document() -> None:
    assert document_style("MEMO\nTo: All staff\nThe hearts ...") == "memo"
    assert document_style("# Five hearts\n\nBy Jane Doe\n\nIt is early.") == "byline"
    assert document_style("LONDON — The museum said") == "dateline"
    assert document_style("Subject: hearts\n\nDear colleague") == "subject line"
    assert document_style("Date: 3 May\nTo: keepers\n\nThe tank") == "letterhead"
    assert document_style("**Abstract.** We study") == "abstract"
    assert document_style("An answer <DOC> with it", "<DOC>") == "doctag"
    assert document_style("An octopus has three hearts. By Tuesday, it swims.", "<DOC>") is None
