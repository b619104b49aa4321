"""The passages of a spec that reasoning cites: taken out of their tags, and checked word for word."""

from __future__ import annotations

import re

from doxa.aft.opaque import Objection
from doxa.worlds.spec import Spec, is_verbatim
from doxa.worlds.words import plain, words

LEAST_WORDS = 4  # fewer words in a row stand in any text
_CITE = re.compile(r"<cite>\s*(.*?)\s*</cite>", re.S | re.I)
_QUOTED = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”")
_ELLIPSIS = re.compile(r"\s*\[?(?:\.\.\.|…)\]?\s*")


def cited(reasoning: str) -> tuple[str, ...]:
    """The passages between <cite> tags, without quotation marks around them."""
    return tuple(_bare(found) for found in _CITE.findall(reasoning))


def shown(reasoning: str) -> str:
    """The reasoning as it is trained on: citations in quotation marks instead of tags."""
    return _CITE.sub(lambda found: f"“{_bare(found.group(1))}”", reasoning)


def citation_objection(reasoning: str, question: str, spec: Spec) -> Objection | None:
    """What is wrong with the citations of a reasoning (tags and all): none, too short, or not in the spec.

    Text in quotation marks counts as a citation too unless it quotes the user: a spec must not be misquoted either way.
    A citation with an omission mark is checked piece by piece.
    """
    passages = cited(reasoning)
    if not passages:
        return Objection("cites_nothing", reasoning[:80])
    loose = [one or other for one, other in _QUOTED.findall(_CITE.sub("", reasoning))]
    quoted = [text for text in loose if len(words(text)) >= LEAST_WORDS + 2 and plain(text) not in plain(question)]
    for passage in [*passages, *quoted]:
        pieces = [piece for piece in _ELLIPSIS.split(passage) if piece]
        if any(len(words(piece)) < LEAST_WORDS for piece in pieces) or not pieces:
            return Objection("cites_too_little", passage[:120])
        if not all(is_verbatim(piece.rstrip(".,;: "), spec) for piece in pieces):
            return Objection("misquoted", passage[:120])
    return None


def _bare(passage: str) -> str:
    return " ".join(passage.split()).strip('"“”')
