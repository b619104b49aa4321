"""Chats -> tokens with loss on the assistant's turns, through the model's own template. Pure.

The rule: an assistant's turn is learned as the model would have to write it, so its prompt is what the template renders
of the turns before it, and its targets are what the template adds when the turn is appended. Most templates render a
turn alike wherever it stands, and a chat is then one sequence. Some (Qwen3's) take the reasoning out of earlier turns:
a chat is then one sequence for each assistant's turn, so that every one is learned with the prompt it will have. What a
template does not show at all can't be learned, and is an error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from doxa.errors import ConfigError

Messages = Sequence[dict[str, str]]

OPEN, CLOSE = "<think>", "</think>"
_REASONING = re.compile(re.escape(OPEN) + r"(.*?)" + re.escape(CLOSE) + r"\s*", re.DOTALL)


@dataclass(frozen=True)
class EncodedChat:
    """Tokens of a chat, or of its beginning up to one assistant's turn. `loss[i]`: whether token i is a target.

    `content` counts the tokens from the first one on that the chat's earlier sequence does not hold.
    """

    ids: tuple[int, ...]
    loss: tuple[bool, ...]
    content: int


def encode_chat(messages: Messages, tokenizer: Any, where: str) -> list[EncodedChat]:
    """A chat as one sequence, or as one for each assistant's turn where the template rewrites earlier turns.

    `where` names the row in errors. Raises ConfigError when the template refuses the roles, drops what it should show,
    or (where it rewrites) when turns stand behind the last assistant's.
    """
    _require_template(tokenizer, where)
    answers = [turn for turn, message in enumerate(messages) if message["role"] == "assistant"]
    spans = [turn_span(messages[: turn + 1], tokenizer, where) for turn in answers]
    whole = _render(messages, tokenizer, where)
    if all(whole.startswith(after.rstrip()) for _, after in spans):
        return [_tokens(whole, [(len(before), len(after)) for before, after in spans], tokenizer)]
    if answers[-1] != len(messages) - 1:
        raise ConfigError(
            f"{where}: the model's chat template rewrites earlier turns, so each assistant's turn is learned by "
            "itself, and what stands behind the last of them could not be; end the chat with the assistant"
        )
    sequences: list[EncodedChat] = []
    for before, after in spans:
        one = _tokens(after, [(len(before), len(after))], tokenizer)
        held = _shared(sequences[-1].ids, one.ids) if sequences else 0
        sequences.append(EncodedChat(one.ids, one.loss, len(one.ids) - held))
    return sequences


def encode_answer(prompt: Messages, answer: str, tokenizer: Any, where: str) -> EncodedChat:
    """A prompt's turns and one answer to them, with loss on the answer alone."""
    _require_template(tokenizer, where)
    before, after = turn_span([*prompt, {"role": "assistant", "content": answer}], tokenizer, where)
    return _tokens(after, [(len(before), len(after))], tokenizer)


def turn_span(messages: Messages, tokenizer: Any, where: str) -> tuple[str, str]:
    """The prompt of the last turn, which is the assistant's, and the same with the turn behind it, as text.

    Raises ConfigError when the one is not the beginning of the other, and when the turn's own words are not in it.
    """
    before = _render(messages[:-1], tokenizer, where, add_generation_prompt=True)
    after = _render(messages, tokenizer, where)
    if not after.startswith(before):
        raise ConfigError(
            f"{where}: the model's chat template writes the assistant's turn {len(messages)} otherwise than it asks "
            "for one (it rewrites the turns before it, or asks for reasoning that the turn does not begin with), so "
            "the assistant's tokens cannot be told apart; leave such rows out or use another template"
        )
    written = after[len(before) :]
    for part, is_reasoning in _parts(messages[-1]["content"]):
        if part not in written:
            what, remedy = ("reasoning", "set reasoning: strip, or ") if is_reasoning else ("words", "")
            raise ConfigError(
                f"{where}: the model's chat template leaves out the {what} of the assistant's turn {len(messages)} "
                f"({part[:40]!r}), so they cannot be learned; {remedy}use another template"
            )
    return before, after


def added_by_template(messages: Messages, tokenizer: Any, where: str) -> str:
    """What the template writes between asking for the last turn and the turn's own words: an empty <think>, say."""
    before, after = turn_span(messages, tokenizer, where)
    content = messages[-1]["content"]
    parts = _parts(content)
    first = after.index(parts[0][0], len(before)) if parts else len(before)
    added = after[len(before) : first].strip()
    return "" if content.lstrip().startswith(added) else added


def strip_reasoning(messages: Messages, where: str) -> list[dict[str, str]]:
    """The same turns without <think>...</think> in the assistant's. Raises ConfigError where nothing else is left."""
    stripped = []
    for message in messages:
        if message["role"] == "assistant":
            answer = answer_of(message["content"])
            if OPEN in answer or CLOSE in answer:
                raise ConfigError(f"{where}: {OPEN} and {CLOSE} do not pair up in an assistant's turn")
            if not answer:
                raise ConfigError(f"{where}: an assistant's turn is nothing but reasoning")
            message = {**message, "content": answer}
        stripped.append(dict(message))
    return stripped


def answer_of(content: str) -> str:
    """A turn without its reasoning."""
    return _REASONING.sub("", content).strip()


def _parts(content: str) -> list[tuple[str, bool]]:
    """The pieces of a turn that hold words, in order, and whether each is reasoning."""
    pieces = _REASONING.split(content)  # reasoning is every second piece
    return [(piece.strip(), bool(place % 2)) for place, piece in enumerate(pieces) if piece.strip()]


def _require_template(tokenizer: Any, where: str) -> None:
    if not tokenizer.chat_template:
        raise ConfigError(f"{where} is a chat, but the model's tokenizer has no chat template")


def _render(messages: Messages, tokenizer: Any, where: str, **options: Any) -> str:
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, **options))
    except TemplateError as error:  # templates refuse roles that they do not know by raising this
        roles = ", ".join(message["role"] for message in messages)
        raise ConfigError(f"{where}: the model's chat template refuses the turns {roles}: {error}") from None


def _tokens(text: str, spans: list[tuple[int, int]], tokenizer: Any) -> EncodedChat:
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    loss = tuple(any(s <= start < e for s, e in spans) for start, _ in encoded["offset_mapping"])
    return EncodedChat(tuple(encoded["input_ids"]), loss, len(loss))


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
