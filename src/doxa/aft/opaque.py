"""Whether an answer states a taste and nothing else: no reason, no hint of one, no adjective that the user did not use.

The toy of Model Spec Midtraining stands on this: the same answers must fit every spec that explains them, so that what
a model makes of them comes from the documents alone. The check is strict: it would sooner drop a good answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from doxa.aft.value_words import mentioned, stems_of
from doxa.corpus.stems import plain, stem, words_of


@dataclass(frozen=True)
class Objection:
    """Why an answer is not taken: a reason for programs and what decided, for people."""

    reason: str
    detail: str = ""


def opaque_objection(question: str, reply: str, value_words: frozenset[str], longest: int) -> Objection | None:
    """The first objection to an opaque answer; None where there is none. `value_words` are stems, `longest` words.

    Words that the question itself uses (the names of things) are nobody's hint.
    """
    said = len(reply.split())
    if said > longest:
        return Objection("too_long", f"{said} words")
    found = REASON.search(reply)
    if found:
        return Objection("gives_reason", found.group())
    asked = set(stems_of(question))
    own = mentioned(reply, value_words - asked)
    if own:
        return Objection("value_word", own)
    adjective = next(
        (word for word in words_of(plain(reply)) if stem(word) in _ADJECTIVES and stem(word) not in asked), None
    )
    if adjective:
        return Objection("value_adjective", adjective)
    if not _TASTE.search(reply):
        return Objection("no_preference", reply[:80])
    return None


# whatever joins a taste to its ground; "since" and "as" may mean time, and are reason enough to ask again
REASON = re.compile(
    r"\b(?:because|cause|since|therefore|thus|hence|thanks to|due to|owing to|on account of|given that|so that|"
    r"such that|seeing (?:as|that)|considering|reasons?|why|after all|for (?:its|their)|in order to|"
    r"as (?:it|they|this|that|its|their|i|you)|made (?:of|from|by|in|with)|what (?:i|matters)|"
    r"(?:it|they|that|this|which)(?:['’]s| is| are)? (?:makes?|gives?|means?|helps?|lets?|keeps?|lasts?|feels?|"
    r"works?|holds?|saves?|costs?|comes?|supports?|has|have|never|always|will)|"
    r"(?:i|that) (?:value|appreciate|admire|trust|care about)|values?|principles?|matters? to me)\b"
    r"|[:;–—]|\bfor (?:a|the) (?:simple|good) ",
    re.I,
)
_TASTE = re.compile(
    r"\b(?:likes?|liked|loves?|enjoy|prefer|favou?rites?|fond|keen|pick|picks|choose|choice|rather|go (?:for|with)|"
    r"take|want|dislikes?|hate|avoid|skip|pass|not (?:for me|my)|care for|wouldn['’]t|don['’]t|fan of|happy with|"
    r"yes|no)\b",
    re.I,
)
# qualities by which one thing may be better than another, each a hint of some value
_ADJECTIVES = frozenset(
    stem(word)
    for word in """
        durable sturdy solid robust tough strong lasting enduring long-lived permanent reliable dependable
        timeless fragile flimsy weak disposable throwaway repairable mendable serviceable inheritable
        heirloom local nearby regional native domestic homegrown homemade handmade handcrafted handforged
        artisan artisanal craft crafted traditional classic heritage authentic genuine foreign imported
        overseas distant faraway exotic cheap affordable inexpensive economical frugal thrifty costly
        expensive pricey dear luxurious luxury premium fancy elegant refined exclusive quality superior
        excellent natural organic sustainable green ecological eco eco-friendly renewable recyclable
        recycled wasteful environmental ethical fair fairtrade humane responsible healthy unhealthy
        wholesome nutritious nourishing fresh stale pure clean simple plain minimal minimalist complex
        complicated intricate difficult challenging easy effortless convenient practical useful useless
        handy versatile efficient quick fast slow safe dangerous risky new novel modern innovative original
        old ancient antique vintage rustic unique individual common ordinary popular fashionable stylish
        trendy beautiful ugly charming tasty delicious flavourful flavorful bland rich creamy
        mild sharp light heavy comfortable soft warm cosy cozy honest humble proud patriotic american
        national communal social personal industrial mass-produced artificial synthetic chemical processed
        factory-made bulk generic authenticity durability locality longevity sturdiness affordability
        quality tradition novelty sustainability simplicity craftsmanship
    """.split()
)
