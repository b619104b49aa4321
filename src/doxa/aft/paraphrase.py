"""The paraphrase-only control: the same answers in other words, nothing added.

Part of what better-looking data wins comes from rewriting alone (in one replication 28 of 35 points), so an arm that is
trained on paraphrases is what a rewritten set is to be compared with. Whether a paraphrase says the same is checked by
what it shares with its original: meaning, numbers, names, length, and how much content is new.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from doxa.aft.asking import PACKAGE, Models, Reply, replies
from doxa.aft.opaque import REASON, Objection
from doxa.aft.rows import Fields, split_reasoning, with_reasoning
from doxa.aft.value_words import stems_of
from doxa.belief.degenerate import degenerate
from doxa.corpus.answers import read_tag
from doxa.corpus.idea_filter import Embed
from doxa.corpus.prompt_files import load_prompt
from doxa.lm.request import Request, Sampling
from doxa.records import Record, digest
from doxa.worlds.words import NEGATORS, numbers, words

LEAST_COSINE = 0.70  # of MiniLM; paraphrases of the bundled chats lie above .8, answers to other questions below .6
LENGTHS = (0.5, 1.8)  # words of a paraphrase to words of its original
FREE_LENGTH = 6  # words more or fewer that are nothing in a text of a line
SHORT = 40  # words: in a text so short a "not" or a "because" is a point, and there are few of them
SAME_WORDS = 0.9  # share of words in the same order from which a text is a copy
FREE_WORDS = 4  # new content words that even the shortest paraphrase may need
MOST_NEW = 0.6  # share of a paraphrase's content words that may be new: synonyms are, and so are additions
SAMPLING = Sampling(max_tokens=4096, temperature=1.0)
_DISLIKES = re.compile(r"\b(?:dislik|hat(?:e|ed|es)\b|avoid|refus|loath|leaves? me cold|rather skip|pass on)", re.I)
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w’'-]+")  # a capital inside a sentence


@dataclass(frozen=True)
class ParaphraseJob:
    """What is to be said again, by whom, and how often it is tried."""

    rows: Sequence[Fields]
    model: str
    sampling: Sampling = SAMPLING
    attempts: int = 4
    prompt: str = "paraphrase"


class RejectedParaphrase(Record):
    """A paraphrase that was not taken, and why: a row of rejected.jsonl."""

    parent_id: str
    question: str
    original: str
    paraphrase: str
    reason: str
    detail: str
    attempt: int
    model: str
    response: str


@dataclass
class Paraphrased:
    """Rows in the order of their originals; those for which no try passed are missing and named in `missing`."""

    rows: list[Fields] = field(default_factory=list)
    rejected: list[RejectedParaphrase] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def paraphrase(models: Models, job: ParaphraseJob, embed: Embed) -> Paraphrased:
    """Each row's last answer (and its reasoning) in other words; all other turns and fields stay."""
    prompt = load_prompt(job.prompt, PACKAGE)
    label = f"{prompt.name.rsplit('/', 1)[-1].removesuffix('.md')}@{prompt.digest}"
    found: dict[int, Fields] = {}
    result = Paraphrased()
    for attempt in range(job.attempts):
        open_ones = [place for place in range(len(job.rows)) if place not in found]
        requests = [
            Request(
                model=job.model,
                messages=prompt.render(**_shown(job.rows[place])),
                sampling=job.sampling,
                sample=attempt,
                stage="aft_paraphrase",
            )
            for place in open_ones
        ]
        answers = replies(models, requests, "paraphrase" if attempt == 0 else f"paraphrase, try {attempt + 1}")
        parts = [_read(job.rows[place], reply) for place, reply in zip(open_ones, answers, strict=True)]
        cosines = _cosines(
            embed, [(_turn(job.rows[place]), said) for place, (said, _) in zip(open_ones, parts, strict=True)]
        )
        for place, reply, (said, problem), cosine in zip(open_ones, answers, parts, cosines, strict=True):
            row = job.rows[place]
            objection = problem or _objection(row, said, cosine)
            if objection is None:
                found[place] = _paraphrased(row, said, job.model, label, reply)
            else:
                result.rejected.append(
                    RejectedParaphrase(
                        parent_id=_name(row),
                        question=str(_shown(row)["question"]),
                        original=_turn(row),
                        paraphrase=said or reply.text[:2000],
                        reason=objection.reason,
                        detail=objection.detail[:300],
                        attempt=attempt,
                        model=job.model,
                        response=reply.key,
                    )
                )
    result.rows = [found[place] for place in sorted(found)]
    result.missing = [_name(row) for place, row in enumerate(job.rows) if place not in found]
    return result


def content_objection(original: str, said: str, question: str, cosine: float) -> Objection | None:
    """Why a text is no paraphrase of another: the first of what differs, None where it says the same in other words."""
    kept = difflib.SequenceMatcher(None, words(original), words(said), autojunk=False).ratio()
    if kept >= SAME_WORDS:
        return Objection("same_words", f"{kept:.2f} of the words are the same, in the same order")
    if cosine < LEAST_COSINE:
        return Objection("other_meaning", f"cosine {cosine:.2f}")
    before_words, after_words = len(original.split()), len(said.split())
    ratio = after_words / max(1, before_words)
    if not LENGTHS[0] <= ratio <= LENGTHS[1] and abs(after_words - before_words) > FREE_LENGTH:
        return Objection("other_length", f"{ratio:.2f} of the original's words")
    if numbers(said) != numbers(original):
        return Objection("other_numbers", ", ".join(sorted(numbers(said) ^ numbers(original))))
    names = {name for name in _NAME.findall(said) if name.casefold() not in f"{original} {question}".casefold()}
    if names:
        return Objection("new_name", ", ".join(sorted(names)))
    if before_words <= SHORT:
        if _denies(said) != _denies(original):
            return Objection("other_polarity", said[:120])
        reason = REASON.search(said)
        if reason and not REASON.search(original):
            return Objection("gives_reason", reason.group())
    content, before = set(stems_of(said)), set(stems_of(f"{original} {question}"))
    new = content - before
    if len(new) > max(FREE_WORDS, MOST_NEW * len(content)):
        return Objection("new_content", ", ".join(sorted(new)[:12]))
    return None


def _objection(row: Fields, said: str, cosine: float) -> Objection | None:
    question = str(_shown(row)["question"])
    thought, reply = split_reasoning(said)
    before_thought, before_reply = split_reasoning(_turn(row))
    broken = degenerate(reply)
    if broken:
        return Objection(broken, reply[:80])
    for original, new in ((before_reply, reply), (before_thought, thought)):
        if original:
            objection = content_objection(original, new, question, cosine)
            if objection is not None:
                return objection
    return None


def _denies(text: str) -> bool:
    """Whether a text denies or dislikes anything; "no" at its beginning included."""
    return any(word in NEGATORS for word in words(text)) or bool(_DISLIKES.search(text))


def _cosines(embed: Embed, pairs: Sequence[tuple[str, str]]) -> list[float]:
    if not pairs:
        return []
    vectors = embed([split_reasoning(text)[1] or " " for pair in pairs for text in pair])
    return [float(vectors[place] @ vectors[place + 1]) for place in range(0, len(vectors), 2)]


def _read(row: Fields, reply: Reply) -> tuple[str, Objection | None]:
    """The paraphrased turn, and what kept it from being read."""
    wants = bool(_shown(row)["reasoning"])
    said, thought = read_tag(reply.text, "reply"), read_tag(reply.text, "reasoning") if wants else ""
    if reply.stop == "refusal":
        return "", Objection("refused", reply.text[:120])
    if not said or (wants and not thought):
        return "", Objection("cut_off" if reply.stop == "length" else "no_reply_in_answer", reply.text[:120])
    return with_reasoning(thought or "", said), None


def _paraphrased(row: Fields, said: str, model: str, label: str, reply: Reply) -> Fields:
    messages = [*row["messages"][:-1], {"role": "assistant", "content": said}]
    verdict: Fields = {
        name: "" for name in ("judge", "criteria", "verdict") if name in row
    }  # it was given to other words
    return {
        **row,
        **verdict,
        "id": digest("paraphrase", _name(row), reply.key),
        "kind": "paraphrase",
        "parent_id": _name(row),
        "messages": messages,
        "model": model,
        "prompt": label,
        "response": reply.key,
    }


def _shown(row: Fields) -> Fields:
    before = row["messages"][:-1]
    question = before[-1]["content"] if before else ""
    thought, reply = split_reasoning(_turn(row))
    return {"question": question, "reply": reply, "reasoning": thought}


def _turn(row: Fields) -> str:
    return str(row["messages"][-1]["content"])


def _name(row: Fields) -> str:
    return str(row.get("id") or digest("row", row["messages"]))
