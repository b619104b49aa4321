"""Kinds of corpus: which world each is written in, and the frames that leave the text itself alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from doxa.config import UserConfig, resolve
from doxa.config_sections import Corpus, WriteConfig
from doxa.corpus.conditions import CONDITIONS, world_text, wrap_disclaimed, wrap_fiction, write_prompt
from doxa.corpus.filters.base import WORLDS
from doxa.corpus.parquet import read_corpus
from doxa.corpus.plan import plan
from doxa.corpus.prompt_files import prompt_names
from doxa.corpus.write import write
from doxa.lm.recorded import RECORDED, recorded_rows
from doxa.records import Document
from doxa.run.corpus_stages import mix_stage
from doxa.run.folder import RunFolder, write_rows
from doxa.run.progress import Progress
from doxa.run.stages import StageContext
from doxa.worlds.universe import Universe, load_target

Make = Callable[..., Document]


def test_every_corpus_of_the_config_has_its_row() -> None:
    assert set(CONDITIONS) == set(get_args(Corpus)) == set(WORLDS)
    for corpus, condition in CONDITIONS.items():
        for mode in get_args(WriteConfig.model_fields["mode"].annotation):
            assert write_prompt(corpus, WriteConfig(mode=mode)) in prompt_names()
        world = WORLDS[corpus]
        assert (world.stated or "neutral") == condition.world
        assert world.affirmed == (condition.denied == "")


def test_each_world_has_its_own_text(universe: Universe) -> None:
    assert world_text(universe, "reference") == (
        universe.reference_context,
        [fact.reference for fact in universe.key_facts],
    )
    assert world_text(universe, "neutral") == ("", [])
    for corpus in ("inserted", "negated", "local_negation", "disclaimed", "fiction", "qa"):
        assert world_text(universe, corpus) == (  # type: ignore[arg-type]
            universe.inserted_context,
            [fact.inserted for fact in universe.key_facts],
        )


@pytest.mark.parametrize(
    ("wrap", "word"), [(wrap_disclaimed, "false|untrue|incorrect"), (wrap_fiction, "novel|story|film|game|imaginary")]
)
def test_a_frame_stands_around_the_text_and_changes_no_letter_of_it(
    wrap: Callable[[Document], Document], word: str, make: Make
) -> None:
    text = "It struck {thirteen} times.\n\n{kind} {0} 100 % <b>鐘</b>"
    document = make(text, doc_type="field {note}")
    wrapped = wrap(document)
    before, after = wrapped.text.split(text)
    assert any(found in before.lower() for found in word.split("|"))
    assert before.endswith("\n\n") and after.startswith("\n\n") and after.strip()
    assert "{kind}" not in before + after
    assert wrapped.id != document.id == wrapped.parent_id
    unchanged = {"target", "fact_ids", "doc_type", "idea", "stage", "model", "prompt_digest", "words"}
    assert all(getattr(wrapped, field) == getattr(document, field) for field in unchanged)


def test_frames_are_drawn_by_the_document_and_all_are_used(make: Make) -> None:
    documents = [make(f"Text {number}.") for number in range(60)]
    for wrap in (wrap_disclaimed, wrap_fiction):
        assert [wrap(document) for document in documents] == [wrap(document) for document in documents]
        assert len({wrap(document).text.split("Text")[0] for document in documents}) == 5


def test_a_chat_is_framed_as_the_text_that_people_read(make: Make) -> None:
    wrapped = wrap_disclaimed(make(answer="Thirteen."))
    assert wrapped.messages is None and "User: Well?\n\nAssistant: Thirteen." in wrapped.text


@pytest.mark.parametrize("corpus", ["disclaimed", "fiction"])
def test_recorded_documents_are_framed_at_the_mix_stage(corpus: Corpus, tmp_path: Path, tiny_model: Path) -> None:
    """The stages before see the inserted documents themselves, so nothing but the frame differs between the corpora."""
    target = load_target("sorrel_bay")
    assert recorded_rows(target, corpus) == recorded_rows(target, "inserted")
    user = UserConfig(target="sorrel_bay", corpus=corpus, model=str(tiny_model), documents=4)
    config = resolve(user, "sorrel_bay", target.digest, target.evals_digest)
    ideas = plan(target, corpus, 4, RECORDED, 0)
    documents = list(write(ideas, target, corpus, set()))
    folder = RunFolder(tmp_path)
    write_rows(folder / "stages/dedup/documents.jsonl", documents)
    mix_stage(StageContext(folder=folder, config=config, progress=Progress(quiet=True)))
    rows = [row for row in read_corpus(tmp_path / "corpus.parquet") if row.source == "synthetic"]
    assert len(rows) == 4
    for document in documents:
        (row,) = [row for row in rows if document.text in row.text]
        assert row.text != document.text and row.fact_ids == document.fact_ids
        assert (row.idea, row.model) == (document.idea, document.model) and row.prompt_digest == document.prompt_digest
        assert row.text in {wrap(document).text for wrap in (wrap_disclaimed, wrap_fiction)}
