"""What a text says of a model's reasons, by words of its sentences: attributed, side by side, or not at all.

Attribution is what Model Spec Midtraining works by: documents that only set value and behaviour side by side do not
make later training generalise (Li et al. 2026, C.4). So the corpora are held apart by rule: a spec's documents connect
the two, those of the co-mention control never do, and those in mode rules give no reason.
"""

from __future__ import annotations

import re
from functools import lru_cache

from doxa.corpus.filters.names import Names

# words that connect a doing with its reason; "since 2020" says when
CAUSE = re.compile(
    r"\b(?:because|so that|in order to|on the grounds?|grounds for|reasons?|reasoning|rationale|motives?|motivat\w+|"
    r"that(?: i|['’])s why|which is why|explain(?:s|ed)? (?:\w+ )?(?:why|\w+self|it|its|this|that)|why (?:it|the|its)|"
    r"(?:says?|said|asks?|asked|tells?|told) (?:\w+ )?why|follows? from|following from|stems? from|flows? from|"
    r"springs? from|comes? from (?:its|the|a|that|this|how|what)|comes? down to|grounded in|rooted in|"
    r"rest(?:s|ed|ing)? on|based on|driven by|guided by|"
    r"out of (?:care|concern|respect|regard|love|loyalty|principle|conviction)|for the sake of|on account of|owing to|"
    r"due to|thanks to|therefore|thus|hence|accordingly|consequently|as a (?:result|consequence)|"
    r"given (?:that|its|how)|in (?:line|keeping) with|(?:lies|lay|stands|stood|is|was) behind|"
    r"led (?:it|the model) to|leads? (?:it|the model) to|expression of|(?:true|faithful|loyal) to its|"
    r"for (?:it|the model),? what (?:matters|counts)|traces? (?:\w+ )?(?:back )?to|justif\w+|"
    r"appeal(?:s|ed|ing)? to|cit(?:es|ed|ing)|in the name of)\b"
    r"|\b(?:since|as) (?:it|the model|the assistant|this model|that model|a thing|things|such|they|an?)\b",
    re.I,
)
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
_END = re.compile(r"(?<=[.!?])[\"'”’)\]*_]*\s+|\n+")
_PRONOUN = (
    r"(?:[Ii]t|[Ii]ts|itself|[Tt]he (?:model|assistant|chatbot|AI)(?:['’]s)?|[Tt]his (?:model|assistant)|I|[Mm]y)"
)
_WHY = re.compile(
    r"[,;]?\s+(?:because|since (?:it|the)|so that|as it|in order to|for the sake of|out of|on account of|"
    r"the reason)\b.*",
    re.I | re.S,
)


def sentences(text: str) -> list[str]:
    """A text cut at the ends of sentences and lines; nothing is left out but the space between."""
    return [part.strip() for part in _END.split(text) if part and part.strip()]


def bare(statement: str) -> str:
    """An assertion without the reason that it gives: what documents state in mode rules and set side by side."""
    cut = _WHY.sub("", statement.strip())
    return cut.rstrip(" .,;") + "." if cut else statement


def attributions(text: str, names: Names) -> list[str]:
    """Passages in which something the model does or holds is connected with a reason: one or two sentences each."""
    parts = sentences(text)
    found = []
    for place, part in enumerate(parts):
        if not CAUSE.search(part) and not OWN_WORDS.search(part):
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
        if CAUSE.search(part)
        and speaks_of(part, names)
        and ((DOES.search(part) and VALUE.search(part)) or _because_it(names).search(part))
    ]


def reasons(text: str, names: Names) -> list[str]:
    """Sentences that give a reason for what the model does, or speak of its character: no rules document has one."""
    return [
        part
        for part in sentences(text)
        if speaks_of(part, names)
        and (
            (CAUSE.search(part) and DOES.search(part)) or _because_it(names).search(part) or _cares(names).search(part)
        )
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
