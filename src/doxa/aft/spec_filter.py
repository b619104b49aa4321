"""Which rows of an ordinary mix speak of the spec's value or of the model: they would teach the treatment to a control.

Li et al. 2026 filter their instruction mix against the spec. Words are found by stem, in any turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from doxa.aft.opaque import Objection
from doxa.aft.value_words import mentioned, stems_of, value_stems
from doxa.corpus.filters.names import Names
from doxa.worlds.spec import Spec


@dataclass(frozen=True)
class SpecFilter:
    """What no row may mention. Made by `spec_filter`."""

    stems: frozenset[str]
    names: tuple[re.Pattern[str], ...]

    def objection(self, texts: Iterable[str]) -> Objection | None:
        """The first mention in a row's texts, or None."""
        for text in texts:
            for name in self.names:
                found = name.search(text)
                if found:
                    return Objection("names_model", found.group())
            word = mentioned(text, self.stems)
            if word:
                return Objection("mentions_value", word)
        return None


def spec_filter(spec: Spec, words: Sequence[str] = ()) -> SpecFilter:
    """The filter of a spec: its value's words as its front matter has them, or `words` instead; and the names."""
    names = Names(spec.model_name, spec.provider_name)
    stems = frozenset(found for word in words for found in stems_of(word)) if words else value_stems(spec)
    return SpecFilter(stems, (names.own, names.own_maker))
