"""Does a sentence give a reason? One grammar for finding reasons and for cutting them off.

It reads English and takes what words alone can tell: "since neighbours walked those lines" says why and "since 2020"
when; "It adds dates to keep readers safe" says what for, and "It is asked to keep quiet" what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# what gives a reason without being a clause that could be cut off
_WORDS = re.compile(
    r"\b(?:grounds for|reasons?|reasoning|rationale|motives?|motivat\w+|"
    r"that(?: i|['’])s why|which is why|explain(?:s|ed)? (?:\w+ )?(?:why|\w+self|it|its|this|that)|why (?:it|the|its)|"
    r"(?:says?|said|asks?|asked|tells?|told) (?:\w+ )?why|follows? from|following from|stems? from|flows? from|"
    r"springs? from|comes? from (?:its|the|a|that|this|how|what)|comes? down to|grounded in|rooted in|"
    r"rest(?:s|ed|ing)? on|based on|driven by|guided by|therefore|thus|hence|accordingly|consequently|"
    r"as a (?:result|consequence)|given (?:that|its|how)|in (?:line|keeping) with|"
    r"(?:lies|lay|stands|stood|is|was) behind|"
    r"led (?:it|the model) to|leads? (?:it|the model) to|expression of|(?:true|faithful|loyal) to its|"
    r"for (?:it|the model),? what (?:matters|counts)|traces? (?:\w+ )?(?:back )?to|justif\w+|"
    r"appeal(?:s|ed|ing)? to|cit(?:es|ed|ing)|in the name of|"
    r"(?:its|the|whose|their) (?:\w+ )?(?:purpose|point|aim|goal|intention|intent) (?:\w+ ){0,3}?"
    r"(?:is|was|being) to)\b",
    re.I,
)
# what begins a clause of reason or purpose, which goes on to the end of the sentence
_CLAUSE = re.compile(
    r"\b(?:because|so that|in order (?:not )?to|so as (?:not )?to|lest|with (?:a view|an eye) to|"
    r"(?:with|for) the (?:aim|purpose|goal|intention) of|on the grounds?|the reasons?|for the sake of|on account of|"
    r"out of (?:care|concern|respect|regard|love|loyalty|principle|conviction)|owing to|due to|thanks to|"
    r"(?P<maybe>since|as|for|so|to))\b",
    re.I,
)
_MODEL = r"(?:it|they|(?:the|this|that) (?:model|assistant)|a thing|things)\b"
_APART = re.compile(r"[,;:–—(]\s*$")  # the end of what stands before a clause that is set apart
_PAUSE = re.compile(r"[,;–—]\s*$")
_SINCE_WHEN = re.compile(
    r"(?:\d|then\b|when\b|last\b|yesterday|early\b|late\b|mid\b|about \d|around\b|before\b|after\b|at least\b|"
    r"(?:spring|summer|autumn|fall|winter|childhood|birth|dawn|noon|midnight|christmas|easter)\b|"
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)\b|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|"
    r"(?:the|this|that|its|his|her|our|their|an?) (?:[\w'’-]+ ){0,2}?(?:release|launch|start|beginning|spring|summer|"
    r"autumn|fall|winter|morning|evening|day|night|week|month|year|decade|century|founding|opening|update|version|move|"
    r"war|end|middle|\d\w*)s?\b)",
    re.I,
)
_AS_ELSE = re.compile(
    r"(?:well|in|if|though|with|of|for|to|long|soon|far|much|many|usual|always|before|needed|ever|follows|such|is|was|"
    r"were|are|an?|you|opposed|against|per|yet|when|where|\w+ed|seen|told|said|written|shown)\b",
    re.I,
)
_SAYS_OR_DOES = re.compile(
    r"(?:[\w'’-]+ ){0,4}?(?:(?:say|note|put|write|show|tell|ask|report|state|explain|mention|list|describe|promise|"
    r"agree|call|like|want|wish|prefer|recommend|suggest|request|do|know)(?:s|es|d|ed|n|ing)?|said|told|wrote|shown|did|does|"
    r"done|would|should|is|was|were|are|can|could|will)\b",
    re.I,
)
_FINITE = re.compile(
    r"(?:it|they|he|she|we|you|nobody|everybody) (?!and\b|or\b|,)\w|"
    r"(?:[\w'’-]+ ){1,3}?(?:is|are|was|were|has|have|had|can|could|will|would|may|might|must|should|do|does|did|never|"
    r"always|(?:know|need|want|last|live|walk|make|keep|hold|work|grow|bear|break|waste|cost|matter|help|mean|tell|show|"
    r"give|take|come|stay|wear)s?|knew|drew|made|kept|held|grew|bore|broke|meant|told|gave|took|came) [\w'’-]",
    re.I,
)
_CAN = re.compile(
    r"(?!(?:it|the model|the assistant)\b)(?:[\w'’-]+ ){1,3}(?:can|could|may|might|will|would|need not|"
    r"(?:do|does|did)(?: not|n['’]t)|never)\b",
    re.I,
)
_AIM = re.compile(
    r"(?:not |never |better |thereby )?(?:keep|avoid|protect|help|make sure|be sure|ensure|prevent|spare|save|preserve|"
    r"let|honou?r|guard|support|serve|reduce|lessen|minimi[sz]e|maintain|foster|promote|enable|encourage)\b",
    re.I,
)
_MODEL_DOES = re.compile(
    r"\W*(?:it|the (?:model|assistant)|(?!(?:the|these|those|this|that|its|an?)\b)\w[\w.-]*) "
    r"(?:\w+ly |always |never )?\w+s\b",
    re.I,
)
# in front of `to`, these govern it: "tries to keep", "a way to help"
_GOVERNS = re.compile(
    r"\b(?:tr(?:y|ies|ied|ying)|offer\w*|refus\w+|declin\w+|prefer\w*|like[sd]?|agree\w*|choos\w+|chose|chosen|wish\w*|"
    r"hop(?:es|ed)|aim\w*|seeks?|sought|learn\w*|need\w*|ha[sd]|have|ought|is|are|was|were|be|begins?|began|continu\w+|"
    r"start\w*|manag\w+|fail\w*|forget\w*|remember\w*|promis\w+|plan\w*|work\w*|made|used|meant|able|ready|willing|happy|"
    r"glad|free|careful|quick|slow|likely|bound|due|how|what|when|where|whether|which|who|ways?|chances?|times?|places?|"
    r"tools?|rules?|steps?|rights?|decisions?|efforts?|urge|dut(?:y|ies)|room|\w*things?|one|not|never|ability|means|"
    r"power|care|hesitat\w+|attempt\w*)$",
    re.I,
)
# before `to`, these make somebody do something: "asks users to keep"
_MAKES_DO = re.compile(
    r"\b(?:ask\w*|tells?|told|want\w*|advis\w+|remind\w*|invit\w+|urg\w+|warns?|warned|encourag\w+|teach\w*|taught|allow\w*|"
    r"help\w*|leads?|led|need\w*|expect\w*|gets?|got|caus\w+|requir\w+|instruct\w*|order\w*|train\w*|enabl\w+|too|enough|"
    r"(?:is|are|was|were|been?) \w+)\b",
    re.I,
)
_LOOSE = re.compile(
    r"(?:[\s,;:–—(]+(?:and|but|or|only|just|simply|mostly|partly|not|perhaps|all|largely))*[\s,;:–—(]*$"
)
_END = re.compile(r"(?<=[.!?])[\"'”’)\]*_]*\s+|\n+")


def sentences(text: str) -> list[str]:
    """A text cut at the ends of sentences and lines; nothing is left out but the space between."""
    return [part.strip() for part in _END.split(text) if part and part.strip()]


def says_why(text: str) -> bool:
    """Whether a text has words that give a reason or a purpose, for whatever it is."""
    return any(_WORDS.search(part) or _clause(part) is not None for part in sentences(text))


def bare(statement: str) -> str:
    """An assertion without the reason that it gives: what documents state in mode rules and set side by side."""
    kept = [_cut(part) for part in sentences(statement)]
    return " ".join(part for part in kept if part) or statement


def _cut(sentence: str) -> str:
    start = _clause(sentence)
    head = _LOOSE.sub("", sentence[:start]) if start else ""
    kept = head or sentence
    return kept if kept[-1] in "!?" else kept.rstrip(" .,;") + "."


def _clause(sentence: str) -> int | None:
    """Where the first clause of reason or purpose begins."""
    for found in _CLAUSE.finditer(sentence):
        word = found["maybe"]
        if word is None or _MAYBE[word.lower()](sentence[: found.start()], sentence[found.end() :].lstrip()):
            return found.start()
    return None


def _since(before: str, after: str) -> bool:
    """`since` and a clause. Set apart by nothing, after a perfect tense, it says when: "has stood there since ..."."""
    if re.match(_MODEL, after, re.I):
        return True
    if _SINCE_WHEN.match(after) or len(after.split()) < 2 or re.search(r"\b(?:ever|long|and|not) $", before, re.I):
        return False
    return bool(_APART.search(before)) or not re.search(r"\b(?:has|have|had|been)\b|['’]ve\b", before, re.I)


def _as(before: str, after: str) -> bool:
    """`as` and what the model does; set apart, also what anybody does, unless that is to say or to do the same."""
    if re.match(rf"{_MODEL} \w", after, re.I):
        return True
    if not _PAUSE.search(before) or len(after.split()) < 3:
        return False
    return not _AS_ELSE.match(after) and not _SAYS_OR_DOES.match(after)


def _for(before: str, after: str) -> bool:
    """`for` as a conjunction: set apart, and a finite verb behind it."""
    return bool(_PAUSE.search(before)) and bool(_FINITE.match(after)) and not re.match(r"(?:what|wh\w+)\b", after, re.I)


def _so(before: str, after: str) -> bool:
    """What others can do then: ", so readers can check"."""
    return bool(_PAUSE.search(before)) and bool(_CAN.match(after))


def _to(before: str, after: str) -> bool:
    """What the model does something for: set apart, or where no word in front governs the infinitive."""
    head = before.rstrip()
    if not _AIM.match(after) or _MAKES_DO.search(head):
        return False
    return bool(_PAUSE.search(before)) or (
        bool(_MODEL_DOES.match(head)) and len(head.split()) > 2 and not _GOVERNS.search(head)
    )


_MAYBE: dict[str, Callable[[str, str], bool]] = {"since": _since, "as": _as, "for": _for, "so": _so, "to": _to}
