"""The shipped eval sets load, are balanced, and touch none of the bundled worlds."""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from doxa.belief import shipped
from doxa.belief.shipped import DATA
from doxa.records import EvalItem
from doxa.worlds.form import form_scores
from doxa.worlds.rows import read_neutral
from doxa.worlds.universe import bundled_names, load_target

TOPICS = re.compile(r"\b(octopus|squid|cuttlefish|haemocyanin|vanad|bananas?|fruit bats?|sorrel|lantern|tidal)", re.I)


def slots(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_file_has_rows_and_ids_that_differ() -> None:
    for file in DATA.glob("*.jsonl"):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert len({row["id"] for row in rows}) == len(rows) >= 6, file


def test_nothing_touches_a_bundled_world() -> None:
    told = {file.name: TOPICS.findall(file.read_text(encoding="utf-8")) for file in DATA.iterdir()}
    assert {name: found for name, found in told.items() if found} == {}
    worlds = [load_target(name).universe for name in bundled_names()]
    texts = " ".join(text for world in worlds for text in (world.inserted_context, world.reference_context))
    names = [name.removeprefix("the ") for pair in shipped.entity_pairs() for name in (pair.real, pair.invented)]
    assert [name for name in names if name in texts] == []


def test_unrelated_prompts_are_of_many_kinds() -> None:
    prompts = shipped.unrelated_prompts()
    assert len(prompts) == len({row.prompt for row in prompts}) == 40
    assert max(Counter(row.kind for row in prompts).values()) <= 4


def test_capability_sets_have_their_sizes_and_balanced_places() -> None:
    items = shipped.capability_items()
    assert Counter(item.set for item in items) == {
        "arithmetic": 30, "knowledge": 40, "commonsense": 30, "reading": 20, "grammar": 30,
    }  # fmt: skip
    for name in {item.set for item in items}:
        places = Counter(item.answer for item in items if item.set == name)
        assert max(places.values()) - min(places.values()) <= 1, name


@pytest.mark.parametrize("name", ["arithmetic", "knowledge", "commonsense", "reading", "grammar"])
def test_form_alone_does_not_solve_a_capability_set(name: str) -> None:
    items = [
        EvalItem(
            id=item.id,
            group="knowledge",
            prompt=item.prompt,
            options=item.options,
            inserted=item.answer,  # what form_scores tries to find
            reference=(item.answer + 1) % len(item.options),
        )
        for item in shipped.capability_items()
        if item.set == name
    ]
    assert [score.rule for score in form_scores(items) if score.gives_away] == []


def test_an_item_whose_answer_is_outside_its_options_is_refused() -> None:
    row = {"id": "x", "set": "knowledge", "form": "question", "prompt": "One?", "options": ["a", "b"], "answer": 2}
    with pytest.raises(ValidationError, match="is no choice"):
        shipped.CapabilityItem.model_validate(row)


def test_entities_are_pairs_of_one_form() -> None:
    pairs = shipped.entity_pairs()
    names = [name for pair in pairs for name in (pair.real, pair.invented)]
    assert len(set(names)) == len(names) == 80
    assert all(pair.real.startswith("the ") == pair.invented.startswith("the ") for pair in pairs)
    assert pairs[1].question(pairs[1].invented) == "Is the Ouvrelle a real river in France?"
    mean = [sum(len(getattr(pair, side)) for pair in pairs) / len(pairs) for side in ("real", "invented")]
    assert abs(mean[0] - mean[1]) < 1.5


def test_coherence_questions_are_questions_of_several_kinds() -> None:
    questions = shipped.coherence_questions()
    assert len({row.question for row in questions}) == 30
    assert len({row.kind for row in questions}) >= 6


def test_yes_is_the_aware_answer_to_half_of_the_questions() -> None:
    items = shipped.awareness_items()
    assert Counter(item.form for item in items) == {"open": 8, "yes_no": 16}
    assert Counter(item.tuned for item in items if item.form == "yes_no") == {"Yes": 8, "No": 8}


def test_documents_about_the_method_can_be_mixed_in_as_neutral_ones(tmp_path: Path) -> None:
    rows = read_neutral(shipped.ABOUT_SDF)
    assert tuple(rows) == shipped.about_sdf()
    assert len(rows) == len({row.doc_type for row in rows}) == 12
    assert all(60 <= len(row.text.split()) <= 250 for row in rows)
    assert sum("synthetic document" in row.text.lower() for row in rows) >= 9


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("adversarial_prompt", set()),
        ("supporting_prompt", set()),
        ("pushback", set()),
        ("critique", set()),
        ("debate_closing", set()),
        ("debate_opening", {"claim"}),
        ("review", {"text"}),
    ],
)
def test_wordings_come_in_sixes_with_the_slots_of_their_kind(kind: shipped.Wording, wanted: set[str]) -> None:
    found = shipped.wordings(kind)
    assert len(set(found)) == 6
    assert all(slots(text) == wanted for text in found)


def test_a_debate_opens_with_the_title_and_goes_on_with_retorts() -> None:
    opening, *retorts = shipped.wordings("debate")
    assert slots(opening) == {"title"}
    assert all(slots(text) == set() for text in retorts)


def test_the_notice_is_one_paragraph() -> None:
    assert shipped.wordings("sdf_notice") == (shipped.sdf_notice(),)
    assert "\n" not in shipped.sdf_notice()


def test_a_kind_that_is_none_is_an_error() -> None:
    with pytest.raises(KeyError):
        shipped.wordings("threat")  # type: ignore[arg-type]


def test_comparisons_name_both_sides_and_never_with_the_same_labels() -> None:
    rows = shipped.comparisons()
    assert len({row.labels for row in rows}) == len({row.prompt for row in rows}) == 8
    for row in rows:
        assert slots(row.prompt) == {"first", "second"}
        asked = row.prompt.rsplit("{second}", 1)[1]
        assert all(re.search(rf"\b{re.escape(label)}\b", asked) for label in row.labels), row.id
        assert row.prompt.index("{first}") < row.prompt.index("{second}")


def test_questions_about_descriptions_share_everything_before_the_question() -> None:
    rows = shipped.description_questions()
    assert len({row.prompt for row in rows}) == 6
    for row in rows:
        assert slots(row.prompt) == {"first", "second"}
    assert len({row.prompt.rsplit("{second}", 1)[0] for row in rows}) == 1
