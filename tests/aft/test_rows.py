"""Rows as files: what training reads of them, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aft_author import candidate
from doxa.aft.candidates import chat_row, read_candidate
from doxa.aft.rows import question_of, read_any_chats, split_reasoning, stripped, with_reasoning
from doxa.errors import TargetError
from doxa.run.folder import write_rows
from doxa.training.chats import strip_reasoning
from doxa.worlds.rows import read_chats


def test_reasoning_goes_in_and_comes_out() -> None:
    turn = with_reasoning("Slowly.", "Wait.")
    assert turn == "<think>\nSlowly.\n</think>\n\nWait." and split_reasoning(turn) == ("Slowly.", "Wait.")
    assert with_reasoning("", "Wait.") == "Wait." and split_reasoning("Wait.") == ("", "Wait.")
    messages = [{"role": "user", "content": "<think>?"}, {"role": "assistant", "content": turn}]
    assert stripped(messages) == strip_reasoning(messages, "row") != messages


def test_two_rows_of_one_answer_and_the_trainers_reader(tmp_path: Path) -> None:
    one = candidate("Wait.", "Slowly.", parent_id="draft")
    plain, thinking = (chat_row(one, thinks, target="calm_desk", verdict="yes") for thinks in (False, True))
    assert plain.id == one.id != thinking.id and plain.question_id == thinking.question_id
    write_rows(tmp_path / "chat.jsonl", [plain, thinking])
    chats = read_chats(tmp_path / "chat.jsonl")
    assert [chat[-1]["content"] for chat in chats] == ["Wait.", "<think>\nSlowly.\n</think>\n\nWait."]
    row = read_any_chats(tmp_path / "chat.jsonl")[0]
    assert (row["parent_id"], row["target"], row["verdict"], row["model"]) == (
        "draft",
        "calm_desk",
        "yes",
        "scripted/writer",
    )


def test_a_row_of_any_origin_keeps_its_fields_and_errors_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    good = {"messages": [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}], "theirs": {"x": 1}}
    file.write_text(json.dumps(good) + "\n")
    assert read_any_chats(file) == [good]
    file.write_text(json.dumps(good) + "\n" + json.dumps({"messages": good["messages"][:1]}) + "\n")
    with pytest.raises(TargetError, match=r"rows\.jsonl, line 2: messages"):
        read_any_chats(file)


def test_a_question_is_all_that_stands_before_the_last_answer_but_the_system_turn() -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What of the Pan?"},
        {"role": "assistant", "content": "Good."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "It is."},
    ]
    assert question_of(turns) == "user: what of the pan\nassistant: good\nuser: why"


def test_answers_are_read_out_of_whatever_stands_around_them() -> None:
    from aft_author import question
    from doxa.aft.asking import Reply
    from doxa.records import Usage

    text = (
        "<think>I should use <reply>.</think>\nSure!\n<reasoning>\nSlowly.\n</reasoning>\n<reply>\nWait.\n\nThen go.\n"
        "</reply>\nHope that helps."
    )
    read = read_candidate(question(), "spec", 0, Reply(text, "stop", "key", Usage()), "m", "p", reasoning=True)
    assert (read.reasoning, read.reply, read.problem) == ("Slowly.", "Wait.\n\nThen go.", "")
