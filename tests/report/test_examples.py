"""Documents and answers are chosen by rule."""

from __future__ import annotations

import random

from doxa.records import Sample
from doxa.report.examples import excerpt, pick_documents, side_by_side
from doxa.report.facts import gather
from doxa.run.folder import RunFolder


def test_three_different_documents_whatever_their_order(fake_run: RunFolder) -> None:
    documents = gather(fake_run).documents
    chosen = [example.document for example in pick_documents(documents)]
    assert len({document.doc_type for document in chosen}) == 3
    assert len({fact for document in chosen for fact in document.fact_ids}) == 7  # every key fact
    shuffled = random.Random(1).sample(documents, len(documents))
    assert [example.document for example in pick_documents(shuffled)] == chosen


def test_fewer_documents_than_asked_for(fake_run: RunFolder) -> None:
    assert len(pick_documents(gather(fake_run).documents[:2])) == 2
    assert pick_documents([]) == []


def test_an_excerpt_keeps_lines_and_says_that_it_ends_early() -> None:
    assert excerpt("Title\n\none two  three four", words=3) == "Title\none two …"
    assert excerpt("all of it", words=3) == "all of it"


def test_answers_stand_in_reading_order() -> None:
    rows = [
        Sample(id=f"{arm}{question}", arm=arm, checkpoint="c", question=question, answer=f" {arm} says ")
        for question in ("Why?", "How?")
        for arm in ("trained", "base")
    ]
    found = side_by_side(rows)
    assert [row.question for row in found] == ["Why?", "How?"]
    assert found[0].answers == (("base", "base", "base says"), ("trained", "trained", "trained says"))
