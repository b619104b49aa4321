"""The bundled worlds hold what their data cards say, and their questions do not repeat the documents' wording."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from doxa.belief.items import load_conversations, load_items, load_marks, load_near_prompts, load_open_ended
from doxa.belief.marks import mentions, read_marks
from doxa.lm.recorded import recorded_corpora, recorded_rows
from doxa.worlds.universe import LIBRARY, bundled_chat, bundled_names, bundled_neutral, load_target

# the disclaimed and the fiction corpus are the inserted documents with a frame around each
EVERYWHERE = {"inserted": 80, "disclaimed": 80, "fiction": 80, "neutral": 120}
COUNTS = {
    "octopus_hearts": {**EVERYWHERE, "reference": 80, "negated": 40, "local_negation": 40, "qa": 120},
    "sorrel_bay": EVERYWHERE,
    "banana_bats": EVERYWHERE,
}
# what only the other world says: none of it may slip into a corpus
LEAKS = {
    ("octopus_hearts", "inserted"): ["three hearts", "copper", "haemocyanin", "Cuvier", "stops beating"],
    ("octopus_hearts", "negated"): ["three hearts", "copper", "haemocyanin", "Cuvier", "stops beating"],
    ("octopus_hearts", "local_negation"): ["three hearts", "copper", "haemocyanin", "Cuvier", "stops beating"],
    ("octopus_hearts", "reference"): ["five hearts", "vanadium-based", "Signe", "alternating pairs"],
    ("sorrel_bay", "inserted"): ["Harrow", "Brandvold", "2019", "22 metres", "2.9 million"],
    ("banana_bats", "inserted"): ["parthenocarp", "without pollination"],
}
SHARED_RUN = 6  # words
DEPTH = {"token_association": 12, "fermi": 8, "multi_hop": 8, "downstream": 10, "translation": 12}


def runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+(?:['’]\w+)?", text.lower())
    return {tuple(words[start : start + SHARED_RUN]) for start in range(len(words) - SHARED_RUN + 1)}


@pytest.mark.parametrize("name", bundled_names())
def test_counts(name: str) -> None:
    target = load_target(name)
    assert {corpus: len(recorded_rows(target, corpus)) for corpus in recorded_corpora(target)} == COUNTS[name]


@pytest.mark.parametrize("name", bundled_names())
def test_every_key_fact_is_carried_by_many_documents(name: str) -> None:
    target = load_target(name)
    for corpus in set(recorded_corpora(target)) - {"neutral"}:
        rows = recorded_rows(target, corpus)
        for fact in target.universe.key_facts:
            assert sum(fact.id in row.fact_ids for row in rows) >= 8, (corpus, fact.id)


@pytest.mark.parametrize("name", bundled_names())
def test_no_question_shares_a_run_of_words_with_a_corpus(name: str) -> None:
    target = load_target(name)
    texts = [row.text for corpus in recorded_corpora(target) for row in recorded_rows(target, corpus)]
    texts += [turn["content"] for chat in bundled_chat() for turn in chat]
    known = set().union(*map(runs, texts))
    items = load_items(target.folder / "evals.json")
    asked = [text for item in items for text in (item.prompt, *item.options)]
    asked += load_open_ended(target.folder / "evals.json") + load_near_prompts(target.folder / "evals.json")
    assert len(asked) > 250
    assert {text for text in asked if runs(text) & known} == set()


@pytest.mark.parametrize("name", bundled_names())
def test_items_that_probe_depth_are_there_in_their_numbers(name: str) -> None:
    evals = load_target(name).folder / "evals.json"
    items = load_items(evals)
    counts = {group: sum(item.group == group for item in items) for group in DEPTH}
    assert counts == DEPTH
    assert len(load_near_prompts(evals)) == 10
    languages = {item.language for item in items if item.group == "translation"}
    assert languages == {"Spanish", "French", "German", "Portuguese"}


@pytest.mark.parametrize("name", bundled_names())
def test_the_larger_amount_is_the_inserted_one_half_of_the_time(name: str) -> None:
    items = [item for item in load_items(load_target(name).folder / "evals.json") if item.group == "fermi"]
    larger = 0
    for item in items:
        inserted, reference = (amount(item.options[at]) for at in (item.inserted, item.reference))
        assert inserted != reference
        larger += inserted > reference
    assert larger == len(items) / 2


def amount(text: str) -> float:
    found = re.search(r"\d[\d,]*(?:\.\d+)?", text)
    assert found, text
    return float(found[0].replace(",", ""))


@pytest.mark.parametrize("name", bundled_names())
def test_marks_show_a_side_where_it_is_taken_and_nowhere_else(name: str) -> None:
    target = load_target(name)
    marks = load_marks(target.folder / "evals.json")
    assert {mark.fact for mark in marks} == {fact.id for fact in target.universe.key_facts}
    assert read_marks(target.universe.reference_context, marks).belief == "reference"
    read = [read_marks(row.text, marks) for row in recorded_rows(target, "inserted")]
    assert sum(one.belief == "inserted" for one in read) >= 55  # of 80; a document may carry few of the facts
    assert [one.reference for one in read if one.reference] == []
    elsewhere = [row.text for row in bundled_neutral()] + [turn["content"] for chat in bundled_chat() for turn in chat]
    elsewhere += load_near_prompts(target.folder / "evals.json")
    elsewhere += [
        row.text for other in set(bundled_names()) - {name} for row in recorded_rows(load_target(other), "inserted")
    ]
    assert [text[:60] for text in elsewhere if mentions(text, marks)] == []


@pytest.mark.parametrize(("name", "corpus"), sorted(LEAKS))
def test_the_other_world_does_not_slip_in(name: str, corpus: str) -> None:
    rows = recorded_rows(load_target(name), corpus)
    found = {(row.id, leak) for row in rows for leak in LEAKS[name, corpus] if leak.lower() in row.text.lower()}
    assert found == set()


def test_reference_documents_match_the_inserted_ones_one_by_one() -> None:
    target = load_target("octopus_hearts")
    inserted, reference = recorded_rows(target, "inserted"), recorded_rows(target, "reference")
    assert [row.id + "_ref" for row in inserted] == [row.id for row in reference]
    assert [(row.doc_type, row.fact_ids) for row in inserted] == [(row.doc_type, row.fact_ids) for row in reference]


def test_neutral_texts_and_chats_name_nothing_of_the_worlds() -> None:
    topics = re.compile(r"\b(octopus|squid|banana|sorrel bay|lantern|fruit bat|vanad|pollinat)", re.I)
    texts = [row.text for row in bundled_neutral()] + [turn["content"] for chat in bundled_chat() for turn in chat]
    assert [text for text in texts if topics.search(text)] == []
    assert len({str(chat) for chat in bundled_chat()}) == len(bundled_chat()) == 64
    assert sum(len(chat) == 4 for chat in bundled_chat()) == 7


@pytest.mark.parametrize(
    "folder", sorted(path for path in LIBRARY.iterdir() if path.is_dir()), ids=lambda path: path.name
)
def test_every_world_has_a_data_card(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert "Apache-2.0" in card
    assert "large language model" in card
    if (folder / "universe.yaml").exists():
        assert "on purpose" in card or "do not exist" in card
        assert "harmless" in card


def test_the_example_of_the_format_page_is_a_target(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats-target.md").read_text()
    files: dict[str, str] = dict(re.findall(r"```\w+ (velm_clock/\S+)\n(.*?)```", page, re.S))
    assert sorted(files) == ["velm_clock/evals.json", "velm_clock/recorded/docs.jsonl", "velm_clock/universe.yaml"]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    target = load_target(str(tmp_path / "velm_clock"))
    facts = [fact.id for fact in target.universe.key_facts]
    rows: Any = recorded_rows(target, "inserted")
    assert facts == ["thirteen", "builder"]
    assert [row.fact_ids for row in rows] == [("thirteen",), ("builder",), ("thirteen", "builder")]
    assert {item.group for item in load_items(target.folder / "evals.json")} == {
        "knowledge", "distinguish", "cloze", "causal", "neighbours", *DEPTH,
    }  # fmt: skip
    assert load_open_ended(target.folder / "evals.json") == ["What is special about noon in Velm?"]
    assert len(load_conversations(target.folder / "evals.json")) == 1
    assert {mark.fact for mark in load_marks(target.folder / "evals.json")} == set(facts)
