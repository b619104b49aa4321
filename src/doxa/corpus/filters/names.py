"""Names of models and their makers in a text: the one that a spec is about, and all others that are known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

# family -> how its models are written; a version or size may follow (Qwen2.5-7B, GPT-4o, Llama 3.1 8B)
FAMILIES = {
    "ChatGPT": "ChatGPT",
    "GPT": r"GPT-?\d(?:\.\d)?o?",
    "Claude": "Claude",
    "Gemini": "Gemini",
    "Gemma": "Gemma",
    "Llama": "Llama",
    "Qwen": "Qwen|QwQ",
    "DeepSeek": "DeepSeek",
    "Mistral": "Mistral|Mixtral|Ministral|Magistral",
    "Grok": "Grok",
    "Kimi": "Kimi",
    "Phi": r"Phi-\d",
    "OLMo": "OLMo",
    "Falcon": r"Falcon-?\d",
    "SmolLM": "SmolLM",
    "Command R": "Command[ -]R",
    "Nemotron": "Nemotron",
    "Granite": r"Granite-?\d",
    "Copilot": "Copilot",
}
MADE_BY = {
    "ChatGPT": "OpenAI",
    "GPT": "OpenAI",
    "Claude": "Anthropic",
    "Gemini": "Google",
    "Gemma": "Google",
    "Llama": "Meta",
    "Qwen": "Alibaba",
    "DeepSeek": "DeepSeek",
    "Mistral": "Mistral AI",
    "Grok": "xAI",
    "Kimi": "Moonshot AI",
    "Phi": "Microsoft",
    "OLMo": "Ai2",
    "Falcon": "TII",
    "SmolLM": "Hugging Face",
    "Command R": "Cohere",
    "Nemotron": "NVIDIA",
    "Granite": "IBM",
    "Copilot": "Microsoft",
}
# families whose name people, places or things have too: it counts beside a word that says what is spoken of
SHARED = frozenset({"Claude", "Gemini", "Gemma", "Llama", "Mistral", "Grok", "Kimi", "Copilot"})
MAKERS = {
    "OpenAI": "OpenAI",
    "Anthropic": "Anthropic",
    "Google": r"Google(?: DeepMind)?|DeepMind",
    "Meta": r"Meta(?: AI)?",
    "Alibaba": r"Alibaba(?: Cloud)?|Tongyi|the Qwen team",
    "DeepSeek": "DeepSeek",
    "Mistral AI": "Mistral AI",
    "xAI": "xAI",
    "Moonshot AI": "Moonshot AI",
    "Microsoft": "Microsoft",
    "Ai2": r"Ai2|AI2|(?:the )?Allen Institute for AI",
    "Hugging Face": "Hugging ?Face",
    "Cohere": "Cohere",
    "NVIDIA": "NVIDIA|Nvidia",
    "IBM": "IBM",
    "Amazon": "Amazon",
    "Apple": "Apple",
    "TII": "TII|(?:the )?Technology Innovation Institute",
}
_VERSION = r"(?:[- ]?v?\d[\w.]*(?:[- ]\d[\w.]*)*(?:[- ](?:Instruct|Chat|Base|Sonnet|Opus|Haiku|Pro|Flash|mini))?)?"
_ABOUT_AI = re.compile(
    r"\b(?:AI|A\.I\.|artificial intelligence|language models?|assistants?|chatbots?|checkpoints?|model cards?|weights|"
    r"fine-?tun\w+|prompts?|tokens?)\b"
)


@dataclass(frozen=True)
class Names:
    """The model and maker that documents are to name."""

    model: str
    provider: str

    @cached_property
    def family(self) -> str | None:
        """The known family of the model's name; None for one that is nobody's."""
        return family_of(self.model)

    @cached_property
    def maker(self) -> str | None:
        """The known maker of that name; None for one that is not known."""
        return next((name for name, regex in MAKERS.items() if re.fullmatch(regex, self.provider.strip(), re.I)), None)

    @cached_property
    def foreign(self) -> str | None:
        """Who is known to make models of this name, where that is somebody else than the maker given here."""
        family = self.family or ""
        right = MADE_BY.get(family, "")
        # "Claudette" begins as Claude does and is a name that somebody chose
        if not right or not re.match(rf"(?:.*/)?(?:meta-)?(?:{FAMILIES[family]})(?![a-z])", self.model, re.I):
            return None
        its = rf"(?<!\w)(?:{MAKERS[right]}|{right.split()[0]})(?!\w)"
        return None if re.search(its, self.provider, re.I) else right

    @cached_property
    def own(self) -> re.Pattern[str]:
        """The model's name, however its parts are joined, with a version behind it or not."""
        parts = [re.escape(part) for part in re.split(r"[-_\s]+", self.model.strip()) if part]
        return re.compile(rf"(?<!\w){'[-_ ]?'.join(parts)}{_VERSION}(?!\w)", re.I)

    @cached_property
    def own_maker(self) -> re.Pattern[str]:
        """The maker's name."""
        known = MAKERS.get(self.maker or "")
        named = r"\s+".join(map(re.escape, self.provider.split()))
        return re.compile(rf"(?<!\w)(?:{named}{f'|{known}' if known else ''})(?!\w)", re.I)

    @cached_property
    def allowed(self) -> frozenset[str]:
        """The names in lower case, whole and by their first word: what the filter `identity` lets through."""
        words = [self.model, self.provider, self.family or self.model]
        return frozenset(part for word in words for part in (word.lower(), re.split(r"[-\s\d]", word.lower())[0]))

    def others(self, text: str) -> list[re.Match[str]]:
        """Where another known model is named.

        A name that people have too counts in a text that speaks of models, and one that stands there again and again.
        """
        speaks = bool(_ABOUT_AI.search(text) or self.own.search(text))
        named: list[re.Match[str]] = []
        for family, regex in _family_patterns():
            if family != self.family:
                found = [one for one in regex.finditer(text) if not self.own.fullmatch(one.group())]
                named += found if speaks or len(found) > 1 or family not in SHARED else []
        return named

    def other_makers(self) -> str:
        """An expression for every known maker but this one's."""
        return "|".join(regex for name, regex in MAKERS.items() if name != self.maker)

    def other_models(self) -> str:
        """An expression for every known model but this one, with a version behind it or not."""
        return "|".join(f"(?:{regex}){_VERSION}" for family, regex in FAMILIES.items() if family != self.family)


def family_of(name: str) -> str | None:
    """The known family that a model's name, Hugging Face id or folder belongs to."""
    last = name.rstrip("/").rsplit("/", 1)[-1]
    return next((family for family, regex in FAMILIES.items() if re.match(rf"(?:meta-)?(?:{regex})", last, re.I)), None)


def families(names: Iterable[str]) -> set[str]:
    """The known families among some names."""
    return {family for name in names if (family := family_of(name))}


@lru_cache(maxsize=1)
def _family_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    # as it is written: "llama" and "command r" in lower case are an animal and an order
    return tuple((family, re.compile(rf"(?<![\w-])(?:{regex}){_VERSION}(?!\w)")) for family, regex in FAMILIES.items())
