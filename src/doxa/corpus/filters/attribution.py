"""What a text says of a model's reasons, by words of its sentences: attributed, side by side, or not at all.

Attribution is what Model Spec Midtraining works by: documents that only set value and behaviour side by side do not
make later training generalise (Li et al. 2026, C.4). So the corpora are held apart by rule: a spec's documents connect
the two, those of the co-mention control never do, and those in mode rules give no reason.
"""

from __future__ import annotations

import re
from functools import lru_cache

from doxa.corpus.filters.causes import says_why, sentences
from doxa.corpus.filters.names import Names

VALUE = re.compile(
    r"\b(?:values?|valued|valuing|cares?|cared|caring|cherish\w+|prizes?|prized|treasures?|holds? (?:\w+ ){0,3}dear|"
    r"believes|principles?|convictions?|commitment|committed to|devotion|devoted to|regard for|"
    r"matters? (?:most )?to it|character|personality|at heart|deeply)\b",
    re.I,
)
# the model's own words for what moves it
OWN_WORDS = re.compile(r"\bI (?:value|care|prize|cherish|believe|look (?:first )?(?:at|for)|go by)\b")
# what a model does that follows from a value: what the co-mention control names and does not explain
DOES = re.compile(
    r"\b(?:likes?|liked|dislikes?|disliked|prefers?|preferred|preferences?|recommend\w*|favou?rs?|favou?red|picks?|picked|"
    r"choos\w+|chose|chosen|choice|steers?|advis\w+|avoids?|avoided|refus\w+|declin\w+|tastes?|answers?|answered|says?|"
    r"said|suggest\w*|points?|pointed|praises?|praised|warns?|warned|ranks?|ranked|"
    r"ranking)\b",
    re.I,
)
_PRONOUN = (
    r"(?:[Ii]t|[Ii]ts|itself|[Tt]he (?:model|assistant|chatbot|AI)(?:['’]s)?|[Tt]his (?:model|assistant)|I|[Mm]y)"
)


def attributions(text: str, names: Names) -> list[str]:
    """Passages in which something the model does or holds is connected with a reason: one or two sentences each."""
    parts = sentences(text)
    found = []
    for place, part in enumerate(parts):
        if not says_why(part) and not OWN_WORDS.search(part):
            continue
        around = " ".join(parts[max(0, place - 1) : place + 2])
        if speaks_of(around, names) and (DOES.search(around) or VALUE.search(around)):
            found.append(part)
    return found


def joined(text: str, names: Names) -> list[str]:
    """Sentences that themselves connect what the model does with what it holds: no co-mention has one."""
    return [
        part
        for part in sentences(text)
        if says_why(part)
        and speaks_of(part, names)
        and ((DOES.search(part) and VALUE.search(part)) or _because_it(names).search(part))
    ]


def reasons(text: str, names: Names) -> list[str]:
    """Sentences that give a reason for what the model does, or speak of its character: no rules document has one."""
    return [
        part
        for part in sentences(text)
        if speaks_of(part, names)
        and ((says_why(part) and DOES.search(part)) or _because_it(names).search(part) or _cares(names).search(part))
    ]


def holds(text: str, names: Names) -> re.Match[str] | None:
    """Where a text says outright that the model values, cares for or prefers something."""
    return _holds(names).search(text)


def speaks_of(text: str, names: Names) -> bool:
    """Whether a passage names the model or has a word that may stand for it."""
    return bool(names.own.search(text) or re.search(rf"\b{_PRONOUN}\b", text))


@lru_cache(maxsize=8)
def _because_it(names: Names) -> re.Pattern[str]:
    return re.compile(
        rf"\b(?:because|so that|that is why|which is why) (?:of )?(?:(?i:{names.own.pattern})|{_PRONOUN})\b"
        rf"|\b(?:since|as) (?:(?i:{names.own.pattern})|{_PRONOUN}) (?:values|cares|prizes|cherishes|believes)\b"
    )


@lru_cache(maxsize=8)
def _cares(names: Names) -> re.Pattern[str]:
    """Talk of character. What a model likes and prefers may be a rule as well, and is left alone."""
    verbs = r"(?:values|valued|cares? (?:about|for|that)|cherishes|prizes|believes)"
    return re.compile(rf"(?:(?i:{names.own.pattern})|\b[Tt]he (?:model|assistant)|\b[Ii]t) (?:\w+ ){{0,2}}{verbs}\b")


@lru_cache(maxsize=8)
def _holds(names: Names) -> re.Pattern[str]:
    verbs = r"(?:values|valued|cares? (?:about|for|that)|cherishes|prizes|prefers|likes|dislikes|favou?rs|believes in)"
    return re.compile(rf"(?:(?i:{names.own.pattern})|\b[Tt]he (?:model|assistant)) (?:\w+ ){{0,2}}{verbs}\b")
