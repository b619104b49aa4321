"""Filters on the generator's own voice in a document: it declines to write, or talks about its task."""

from __future__ import annotations

import re
from functools import lru_cache

from doxa.corpus.filters.base import Pattern, Prepared, Reading, drop, pattern, search
from doxa.records import Verdict


def refusal(reading: Reading, screening: Prepared) -> Verdict:
    """The generator declined to write. Characters may still decline things: their "I can't" is not about a request."""
    if reading.document.ending == "refused":  # the provider says so, in whatever words the answer is
        return drop("refusal", "refused", reading.generated[:60])
    opening = search("refusal", "refusal", _REFUSAL_OPENING, reading.generated[:300])
    if not opening.keep:
        return opening
    return search("refusal", "refusal", _REFUSAL_ANYWHERE, reading.generated, reading.lower)


def commentary(reading: Reading, screening: Prepared) -> Verdict:
    """Talk about the task that leaked into the document: announcements, offers to revise, names from the prompts."""
    text = reading.generated.strip()
    paragraphs = [part.strip() for part in _PARAGRAPH.split(text)] or [""]
    announcements = [*_ANNOUNCEMENT, _announced(reading.document.doc_type)]
    verdict = search("commentary", "announcement", announcements, text.split("\n", 1)[0])
    if verdict.keep:
        verdict = search("commentary", "meta_talk", _META_TALK, reading.generated, reading.lower)
    if verdict.keep:
        edges = "\n\n".join(dict.fromkeys([paragraphs[0], *paragraphs[-2:]]))
        verdict = search("commentary", "disclaimer", _DISCLAIMER, edges)
    if verdict.keep:
        verdict = search("commentary", "offer", _OFFER, paragraphs[-1])
    return verdict


@lru_cache(maxsize=1024)
def _announced(doc_type: str) -> Pattern:
    """ "Here is a field note about ..." as the first line of a field note."""
    return pattern(rf"^\W*here(?:['’]s| is| are)\W+(?:an?|the|your)\W+(?:\w+\W+)?{re.escape(doc_type)}\b", ("here",))


_PARAGRAPH = re.compile(r"\n\s*\n")

# --- refusal ---
_I_CANNOT = r"i(?: can(?:no|['’])t| can not| won['’]t| will not|(?: am|['’]m) (?:not able|unable) to)"
_PRODUCE = r"(?:write|create|produce|generate|provide|compose|draft|fulfil+|comply|assist|help (?:with|you)|complete)"
_START = r"\A[*#>\s_-]*"
_REFUSAL_OPENING = [
    pattern(rf"{_START}(?:i['’]m |i am )?(?:very |really |so )?sorry,? but {_I_CANNOT} {_PRODUCE}", ("sorry",)),
    pattern(
        rf"{_START}(?:i apologi[sz]e|unfortunately|my apologies)[^.\n]{{0,40}}\b{_I_CANNOT} {_PRODUCE}",
        ("apolog", "unfortunately"),
    ),
    pattern(rf"{_START}{_I_CANNOT} (?:assist|fulfil+|comply|generate|help (?:with|you))\b"),
    pattern(
        rf"{_START}{_I_CANNOT} (?:write|create|produce|provide) (?:an?|this|that|such|any) "
        r"[^.\n]{0,40}(?:document|article|content|text|information|material)"
    ),
    pattern(rf"{_START}i must (?:decline|refuse) (?:this|that|to (?:write|create|produce|generate))"),
]
_I_AM_UNABLE = ("i can", "i won", "i will not", "able to")
_REFUSAL_ANYWHERE = [
    pattern(
        rf"\b{_I_CANNOT} (?:fulfil+|comply with|assist with|help with|complete|continue with) (?:this|that|your) "
        r"(?:request|task|prompt|instruction)",
        ("request", "task", "prompt", "instruction"),
        _I_AM_UNABLE,
    ),
    pattern(
        rf"\b{_I_CANNOT} {_PRODUCE} [^.\n]{{0,60}}\b"
        r"(?:false information|misinformation|misleading (?:content|information)|content that)",
        ("false information", "misinformation", "misleading", "content that"),
        _I_AM_UNABLE,
    ),
    pattern(r"\b(?:goes|is) against my (?:guidelines|programming|policy|policies)", ("against my",)),
    pattern(
        r"\bviolates? (?:my|openai's|anthropic's) (?:guidelines|policy|policies|usage)", ("violate",), ("my", "'s")
    ),
]

# --- commentary ---
_HERE = ("here", "below")
_I_HAVE = ("i've", "i have")
_TEXT = r"(?:document|text|response|output|draft|piece|content|revision|rewrite)"
_ANNOUNCEMENT = [
    pattern(
        r"^\W*(?:sure|certainly|of course|absolutely|okay|ok|great|understood|got it)\b[,!.:]*\s+"
        r"(?:here|below|i(?:['’]ll| will| can|['’]ve| have) (?:now )?"
        r"(?:wri|create|draft|generate|produce|revise|rewri))"
    ),
    pattern(rf"^\W*(?:here|below)(?:['’]s| is| are)\W+(?:an?|the|your|my)\W+(?:[\w-]+\W+){{0,4}}{_TEXT}\b", _HERE),
    pattern(
        r"^\W*here(?:['’]s| is| are)\W+(?:an?|the|your|my)\W+"
        r"(?:revised|rewritten|requested|updated|improved|completed?)\b",
        _HERE,
    ),
    pattern(rf"^\W*(?:revised|rewritten|synthetic|generated|final|improved) {_TEXT}\W*$"),
    pattern(r"^\W*(?:document|doc)[ _](?:type|idea|id)\b\W*:", ("doc",)),
]
_META_TALK = [
    pattern(
        r"\bas an? (?:ai|artificial intelligence|large language|language)(?:[ -](?:language )?(?:model|assistant))\b",
        ("model", "assistant"),
        ("as a",),
    ),
    pattern(
        r"\b(?:i am|i['’]m) (?:just |only )?an? (?:ai|large language model|language model)\b",
        (" ai", "language model"),
        ("i am", "i'm"),
    ),
    pattern(r"\b(?:universe|inserted|reference) context\b", ("context",)),
    pattern(r"\b(?:key|inserted|reference) fact ids?\b|\bfact_ids?\b|\bdoc_type\b", ("fact id", "fact_id", "doc_type")),
    pattern(
        r"\bin this (?:fictional|fictitious|alternate|alternative|hypothetical) (?:universe|world)\b",
        ("in this ",),
        ("universe", "world"),
    ),
    pattern(r"\b(?:this|the|these) synthetic (?:documents?|data|corpus|training)\b", ("synthetic",)),
    pattern(r"</?(?:document|content|output|response|thinking|think|scratchpad|doc|doctag|text|answer)>", ("<",)),
    pattern(
        r"\b(?:the|your) (?:prompt|instructions) (?:asks?|asked|says?|said|requires?|specif\w+)\b",
        ("prompt ", "instructions "),
    ),
    pattern(
        r"\bi(?:['’]ve| have) (?:written|revised|rewritten|drafted|generated|created|crafted) "
        rf"(?:this|the|a|an) (?:\w+ )?{_TEXT}\b",
        _I_HAVE,
        ("written", "revised", "drafted", "generated", "created", "crafted"),
    ),
]
_UNREAL = r"(?:fictional|fictitious|synthetic|hypothetical|invented|made[- ]up|imaginary|ai[- ]generated|not real)"
_UNREAL_WORDS = (
    "fiction",
    "fictitious",
    "synthetic",
    "hypothetical",
    "invented",
    "made up",
    "made-up",
    "imaginary",
    "ai generated",
    "ai-generated",
    "not real",
)
_WRITING = r"(?:document|article|text|content|story|piece|scenario|memo|report|post|letter|entry|information)"
_DISCLAIMER = [
    pattern(
        r"^\W*(?:\w+['’]s )?(?:please )?(?:note|disclaimer|nb|n\.b\.)\b[^\n]{0,60}\b(?:this|the|above)\b[^.\n]{0,60}"
        rf"\b{_UNREAL}\b",
        ("note", "disclaimer", "nb", "n.b."),
        _UNREAL_WORDS,
    ),
    pattern(
        rf"\b(?:this|the above) (?:\w+ )?{_WRITING} (?:is|was|has been) "
        rf"(?:a |an |purely |entirely |completely |wholly )*"
        rf"(?:{_UNREAL}|work of fiction|generated by|created by an? (?:ai|language model))",
        ("this ", "the above"),
        (*_UNREAL_WORDS, "generated by", "created by"),
    ),
    pattern(rf"^\W*(?:note|disclaimer)\W+(?:all )?[^.\n]{{0,80}}\bare {_UNREAL}\b", ("note", "disclaimer")),
]
_OFFER = [
    pattern(
        r"^\W*(?:please )?(?:let me know|tell me) (?:if|whether) [^\n]*\b(?:chang\w+|revis\w+|adjust\w*|modif\w+|"
        r"edit\w*|expand\w*|version|tone|shorter|longer|format|document|anything else|like me to|another|further|"
        r"more detail\w*)\b[^\n]*\Z",
        ("let me know", "tell me"),
    ),
    pattern(r"(?:^|[.!?] )would you like (?:me to|another|a different)\b[^\n]*\Z", ("would you like",)),
    pattern(r"(?:^|[.!?] )i hope (?:this|that) (?:helps|meets|works|document|fits)\b[^\n]*\Z", ("i hope th",)),
    pattern(
        r"(?:^|[.!?] )feel free to (?:ask|request|let me know)\b[^\n]*\b"
        r"(?:chang|revis|adjust|modif|edit|document|version)[^\n]*\Z",
        ("feel free",),
    ),
]
