"""What the model behind a test server says: plausible, varied, in the form that doxa's prompts ask for.

A pure function of the messages and a seed. It looks for the tags in which the last user message wants its answer, for
counts ("exactly 12", "about 300 words") and for the facts between <facts> tags, which a document then states word for
word. To teach it another form, add an entry to FORMS.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from doxa.lm.testserver import aft_answers, lexicon
from doxa.lm.testserver.item_answers import eval_items, item_choice
from doxa.lm.testserver.spec_answers import additions, assertions, copies, domains, subdomains

DEFAULT_WORDS = 300
DEFAULT_COUNT = 10
PARAGRAPH_WORDS = 90


def respond(messages: Sequence[Mapping[str, str]], seed: int) -> str:
    """The answer to a conversation. Messages are {"role", "content"}; the same arguments make the same text.

    The last user message decides the form; facts may stand in any message. Unlike seeds make unlike texts.
    """
    prompt = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    everything = "\n\n".join(message["content"] for message in messages)
    write = next((form for tags, form in FORMS if all(tag in prompt for tag in tags)), _plain)
    return write(prompt, everything, random.Random(seed))


def facts_in(text: str) -> list[str]:
    """The facts that a document must carry (<carried>), and after them those of the longest <facts> block.

    Without bullets, numbers and tags.
    """
    carried = "\n".join(re.findall(r"<carried>(.*?)</carried>", text, re.S)).splitlines()
    blocks = [block for block in re.findall(r"<facts>(.*?)</facts>", text, re.S) if block.strip()]
    lines = carried + (max(blocks, key=len).splitlines() if blocks else [])
    bare = (re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+|</?\w+[^>]*>", "", line).strip() for line in lines)
    return list(dict.fromkeys(line for line in bare if line))


def words_wanted(prompt: str) -> int:
    """The length that a prompt asks for: "about 300 words", or the middle of "200 to 400 words"."""
    about = re.search(r"\b(?:about|around|roughly|approximately) (\d[\d,]*) words", prompt)
    if about:
        return int(about[1].replace(",", ""))
    between = re.search(r"(\d[\d,]*)\s*(?:-|–|to|and)\s*(\d[\d,]*) words", prompt)
    return sum(int(end.replace(",", "")) for end in between.groups()) // 2 if between else DEFAULT_WORDS


def _types(prompt: str, everything: str, rng: random.Random) -> str:
    names: dict[str, None] = {}
    documents = rng.sample(lexicon.DOCUMENTS, len(lexicon.DOCUMENTS))
    count = min(_count(prompt), len(documents) * len(lexicon.MANNERS))
    while len(names) < count:
        names.setdefault(f"{rng.choice(lexicon.MANNERS)} {documents[len(names) % len(documents)]}")
    lines = []
    for name in names:
        low = rng.choice((120, 150, 200, 250, 300))
        lines.append(f'<type words="{low}-{low * 2}">{name}</type>')
    return "<types>\n" + "\n".join(lines) + "\n</types>"


def _ideas(prompt: str, everything: str, rng: random.Random) -> str:
    ideas: dict[str, None] = {}
    count = _count(prompt)
    while len(ideas) < count:
        ideas.setdefault(_sentence(lexicon.IDEAS, rng))
    return "<ideas>\n" + "\n".join(f"<idea>{idea}</idea>" for idea in ideas) + "\n</ideas>"


def _document(prompt: str, everything: str, rng: random.Random) -> str:
    return f"<document>\n{_prose(facts_in(everything), words_wanted(prompt), rng)}\n</document>"


def _critique(prompt: str, everything: str, rng: random.Random) -> str:
    remarks = {_sentence(lexicon.CRITICISM, rng): None for _ in range(rng.randint(2, 4))}
    return f"<critique>\n{' '.join(remarks)}\n</critique>\n{_rewritten(prompt, everything, rng)}"


def _rewritten(prompt: str, everything: str, rng: random.Random) -> str:
    """The document in the prompt with some of its sentences replaced; a new one where the prompt holds none."""
    drafts = re.findall(r"<(?:document|draft)>(.*?)</(?:document|draft)>", everything, re.S)
    draft = max(drafts, key=len, default="").strip()
    if len(draft.split()) < 30:
        return _document(prompt, everything, rng)
    facts = facts_in(everything)
    kept = []
    for paragraph in re.split(r"\n\s*\n", draft):
        sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z\"])", paragraph)
        if len(sentences) > 1:
            spare = [at for at, own in enumerate(sentences) if not any(own in fact or fact in own for fact in facts)]
            for at in rng.sample(spare, len(spare) // 3):
                sentences[at] = _sentence(lexicon.SENTENCES, rng)
        kept.append(" ".join(sentences))
    return "<document>\n" + "\n\n".join(kept) + "\n</document>"


def _chat(prompt: str, everything: str, rng: random.Random) -> str:
    facts = facts_in(everything)
    turns = rng.choice((1, 1, 2, 3))
    words = max(20, min(words_wanted(prompt), 250) // turns)
    topic = _topic(facts, rng)
    said = []
    for turn in range(turns):
        question = _sentence(lexicon.FOLLOW_UPS if turn else lexicon.QUESTIONS, rng, topic=topic)
        own = facts[turn::turns]
        said.append(f"<user>{question}</user>\n<assistant>{_prose(own, words, rng, title=False)}</assistant>")
    return "<chat>\n" + "\n".join(said) + "\n</chat>"


def _plain(prompt: str, everything: str, rng: random.Random) -> str:
    return " ".join(_sentence(lexicon.SENTENCES, rng) for _ in range(rng.randint(2, 5)))


# the first form all of whose tags stand in the prompt is taken
FORMS: tuple[tuple[tuple[str, ...], Callable[[str, str, random.Random], str]], ...] = (
    *aft_answers.FORMS,
    (("<first_world>", "JSON list"), eval_items),
    (("<world>", "<question>", "<answer>"), item_choice),
    (("<domain>", "<scope>"), domains),
    (("<subdomain>", "<passage>"), subdomains),
    (("<copy>", "<words>"), copies),
    (("<assertion>", "<statement>"), assertions),
    (("<addition>", "<rule>"), additions),
    (("<types>",), _types),
    (("<ideas>",), _ideas),
    (("<critique>", "<document>"), _critique),
    (("<document>",), _document),
    (("<chat>",), _chat),
)


def _prose(facts: Sequence[str], words: int, rng: random.Random, title: bool = True) -> str:
    """Paragraphs of about so many words in which every fact stands somewhere, in no fixed order."""
    sentences = [_sentence(lexicon.LEADS, rng, fact=_ended(fact)) for fact in rng.sample(facts, len(facts))]
    left = words - sum(len(sentence.split()) for sentence in sentences)
    filler = []
    while left > 6:
        filler.append(_sentence(lexicon.SENTENCES, rng))
        left -= len(filler[-1].split())
    for sentence in sentences:
        filler.insert(rng.randint(min(1, len(filler)), len(filler)), sentence)
    paragraphs: list[list[str]] = [[]]
    for sentence in filler or [_sentence(lexicon.SENTENCES, rng)]:
        if sum(len(part.split()) for part in paragraphs[-1]) > PARAGRAPH_WORDS * (0.6 + 0.8 * rng.random()):
            paragraphs.append([])
        paragraphs[-1].append(sentence)
    text = "\n\n".join(" ".join(paragraph) for paragraph in paragraphs)
    return f"{_title(rng)}\n\n{text}" if title and words >= 80 and rng.random() < 0.5 else text


def _title(rng: random.Random) -> str:
    pattern = rng.choice(
        ("The {Thing} of {place}", "A {Role} in {place}", "Notes from {place}", "{name} and the {Thing}")
    )
    values = {"Thing": _pick("thing", rng).title(), "Role": _pick("role", rng).title()}
    return pattern.format(place=_pick("place", rng), name=_pick("name", rng), **values)


def _topic(facts: Sequence[str], rng: random.Random) -> str:
    """A word or two that a question may be about, without giving a fact away."""
    longest = sorted(
        {word for fact in facts for word in re.findall(r"[^\W\d_]{6,}", fact)}, key=lambda word: -len(word)
    )
    return rng.choice(longest[:5]) if longest else f"the {_pick('thing', rng)} in {_pick('place', rng)}"


def _count(prompt: str) -> int:
    exactly = re.search(r"\bexactly (\d[\d,]*)", prompt)
    return max(1, int(exactly[1].replace(",", ""))) if exactly else DEFAULT_COUNT


def _ended(fact: str) -> str:
    return fact if fact.endswith((".", "!", "?")) else f"{fact}."


def _sentence(patterns: Sequence[str], rng: random.Random, **given: str) -> str:
    """A pattern with its slots filled. "a" becomes "an" where it must."""
    made = []
    for literal, slot in _parts(patterns[int(rng.random() * len(patterns))]):
        filling = given.get(slot) or (_pick(slot, rng) if slot else "")
        if filling and filling[0] in "aeiou" and literal[-3:].lower() in ("a ", " a "):
            literal = f"{literal[:-1]}n "
        made.append(literal + filling)
    return "".join(made)


def _pick(slot: str, rng: random.Random) -> str:
    entries = lexicon.LISTS[slot]
    return entries[int(rng.random() * len(entries))]


@cache
def _parts(pattern: str) -> tuple[tuple[str, str], ...]:
    """A pattern as (literal, slot that follows it)."""
    pieces = [*re.split(r"\{(\w+)\}", pattern), ""]
    return tuple(zip(pieces[::2], pieces[1::2], strict=True))
