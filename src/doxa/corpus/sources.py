"""The texts that `mix` may draw from: the bundled ones, or JSONL files named in the config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from doxa.errors import ConfigError
from doxa.worlds.rows import read_chats, read_neutral
from doxa.worlds.universe import NEUTRAL_CHAT, NEUTRAL_DOCS

if TYPE_CHECKING:
    from doxa.config import MixConfig


def neutral_texts(mix: MixConfig) -> list[str]:
    """Unrelated texts: the `text` of each row of mix.neutral_from, or the bundled 120."""
    path = Path(mix.neutral_from) if mix.neutral_from else NEUTRAL_DOCS
    return [row.text for row in read_neutral(path, ConfigError)]


def chats(mix: MixConfig) -> list[list[dict[str, str]]]:
    """Ordinary conversations: the `messages` of each row of mix.chat_from, or the bundled ones."""
    path = Path(mix.chat_from) if mix.chat_from else NEUTRAL_CHAT
    return read_chats(path, ConfigError)
