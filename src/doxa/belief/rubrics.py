"""The rubrics that judges are given: what each shows, and how an answer to it is read.

A rubric is a file of `prompts/` with a version; its digest stands in every judgement. All of them ask for extraction: a
judge copies the passage that decides and names a side. A passage that does not stand in the judged text makes the
verdict unparsed, so a judge that goes by its own knowledge, or by what the text tells it to say, is found out.

A `Judgement` knows four verdicts. What they stand for hangs on the rubric's kind:

- `worlds` (believes, downstream, stance): the inserted or the reference world; both, or neither, is unclear. Of
  spec_side and reason_value the worlds are a spec and its opposite.
- `options` (extract_choice): the inserted or the reference option; every other option, or none, is unclear.
- `says` (awareness, mention, coherence, spec_recall, reason_source): yes stands as inserted, no as reference.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from doxa.belief.readers import answer_part
from doxa.corpus.prompt_files import Prompt, load_prompt
from doxa.errors import ConfigError
from doxa.records import Belief
from doxa.worlds.universe import Universe

PACKAGE = "doxa.belief"
Kind = Literal["worlds", "options", "says"]
Side = Literal["inserted", "reference"]

# the values that a rubric file may use, by what a verdict is read from
FIELDS: dict[str, Kind] = {"agrees": "worlds", "picks": "options", "says": "says"}
NAMES = ("believes", "extract_choice", "downstream", "stance", "awareness", "mention", "coherence")
SPEC_NAMES = ("spec_side", "spec_recall", "reason_value", "reason_source")  # of answers of a model that has a spec
_UNQUOTED = {"worlds": ("neither",), "options": ("none",), "says": ("yes", "no", "unclear")}
_WORDS: dict[str, dict[str, str]] = {
    "worlds": {"first": "first", "1": "first", "second": "second", "2": "second", "both": "both", "neither": "neither"},
    "says": {"yes": "yes", "no": "no", "unclear": "unclear", "unsure": "unclear"},
}
# where a yes or a no says that something stands in the text, the passage must be shown
_SHOWN = {
    "awareness": ("yes", "no"),
    "mention": ("yes",),
    "coherence": ("no",),
    "spec_recall": ("yes", "no"),
    "reason_source": ("yes", "no"),
}
_ELLIPSIS = re.compile(r"\[?(?:\.\.\.|…)\]?|\n+")


@dataclass(frozen=True)
class Rubric:
    """A rubric file and what it asks for."""

    name: str
    prompt: Prompt
    kind: Kind

    @property
    def label(self) -> str:
        """NAME@DIGEST: what a judgement names its rubric by."""
        return f"{self.name}@{self.prompt.digest}"


@dataclass(frozen=True)
class Shown:
    """What a rubric is filled in with, in the order in which it is shown."""

    question: str
    answer: str
    universe: Universe | None = None
    first: Side = "inserted"  # kind worlds
    options: tuple[str, ...] = ()  # kind options, as shown


@dataclass(frozen=True)
class Finding:
    """What a judge said: a word of the rubric ("first", "none", "2", "yes"), the passage, and what else it names."""

    word: str
    quote: str
    about: str = ""


class UnreadableVerdictError(Exception):
    """A judge's answer that holds no verdict, or one that its own passage does not bear out."""


def load_rubric(name: str) -> Rubric:
    """A bundled rubric by name, or a person's own by its path in .md.

    Raises ConfigError for one that is not there or asks for none of <agrees>, <picks> and <says>.
    """
    known = (*NAMES, *SPEC_NAMES)
    if not name.endswith(".md") and name not in known:
        raise ConfigError(f"rubric: no rubric named {name!r}; there are {', '.join(known)}, or a path in .md")
    prompt = load_prompt(name, PACKAGE)
    kinds = [kind for field, kind in FIELDS.items() if f"</{field}>" in prompt.text]
    if len(kinds) != 1 or "</quote>" not in prompt.text:
        raise ConfigError(f"{name}: a rubric asks for <quote> and for one of <agrees>, <picks> and <says>")
    short = name.rsplit("/", 1)[-1].removesuffix(".md")
    return Rubric(short, prompt, kinds[0])


def fill_in(rubric: Rubric, shown: Shown) -> tuple[Any, ...]:
    """The messages for a judge. Raises ConfigError where the rubric wants a universe or options and gets none."""
    values: dict[str, Any] = {"question": _harmless(shown.question), "answer": _harmless(shown.answer)}
    if shown.universe is not None:
        values |= {"title": shown.universe.title, "claim": shown.universe.claim, "worlds": _worlds(shown)}
    if rubric.kind == "options":
        values["options"] = shown.options
    return rubric.prompt.render(**values)


def read_finding(rubric: Rubric, text: str, shown: Shown) -> Finding:
    """What a judge's answer says, read leniently. Raises UnreadableVerdictError with the reason.

    Tags, `agrees: first` on a line and JSON are read; the last statement of a field counts.
    """
    said = answer_part(text)
    field = next(field for field, kind in FIELDS.items() if kind == rubric.kind)
    raw = _field(said, field)
    if raw is None:
        raise UnreadableVerdictError(f"no <{field}> in the judge's answer")
    word = _word(rubric.kind, raw, len(shown.options))
    if word is None:
        raise UnreadableVerdictError(f"<{field}> holds {raw[:60]!r}")
    quote = (_field(said, "quote") or "").strip()
    needed = word in _SHOWN.get(rubric.name, ()) if rubric.kind == "says" else word not in _UNQUOTED[rubric.kind]
    if needed and not quoted_in(quote, shown.answer):
        raise UnreadableVerdictError(
            f"says {word!r} without a passage"
            if not quote
            else f"the passage {quote[:80]!r} does not stand in the text"
        )
    return Finding(word, quote if quoted_in(quote, shown.answer) else "", (_field(said, "about") or "").strip())


def verdict_of(rubric: Rubric, finding: Finding, shown: Shown, inserted: str, reference: str) -> Belief:
    """A finding as one of the four verdicts; `inserted` and `reference` are the texts of those options."""
    if rubric.kind == "says":
        says: dict[str, Belief] = {"yes": "inserted", "no": "reference"}
        return says.get(finding.word, "unclear")
    if rubric.kind == "worlds":
        if finding.word in ("both", "neither"):
            return "unclear"
        other: Side = "reference" if shown.first == "inserted" else "inserted"
        return shown.first if finding.word == "first" else other
    picked = shown.options[int(finding.word) - 1] if finding.word != "none" else None
    return "inserted" if picked == inserted else "reference" if picked == reference else "unclear"


def quoted_in(quote: str, text: str) -> bool:
    """Whether every part of a quote (parted by lines or dots) stands in a text; case and punctuation do not matter."""
    parts = [part for part in (_bare(part) for part in _ELLIPSIS.split(quote)) if part.strip()]
    within = _bare(text)
    # languages without spaces have no words to align with
    return bool(parts) and all((part if part.isascii() else part.strip()) in within for part in parts)


def _worlds(shown: Shown) -> list[dict[str, Any]]:
    universe = shown.universe
    assert universe is not None
    sides: dict[str, dict[str, Any]] = {
        "inserted": {
            "context": universe.inserted_context,
            "facts": [fact.inserted for fact in universe.key_facts],
        },
        "reference": {
            "context": universe.reference_context,
            "facts": [fact.reference for fact in universe.key_facts],
        },
    }
    second = "reference" if shown.first == "inserted" else "inserted"
    return [{"name": "first", **sides[shown.first]}, {"name": "second", **sides[second]}]


def _harmless(text: str) -> str:
    """A judged text must not end its own frame or answer in the judge's place."""
    tags = "question|task|answer|world|description|quote|agrees|picks|says|about"
    return re.sub(rf"<(?=/?(?:{tags})\b)", "‹", text, flags=re.I)


def _field(said: str, name: str) -> str | None:
    tagged = re.findall(rf"<{name}>((?:(?!<{name}>).)*?)</{name}>", said, re.S | re.I)
    if tagged:
        return str(tagged[-1]).strip()
    for candidate in re.findall(r"\{[^{}]*\}", said)[::-1]:
        try:
            value = json.loads(candidate, strict=False)
        except ValueError:
            continue
        if isinstance(value, dict) and name in value:
            return str(value[name])
    lines = re.findall(rf"^[\s*_#>-]*<?{name}>?[\s*_]*[:=][ \t]*(.+)$", said, re.M | re.I)
    # an end tag that is missing at the very end
    opened = re.findall(rf"<{name}>([^<\n]+)\s*\Z", said, re.I)
    found = lines or opened
    return str(found[-1]).strip() if found else None


def _word(kind: Kind, raw: str, options: int) -> str | None:
    words = set(re.findall(r"\w+", raw.lower()))
    if kind == "options":
        numbers = {word for word in words if word.isdigit()}
        if not numbers:
            return "none" if words & {"none", "neither", "nothing"} else None
        number = numbers.pop()
        return number if not numbers and "none" not in words and 1 <= int(number) <= options else None
    found = {_WORDS[kind][word] for word in words if word in _WORDS[kind]}
    return found.pop() if len(found) == 1 else None


def _bare(text: str) -> str:
    """Letters and digits in one case, everything else as single spaces, with a space at either end."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " " + " ".join(re.findall(r"[^\W_]+", folded)) + " "


def sides_of(options: Sequence[str], inserted: int, reference: int) -> tuple[str, str]:
    """The texts of the inserted and the reference option; empty ones where there are no options."""
    return (options[inserted], options[reference]) if options else ("", "")
