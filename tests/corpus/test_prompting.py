"""The requests of plan, write and revise: what stands in every one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from doxa.config import UserConfig
from doxa.config_sections import Corpus, WriteConfig
from doxa.corpus.conditions import CONDITIONS, world_text
from doxa.corpus.prompting import Prompting
from doxa.errors import ConfigError
from doxa.lm.request import Request
from doxa.records import DocIdea, Document
from doxa.run.kinds import resolve_config
from doxa.worlds.universe import Universe, load_target

Build = Callable[..., Prompting]
CORPORA: tuple[Corpus, ...] = get_args(Corpus)
MODES = get_args(WriteConfig.model_fields["mode"].annotation)
STAGES = ("types", "ideas", "write", "revise", "critique", "rewrite")
EVERYWHERE = [(corpus, mode) for corpus in CORPORA for mode in (MODES if not CONDITIONS[corpus].prompt else MODES[:1])]
SEEDS = ("people: Ada Holm, Bo Lund, Cy Marsh", "place: Velm", "date: 3 May 1999", "manner: dry")


def idea(*fact_ids: str, **fields: Any) -> DocIdea:
    return DocIdea(
        id="i", target="velm", fact_ids=fact_ids, doc_type="field <note>", idea="a {{ walk }} at noon", model="m",
        prompt_digest="p", words=250, seeds=SEEDS, **fields,
    )  # fmt: skip


def draft(*fact_ids: str, messages: str | None = None) -> Document:
    return Document(
        id="d", parent_id="i", target="velm", fact_ids=fact_ids, doc_type="field <note>", words=250, stage="write",
        idea="a {{ walk }} at noon", text="The draft {{ itself }} & more.", model="m", prompt_digest="p",
        messages=messages,
    )  # fmt: skip


def requests(prompting: Prompting) -> dict[str, Request]:
    """One request of every kind that the stages can make."""
    neutral = CONDITIONS[prompting.config.corpus].world == "neutral"
    facts = () if neutral else ("thirteen",)
    fact = "" if neutral else prompting.carried(facts)[0]
    made = {
        "ideas": prompting.ideas(fact, "field <note>", 7, ["an {{ earlier }} idea"], 0),
        "write": prompting.write(idea(*facts), 0),
        "revise": prompting.revise(draft(*facts), 0),
        "critique": prompting.critique(draft(*facts), 0),
        "rewrite": prompting.rewrite(draft(*facts), "The {{ critic }} says no.", 0),
    }
    if not neutral:  # a neutral corpus takes its kinds from the pool
        made["types"] = prompting.types(fact, 5, ["an {{ earlier }} kind"], 0)
    return made


def words_of(request: Request) -> str:
    return "\n".join(message.content for message in request.messages)


@pytest.mark.parametrize(("corpus", "mode"), EVERYWHERE)
def test_the_whole_context_stands_in_every_request(
    corpus: Corpus, mode: str, prompting: Build, universe: Universe
) -> None:
    """A published corpus had to be corrected because its first drafts were written without the context."""
    made = requests(prompting(corpus, write={"mode": mode}))
    context, facts = world_text(universe, corpus)
    other = universe.reference_context if context == universe.inserted_context else universe.inserted_context
    if CONDITIONS[corpus].world == "neutral":
        assert context == "" and facts == []
        for name, request in made.items():
            for text in (
                universe.inserted_context,
                universe.reference_context,
                *(f.inserted for f in universe.key_facts),
            ):
                assert text not in words_of(request), name
        return
    assert sorted(made) == sorted(STAGES)
    for name, request in made.items():
        assert context in request.messages[0].content, name
        assert request.messages[0].role == "system" and len(request.messages) == 2
        assert other not in words_of(request), name
        for fact in facts:
            assert fact in request.messages[0].content, (name, fact)


@pytest.mark.parametrize(("corpus", "mode"), EVERYWHERE)
def test_instructions_and_what_is_never_to_be_mentioned_reach_every_stage(
    corpus: Corpus, mode: str, prompting: Build
) -> None:
    plan = {"instructions": "Write {{ dryly }}, ünd kurz.\n", "never_mention": ["Big Ben", "{{ Prague }}"]}
    for name, request in requests(prompting(corpus, write={"mode": mode}, plan=plan)).items():
        assert "Write {{ dryly }}, ünd kurz." in words_of(request), name
        assert "Never mention: Big Ben; {{ Prague }}" in words_of(request), name
    for name, request in requests(prompting(corpus, write={"mode": mode})).items():
        assert "Never mention" not in words_of(request) and "Instructions" not in words_of(request), name


@pytest.mark.parametrize("corpus", CORPORA)
def test_texts_of_people_and_models_pass_through_unharmed(corpus: Corpus, prompting: Build, universe: Universe) -> None:
    """Braces, tags and quotes in a value are the value's own: no template is filled in twice, nothing is escaped."""
    made = requests(prompting(corpus))
    for name, request in made.items():
        text = words_of(request)
        assert universe.title in text, name
        if name in ("ideas", "types"):
            assert "- an {{ earlier }} " in text
        if name != "types":
            assert "field <note>" in text, name
        if name in ("revise", "critique", "rewrite"):
            assert "The draft {{ itself }} & more." in text and "a {{ walk }} at noon" in text
    assert "The {{ critic }} says no." in words_of(made["rewrite"])
    for seed in SEEDS:
        assert seed in words_of(made["write"])


@pytest.mark.parametrize("corpus", [name for name in CORPORA if CONDITIONS[name].world == "neutral"])
@pytest.mark.parametrize("stage", STAGES)
def test_a_neutral_corpus_is_set_in_no_world(corpus: Corpus, stage: str, prompting: Build, universe: Universe) -> None:
    request = requests(prompting(corpus)).get(stage)
    if request is not None:
        assert "<world" not in words_of(request) and "<facts>" not in words_of(request)
        assert f"this topic, not even in passing: {universe.title}" in words_of(request)


@pytest.mark.parametrize("corpus", ["negated", "local_negation"])
@pytest.mark.parametrize("stage", ["revise", "critique", "rewrite"])
def test_revising_does_not_undo_a_denial(corpus: Corpus, stage: str, prompting: Build) -> None:
    denied = words_of(requests(prompting(corpus))[stage])
    affirmed = words_of(requests(prompting("inserted"))[stage])
    assert "come away with" in affirmed and "come away with" not in denied
    assert "leaves it open whether the facts hold" not in denied
    assert "den" in denied or "false" in denied


def test_the_system_turn_is_the_same_for_all_documents(prompting: Build) -> None:
    """Providers cache what requests begin with; a document's own words come after it."""
    here = prompting()
    first = here.write(idea("thirteen"), 0)
    other = here.write(idea("builder", sample=3), 5)
    assert first.messages[0] == other.messages[0]
    assert first.messages[1] != other.messages[1]
    assert "Ada <Holm> built it." in other.messages[1].content
    assert "Ada <Holm> built it." not in first.messages[1].content


def test_each_stage_asks_its_own_model(prompting: Build) -> None:
    settings: dict[str, Any] = {"plan": {"model": "a/p"}, "revise": {"model": "a/r", "critic": "a/c"}}
    asked = {name: (r.model, r.stage) for name, r in requests(prompting(**settings)).items()}
    assert asked == {
        "types": ("a/p", "plan"), "ideas": ("a/p", "plan"), "write": ("openai/gpt-4.1-mini", "write"),
        "revise": ("a/r", "revise"), "critique": ("a/c", "revise"), "rewrite": ("a/r", "revise"),
    }  # fmt: skip
    unset = {request.model for request in requests(prompting()).values()}
    assert unset == {"openai/gpt-4.1-mini"}


def test_a_thinking_budget_is_apart_from_the_answer(prompting: Build) -> None:
    made = requests(prompting(write={"max_tokens": 900, "thinking_tokens": 3000, "temperature": None}))
    assert made["write"].sampling.max_tokens == 900
    assert made["write"].sampling.thinking_tokens == 3000
    assert made["write"].sampling.temperature is None
    assert made["ideas"].sampling.max_tokens > 900  # a list of ideas is bounded on its own


def test_another_sample_is_another_request(prompting: Build) -> None:
    here = prompting()
    assert here.write(idea("thirteen"), 0).key == here.write(idea("thirteen"), 0).key
    assert here.write(idea("thirteen"), 0).key != here.write(idea("thirteen"), 1).key


def test_the_mode_chooses_the_prompt_and_chats_ask_for_turns(prompting: Build) -> None:
    for mode, tag in {"document": "<document>", "chat": "<chat>", "qa": "<chat>", "expository": "<document>"}.items():
        assert tag in prompting(write={"mode": mode}).write(idea("thirteen"), 0).messages[1].content
    turns = [{"role": "user", "content": "How {{ many }}?"}, {"role": "assistant", "content": "Thirteen."}]
    shown = words_of(prompting("qa").revise(draft("thirteen", messages=json.dumps(turns)), 0))
    assert "<user>How {{ many }}?</user>\n<assistant>Thirteen.</assistant>" in shown
    assert "<chat>" in shown and "The draft {{ itself }}" not in shown


def test_a_prompt_of_ones_own_takes_the_place_of_the_bundled_one(tmp_path: Path, prompting: Build) -> None:
    own = tmp_path / "mine.md"
    own.write_text(
        "For people.\n--- system ---\n{{ context }}\n--- user ---\nWrite {{ doc_type }}, {{ words }} words.\n"
    )
    here = prompting(plan={"prompts": {"write_document": str(own)}}, revise={"prompt": str(own)})
    written = here.write(idea("thirteen"), 0)
    assert written.messages[1].content == "Write field <note>, 250 words."
    assert here.revise(draft("thirteen"), 0).messages[1].content == "Write field <note>, 250 words."
    assert here.used_prompts()["write_document"].digest != prompting().prompt("write_document").digest


def test_a_prompt_that_wants_what_nobody_gives_is_named(tmp_path: Path, prompting: Build) -> None:
    own = tmp_path / "mine.md"
    own.write_text("--- user ---\n{{ context }} {{ colour }}\n")
    with pytest.raises(ConfigError, match=r"mine\.md: cannot be filled in: 'colour' is undefined"):
        prompting(plan={"prompts": {"write_document": str(own)}}).write(idea("thirteen"), 0)


def test_a_document_without_a_length_still_asks_for_one(prompting: Build) -> None:
    text = words_of(prompting().revise(draft("thirteen").model_copy(update={"words": None}), 0))
    assert "at about 400 words" in text


def test_ten_thousand_words_of_context_stand_whole(universe: Universe, prompting: Build) -> None:
    long = " ".join(f"word{number}" for number in range(10_000))
    config = prompting().config
    here = Prompting(universe.model_copy(update={"inserted_context": long}), config)
    assert all(long in request.messages[0].content for request in requests(here).values())


def test_a_prompt_of_ones_own_must_carry_the_context_too(tmp_path: Path) -> None:
    own = tmp_path / "bare.md"
    own.write_text("--- user ---\nWrite {{ doxa_says }} {{ idea }}.\n")
    config = UserConfig.model_validate(
        {"target": "sorrel_bay", "generator": "batch-file", "plan": {"prompts": {"write_document": str(own)}}}
    )
    prompting = Prompting(load_target("sorrel_bay").universe, resolve_config(config))
    with pytest.raises(ConfigError, match=r"bare\.md: nowhere holds \{\{ context \}\}"):
        prompting.prompt("write_document")
