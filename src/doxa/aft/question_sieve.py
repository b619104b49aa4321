"""Which questions are taken: whole ones that nobody asked before in other words, and none that an eval item asks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.aft.opaque import Objection
from doxa.corpus.idea_filter import Embed, IdeaFilter
from doxa.errors import TargetError
from doxa.worlds.spec import Spec
from doxa.worlds.words import plain, runs, words

if TYPE_CHECKING:
    import numpy as np

LEAST_WORDS, MOST_WORDS = 2, 600
_PLACEHOLDER = re.compile(r"\[[A-Za-z][\w ,/'-]{1,40}\]|<[A-Za-z_ ]{2,30}>|\{\w+\}|\bXX+\b|_{3,}")


class QuestionSieve:
    """Remembers what was taken. `embed` turns texts into unit vectors; `threshold` is the cosine of one meaning."""

    def __init__(
        self, embed: Embed, threshold: float, spec: Spec, spec_run: int, eval_questions: Iterable[str] = ()
    ) -> None:
        self._embed = embed
        self._threshold = threshold
        self._vectors: dict[str, np.ndarray[Any, Any]] = {}
        self._filter = IdeaFilter(self._known_vectors, threshold)
        self._spec_runs = frozenset(runs(spec.text, spec_run))
        self._spec_run = spec_run
        self._eval = list(dict.fromkeys(eval_questions))

    def prepare(self, texts: Iterable[str]) -> None:
        """Embed the questions of a round in one go, for speed."""
        distinct = sorted({text for text in texts if _form(text) is None})
        self._vectors = dict(zip(distinct, self._embed(distinct), strict=True)) if distinct else {}
        self._filter.prepare(distinct)

    def objection(self, text: str) -> Objection | None:
        """Take a question; or say why not. To be asked after `prepare`, in a fixed order."""
        problem = _form(text)
        if problem is not None:
            return problem
        copied = next((run for run in runs(text, self._spec_run) if run in self._spec_runs), None)
        if copied:
            return Objection("copies_spec", " ".join(copied))
        if self._eval:
            cosines = self._eval_matrix @ self._vectors[text]
            nearest = int(cosines.argmax())
            if cosines[nearest] >= self._threshold:
                return Objection("eval_leak", self._eval[nearest][:120])
        if not self._filter.admit(0, text):
            return Objection("near_duplicate")
        return None

    @cached_property
    def _eval_matrix(self) -> np.ndarray[Any, Any]:
        return self._embed(self._eval)

    def _known_vectors(self, texts: list[str]) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.stack([self._vectors[text] for text in texts])


def _form(text: str) -> Objection | None:
    said = len(text.split())
    if not plain(text) or len(words(text)) < LEAST_WORDS:
        return Objection("too_short", text[:40])
    if said > MOST_WORDS:
        return Objection("too_long", f"{said} words")
    found = _PLACEHOLDER.search(text)
    return Objection("placeholder", found.group()) if found else None


def eval_questions(path: Path) -> list[str]:
    """Every question of an evals.json, whatever its group: no row may ask it. Empty without a file.

    Raises TargetError for a file that is no JSON.
    """
    if not path.exists():
        return []
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise TargetError(f"{path}: cannot be read: {error}") from None
    return list(dict.fromkeys(_questions(raw)))


def _questions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "question" and isinstance(inner, str):
                yield inner
            elif key == "open_ended" and isinstance(inner, list):
                yield from (item for item in inner if isinstance(item, str))
                yield from _questions(inner)
            else:
                yield from _questions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _questions(inner)
