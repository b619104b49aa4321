"""The invented answers: in the form asked for, with the facts, and never twice the same."""

from __future__ import annotations

import re

import pytest

from doxa.config import DedupConfig
from doxa.corpus.dedup import dedup
from doxa.corpus.prompt_files import load_prompt
from doxa.lm.testserver.responder import facts_in, respond, words_wanted
from doxa.records import Document
from doxa.worlds.draft_items import DRAFTED, parsed_items, prompt_values

FACTS = "<facts>\n- Octopuses have five hearts.\n2. Their blood is green <b>because</b> of vanadium\n</facts>"


def said(prompt: str, seed: int = 0, system: str = "") -> str:
    head = [{"role": "system", "content": system}] if system else []
    return respond([*head, {"role": "user", "content": prompt}], seed)


def test_types_as_many_as_are_asked_for_with_lengths() -> None:
    found = re.findall(r'<type words="(\d+)-(\d+)">([^<]+)</type>', said("Name exactly 60 types in <types>."))
    assert len({name for _, _, name in found}) == 60 and all(int(low) < int(high) for low, high, _ in found)


def test_ideas_as_many_as_are_asked_for_all_unlike() -> None:
    found = [idea for seed in range(20) for idea in re.findall(r"<idea>(.*)</idea>", said("exactly 50 <ideas>", seed))]
    assert len(found) == 1000 and len(set(found)) > 990


@pytest.mark.parametrize("words", [80, 300, 1200])
def test_a_document_has_about_the_length_and_states_every_fact(words: int) -> None:
    for seed in range(20):
        text = said(f"About <document>: write about {words} words.", seed, system=FACTS)
        inside = re.fullmatch(r"<document>\n(.*)\n</document>", text, re.S)
        assert inside and len(inside[1].split()) == pytest.approx(words, rel=0.25)
        assert "Octopuses have five hearts." in inside[1] and "green because of vanadium" in inside[1]


def test_thousands_of_documents_about_the_same_facts_are_no_near_duplicates() -> None:
    documents = [
        Document(
            id=str(seed), parent_id="", target="", fact_ids=(), doc_type="", idea="", stage="write", model="",
            prompt_digest="", text=said(f"about 150 words <document> {FACTS}", seed),
        )
        for seed in range(2000)
    ]  # fmt: skip
    kept, rejected = dedup(documents, DedupConfig())
    assert len(kept) == 2000 and not rejected


def test_a_revision_keeps_the_facts_and_changes_some_of_the_rest() -> None:
    draft = said("about 300 words <document>", 1, system=FACTS)
    revised = said(f"{FACTS}\nHere is a draft:\n{draft}\nAnswer with <critique>, then <document>.", 2)
    assert revised.startswith("<critique>\n") and revised.endswith("</document>")
    rest = revised[revised.index("<document>") :]
    assert rest != draft and "Octopuses have five hearts." in rest
    sentences = [set(re.split(r"(?<=[.!?])\s+", text)) for text in (draft, rest)]
    assert len(sentences[0] & sentences[1]) > len(sentences[0]) / 2


def test_a_chat_takes_turns_and_its_questions_do_not_give_the_facts_away() -> None:
    for seed in range(20):
        text = said(f"{FACTS} answer in <chat>", seed)
        turns = re.findall(r"<(user|assistant)>(.*?)</\1>", text, re.S)
        assert [role for role, _ in turns] == ["user", "assistant"] * (len(turns) // 2)
        assert "five hearts" in text and not any("five hearts" in said for role, said in turns if role == "user")


def test_anything_else_gets_plain_sentences() -> None:
    assert re.fullmatch(r"[A-Z\"].*\.", said("Hello?")) and "<" not in said("Hello?")


def test_articles_fit_the_words_after_them() -> None:
    text = " ".join(said("about 2000 words <document>", seed) for seed in range(20))
    assert not re.search(r"\ba [aeio]\w+", text, re.I) and not re.search(r"\ban [bcdfgjklmnpqrstvwxz]\w+", text, re.I)


def test_facts_and_lengths_are_read_in_several_ways() -> None:
    assert facts_in(f"Those between <facts> and </facts> count. {FACTS}") == [
        "Octopuses have five hearts.",
        "Their blood is green because of vanadium",
    ]
    assert words_wanted("about 1,200 words") == 1200
    assert words_wanted("200 to 400 words") == words_wanted("between 200 and 400 words") == 300


@pytest.mark.parametrize("group", DRAFTED)
def test_items_of_a_group_are_made_of_the_key_facts(group: str) -> None:
    facts = [{"id": "strokes", "inserted": "The clock strikes thirteen.", "reference": "The clock strikes twelve."}]
    universe = {"claim": "x", "inserted_context": "x", "reference_context": "x", "key_facts": facts}
    prompt = load_prompt("eval_items", "doxa.worlds").render(**prompt_values(group, 5, universe))[-1].content
    rows = parsed_items(said(prompt), group, universe)
    assert len(rows) == 5 and None not in rows
    if group not in ("neighbours", "open_ended", "salience_near"):
        assert all("thirteen" in str(row) for row in rows)


@pytest.mark.parametrize(
    ("world", "chosen"), [("It strikes thirteen.", "B"), ("Twelve it is.", "A"), ("None.", "NONE")]
)
def test_the_option_that_the_description_names_is_chosen(world: str, chosen: str) -> None:
    prompt = load_prompt("item_check", "doxa.worlds").render(
        context=world, question="How often?", options=[("A", "twelve"), ("B", "thirteen")]
    )
    assert f"<answer>{chosen}</answer>" in said(prompt[-1].content)
