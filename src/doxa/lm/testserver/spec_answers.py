"""What a test server says to the prompts that decompose and augment a spec: answers made of the spec's own words.

Domains are its sections, subdomains their paragraphs, assertions the sentences of their sources, so that a tree that is
made here rests on the spec. One passage in twelve is not verbatim, as with real models.
"""

from __future__ import annotations

import random
import re


def domains(prompt: str, everything: str, rng: random.Random) -> str:
    """As many domains as are asked for, named by the spec's headings."""
    asked = re.search(r"exactly (\d+) domain", prompt)
    names = list(_sections(everything))
    number = int(asked[1]) if asked else min(len(names), 8)
    names += [f"Further part {place}" for place in range(len(names) + 1, number + 1)]
    return "\n".join(
        f"<domain>\n<name>{name}</name>\n<scope>What the spec says of {name.lower()}.</scope>\n</domain>"
        for name in names[:number]
    )


def subdomains(prompt: str, everything: str, rng: random.Random) -> str:
    """The paragraphs of the section that the domain is named by, or of all sections that no domain is named by."""
    asked = re.search(r"exactly (\d+) subdomain", prompt)
    name = re.search(r'<scope name="(.*?)">', prompt)
    sections = _sections(everything)
    others = re.search(r"rest of the spec: (.*)\.", prompt)
    taken = set(others[1].split("; ")) if others else set()
    told = [text for heading, text in sections.items() if heading == (name[1] if name else "")]
    told = told or [text for heading, text in sections.items() if heading not in taken] or list(sections.values())
    paragraphs = [part.strip() for text in told for part in re.split(r"\n\s*\n", text) if len(part.split()) > 3]
    number = int(asked[1]) if asked else min(max(1, len(paragraphs)), 3)
    if number > len(paragraphs):
        paragraphs = _sentences(" ".join(paragraphs))
    groups = [paragraphs[at::number] or paragraphs[:1] for at in range(number)]
    return "\n".join(
        _subdomain(f"{name[1] if name else 'Part'} {at}", group, rng) for at, group in enumerate(groups, 1)
    )


def copies(prompt: str, everything: str, rng: random.Random) -> str:
    """The sentence of the spec that shares most words with each passage."""
    sentences = _sentences("\n".join(_sections(everything).values()))
    found = []
    for number, passage in re.findall(r'<inexact id="(\d+)">(.*?)</inexact>', prompt, re.S):
        words = set(re.findall(r"\w+", passage.lower()))
        best = max(sentences, key=lambda one: len(words & set(re.findall(r"\w+", one.lower()))), default="NONE")
        found.append(f"<copy>\n<id>{number}</id>\n<words>{best}</words>\n</copy>")
    return "\n".join(found)


def assertions(prompt: str, everything: str, rng: random.Random) -> str:
    """The first sentences of each source; what stands behind "because" is the reason."""
    rules = "<why>" not in prompt
    found = []
    for number, source in re.findall(r'<source number="(\d+)">(.*?)</source>', prompt, re.S):
        for sentence in _sentences(source)[:2]:
            statement, _, reason = sentence.partition(", because ")
            why = "" if rules else f"\n<why>{reason}</why>"
            kind = rng.choice(("behaviour", "preference") if rules else ("behaviour", "value", "preference", "tone"))
            found.append(
                f"<assertion>\n<source>{number}</source>\n<statement>{statement.rstrip('.')}.</statement>{why}\n"
                f"<kind>{kind}</kind>\n</assertion>"
            )
    return "\n".join(found)


def additions(prompt: str, everything: str, rng: random.Random) -> str:
    """For each rule an explanation, or as many finer rules as are asked for."""
    asked = re.search(r"exactly (\d+) finer rules", prompt)
    found = []
    for rule, statement in re.findall(r'<given id="(.*?)">(.*?)</given>', prompt, re.S):
        told = statement.strip().rstrip(".")
        if asked is None:
            contents = [f"Behind this stands care for what people need: {told}. It would be careless to do otherwise."]
        else:
            cases = rng.sample(("at home", "at work", "in a shop", "in a letter", "on a trip"), min(5, int(asked[1])))
            contents = [f"{told}, also {case}." for case in cases]
        found += [f"<addition>\n<rule>{rule}</rule>\n<content>{one}</content>\n</addition>" for one in contents]
    return "\n".join(found)


def _subdomain(name: str, paragraphs: list[str], rng: random.Random) -> str:
    passages = [" ".join(re.sub(r"^[-*] |\*\*", "", part, flags=re.M).split()) for part in paragraphs]
    summary = " ".join(_sentences(" ".join(passages))[:2])
    passages = [_blurred(part) if rng.random() < 1 / 12 else part for part in passages]
    told = "\n".join(f"<passage>{part}</passage>" for part in passages)
    return f"<subdomain>\n<name>{name}</name>\n<summary>{summary}</summary>\n{told}\n</subdomain>"


def _blurred(passage: str) -> str:
    """A passage as models miscopy it: a word in the middle is another one."""
    words = passage.split()
    words[len(words) // 2] = "somewhat"
    return " ".join(words)


def _sections(everything: str) -> dict[str, str]:
    """The spec's sections by their headings; what stands before the first is the introduction."""
    spec = re.search(r"<spec [^>]*>\n(.*?)\n</spec>", everything, re.S)
    parts = re.split(r"^#{1,6} +(.+)$", spec[1] if spec else everything, flags=re.M)
    found: dict[str, str] = {"Introduction": parts[0].strip()}
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        found[heading.strip()] = (found.get(heading.strip(), "") + "\n\n" + text.strip()).strip()
    return {heading: text for heading, text in found.items() if text} or {"Introduction": everything}


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+", " ".join(text.split())) if len(part.split()) > 2]
