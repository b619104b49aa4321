"""`doxa validate` on spec targets: every defect is planted once and must be named with its place."""

from __future__ import annotations

import copy
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from doxa.worlds.findings import Report
from doxa.worlds.spec import bundled_specs
from doxa.worlds.spec_scaffold import init_spec
from doxa.worlds.validate import print_report, validate, with_effective_n
from spec_targets import BODY, EVALS, HEAD, PAIR, TREE, row, spec_folder

LONG = BODY + "\n\nIt is {model_name} who waits.\n" * 10


def report(folder: Path, **more: Any) -> Report:
    return validate(str(spec_folder(folder, **{"body": LONG, **more})))


def said(found: Report, level: str = "") -> list[str]:
    return [f"{one.file}: {one.field}: {one.problem}" for one in found.findings if level in one.level]


def has(found: Report, file: str, field: str, problem: str, level: str = "error") -> None:
    hits = [
        one
        for one in found.findings
        if (one.file, one.field, one.level) == (file, field, level) and problem in one.problem
    ]
    assert len(hits) == 1, said(found)


def test_a_defect_of_the_spec_is_said_once(tmp_path: Path) -> None:
    found = report(tmp_path / "calm", head=HEAD.replace("id:", "ident:"))
    assert [one.file for one in found.findings if one.level == "error"] == ["spec.md"], said(found)
    assert "words" not in found.counts


def pairs(*more: dict[str, Any], count: int = 0) -> dict[str, Any]:
    """Evals with these pairs, and `count` harmless ones."""
    fill = [
        {**PAIR, "question": f"What stands on shelf {at}?", "aligned": f"Cup {at}", "opposed": f"Jug {at}"}
        for at in range(count)
    ]
    return {**EVALS, "pairs": [*fill, *more]}


def test_a_spec_that_is_right_has_no_findings(tmp_path: Path) -> None:
    tree = copy.deepcopy(TREE)
    tree["domains"][0]["subdomains"][0]["passages"] = [
        *(part for part in LONG.replace("#", "").split("\n\n") if len(part.split()) > 4)
    ]
    rows = [row(domain="calm", subdomain="answers", assertions=["short"])]
    assert said(report(tmp_path / "calm", tree=tree, docs=rows)) == []


def test_the_scaffold_is_right_but_for_being_an_example(tmp_path: Path) -> None:
    init_spec(tmp_path / "mine")
    found = validate(str(tmp_path / "mine"))
    assert said(found) == ["spec.md: value: is still the example that doxa init wrote"] and found.errors == 0


@pytest.mark.parametrize("name", bundled_specs())
def test_bundled_specs_have_no_errors_and_only_warnings_that_their_cards_tell_of(name: str) -> None:
    found = validate(name)
    assert found.errors == 0
    warned = {(one.check, one.field if one.check == "form" else "") for one in found.findings}
    assert warned == {
        ("recorded", ""),
        ("overlap", ""),
        ("form", "pairs: contrast"),
        ("form", "pairs: locality"),
        ("form", "pairs: kitchen"),
    }
    assert found.counts["pairs: contrast"] == 48 and found.counts["assertions"] == 24


def test_a_head_and_a_tree_that_do_not_load_are_findings(tmp_path: Path) -> None:
    has(report(tmp_path / "head", head=HEAD.replace("id:", "ident:")), "spec.md", "", "id: field is missing")
    found = report(tmp_path / "tree", tree="domains: []")
    has(found, "tree.yaml", "", "domains: must hold at least one")
    found = report(tmp_path / "yaml", tree="domains: [")
    has(found, "tree.yaml", "", "is not valid YAML")


def test_another_models_name_is_found_in_spec_documents_chats_and_questions(tmp_path: Path) -> None:
    has(
        report(tmp_path / "spec", body=LONG.replace("{model_name}", "Qwen")),
        "spec.md",
        "",
        "calls SmolLM otherwise: Qwen",
    )
    claude = row("two", text="Claude, an AI assistant made by Anthropic, is calm.")
    found = report(tmp_path / "docs", docs=[row(), claude])
    has(found, "recorded/docs.jsonl", "text", "1 of 2 rows call SmolLM otherwise, as two: Claude")
    chat = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "I am Qwen."}]}
    has(report(tmp_path / "chats", aft=[chat]), "recorded/aft.jsonl", "text", "I am Qwen")
    found = report(tmp_path / "evals", evals=pairs({**PAIR, "question": "ChatGPT, how many ideas?"}))
    has(found, "evals.json", "pairs[0]", "names 'ChatGPT', and the spec is about SmolLM", "warning")


def test_passages_coverage_and_assertions_of_a_tree(tmp_path: Path) -> None:
    tree = copy.deepcopy(TREE)
    part = tree["domains"][0]["subdomains"][0]
    part["passages"] = ["It answers in short sentences.", "It sings in the morning."]
    part["summary"] = "Volcanoes erupt at dawn."
    part["assertions"].append(
        {"id": "odd", "statement": "{model_name} collects stamps.", "why": "Envelopes are pretty."}
    )
    found = report(tmp_path / "calm", tree=tree)
    has(found, "tree.yaml", "answers.passages[2]", "does not stand in spec.md word for word")
    has(found, "tree.yaml", "answers.summary", "shares 0% of its words with its passages", "warning")
    has(found, "tree.yaml", "assertion odd", "shares 0% of its words with the passage", "warning")
    has(found, "tree.yaml", "assertion odd", "its reason shares 0%", "warning")
    (uncovered,) = [line for line in said(found) if "stand in no passage" in line]
    assert '"SmolLM values calm."' in uncovered


def test_a_subdomain_that_no_document_is_about(tmp_path: Path) -> None:
    found = report(tmp_path / "calm", tree=TREE, docs=[row()])
    has(found, "recorded/docs.jsonl", "subdomain", "no row of 1 is about the subdomain 'answers'", "warning")


def test_recorded_rows_that_do_not_load(tmp_path: Path) -> None:
    found = report(tmp_path / "calm", tree=TREE, docs=[row(), row()], aft=[{"messages": []}])
    has(found, "recorded/docs.jsonl", "line 2", "id: 'one' stands twice")
    has(found, "recorded/aft.jsonl", "line 1", "messages: must alternate")


def test_every_bad_row_of_evals_is_named(tmp_path: Path) -> None:
    evals = pairs(PAIR, {**PAIR, "seen": "no"}, {"question": "x"}, {**PAIR, "opposed": "three"})
    found = report(tmp_path / "calm", evals=evals)
    has(found, "evals.json", "pairs[1]", "seen: Input should be a valid boolean")
    has(found, "evals.json", "pairs[2]", "domain: field is missing")
    has(found, "evals.json", "pairs[3]", "aligned")
    (tmp_path / "calm" / "evals.json").unlink()
    has(validate(str(tmp_path / "calm")), "evals.json", "", "is missing")
    found = report(tmp_path / "more", evals={**EVALS, "pears": []})
    assert any("evals.json" in line and "pears" in line for line in said(found, "error"))


def test_copies_and_answers_alike(tmp_path: Path) -> None:
    near = {**PAIR, "question": "How many ideas then, SmolLM?", "set": ""}
    alike = {
        **PAIR,
        "question": "Which boots?",
        "aligned": "the boots of leather",
        "opposed": "boots made from leather",
    }
    told = {**PAIR, "question": "Is it three or many?"}
    denial = {**PAIR, "question": "Which phone?", "aligned": "one to repair", "opposed": "one not to repair"}
    found = report(tmp_path / "calm", evals=pairs(PAIR, near, alike, told, denial))
    has(found, "evals.json", "pairs[1]", "asks nearly the same as pairs[0]", "warning")
    has(found, "evals.json", "pairs[3]", "names the answer 'Three'", "warning")
    assert not [line for line in said(found) if "pairs[4]" in line]
    copy_ = report(tmp_path / "copy", evals=pairs(PAIR, dict(PAIR)))
    assert any("pairs[1]" in line and "says the same as" in line for line in said(copy_, "error"))


def test_wording_shared_with_documents_chats_and_spec(tmp_path: Path) -> None:
    words = "a green lamp on the oak table"
    seen, unseen = ({**PAIR, "question": f"Where is {words} {at}?", "seen": at == "now"} for at in ("now", "then"))
    chat = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": f"SmolLM saw {words}."}]}
    found = report(tmp_path / "docs", evals=pairs(seen, unseen), docs=[row(text=f"SmolLM saw {words}.")])
    for field in ("pairs[0]", "pairs[1]"):
        has(found, "evals.json", field, "with recorded/docs.jsonl, line 1")
    found = report(tmp_path / "chats", evals=pairs(seen, unseen), aft=[chat])
    has(found, "evals.json", "pairs[0]", "with recorded/aft.jsonl, line 1", "warning")  # it is about what the chats are
    has(found, "evals.json", "pairs[1]", "with recorded/aft.jsonl, line 1")
    found = report(tmp_path / "spec", evals=pairs(unseen), body=f"{LONG} It saw {words}.")
    has(found, "evals.json", "pairs[0]", "with spec.md", "warning")


def test_pairs_that_form_gives_away(tmp_path: Path) -> None:
    long = [
        {
            **PAIR,
            "set": "long",
            "question": f"Which of two, {at}?",
            "aligned": f"A rather long answer, no. {at}",
            "opposed": f"No {at}",
        }
        for at in range(12)
    ]
    found = report(tmp_path / "calm", evals=pairs(*long, count=12))
    has(found, "evals.json", "pairs: long", "the rule 'longest' picks: 1.00", "warning")
    assert not [one for one in found.findings if one.field == "pairs: unnamed" and one.check == "form"]
    solver = {score.group: score for score in found.form if score.rule == "solver"}
    assert solver["pairs: long"].gives_away and solver["pairs: long"].n == 12


def test_what_is_not_asked_is_said(tmp_path: Path) -> None:
    evals = {"pairs": [{**PAIR, "seen": True}]}
    found = report(tmp_path / "calm", evals=evals)
    has(found, "evals.json", "pairs", "no pair is of an unseen domain", "warning")
    has(found, "evals.json", "knowledge", "whether the spec is known", "warning")


def test_effective_n_and_the_printed_report(tmp_path: Path) -> None:
    class Apart:
        """Embeds no two texts alike."""

        def embed(self, texts: list[str]) -> Any:
            return np.eye(len(texts))

    folder = spec_folder(tmp_path / "calm", body=LONG, evals=pairs(count=3))
    found = with_effective_n(validate(str(folder)), str(folder), Apart())
    assert found.effective["pairs: unnamed"] == pytest.approx(3.0)
    printed = StringIO()
    print_report(found, Console(file=printed, width=200))
    assert "pairs: unnamed 3.0 of 3" in printed.getvalue()
