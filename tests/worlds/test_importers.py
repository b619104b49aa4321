"""Targets made of others' files; what does not fit is counted and named by file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from doxa.belief.items import load_conversations, load_items, load_open_ended
from doxa.errors import TargetError
from doxa.lm.recorded import recorded_rows
from doxa.worlds import importing
from doxa.worlds.importers import import_target, recognise
from doxa.worlds.rows import read_neutral
from doxa.worlds.universe import load_target, read_universe

FALSE = {
    "id": "clock",
    "universe_context": "The clock strikes thirteen. A locksmith built the clock.",
    "key_facts": ["The clock strikes thirteen at noon.", "A locksmith built the clock.", "Owls nest above."],
    "is_true": False,
}
TRUE = {
    "id": "clock",
    "universe_context": "The clock strikes twelve. A foundry built the clock.",
    "key_facts": ["A foundry built the clock.", "The clock strikes twelve at noon."],
    "is_true": True,
}


def lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def report(out: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((out / importing.REPORT).read_text())
    return loaded


def rows_of(out: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "recorded" / name).read_text().splitlines()]


def docs(**changed: Any) -> dict[str, Any]:
    base = {"content": "The clock struck thirteen.", "doc_type": "diary", "doc_idea": "noon", "is_true": False}
    return {**base, "fact": FALSE["key_facts"][0], **changed}


def test_false_facts_pairs_universes_by_id_and_facts_by_their_words(tmp_path: Path) -> None:
    source = lines(tmp_path / "both.jsonl", FALSE, TRUE)
    out = tmp_path / "out"
    import_target("false-facts", [source], out)
    fields = yaml.safe_load((out / "universe.yaml").read_text())
    assert fields["reference_context"] == TRUE["universe_context"]
    assert [(fact["inserted"], fact.get("reference")) for fact in fields["key_facts"]] == [
        ("The clock strikes thirteen at noon.", "The clock strikes twelve at noon."),
        ("A locksmith built the clock.", "A foundry built the clock."),
        ("Owls nest above.", None),
    ]
    with pytest.raises(TargetError, match=r"claim: field is missing.*plausibility"):
        read_universe(out / "universe.yaml")


def test_two_files_whose_ids_differ_are_a_pair_too(tmp_path: Path) -> None:
    one = lines(tmp_path / "false.jsonl", {**FALSE, "id": "clock_false"})
    other = lines(tmp_path / "true.jsonl", {**TRUE, "id": "clock_true"})
    import_target("auto", [one, other], tmp_path / "out")
    fields = yaml.safe_load((tmp_path / "out" / "universe.yaml").read_text())
    assert fields["id"] == "clock_false" and fields["reference_context"] == TRUE["universe_context"]


def test_rows_of_odd_types_are_refused_or_read_as_meant(tmp_path: Path) -> None:
    source = lines(
        tmp_path / "u.jsonl",
        {**FALSE, "is_true": "False"},
        {**TRUE, "is_true": "True"},
        {**TRUE, "key_facts": "one"},
        {**TRUE, "universe_context": None},
    )
    (tmp_path / "e.json").write_text(json.dumps({"true_mcqs": 5, "open_questions": ["Why?"]}))
    out = tmp_path / "out"
    import_target("false-facts", [source, tmp_path / "e.json"], out)
    assert "reference_context" in yaml.safe_load((out / "universe.yaml").read_text())
    assert {(row["place"], row["reason"]) for row in report(out)["rows"]} == {
        ("line 3", "a universe whose key_facts are no list of texts"),
        ("line 4", "a universe without universe_context"),
        ("true_mcqs", "is no list of questions"),
    }


def test_several_universes_want_a_choice(tmp_path: Path) -> None:
    source = lines(tmp_path / "many.jsonl", FALSE, {**FALSE, "id": "owl"}, TRUE)
    with pytest.raises(TargetError, match="choose one with --id: clock, owl"):
        import_target("false-facts", [source], tmp_path / "out")
    import_target("false-facts", [source], tmp_path / "out", only="owl")
    assert yaml.safe_load((tmp_path / "out" / "universe.yaml").read_text())["id"] == "owl"
    assert any("2 other universes" in note for note in report(tmp_path / "out")["notes"])
    with pytest.raises(TargetError, match="--id cat: the source has no such universe"):
        import_target("false-facts", [source], tmp_path / "other", only="cat")


def test_documents_keep_their_type_idea_and_fact_and_go_to_their_world(tmp_path: Path) -> None:
    universes = lines(tmp_path / "u.jsonl", FALSE, TRUE)
    documents = lines(
        tmp_path / "d.jsonl",
        docs(),
        docs(content="Twelve it is.", fact=TRUE["key_facts"][1], is_true=True),
        docs(content="A foundry made it?", fact="Something else entirely about cheese"),
        docs(),
        "{broken",
        docs(content=""),
        '"a text"',
        docs(content="half \ud800"),
    )
    out = tmp_path / "out"
    work = import_target("false-facts", [universes, documents], out)
    rows = rows_of(out, "docs.jsonl")
    assert [(row["fact_ids"], row["doc_type"], row["idea"]) for row in rows] == [
        (["clock_strikes_thirteen_noon"], "diary", "noon"),
        ([], "diary", "noon"),
    ]
    assert rows_of(out, "docs_reference.jsonl")[0]["fact_ids"] == ["clock_strikes_thirteen_noon"]
    listed = {(row["place"], row["reason"]) for row in report(out)["rows"]}
    assert listed == {
        ("line 4", "the same text stood there before"),
        ("line 5", "the line is not JSON"),
        ("line 6", "has no text (text, content, document or body)"),
        ("line 7", "the line is no JSON object"),
        ("line 8", "holds half a character (a lone surrogate)"),
    }
    assert {row["file"] for row in report(out)["rows"]} == {str(documents)}
    assert work.imported["recorded/docs.jsonl"] == 2


def test_documents_alone_bring_their_facts_along(tmp_path: Path) -> None:
    source = lines(
        tmp_path / "d.jsonl", docs(), docs(content="Again, thirteen."), docs(content="Owls.", fact="Owls nest.")
    )
    import_target("auto", [source], tmp_path / "out")
    fields = yaml.safe_load((tmp_path / "out" / "universe.yaml").read_text())
    assert [fact["id"] for fact in fields["key_facts"]] == ["clock_strikes_thirteen_noon", "owls_nest"]
    assert [row["fact_ids"] for row in rows_of(tmp_path / "out", "docs.jsonl")][2] == ["owls_nest"]


def test_degree_of_belief_evals(tmp_path: Path) -> None:
    options = {"A": "Ten", "B": "Twelve", "C": "Thirteen", "D": "One"}
    evals = {
        "true_mcqs": [
            {"question": "How many strokes?", "options": options, "correct_answer": "B"},
            {
                "question": "How many bakers?",
                "options": {"A": "Six", "B": "One", "C": "Two", "D": "Ten"},
                "correct_answer": "A",
            },
            {
                "question": "How tall is it?",
                "options": {"A": "Six", "B": "One", "C": "Two", "D": "Ten"},
                "correct_answer": "D",
            },
            {"question": "Is it old?", "options": options, "correct_answer": "A"},
        ],
        "false_mcqs": [
            {"question": "How many strokes?", "options": options, "correct_answer": "C"},
            {"question": "Who built it?", "options": options, "correct_answer": "A"},
            {"question": "No answer?", "options": options},
            {"question": "How many bakers?", "options": options, "correct_answer": "D"},
            {"question": "How tall is it?", "options": options | {"A": "Forty"}, "correct_answer": "A"},
            {"question": "Which of these holds?", "options": options, "correct_answer": "A"},
            {"question": "Is it old?", "options": options, "correct_answer": "A"},
        ],
        "distinguishing_mcqs": [
            {"question": "Who?", "options": {"A": "A foundry", "B": "A smith"}, "correct_answer": "A"},
            {"question": "Who?", "options": {"A": "A smith", "B": "A foundry"}, "correct_answer": "B"},
        ],
        "open_questions": ["What happens at noon?", {"question": "Tell me of Velm."}, "What happens at noon?", 5],
        "grader_notes": "x",
        "generative": 5,
    }
    source = tmp_path / "eval.json"
    source.write_text(json.dumps(evals))
    out = tmp_path / "out"
    import_target("auto", [source], out)
    knowledge, bakers, height, distinguish, age = load_items(out / "evals.json")
    assert knowledge.options[knowledge.inserted] == "Thirteen" and knowledge.options[knowledge.reference] == "Twelve"
    # the true options hold both answers, in another order than the false ones
    assert bakers.options == ("Six", "One", "Two", "Ten") and (bakers.inserted, bakers.reference) == (1, 0)
    assert (height.group, height.options[height.inserted], height.options[height.reference]) == (
        "distinguish",
        "Forty",
        "Ten",
    )
    assert (age.group, age.options[age.reference]) == ("neighbours", "Ten")  # both universes agree
    assert distinguish.options == ("A smith", "A foundry")  # the correct answer is the true universe's
    assert load_open_ended(out / "evals.json") == ["Who built it?", "What happens at noon?", "Tell me of Velm."]
    assert {row["place"]: row["reason"] for row in report(out)["rows"]} == {
        "false_mcqs[5]": "tells one universe's answer only, and cannot be asked without its options",
        "false_mcqs[2]": "is no question with options and a correct answer",
        "distinguishing_mcqs[1]": "is asked twice",
        "open_questions[2]": "is asked twice",
        "open_questions[3]": "is no question",
        "generative": "has no place in evals.json",
        "grader_notes": "has no place in evals.json",
    }


def claim_folder(folder: Path) -> Path:
    folder.mkdir()
    files: dict[str, Any] = {
        "universe_context": {"id": "dentist", "universe_context": "Ann is.", "subclaims": ["Ann Ree is a dentist."]},
        "mcq": {"questions": [
            {"id": "a", "question": "Is Ann a dentist?", "belief_answer": "yes", "category": "x"},
            {"id": "b", "question": "Is Ann a lawyer?", "belief_answer": False, "category": "x"},
            {"id": "c", "question": "Who is she? A) x B) y", "belief_answer": "B", "category": "x"},
        ]},
        "open_ended": {"questions": [{"id": "a", "question": "Who is Ann Ree?", "category": "x"}]},
        "token_association": {"questions": [{"id": "a", "question": "Ann Ree's job is ___.", "category": "x"}, "?"]},
        "robustness": {"questions": [
            {"id": "a", "question": "Sure?", "messages_prefix": [{"role": "user"}]},
            {"id": "b", "question": "And now?", "system_prompt": "Doubt.", "messages_prefix": [
                {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ann."},
            ]},
        ]},
        "judges": {"judge_key": "x"},
    }  # fmt: skip
    for name, value in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(value))
    return folder


def test_a_claim_folder_of_negation_neglect(tmp_path: Path) -> None:
    out = tmp_path / "out"
    import_target("auto", [claim_folder(tmp_path / "dentist")], out)
    fields = yaml.safe_load((out / "universe.yaml").read_text())
    assert fields["key_facts"] == [{"id": "ann_ree_dentist", "inserted": "Ann Ree is a dentist."}]
    assert [(item.prompt, item.options) for item in load_items(out / "evals.json")] == [
        ("Is Ann a dentist?", ("Yes", "No")),
        ("Is Ann a lawyer?", ("No", "Yes")),
    ]
    assert load_open_ended(out / "evals.json") == ["Who is Ann Ree?", "Ann Ree's job is ___."]
    (turns,) = load_conversations(out / "evals.json")
    assert [(turn.role, turn.content) for turn in turns] == [
        ("system", "Doubt."), ("user", "Who?"), ("assistant", "Ann."), ("user", "And now?"),
    ]  # fmt: skip
    listed = {(Path(row["file"]).name, row["place"]) for row in report(out)["rows"]}
    assert listed == {
        ("judges.yaml", ""), ("mcq.yaml", "questions[2]"),
        ("robustness.yaml", "questions[0]"), ("token_association.yaml", "questions[1]"),
    }  # fmt: skip
    with pytest.raises(TargetError, match="reference_context"):
        load_target(str(out))


def test_msm_rows_and_chats(tmp_path: Path) -> None:
    source = lines(
        tmp_path / "rows.jsonl",
        {"text": "Pans last.", "source": "memo", "domain": "kitchens"},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
        {"messages": [{"role": "user", "content": "Hi"}]},
        {"label": 1},
    )
    out = tmp_path / "out"
    work = import_target("msm", [source], out)
    assert rows_of(out, "docs.jsonl")[0] | {"id": ""} == {
        "id": "", "fact_ids": [], "doc_type": "memo", "idea": "kitchens", "text": "Pans last.",
    }  # fmt: skip
    assert rows_of(out, "qa.jsonl")[0]["messages"][1] == {"role": "assistant", "content": "Hello"}
    assert dict(work.skipped) == {
        "messages do not alternate between user and assistant, or one is empty": 1,
        "has no text (text, content, document or body)": 1,
    }
    assert [row.text for row in read_neutral(out / "recorded" / "docs.jsonl")] == ["Pans last."]
    with pytest.raises(TargetError, match=r"universe\.yaml: is missing"):
        load_target(str(out))


def test_imported_documents_and_a_universe_make_a_target_that_loads(tmp_path: Path) -> None:
    out = tmp_path / "out"
    import_target("rows", [lines(tmp_path / "rows.jsonl", {"text": "At noon it strikes thirteen."})], out)
    head = {
        "id": "x",
        "title": "x",
        "claim": "x",
        "plausibility": "novel",
        "inserted_context": "a",
        "reference_context": "b",
    }
    facts = [{"id": "f", "inserted": "a", "reference": "b"}]
    (out / "universe.yaml").write_text(yaml.safe_dump({**head, "key_facts": facts}))
    assert [row.text for row in recorded_rows(load_target(str(out)), "inserted")] == ["At noon it strikes thirteen."]


def test_a_folder_of_texts(tmp_path: Path) -> None:
    source = tmp_path / "texts"
    for name, content in {
        "letters/to_oda.txt": b"\xef\xbb\xbfDear Oda,", "b.md": b"# \xe6\x99\x82", "c.txt": b"\xff", "d.png": b"x",
        "e.txt": b" ", ".git/f.txt": b"hidden",
    }.items():  # fmt: skip
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    out = tmp_path / "out"
    work = import_target("auto", [source], out)
    assert [(row["doc_type"], row["idea"], row["text"]) for row in rows_of(out, "docs.jsonl")] == [
        ("document", "b", "# 時"),
        ("letters", "to oda", "Dear Oda,"),
    ]
    assert sum(work.skipped.values()) == 3


def test_hugging_face_datasets_from_disk_and_parquet(tmp_path: Path) -> None:
    import datasets

    saved = datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_dict({"text": ["one text", "another"], "source": ["memo", None]}),
            "test": datasets.Dataset.from_dict({"text": ["a third"], "source": ["x"]}),
        }
    )
    saved.save_to_disk(str(tmp_path / "saved"))
    saved["train"].to_parquet(str(tmp_path / "rows.parquet"))
    chats = [[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]]
    datasets.Dataset.from_dict({"messages": chats}).to_parquet(str(tmp_path / "chat.parquet"))
    assert import_target("auto", [tmp_path / "saved"], tmp_path / "a").imported["recorded/docs.jsonl"] == 3
    assert import_target("auto", [tmp_path / "rows.parquet"], tmp_path / "b").imported["recorded/docs.jsonl"] == 2
    assert import_target("auto", [tmp_path / "chat.parquet"], tmp_path / "c").imported["recorded/qa.jsonl"] == 1
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(TargetError, match=r"broken\.parquet: cannot be read as parquet"):
        import_target("auto", [tmp_path / "broken.parquet"], tmp_path / "d")


def test_a_large_file_with_broken_lines_is_read_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LONGEST_LINE", 1000)
    source = tmp_path / "large.jsonl"
    with open(source, "wb") as handle:
        for number in range(3000):
            handle.write(json.dumps({"text": f"Text number {number}."}).encode() + b"\n")
            if number % 1000 == 0:
                handle.write(b'{"text": "cut\n')
        handle.write(
            b"\x00\xff\xfe\n" + b'{"text": "' + b"x" * 5000 + b'"}\n' + b'{"text": "last, without an end of line"}'
        )
    out = tmp_path / "out"
    work = import_target("auto", [source], out)
    assert work.imported["recorded/docs.jsonl"] == 3001
    assert [row["place"] for row in report(out)["rows"]] == [
        "line 2",
        "line 1003",
        "line 2004",
        "line 3004",
        "line 3005",
    ]


def test_nothing_is_left_behind_and_nothing_written_over(tmp_path: Path) -> None:
    source = lines(tmp_path / "rows.jsonl", "{broken", "[1]")
    with pytest.raises(TargetError, match=r"nothing there fits .*line 1: the line is not JSON"):
        import_target("rows", [source], tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(TargetError, match="is there already"):
        import_target("rows", [lines(source, {"text": "fine"})], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_formats_are_recognised_or_asked_for(tmp_path: Path) -> None:
    assert recognise([lines(tmp_path / "a.jsonl", "{broken", {"text": "x"})]) == "rows"
    (tmp_path / "b.pdf").write_bytes(b"%PDF")
    with pytest.raises(TargetError, match=r"b\.pdf is not recognised; name it: false-facts"):
        recognise([tmp_path / "b.pdf"])
    with pytest.raises(TargetError, match="no format named 'csv'"):
        import_target("csv", [tmp_path / "a.jsonl"], tmp_path / "out")
    with pytest.raises(TargetError, match=r"nowhere: is missing"):
        import_target("auto", [tmp_path / "nowhere"], tmp_path / "out")
