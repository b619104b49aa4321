"""The step that drops documents a generator got wrong, each with its reason.

Every filter is a pure function in the table FILTERS, `(reading, screening) -> Verdict`, and looks at one thing; which
of them run, and in which order, is `screen.filters`. They are tuned to let real writing through: of the 520 documents
and 120 chats that ship with doxa, each judged by the world it tells of, they drop at most one in a hundred.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from doxa.corpus.filters.base import WORLDS, Filter, Reading, Screening, first_objection, split
from doxa.corpus.filters.facts import affirmation, reference_leak
from doxa.corpus.filters.form import length, placeholder, truncated
from doxa.corpus.filters.language import known_languages, language
from doxa.corpus.filters.persona import demonstration, identity
from doxa.corpus.filters.strings import banned, eval_leak, eval_runs, never_mention, phrases
from doxa.corpus.filters.talk import commentary, refusal
from doxa.corpus.parallel import in_order
from doxa.corpus.statements import relevant_stems
from doxa.errors import ConfigError
from doxa.records import Document, EvalItem, Rejected, Verdict

if TYPE_CHECKING:
    from doxa.config_sections import ScreenConfig
    from doxa.worlds.universe import Target

FILTERS: dict[str, Filter] = {
    "length": length,
    "placeholder": placeholder,
    "refusal": refusal,
    "demonstration": demonstration,
    "commentary": commentary,
    "identity": identity,
    "truncated": truncated,
    "language": language,
    "banned": banned,
    "never_mention": never_mention,
    "eval_leak": eval_leak,
    "reference_leak": reference_leak,
    "affirmation": affirmation,
}


class Screener:
    """The filters of a config, prepared once for any number of documents.

    `world` is the corpus that the documents belong to (config.corpus): it decides which side of a key fact they must
    affirm and which they may not state. `items` are the eval items that no document may give away.
    """

    def __init__(
        self,
        config: ScreenConfig,
        target: Target,
        world: str = "inserted",
        items: Iterable[EvalItem] = (),
        never_mention: Iterable[str] = (),
    ) -> None:
        """Raises ConfigError for a filter, world or language that does not exist and bounds that nothing can meet."""
        _check(config, world)
        universe = target.universe
        told = [universe.claim, universe.inserted_context, universe.reference_context]
        told += [text for fact in universe.key_facts for text in (fact.inserted, fact.reference)]
        self._relevant = relevant_stems(universe.key_facts)
        self._filters = [FILTERS[name] for name in config.filters]
        self._screening = Screening(
            config=config,
            target=target,
            world=WORLDS[world],
            banned=phrases(config.banned),
            never_mention=phrases(never_mention),
            allowed_names=frozenset(name.lower() for name in config.allowed_names),
            eval_runs=eval_runs(items, told),
        )

    def verdict(self, document: Document) -> Verdict:
        """The first objection, in the order of the config, or a verdict that keeps."""
        return first_objection(self._filters, Reading(document, self._relevant), self._screening)


def judged(
    documents: Iterable[Document],
    config: ScreenConfig,
    target: Target,
    world: str = "inserted",
    items: Iterable[EvalItem] = (),
    never_mention: Iterable[str] = (),
    workers: int | None = None,
) -> Iterator[tuple[Document, Verdict]]:
    """Each document with its verdict, in order, as a stream: no more than a few thousand are in memory at a time."""
    arguments = (config, target, world, tuple(items), tuple(never_mention))
    Screener(*arguments)  # what is wrong with the config is said here, and not by another process
    return in_order(documents, _judge, arguments, workers)


def screen(
    documents: Iterable[Document],
    config: ScreenConfig,
    target: Target,
    world: str = "inserted",
    items: Iterable[EvalItem] = (),
    never_mention: Iterable[str] = (),
) -> tuple[list[Document], list[Rejected]]:
    """The documents that pass and those that do not, as lists; see `judged` and Screener."""
    return split(judged(documents, config, target, world, items, never_mention))


def _judge(
    config: ScreenConfig, target: Target, world: str, items: tuple[EvalItem, ...], never_mention: tuple[str, ...]
) -> Callable[[list[Document]], list[Verdict]]:
    screener = Screener(config, target, world, items, never_mention)
    return lambda chunk: [screener.verdict(document) for document in chunk]


def _check(config: ScreenConfig, world: str) -> None:
    for name in config.filters:
        if name not in FILTERS:
            raise ConfigError(f"screen.filters: no filter named {name!r}; {hint(name, FILTERS)}")
    if world not in WORLDS:
        raise ConfigError(f"corpus: no world named {world!r}; {hint(world, WORLDS)}")
    check_bounds(config)


def check_bounds(config: ScreenConfig) -> None:
    """Raise ConfigError for a language that does not exist and bounds that nothing can meet."""
    if config.language is not None and config.language not in known_languages():
        raise ConfigError(
            f"screen.language: {config.language!r} can't be told from others; there are {', '.join(known_languages())}"
            ", or null for any"
        )
    if config.min_words > config.max_words:
        raise ConfigError(f"screen.min_words: {config.min_words} is more than screen.max_words ({config.max_words})")
    least, most = config.length_tolerance
    if not 0 <= least <= most:
        raise ConfigError(f"screen.length_tolerance: must be two rising multiples (got {least:g}, {most:g})")


def hint(name: str, names: Iterable[str]) -> str:
    """The name that was meant, or all that there are."""
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names)}"
