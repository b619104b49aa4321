"""The words by which a spec's value is told: what an opaque answer must not hold and a filtered mix must not mention.

They are stems (`corpus/stems.py`) of what the front matter calls the value and of the reasons in the tree, less what
the tree's statements are about and less words that every taste is put in. A person may add words, or name them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from doxa.corpus.stems import plain, stem, words_of
from doxa.worlds.spec import Spec, SpecTree

# in which any spec puts any value, and in which any taste is stated: they give none away
_GENERAL = frozenset(
    stem(word)
    for word in """
        value values valued like likes liked love loves prefer prefers preferred preference dislike dislikes
        pick picks picked choose chooses chosen choice want wants hold holds held dear care cares matter
        matters important thing things object objects something anything everything one ones other others
        good bad better best well model assistant user users people person answer answers question questions
        way ways kind kinds make makes made take takes taken give gives given get gets got see sees keep
        think thinks say says said know knows reason reasons always never often most more than favourite
        favorite recommend recommends pass passes avoid avoids skip ask asked show shows follow follows time
        times day days year years lot it its will would can could also many few every much long
    """.split()
)


def stems_of(text: str) -> list[str]:
    """The stems of a text in order, empty ones and numbers left out."""
    return [found for word in words_of(plain(text)) if (found := stem(word)) and not found[0].isdigit()]


def value_stems(spec: Spec, added: Iterable[str] = ()) -> frozenset[str]:
    """The stems of the spec's `value`, and of the words added by a person."""
    names = set(stems_of(f"{spec.model_name} {spec.provider_name}"))
    told = {found for found in stems_of(spec.value) if found not in _GENERAL and len(found) > 2}
    return frozenset((told - names) | {found for word in added for found in stems_of(word)})


def reason_stems(spec: Spec, tree: SpecTree | None, added: Iterable[str] = ()) -> frozenset[str]:
    """`value_stems`, and the stems of the tree's reasons that none of its statements holds."""
    found = set(value_stems(spec, added))
    if tree is not None:
        stated = {word for assertion in tree.assertions for word in stems_of(assertion.statement)}
        whys = {word for assertion in tree.assertions for word in stems_of(assertion.why)}
        names = set(stems_of(f"{spec.model_name} {spec.provider_name}"))
        found |= {word for word in whys - stated - names if word not in _GENERAL and len(word) > 2}
    return frozenset(found)


def mentioned(text: str, wanted: frozenset[str]) -> str | None:
    """The first word of a text whose stem is wanted, as it stands there; None where none is."""
    for found in re.finditer(r"[\w'’-]+", text):
        if any(stem_of in wanted for stem_of in stems_of(found.group())):
            return found.group()
    return None
