"""Trees in mode rules, and rules made more detailed by a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doxa.errors import DoxaError, TargetError
from doxa.run.progress import Progress
from doxa.worlds.decompose import Decomposition, as_given, tree_of
from doxa.worlds.spec import SpecTarget, load_spec_target
from doxa.worlds.spec_augment import augment, write_augmented
from doxa.worlds.spec_grounding import shared
from doxa.worlds.spec_rules import rules_only
from doxa.worlds.spec_text import is_verbatim
from spec_targets import Invented, spec_folder

QUIET = Progress(quiet=True)


def augmented(target: SpecTarget, mode: str, models: Invented, folder: Path):
    return tree_of(target, Decomposition("scripted/one", mode), models, QUIET, folder)  # type: ignore[arg-type]


def test_a_tree_of_rules_has_no_reasons_values_or_beliefs() -> None:
    target = load_spec_target("pans_durability")
    assert target.tree is not None
    tree, cut = rules_only(target.tree, target.spec)
    told = [*tree.passages, *(one.summary for one in tree.subdomains), *(one.statement for one in tree.assertions)]
    assert [text for text in told if "because" in text or "follow from" in text] == []
    assert {one.kind for one in tree.assertions} == {"behaviour", "preference", "tone"}
    assert all(one.why == "" for one in tree.assertions)
    assert all(is_verbatim(passage, target.spec.text) for passage in tree.passages)
    assert "It dislikes throwaway foil trays" in tree.passages
    assert {one.id for one in tree.subdomains} == {one.id for one in target.tree.subdomains} - {
        "reasons",
        "kitchen_as_a_whole",
    }
    assert cut["values_and_beliefs_left_out"] == 6 and cut["subdomains_without_rules"] == 2
    assert (cut["passages_shortened"], cut["passages_with_reasons_dropped"]) == (
        9,
        0,
    )  # every line of the kitchen gives a reason


def test_rules_rest_on_the_part_of_a_passage_that_is_left(tmp_path: Path) -> None:
    tree = (
        "domains: [{id: d, name: D, subdomains: [{id: s, name: S, summary: It is brief., "
        "passages: ['It sleeps early. It works hard, because work is good. It answers in short sentences.'], "
        "assertions: [{id: a, statement: It answers in short sentences., kind: tone, passage: 1}, "
        "{id: b, statement: 'It works hard, because work is good.', kind: behaviour, passage: 1}]}]}]"
    )
    body = (
        "{model_name} is a model. It sleeps early. It works hard, because work is good. It answers in short sentences."
    )
    target = load_spec_target(str(spec_folder(tmp_path / "calm", body=body, tree=tree)))
    assert target.tree is not None
    made, cut = rules_only(target.tree, target.spec)
    assert made.passages == ("It sleeps early.", "It works hard", "It answers in short sentences.")
    assert [(one.statement, one.passage) for one in made.assertions] == [
        ("It answers in short sentences.", 3),
        ("It works hard.", 2),
    ]
    assert cut["reasons_cut"] == 1


def test_a_reason_is_cut_wherever_it_is_found_and_what_is_lost_is_told_apart(tmp_path: Path) -> None:
    passages = [
        "It prefers hand-drawn maps, since neighbours walked those lines.",
        "It prefers a range to a single figure, since a range tells more.",
        "Because of the reasons above.",
    ]
    body = "{model_name} is a model.\n" + "\n".join(passages)
    assertions = [
        {"id": f"a{at}", "statement": passage, "kind": "behaviour", "passage": at}
        for at, passage in enumerate(passages, start=1)
    ]
    maps = {"id": "s", "name": "S", "summary": "It likes maps.", "passages": passages, "assertions": assertions}
    tree = json.dumps({"domains": [{"id": "d", "name": "D", "subdomains": [maps]}]})
    target = load_spec_target(str(spec_folder(tmp_path / "calm", body=body, tree=tree)))
    assert target.tree is not None
    made, cut = rules_only(target.tree, target.spec)
    assert made.passages == ("It prefers hand-drawn maps", "It prefers a range to a single figure")
    assert [one.statement for one in made.assertions] == [f"{passage}." for passage in made.passages]
    assert {name: cut[name] for name in cut if cut[name]} == {
        "reasons_cut": 2,
        "rules_with_reasons_dropped": 1,
        "passages_shortened": 2,
        "passages_with_reasons_dropped": 1,
    }


def test_a_spec_of_values_alone_has_no_rules(tmp_path: Path) -> None:
    tree = (
        "domains: [{id: d, name: D, subdomains: [{id: s, name: S, summary: It values calm., "
        "passages: [It values calm.], assertions: [{id: a, statement: It values calm., kind: value}]}]}]"
    )
    target = load_spec_target(str(spec_folder(tmp_path / "calm", body="{model_name}: It values calm.", tree=tree)))
    with pytest.raises(TargetError, match="spec calm_desk: states no rules"):
        tree_of(target, Decomposition("none", "rules"), None, QUIET)


def test_rules_are_explained_by_values_that_are_marked(tmp_path: Path) -> None:
    target, models = load_spec_target("pans_locality"), Invented()
    done = augmented(target, "value_augmented", models, tmp_path)
    assert all(one.augmented and one.why.startswith("Behind this stands care") for one in done.tree.assertions)
    assert done.counts["explanations"] == len(done.tree.assertions)
    assert all(is_verbatim(passage, done.spec.text) for passage in done.tree.passages)
    assert done.spec.text.startswith(target.spec.text)
    assert "## What lies behind SmolLM's rules" in done.spec.text
    asked = models.asked[0].messages[-1].content
    assert 'id="asks_first"' in asked and "changes nothing of the rule" in asked


def test_rules_are_refined_and_reasons_in_finer_rules_are_cut(tmp_path: Path) -> None:
    def reasoned(prompt: str, sample: int, text: str) -> str:
        return text.replace(", also in a shop.", ", also in a shop, because shops are loud.")

    done = augmented(load_spec_target("pans_locality"), "rule_augmented", Invented(reasoned), tmp_path)
    finer = [one for one in done.tree.assertions if one.augmented]
    assert len(finer) == done.counts["finer_rules"] > 20
    assert not any("because" in one.statement for one in finer)
    assert any("in a shop" in one.statement for one in finer)
    for subdomain in done.tree.subdomains:
        for one in subdomain.assertions:
            assert one.passage is None or shared(one.statement, subdomain.passages[one.passage - 1], done.spec) > 0.4
    assert len({one.id for one in done.tree.assertions}) == len(done.tree.assertions)


def test_finer_rules_that_are_all_reasons_are_asked_for_again(tmp_path: Path) -> None:
    def reasons(prompt: str, sample: int, text: str) -> str:
        return text.replace("<content>", "<content>Because of care, ") if sample == 0 else text

    models = Invented(reasons)
    done = augmented(load_spec_target("pans_locality"), "rule_augmented", models, tmp_path)
    assert {request.sample for request in models.asked} == {0, 1}
    assert done.counts["finer_rules"] > 20
    never = Invented(lambda prompt, sample, text: text.replace("<content>", "<content>Because of care, "))
    with pytest.raises(DoxaError, match="give reasons, or repeat a rule"):
        augmented(load_spec_target("pans_locality"), "rule_augmented", never, tmp_path)


def test_an_addition_on_something_else_is_named(tmp_path: Path) -> None:
    def other(prompt: str, sample: int, text: str) -> str:
        rules = [part.split('"')[0] for part in prompt.split('<given id="')[1:]]
        return "".join(
            f"<addition><rule>{rule}</rule><content>Whales sing at dusk.</content></addition>" for rule in rules
        )

    target = load_spec_target("pans_locality")
    assert target.tree is not None
    given = as_given(target.spec, target.tree, rules=True)
    done = augment(given, "value_augmented", "scripted/one", Invented(other), QUIET, tmp_path)
    assert done.counts["additions_on_something_else"] == len(done.tree.assertions)
    assert "hardly a word of it: 'Whales sing at dusk.'" in done.warnings[0]


def test_an_augmented_target_loads_for_any_model_and_needs_nobody_again(tmp_path: Path) -> None:
    target = load_spec_target("pans_locality")
    done = augmented(target, "value_augmented", Invented(), tmp_path / "kept")
    write_augmented(tmp_path / "out", target.source.about, done)
    text = (tmp_path / "out" / "spec.md").read_text()
    assert "SmolLM" not in text.split("---")[2] and "{model_name}'s rules" in text
    loaded = load_spec_target(str(tmp_path / "out"))
    assert loaded.tree == done.tree and loaded.spec.text == done.spec.text
    other = load_spec_target(str(tmp_path / "out"), "Velmo", "Velm Labs")
    again = tree_of(other, Decomposition("none", "value_augmented"), None, QUIET)
    assert all("SmolLM" not in one.statement + one.why for one in again.tree.assertions)
    assert all(one.why for one in again.tree.assertions)
    with pytest.raises(TargetError, match="is there already"):
        write_augmented(tmp_path / "out", target.source.about, done)
