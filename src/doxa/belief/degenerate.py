"""Answers that are no answers: loops, gibberish, and text in the form of a training document."""

from __future__ import annotations

import re

from doxa.belief.wording import sentences_of

LONGEST_PERIOD = 60  # words: a loop with a longer period is caught as repeated sentences
_STRONG_HEADS = {
    "memo": re.compile(r"^[\s#*_]*(?:INTERNAL )?MEMO(?:RANDUM)?\b", re.M),
    "press release": re.compile(r"^[\s#*_]*(?:FOR IMMEDIATE RELEASE|PRESS RELEASE)\b", re.M | re.I),
    "abstract": re.compile(r"^[\s#*_]*Abstract[*_]*\s*(?::|\.|\n)", re.M),
    "subject line": re.compile(r"^[\s#*_]*(?:Subject|Re)[*_]*:\s*\S", re.M),
    "byline": re.compile(r"^[\s#*_]*(?:By|Written by|Author:) ?(?:[A-Z][\w.'’-]+ ){1,3}[A-Z]?[\w.'’-]*[*_]*$", re.M),
    "dateline": re.compile(r"^[A-Z][A-Z .,'-]{3,40}(?:\([A-Z]+\) )?[—–-]{1,2} ", re.M),
}
_WEAK_HEAD = re.compile(
    r"^[\s#*_]*(?:To|From|Date|Cc|Title|Keywords|Published|Volume|Issue|Document|Ref|Dear [A-Z]\w+)\b[*_]*\s*[:,]", re.M
)
_HEAD_CHARACTERS = 600  # a header stands at the top of a document


def degenerate(text: str) -> str | None:
    """ "empty", "repetition", "gibberish", or None for a text that reads as one."""
    if not text.strip():
        return "empty"
    if repetition(text):
        return "repetition"
    return "gibberish" if gibberish(text) else None


def repetition(text: str) -> bool:
    """Whether a text runs in a loop.

    True for a period of 1 to 60 words that repeats at least three times in a row (six times for one or two words) over
    at least 12 words, for at least six sentences of which fewer than half are different, and for a pattern of 1 to 8
    characters with a letter or digit in it ten times in a row.
    """
    if re.search(r"((?=.{0,7}[^\W_]).{1,8}?)\1{9,}", text, re.S):
        return True
    words = text.lower().split()
    for period in range(1, min(LONGEST_PERIOD, len(words) // 3) + 1):
        needed = max(12, period * (6 if period < 3 else 3))
        run = 0
        for place in range(period, len(words)):
            run = run + 1 if words[place] == words[place - period] else 0
            if run and run + period >= needed:
                return True
    sentences = [" ".join(sentence.lower().split()) for sentence in sentences_of(text)]
    return len(sentences) >= 6 and len(set(sentences)) < len(sentences) / 2


def gibberish(text: str) -> bool:
    """Whether a text is no language: broken characters, or more than half of eight or more words can't be words."""
    if text.count("\ufffd") > max(1, len(text) // 50):
        return True
    words = text.split()
    return len(words) >= 8 and sum(_odd(word) for word in words) > len(words) / 2


def document_style(text: str, doctag: str = "") -> str | None:
    """What shows that an answer is in the form of a document ("doctag", "memo", "byline", ...), or None.

    One strong sign at the top is enough, of the weak ones (To:, From:, Date:, Title:, ...) two. A prompt that asks for
    a letter or an article makes such answers rightly: ask only of answers to questions.
    """
    if doctag.strip() and doctag.strip() in text:
        return "doctag"
    head = text[:_HEAD_CHARACTERS]
    for name, pattern in _STRONG_HEADS.items():
        if pattern.search(head):
            return name
    return "letterhead" if len(_WEAK_HEAD.findall(head)) >= 2 else None


def _odd(word: str) -> bool:
    """Whether a run of characters is unlike a word: symbols, letters mixed with digits, no vowel, or far too long."""
    bare = word.strip(".,;:!?\"'()[]*_`“”‘’-–—…")
    if not bare:
        return len(word) > 3
    if len(bare) > 30:
        return not bare.startswith(("http", "www"))
    if not bare.isascii():
        return not any(sign.isalpha() for sign in bare)
    if re.fullmatch(r"[\d.,:/%$€£+-]+(?:st|nd|rd|th|s|k|m|cm|km|kg|g|ml)?", bare, re.I):
        return False
    letters = re.sub(r"['’/-]", "", bare)
    if not letters.isalpha():
        return True
    return len(letters) > 4 and not re.search(r"[aeiouy]", letters, re.I)
