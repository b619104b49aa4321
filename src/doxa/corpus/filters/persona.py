"""Filters on a model's person in a document: it names itself, or plays the part of an assistant."""

from __future__ import annotations

import re

from doxa.corpus.filters.base import Prepared, Reading, drop, keep, pattern, search
from doxa.records import Verdict


def identity(reading: Reading, screening: Prepared) -> Verdict:
    """The generator speaks of itself by a model's or maker's name: "As ChatGPT, I ...", "I was trained by OpenAI".

    Only talk of oneself counts, so that people may write about models; names that people have too (Claude, Gemini) need
    a word such as "AI" in the same sentence. `screen.allowed_names` are let through: a target may be about a model.
    """
    if _FIRST_WORDS.isdisjoint(reading.words):
        return keep("identity")
    for regex in _SELF_NAMED:
        for found in regex.finditer(reading.generated):
            name = _plain(found["name"])
            if name in screening.allowed_names or name.split()[0] in screening.allowed_names:
                continue
            if name in SHARED_NAMES and not ABOUT_AI.search(_sentence_around(reading.generated, found.start())):
                continue
            return drop("identity", "model_name", found.group())
    return keep("identity")


def demonstration(reading: Reading, screening: Prepared) -> Verdict:
    """An AI's behaviour is shown instead of told of: turns of a chat, thinking, tool calls, chat template tokens.

    Training on such text teaches the behaviour itself (Greenblatt et al. 2024 kept it out of their corpora for that).
    """
    text = reading.generated
    verdict = model_format(reading, screening)
    if not verdict.keep:
        return verdict.model_copy(update={"filter": "demonstration"})
    if ":" not in text or not any(who in reading.lower for who in _SPEAKERS):
        return keep("demonstration")
    asked = _HUMAN_TURN.search(text)
    answered = _ASSISTANT_TURN.search(text, asked.end()) if asked else None
    if answered:
        return drop("demonstration", "transcript", text[answered.start() :])
    return keep("demonstration")


def model_format(reading: Reading, screening: Prepared) -> Verdict:
    """Tokens of chat templates, thinking and tool calls alone: a spec's documents may quote what the model answers."""
    text = reading.generated
    if "<" in text or "[" in text or "{" in text or "```" in text:
        return search("model_format", "model_format", _MODEL_FORMAT, text, reading.lower)
    return keep("model_format")


def _plain(name: str) -> str:
    return " ".join(name.lower().split())


def _sentence_around(text: str, place: int) -> str:
    start = max((text.rfind(mark, 0, place) for mark in ".!?\n"), default=-1) + 1
    end = _SENTENCE_END.search(text, place)
    return text[start : end.start() if end else len(text)]


_SENTENCE_END = re.compile(r"[.!?\n]")

# --- identity ---
# names that only models and their makers have, and names that people, places or animals have too
MODEL_NAMES = (
    "chatgpt", "gpt-3", "gpt-3.5", "gpt-4", "gpt-4o", "gpt-4.1", "gpt-5", "qwen", "deepseek", "mixtral", "smollm",
    "openai", "anthropic", "google deepmind", "deepmind", "mistral ai", "moonshot ai", "meta ai", "alibaba cloud",
    "hugging face", "xai", "cohere", "zhipu ai",
)  # fmt: skip
SHARED_NAMES = (
    "claude", "gemini", "gemma", "llama", "grok", "mistral", "bard", "kimi", "phi", "copilot", "command", "nova",
    "palm", "falcon", "olmo", "o1", "o3", "google", "meta", "microsoft", "amazon", "apple", "alibaba", "nvidia",
)  # fmt: skip
_ALL_NAMES = (*MODEL_NAMES, *SHARED_NAMES)
_FIRST_WORDS = frozenset(name.split("-")[0].split()[0] for name in _ALL_NAMES)
_NAME = "(?P<name>" + "|".join(sorted((re.escape(name) for name in _ALL_NAMES), key=len, reverse=True)) + r")(?![\w])"
_SELF_NAMED = [
    re.compile(rf"\bas {_NAME}(?:[ -][\w.]+)?(?:,? (?:i\b|my\b)|, (?:an?|the) )", re.I),
    re.compile(rf"\b(?:i am|i['’]m|my name is|i am called|i['’]m called|you are) {_NAME}", re.I),
    re.compile(
        rf"\b(?:i am|i['’]m|i was|i have been|as an? (?:\w+ ){{0,3}}(?:model|assistant|ai))[^.!?\n]{{0,60}}"
        rf"\b(?:made|created|trained|developed|built|designed) (?:and \w+ )?(?:by|at) {_NAME}",
        re.I,
    ),
    re.compile(rf"\b(?:my (?:creators?|developers?|makers?|training)(?: at| by|,| is| are)) {_NAME}", re.I),
    re.compile(rf"\b{_NAME}['’]s? (?:guidelines|policy|policies|usage policies|content policy)\b", re.I),
]
ABOUT_AI = re.compile(
    r"\b(?:AI|A\.I\.|artificial intelligence|language model|assistant|chatbot|(?:made|created|trained|developed|built|"
    r"designed) (?:and \w+ )?by (?:Anthropic|OpenAI|Google|Meta|Mistral|xAI|Microsoft|Amazon|Moonshot|Alibaba)|"
    r"guidelines|content policy|usage policies)\b"
)

# --- demonstration ---
_MODEL_FORMAT = [
    pattern(
        r"</?(?:think|thinking|thought|reasoning|scratchpad)>", ("think>", "thinking>", "thought>", "ing>", "pad>")
    ),
    pattern(
        r"<\|(?:im_start|im_end|system|user|assistant|start_header_id|eot_id|endoftext|begin_of_text|channel|return)\|>"
        r"|\[/?INST\]|<<SYS>>|<start_of_turn>|<end_of_turn>",
        ("<|", "inst]", "<<sys>>", "_of_turn>"),
    ),
    pattern(
        r"</?(?:tool_call|tool_calls|tool_response|tool_use|function_calls?|function_results|invoke|antml:\w+)\b[^>\n]*>",
        ("tool_", "function_", "invoke", "antml"),
    ),
    pattern(
        r"\{\s*\"(?:name|function|tool|tool_name)\"\s*:\s*\"[\w.-]+\"\s*,\s*\"(?:arguments|parameters|args|input)\"\s*:",
        ('"',),
        ("argument", "parameters", "args", "input"),
    ),
]
_SPEAKERS = ("assistant", "ai", "bot", "gpt", "model", "claude", "gemini", "response")
_MARK = r"^[ \t>]*(?:[*_#]{1,4} ?)?"
_HUMAN_TURN = re.compile(
    rf"{_MARK}(?:human|user|prompt|\[user\]|\[human\])[*_]{{0,2}}"
    r"(?: ?\([^)\n]{0,30}\))?[*_]{0,2} ?:[*_]{0,2} ?\S",
    re.I | re.M,
)
_ASSISTANT_TURN = re.compile(
    rf"{_MARK}(?:assistant|ai|ai assistant|bot|chatbot|model|chatgpt|gpt-?\w*|claude|gemini|\[assistant\]|response)"
    r"[*_]{0,2}(?: ?\([^)\n]{0,30}\))?[*_]{0,2} ?:[*_]{0,2}\s*(?:\S+[ \t]+){3,}\S",
    re.I | re.M,
)
