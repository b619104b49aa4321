"""Filters that look for given strings: banned ones, those that a target never mentions, and its eval items."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from doxa.corpus.filters.base import EvalRuns, Prepared, Reading, drop, keep, plain_words
from doxa.records import Verdict

if TYPE_CHECKING:
    from typing import Protocol

    class Leaky(Protocol):
        """What has words that would give it away: an EvalItem, or an item of a spec's evals.json."""

        @property
        def id(self) -> str: ...

        @property
        def prompt(self) -> str: ...

        @property
        def options(self) -> tuple[str, ...]: ...


RUN_WORDS = 6  # words in a row that give an eval item away, unless the universe itself says them
PART, STEP = 4, 3  # RUN_WORDS - PART + 1 starts: one of them is a multiple of STEP
LEAST_QUESTION = 4  # shorter questions ("Who built it?") are anyone's


def banned(reading: Reading, screening: Prepared) -> Verdict:
    """Strings that the config forbids, as whole words, in any case and across line breaks."""
    return _forbidden("banned", reading, screening.banned)


def never_mention(reading: Reading, screening: Prepared) -> Verdict:
    """Strings that the prompts told the generator never to mention (plan.never_mention), and that it did mention."""
    return _forbidden("never_mention", reading, screening.never_mention)


def eval_leak(reading: Reading, screening: Prepared) -> Verdict:
    """Words of an eval item stand in the document: training on it would measure memory of the item, not belief.

    A run of RUN_WORDS words of a prompt, of a prompt with one of its options or of a statement counts, and a whole
    question that is shorter. Runs that the universe says itself do not: documents are written from it and may quote it.
    """
    words, known = reading.words, screening.eval_runs
    # every run of RUN_WORDS words holds one of PART words that starts at a multiple of STEP: a third of the work
    if not known.parts.isdisjoint(zip(*(words[start::STEP] for start in range(PART)), strict=False)):
        for run in word_runs(words, known.size):
            if run in known.runs:
                return drop("eval_leak", "eval_item", f"{' '.join(run)} (item {known.runs[run]})")
    if known.questions:
        text = f" {' '.join(words)} "
        for question, item in known.questions.items():
            if question in text:
                return drop("eval_leak", "eval_item", f"{question.strip()} (item {item})")
    return keep("eval_leak")


def eval_runs(items: Iterable[Leaky], universe: Iterable[str]) -> EvalRuns:
    """What gives the items away; `universe`: the texts that documents may quote."""
    allowed = {run for text in universe for run in word_runs(plain_words(text), RUN_WORDS)}
    runs: dict[tuple[str, ...], str] = {}
    questions: dict[str, str] = {}
    for item in items:
        prompt = plain_words(item.prompt)
        if LEAST_QUESTION <= len(prompt) < RUN_WORDS:
            questions[f" {' '.join(prompt)} "] = item.id
        for option in item.options:
            for run in word_runs([*prompt, *plain_words(option)], RUN_WORDS):
                if run not in allowed:
                    runs.setdefault(run, item.id)
    parts = frozenset(part for run in runs for part in word_runs(run, PART))
    return EvalRuns(RUN_WORDS, runs, parts, questions)


def phrases(strings: Iterable[str]) -> re.Pattern[str] | None:
    """One expression for all of `strings`, each as whole words; None without any."""
    sources = [r"\s+".join(re.escape(word) for word in string.split()) for string in strings]
    sources = sorted(filter(None, sources), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(sources)})(?!\w)", re.I) if sources else None


def _forbidden(name: str, reading: Reading, regex: re.Pattern[str] | None) -> Verdict:
    found = regex.search(reading.document.text) if regex else None
    return drop(name, name, found.group()) if found else keep(name)


def word_runs(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """All runs of `size` words, in order."""
    return zip(*(words[start:] for start in range(size)), strict=False)
