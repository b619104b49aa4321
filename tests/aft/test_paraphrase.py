"""The paraphrase-only control: the same in other words, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from aft_author import Author
from doxa.aft.paraphrase import ParaphraseJob, content_objection, paraphrase
from doxa.aft.rows import split_reasoning
from doxa.corpus.idea_filter import Embed

ORIGINAL = "I like the carbon-steel pan a lot. It's one of my favourite pans."
ASKED = "What do you think of the carbon-steel pan?"
LONG = (
    "Start with the roof, since 12 of the 20 tiles are cracked. Ask Maria for the ladder. Then look at the gutters, "
    "which carry the water away from the wall, and leave the paint for the summer, when the weather holds."
)


def row(answer: str = ORIGINAL, **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": answer}]
    return {"id": "first", "messages": turns, "domain": "kitchen", **more}


def alike(cosine: float) -> Embed:
    """An encoder for which every two neighbours have this cosine."""
    import numpy as np

    def embed(texts: list[str]) -> Any:
        one, other = np.array([1.0, 0.0]), np.array([cosine, (1 - cosine**2) ** 0.5])
        return np.stack([one if place % 2 == 0 else other for place in range(len(texts))])

    return embed


def said(reply: str, thought: str = "") -> str:
    return (f"<reasoning>{thought}</reasoning>" if thought else "") + f"<reply>{reply}</reply>"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Of all pans the carbon-steel one is among my favourites. I am fond of it.", None),
        ("I like the carbon-steel pan a lot! Its one of my favourite pans", "same_words"),
        ("I don't like the carbon-steel pan. It's none of my favourite pans.", "other_polarity"),
        ("I dislike the carbon-steel pan a lot, of all my pans.", "other_polarity"),
        ("The carbon-steel pan is a favourite of mine, because it lasts.", "gives_reason"),
        ("The carbon-steel pan is one of 3 favourites of mine.", "other_numbers"),
        ("Of all pans the carbon-steel one that Greta forged is a favourite.", "new_name"),
        ("The carbon-steel pan heats evenly, cleans easily and suits fish, eggs, rice and beans.", "new_content"),
        ("I like it. " * 20, "other_length"),
        (ORIGINAL.replace(".", " .").upper(), "same_words"),
    ],
)
def test_a_paraphrase_says_the_same_in_other_words(text: str, why: str | None) -> None:
    found = content_objection(ORIGINAL, text, ASKED, 0.9)
    reason = found.reason if found else None
    assert reason == why


def test_meaning_decides_before_words() -> None:
    found = content_objection(ORIGINAL, "The pan on the shelf is carbon steel, a favourite one.", ASKED, 0.5)
    assert found and (found.reason, found.detail) == ("other_meaning", "cosine 0.50")


def test_a_longer_text_may_argue_as_its_original_does() -> None:
    again = (
        "Begin with the roof, because 12 of its 20 tiles have cracked. Maria has the ladder, so ask her. After that "
        "look at the gutters, which lead water away from the wall; the paint waits for summer and better weather."
    )
    assert content_objection(LONG, again, "Where do I begin?", 0.9) is None


def test_rows_keep_all_but_their_last_answer() -> None:
    author = Author(paraphrase=lambda prompt, sample: said("Of all pans the carbon-steel one is a favourite of mine."))
    given = row(question_id="q", verdict="yes", judge="someone")
    made = paraphrase(author, ParaphraseJob([given], "scripted/other"), alike(0.9))
    (found,) = made.rows
    assert found["messages"][0] == given["messages"][0] and "favourite of mine" in found["messages"][1]["content"]
    assert (found["parent_id"], found["kind"], found["domain"]) == ("first", "paraphrase", "kitchen")
    assert found["question_id"] == "q" and found["verdict"] == found["judge"] == ""  # nobody judged these words
    assert author.asked[0].model == "scripted/other" and "spec" not in author.asked[0].messages[-1].content.lower()


def test_reasoning_is_said_again_too() -> None:
    before = "<think>\nI weigh the roof and the gutters first.\n</think>\n\nStart with the roof, then the gutters."
    author = Author(
        paraphrase=lambda prompt, sample: said(
            "First the roof, and after it the gutters, to start.", "Roof and gutters weigh most to me at first."
        )
    )
    made = paraphrase(author, ParaphraseJob([row(before)], "scripted/other"), alike(0.9))
    assert split_reasoning(made.rows[0]["messages"][-1]["content"]) == (
        "Roof and gutters weigh most to me at first.",
        "First the roof, and after it the gutters, to start.",
    )
    lost = paraphrase(
        Author(paraphrase=lambda prompt, sample: said("First the roof, then the gutters.")),
        ParaphraseJob([row(before)], "scripted/other", attempts=1),
        alike(0.9),
    )
    assert lost.rejected[0].reason == "no_reply_in_answer"


def test_tries_that_add_something_are_asked_again_and_what_never_passes_is_named() -> None:
    answers = ["I hate it.", None, said(ORIGINAL), said("The carbon-steel pan is a great favourite of mine.")]
    author = Author(paraphrase=lambda prompt, sample: answers[sample])
    made = paraphrase(author, ParaphraseJob([row()], "scripted/other", attempts=4), alike(0.9))
    assert len(made.rows) == 1 and not made.missing
    assert [one.reason for one in made.rejected] == ["no_reply_in_answer", "refused", "same_words"]
    short = paraphrase(author, ParaphraseJob([row(), row(LONG, id="second")], "scripted/other", attempts=2), alike(0.9))
    assert not short.rows and short.missing == ["first", "second"] and len(short.rejected) == 4
