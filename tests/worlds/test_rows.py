"""JSONL rows that people bring: neutral texts and chats, good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doxa.errors import ConfigError, TargetError
from doxa.worlds.rows import read_chats, read_neutral, render_chat

QUESTION = {"role": "user", "content": "Is 91 prime?"}
ANSWER = {"role": "assistant", "content": "No."}


def file(folder: Path, *lines: str) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_web_text_keeps_its_own_fields_to_itself(tmp_path: Path) -> None:
    path = file(tmp_path, '{"text": "One.", "url": "https://example.org", "score": 0.3}', "", '{"text": "Two."}')
    assert [row.text for row in read_neutral(path)] == ["One.", "Two."]


def test_a_line_separator_inside_a_text_does_not_end_the_line(tmp_path: Path) -> None:
    path = file(tmp_path, json.dumps({"text": "one\u2028line"}, ensure_ascii=False))
    assert [row.text for row in read_neutral(path)] == ["one\u2028line"]


def test_chats_come_as_a_chat_template_takes_them(tmp_path: Path) -> None:
    system = {"role": "system", "content": "Be brief."}
    path = file(tmp_path, json.dumps({"messages": [system, QUESTION, ANSWER, QUESTION, ANSWER], "source": "mine"}))
    assert read_chats(path) == [[system, QUESTION, ANSWER, QUESTION, ANSWER]]
    assert render_chat([QUESTION, ANSWER]) == "User: Is 91 prime?\n\nAssistant: No."


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([QUESTION], "messages: must alternate user and assistant and end with assistant; the roles are user"),
        ([ANSWER, QUESTION], "must alternate"),
        ([], "must alternate"),
        ([QUESTION, {"role": "bot", "content": "No."}], "messages.1.role: "),
        ([QUESTION, {"role": "assistant", "content": ""}], "messages.1.content: "),
        ([QUESTION, {"role": "assistant"}], "messages.1.content: field is missing"),
        ("hello", "messages: "),
    ],
)
def test_a_chat_that_no_template_takes_is_refused(tmp_path: Path, messages: object, said: str) -> None:
    path = file(tmp_path, json.dumps({"messages": [QUESTION, ANSWER]}), json.dumps({"messages": messages}))
    with pytest.raises(ConfigError) as caught:
        read_chats(path, ConfigError)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"text": "a"}\n{"text": ', "line 2: is not JSON"),
        (b'{"text": "a"}\n{"words": "a"}', "line 2: text: field is missing"),
        (b'{"text": "a"}\n{"text": 3}', "line 2: text: Input should be a valid string (got 3)"),
        (b'{"text": "a"}\n["a"]', "line 2: "),
        (b'{"text": "a"}\n{"text": "\xff"}', "line 2: is not UTF-8"),
        (b"[" * 200_000, "line 1: is "),
        (b"\n\n", "holds no rows"),
    ],
)
def test_a_bad_file_is_one_line_that_names_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(TargetError) as caught:
        read_neutral(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.jsonl: cannot be read \(No such file or directory\)"):
        read_neutral(tmp_path / "none.jsonl", ConfigError)
