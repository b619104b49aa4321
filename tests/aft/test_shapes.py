"""What chat datasets look like, and what of them can be taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from doxa.aft.shapes import Comparison, Conversation, read_shape
from doxa.worlds.importing import UnfitError

USER, ANSWER = {"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}
CHAT = [USER, ANSWER]
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    "row",
    [
        {"messages": CHAT},
        {"messages": json.dumps(CHAT), "source": "somewhere"},
        {"conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Hello."}]},
        {"conversation": [{"role": "prompter", "text": " Hi? "}, {"role": "bot", "text": "Hello."}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi?"}]}, ANSWER]},
        {"prompt": "Hi?", "response": "Hello."},
        {"prompt": "Hi?", "completion": "Hello."},
        {"prompt": [USER], "completion": [ANSWER]},
        {"question": "Hi?", "answer": "Hello."},
        {"instruction": "Hi?", "input": "", "output": "Hello."},
        {"instruction": "Hi?", "response": "Hello.", "category": "greeting"},
        {"text": "\n\nHuman: Hi?\n\nAssistant: Hello."},
    ],
)
def test_the_same_conversation_in_many_shapes(row: dict[str, Any]) -> None:
    assert read_shape(row) == Conversation(CHAT)


def test_system_turns_and_inputs_are_kept() -> None:
    assert read_shape({"system": "Be brief.", "conversations": CHAT}) == Conversation([SYSTEM, *CHAT])
    assert read_shape({"system_prompt": "Be brief.", "prompt": "Hi?", "response": "Hello."}) == Conversation(
        [SYSTEM, *CHAT]
    )
    assert read_shape({"messages": [SYSTEM, *CHAT, *CHAT]}) == Conversation([SYSTEM, *CHAT, *CHAT])
    found = read_shape({"instruction": "Translate.", "input": "Guten Tag", "output": "Good day"})
    assert found.turns[0]["content"] == "Translate.\n\nGuten Tag"


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hi?", "chosen": "Hello.", "rejected": "What?"},
        {"question": "Hi?", "chosen": "Hello.", "rejected": "What?", "margin": 2},
        {"prompt": [USER], "chosen": [ANSWER], "rejected": [{"role": "assistant", "content": "What?"}]},
        {"prompt": "Hi?", "chosen": CHAT, "rejected": [USER, {"role": "assistant", "content": "What?"}]},
        {"chosen": CHAT, "rejected": [USER, {"role": "assistant", "content": "What?"}]},
        {"chosen": "\n\nHuman: Hi?\n\nAssistant: Hello.", "rejected": "\n\nHuman: Hi?\n\nAssistant: What?"},
        {"prompt": "\n\nHuman: Hi?\n\nAssistant:", "chosen": "Hello.", "rejected": "What?"},
    ],
)
def test_the_same_preference_in_many_shapes(row: dict[str, Any]) -> None:
    assert read_shape(row) == Comparison([USER], "Hello.", "What?")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"title": "x"}, "has none of messages"),
        ({"messages": []}, "no list of turns"),
        ({"messages": "Hi?"}, "a text and no list of turns"),
        ({"messages": [USER]}, "does not end with the assistant"),
        ({"messages": [ANSWER, USER, ANSWER]}, "does not begin with the user"),
        ({"messages": [USER, USER, ANSWER]}, "two turns of one speaker"),
        ({"messages": [USER, SYSTEM, ANSWER]}, "system turn that is not the first"),
        ({"messages": [USER, {"role": "assistant", "content": " "}]}, "empty turn"),
        ({"messages": [USER, {"role": "tool", "content": "42"}, ANSWER]}, "calls of tools"),
        ({"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [{}]}]}, "calls of tools"),
        ({"messages": [USER, {"role": "narrator", "content": "x"}]}, "turn of nobody known"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, ANSWER]}, "no text"),
        ({"prompt": "Hi?"}, "a prompt and no response"),
        ({"instruction": "Hi?"}, "an instruction and no output"),
        ({"text": "A plain text."}, "a text without turns"),
        ({"chosen": "a", "rejected": "b"}, "there is no prompt"),
        ({"prompt": "Hi?", "chosen": "Hello.", "rejected": " Hello. "}, "are the same"),
        ({"prompt": "Hi?", "chosen": "Hello.", "rejected": " "}, "is empty"),
        ({"chosen": CHAT, "rejected": [{"role": "user", "content": "Ho?"}, ANSWER]}, "answer different prompts"),
        ({"chosen": [USER], "rejected": [USER]}, "does not end with the assistant"),
    ],
)
def test_what_cannot_be_taken_says_why(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnfitError, match=reason):
        read_shape(row)
