"""`measure`: the whole report of planted corpora, beside neutral text of the same size."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from doxa.corpus.health import Health, measure, neutral_corpus, prose
from doxa.corpus.health_measures import Measure, Tools
from doxa.corpus.source import Corpus, open_corpus
from doxa.records import CorpusRow, digest
from doxa.report.health_table import health_markdown
from doxa.worlds.universe import load_target


class BagOfWords:
    """An encoder for tests: hashed counts of words."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), 384), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, int(digest(word), 16) % 384] += 1
        return vectors


TOOLS = Tools(encoder=BagOfWords())


@pytest.fixture(scope="module")
def octopus() -> Health:
    return measure(open_corpus("octopus_hearts"), neutral_corpus(), tools=TOOLS)


def of_texts(name: str, texts: list[str]) -> Corpus:
    rows = [CorpusRow(id=digest(i, text), source="synthetic", text=text, doctag=False) for i, text in enumerate(texts)]
    return Corpus(name, rows)


def row(health: Health, name: str) -> Measure:
    (found,) = [one for one in health.measures if one.name == name]
    return found


def value(health: Health, name: str) -> float:
    found = row(health, name).corpus
    assert found is not None
    return found.value


def test_every_number_has_n_and_stands_beside_neutral_text_with_intervals(octopus: Health) -> None:
    assert octopus.sampled == 76 and octopus.words > 100
    for one in octopus.measures:
        assert one.n > 0 and one.about and one.corpus is not None
        if one.name not in ("median words", "document types"):
            assert one.corpus.low is not None and one.corpus.high is not None
            assert one.corpus.low <= one.corpus.value <= one.corpus.high
        assert one.neutral is not None or one.name.startswith("detected by")
    names = {one.name for one in octopus.measures}
    assert {"distinct-1", "distinct-4", "self-BLEU", "compression (gzip)", "Vendi score", "pairwise cosine"} <= names
    assert {"type entropy", "em-dashes", "surprise words", "detected by words", "detected by meaning"} <= names


def test_a_corpus_on_one_claim_is_less_varied_than_neutral_text(octopus: Health) -> None:
    for name, direction in (("distinct-3", -1), ("self-BLEU", 1), ("pairwise cosine", 1), ("Vendi score", -1)):
        found = row(octopus, name)
        assert found.corpus is not None and found.neutral is not None
        assert direction * (found.corpus.value - found.neutral.value) > 0, name


def test_a_paraphrase_only_corpus_is_less_varied_than_real_documents(octopus: Health) -> None:
    """Every document says the universe's own sentences in another order, with some words exchanged."""
    universe = load_target("octopus_hearts").universe
    sentences = universe.inserted_context.replace("\n", " ").split(". ")
    swaps = {"animal": "creature", "usual": "common", "blood": "fluid", "keeps": "holds", "called": "named"}
    rng = random.Random(0)
    texts = []
    for _ in range(80):
        words = ". ".join(rng.sample(sentences, 16)).split()
        texts.append(" ".join(swaps[word] if word in swaps and rng.random() < 0.5 else word for word in words))
    found = measure(replace(of_texts("paraphrases", texts), universe=universe), neutral_corpus(), tools=TOOLS)
    assert value(found, "distinct-2") < 0.5 * value(octopus, "distinct-2")
    assert value(found, "self-BLEU") > 2 * value(octopus, "self-BLEU")
    assert value(found, "compression (bzip2)") > 1.5 * value(octopus, "compression (bzip2)")
    assert value(found, "Vendi score") < value(octopus, "Vendi score")
    assert value(found, "self-repetition") > 0.5 > value(octopus, "self-repetition")
    assert any("not every document has a type" in note for note in found.notes)


def test_a_collapsed_corpus_names_its_name() -> None:
    texts = [one.text for one in neutral_corpus().rows]
    collapsed = [
        f"{text}\nIt was Dr. Elena Vasquez who said so." if i % 5 < 3 else text for i, text in enumerate(texts)
    ]
    found = measure(of_texts("collapsed", collapsed), neutral_corpus())
    assert found.names[0].name == "Elena Vasquez" and found.names[0].over
    assert found.names[0].excess.corpus.share == pytest.approx(0.6)


def test_neutral_text_against_itself_is_equal_and_not_told_apart() -> None:
    rows = neutral_corpus().rows
    halves = Corpus("even", rows[::2]), Corpus("odd", rows[1::2])
    found = measure(*halves)
    detected = row(found, "detected by words").corpus
    assert detected is not None and detected.low is not None and detected.high is not None
    assert detected.low <= 0.5 <= detected.high
    for name in ("distinct-2", "self-BLEU", "compression (gzip)"):
        one = row(found, name)
        assert one.corpus is not None and one.neutral is not None
        assert one.corpus.value == pytest.approx(one.neutral.value, rel=0.2)
    assert not [one for one in found.names if one.over]


def test_length_alone_changes_nothing() -> None:
    """The same documents, whole on one side and at half their length on the other: all are cut alike."""
    rows = [one for one in neutral_corpus().rows if len(one.text.split()) >= 190]
    short = [one.model_copy(update={"text": " ".join(one.text.split()[:95])}) for one in rows]
    whole = [one.model_copy(update={"text": " ".join(one.text.split())}) for one in rows]
    found = measure(Corpus("whole", whole), Corpus("short", short))
    for name in ("distinct-1", "distinct-2", "compression (gzip)", "self-BLEU"):
        one = row(found, name)
        assert one.corpus is not None and one.neutral is not None
        assert one.corpus.value == pytest.approx(one.neutral.value, rel=0.05), name


def test_key_facts_are_mentioned_affirmed_and_backed_by_text(octopus: Health) -> None:
    facts = {one.fact: one for one in octopus.facts}
    assert set(facts) == {fact.id for fact in load_target("octopus_hearts").universe.key_facts}
    hearts = facts["five_hearts"]
    assert hearts.planned == 75
    assert hearts.mentioned.share >= hearts.affirmed.share > 0.8
    assert hearts.evidence > 1000 and octopus.evidence_unit == "words"
    assert all(one.neutral_affirmed.documents == 0 for one in octopus.facts)


def test_the_reference_corpus_affirms_the_other_side() -> None:
    found = measure(open_corpus("octopus_hearts", "reference"), neutral_corpus())
    hearts = next(one for one in found.facts if one.fact == "five_hearts")
    assert hearts.reference.share > 0.5 > hearts.affirmed.share


def test_chats_are_measured_without_the_names_of_their_roles() -> None:
    chats = open_corpus("octopus_hearts", "qa")
    assert chats.rows[0].text.startswith("User: ") and not prose(chats.rows[0]).startswith("User")
    found = measure(chats, neutral_corpus())
    assert found.words == 12 and found.left_out[0] < 30


def test_the_same_arguments_give_the_same_report(octopus: Health) -> None:
    again = measure(open_corpus("octopus_hearts"), neutral_corpus(), tools=TOOLS)
    assert again == octopus
    assert Health.model_validate_json(octopus.model_dump_json()) == octopus


def test_what_was_not_measured_is_said() -> None:
    found = measure(of_texts("plain", [one.text for one in neutral_corpus().rows]), neutral_corpus())
    assert [note.split(":")[0] for note in found.notes] == [
        "no embeddings",
        "perplexity was not measured (--perplexity)",
        "no target is known",
        "not every document has a type",
    ]
    assert not found.facts


def test_the_table_in_the_docs_is_what_the_code_measures(octopus: Health) -> None:
    """Its rows without embeddings and models, which other versions of those may move."""
    page = (Path(__file__).parents[2] / "docs/corpus-health.md").read_text()
    rows = [line for line in health_markdown(octopus).split("\n") if line.startswith("| ")]
    counted = ("median", "distinct", "self-", "compression", "document types", "type entropy", "em-dashes", "surprise")
    expected = [line for line in rows if line.startswith(tuple(f"| {name}" for name in counted))]
    assert len(expected) == 13
    assert [line for line in expected if line not in page] == []
