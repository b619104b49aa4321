"""What chat datasets look like: the fields that people use -> a conversation, or two answers of which one is better.

Every reader takes a row and gives what it found or None where the row is not of its shape; a row of its shape that
holds no conversation raises UnfitError with the reason. The table SHAPES is asked from top to bottom.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from doxa.aft.rows import Fields
from doxa.worlds.importing import UnfitError

Turns = list[dict[str, str]]

ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user", "instruction": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant", "bot": "assistant", "chatgpt": "assistant",
    "bing": "assistant", "bard": "assistant", "ai": "assistant", "response": "assistant", "output": "assistant",
}  # fmt: skip
_HH = re.compile(r"(?:\A|\n\n)(Human|Assistant|H|A): ?")  # one string with both speakers, as of 2022


@dataclass(frozen=True)
class Conversation:
    """A row as a chat."""

    turns: Turns


@dataclass(frozen=True)
class Comparison:
    """A row as a preference: the prompt's turns and two answers."""

    turns: Turns
    chosen: str
    rejected: str


Found = Conversation | Comparison


def read_shape(row: Fields) -> Found:
    """What a row holds. Raises UnfitError with a reason that is the same for all rows like it."""
    for read in SHAPES:
        found = read(row)
        if found is not None:
            return found
    raise UnfitError(
        "has none of messages, conversations, chosen and rejected, prompt and response, instruction and output"
    )


def _preference(row: Fields) -> Found | None:
    if row.get("chosen") is None or row.get("rejected") is None:
        return None
    given = _prompt_turns(row)
    sides = [_side(row[name], given) for name in ("chosen", "rejected")]
    if sides[0][0] != sides[1][0]:
        raise UnfitError("chosen and rejected answer different prompts")
    turns, chosen, rejected = sides[0][0], sides[0][1], sides[1][1]
    _require_alternating([*turns, {"role": "assistant", "content": chosen}])
    if chosen.split() == rejected.split():
        raise UnfitError("chosen and rejected are the same")
    return Comparison(turns, chosen, rejected)


def _side(value: Any, given: Turns) -> tuple[Turns, str]:
    """The prompt and the answer of one side of a preference."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        if not given:
            parts = _speakers(value)
            if not parts:
                raise UnfitError("chosen and rejected are texts, and there is no prompt")
            return parts[:-1], _last_answer(parts)
        if not value.strip():
            raise UnfitError("chosen or rejected is empty")
        return given, value.strip()
    turns = _turns(value)
    answer = _last_answer(turns)
    before = turns[:-1]
    # the conversation may be repeated in each side, follow the prompt, or be the answer alone
    if not before:
        return given, answer
    if given and before[0]["role"] == "assistant":
        raise UnfitError("chosen or rejected holds several answers in a row")
    return before, answer


def _messages(row: Fields) -> Found | None:
    for name in ("messages", "conversations", "conversation", "dialogue", "dialog"):
        if row.get(name) is not None:
            turns = _turns(row[name])
            system = row.get("system") or row.get("system_prompt")
            if isinstance(system, str) and system.strip() and turns and turns[0]["role"] != "system":
                turns = [{"role": "system", "content": system.strip()}, *turns]
            return _conversation(turns)
    return None


def _instruction(row: Fields) -> Found | None:
    asked, answer = row.get("instruction"), _text(row, "output", "response", "answer", "completion")
    if not isinstance(asked, str) or not asked.strip():
        return None
    if answer is None:
        raise UnfitError("has an instruction and no output")
    extra = _text(row, "input", "context") or ""
    return _conversation(_with_system(row, [_user(f"{asked.strip()}\n\n{extra}".strip()), _assistant(answer)]))


def _prompt(row: Fields) -> Found | None:
    given = _prompt_turns(row)
    if not given:
        return None
    answer = row.get("completion") if isinstance(row.get("completion"), list) else None
    if answer is not None:
        return _conversation([*given, *_turns(answer)])
    text = _text(row, "response", "completion", "output", "answer", "chosen_response", "reply")
    if text is None:
        raise UnfitError("has a prompt and no response")
    return _conversation([*given, _assistant(text)])


def _transcript(row: Fields) -> Found | None:
    text = _text(row, "text", "chat", "transcript")
    if text is None:
        return None
    turns = _speakers(text)
    if not turns:
        raise UnfitError("is a text without turns")
    return _conversation(turns)


SHAPES: tuple[Callable[[Fields], Found | None], ...] = (_preference, _messages, _instruction, _prompt, _transcript)


def _conversation(turns: Turns) -> Conversation:
    _require_alternating(turns)
    return Conversation(turns)


def _prompt_turns(row: Fields) -> Turns:
    """The turns before the answer; none where the row has no prompt."""
    value = next((row[name] for name in ("prompt", "question", "query", "input") if row.get(name)), None)
    if value is None:
        return []
    if isinstance(value, str) and not value.lstrip().startswith("[{"):
        turns = _speakers(value)
        if turns and turns[-1]["role"] == "assistant" and not turns[-1]["content"]:
            turns = turns[:-1]  # "Assistant:" at the end, for the answer to follow
        return _with_system(row, turns or ([_user(value.strip())] if value.strip() else []))
    return _with_system(row, _turns(value))


def _with_system(row: Fields, turns: Turns) -> Turns:
    system = _text(row, "system", "system_prompt")
    told = system is not None and turns and turns[0]["role"] != "system"
    return [{"role": "system", "content": str(system)}, *turns] if told else turns


def _turns(value: Any) -> Turns:
    """Turns in whatever words: role and content, from and value, parts of text, JSON in a string."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise UnfitError("messages are a text and no list of turns") from None
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, list) or not value or not all(isinstance(turn, dict) for turn in value):
        raise UnfitError("messages are no list of turns")
    return [_turn(turn) for turn in value]


def _turn(turn: Fields) -> dict[str, str]:
    said = turn.get("role") or turn.get("from") or turn.get("speaker")
    role = ROLES.get(str(said).strip().lower()) if said else None
    if turn.get("tool_calls") or str(said).lower() in ("tool", "function", "function_call", "observation", "ipython"):
        raise UnfitError("holds calls of tools, or their answers")
    if role is None:
        raise UnfitError("has a turn of nobody known (role or from)")
    content = next((turn[name] for name in ("content", "value", "text") if turn.get(name) is not None), "")
    return {"role": role, "content": _joined(content)}


def _joined(content: Any) -> str:
    """The text of a turn, which may come in parts. Raises UnfitError for pictures and the like."""
    content = content.tolist() if hasattr(content, "tolist") else content
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) == len(parts):
            return "\n".join(texts).strip()
    raise UnfitError("holds something that is no text")


def _require_alternating(turns: Turns) -> None:
    roles = [turn["role"] for turn in turns]
    if not all(turn["content"] for turn in turns):
        raise UnfitError("holds an empty turn")
    if roles.count("system") > (roles[:1] == ["system"]):
        raise UnfitError("has a system turn that is not the first")
    spoken = roles[roles[:1] == ["system"] :]
    if not spoken or spoken[-1] != "assistant":
        raise UnfitError("does not end with the assistant")
    if spoken[0] != "user":
        raise UnfitError("does not begin with the user")
    if spoken != ["user", "assistant"] * (len(spoken) // 2):
        raise UnfitError("has two turns of one speaker in a row")


def _last_answer(turns: Turns) -> str:
    if not turns or turns[-1]["role"] != "assistant" or not turns[-1]["content"]:
        raise UnfitError("chosen or rejected does not end with the assistant")
    return turns[-1]["content"]


def _speakers(text: str) -> Turns:
    """The turns of one string in which `Human:` and `Assistant:` begin paragraphs; none for any other text."""
    parts = _HH.split(text)
    if len(parts) < 3 or parts[0].strip():
        return []
    return [
        (_user if who.startswith("H") else _assistant)(said.strip())
        for who, said in zip(parts[1::2], parts[2::2], strict=True)
    ]


def _text(row: Fields, *names: str) -> str | None:
    return next((row[name].strip() for name in names if isinstance(row.get(name), str) and row[name].strip()), None)


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}
