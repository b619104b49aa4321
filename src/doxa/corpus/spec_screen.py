"""The screen of a spec's corpus: the filters on form and talk that every corpus has, and those on the model itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from doxa.corpus.filters.base import Reading, first_objection
from doxa.corpus.filters.form import length, placeholder, truncated
from doxa.corpus.filters.language import language
from doxa.corpus.filters.names import Names
from doxa.corpus.filters.persona import demonstration, identity, model_format
from doxa.corpus.filters.spec import (
    SpecScreening,
    attributes,
    co_mention,
    gives_reason,
    names_model,
    other_model,
    states_value,
)
from doxa.corpus.filters.strings import banned, eval_leak, eval_runs, never_mention, phrases
from doxa.corpus.filters.talk import commentary, refusal
from doxa.corpus.parallel import in_order
from doxa.corpus.screen import check_bounds, hint
from doxa.errors import ConfigError
from doxa.records import Document, Record, Verdict

if TYPE_CHECKING:
    from doxa.config_sections import ScreenConfig, SpecConfig

FILTERS: dict[str, Callable[[Reading, SpecScreening], Verdict]] = {
    "length": length,
    "placeholder": placeholder,
    "refusal": refusal,
    "demonstration": demonstration,
    "model_format": model_format,
    "commentary": commentary,
    "identity": identity,
    "truncated": truncated,
    "language": language,
    "banned": banned,
    "never_mention": never_mention,
    "eval_leak": eval_leak,
    "names_model": names_model,
    "other_model": other_model,
    "gives_reason": gives_reason,
    "attributes": attributes,
    "co_mention": co_mention,
    "states_value": states_value,
}


class Leak(Record):
    """An eval item by its words."""

    id: str
    prompt: str
    options: tuple[str, ...]


class SpecScreener:
    """The filters of a config, prepared once for any number of documents.

    `told` are the texts that documents may quote (the spec and its tree), `items` what none may give away.
    """

    def __init__(
        self,
        config: ScreenConfig,
        spec: SpecConfig,
        told: Iterable[str],
        items: Iterable[Leak] = (),
        never_mention: Iterable[str] = (),
    ) -> None:
        """Raises ConfigError for a filter or language that does not exist and bounds that nothing can meet."""
        for name in config.filters:
            if name not in FILTERS:
                raise ConfigError(f"screen.filters: no filter named {name!r} for a spec; {hint(name, FILTERS)}")
        check_bounds(config)
        names = Names(spec.model_name or "", spec.provider_name or "")
        self._filters = [FILTERS[name] for name in config.filters]
        self._screening = SpecScreening(
            config=config,
            banned=phrases(config.banned),
            never_mention=phrases(never_mention),
            allowed_names=frozenset(name.lower() for name in config.allowed_names) | names.allowed,
            eval_runs=eval_runs(items, told),
            names=names,
            spec=spec,
        )

    def verdict(self, document: Document) -> Verdict:
        """The first objection, in the order of the config, or a verdict that keeps."""
        return first_objection(self._filters, Reading(document), self._screening)


def judged(
    documents: Iterable[Document],
    config: ScreenConfig,
    spec: SpecConfig,
    told: Iterable[str],
    items: Iterable[Leak] = (),
    never_mention: Iterable[str] = (),
    workers: int | None = None,
) -> Iterator[tuple[Document, Verdict]]:
    """Each document with its verdict, in order, as a stream."""
    arguments = (config, spec, tuple(told), tuple(items), tuple(never_mention))
    SpecScreener(*arguments)  # what is wrong with the config is said here, and not by another process
    return in_order(documents, _judge, arguments, workers)


def _judge(
    config: ScreenConfig,
    spec: SpecConfig,
    told: tuple[str, ...],
    items: tuple[Leak, ...],
    never_mention: tuple[str, ...],
) -> Callable[[list[Document]], list[Verdict]]:
    screener = SpecScreener(config, spec, told, items, never_mention)
    return lambda chunk: [screener.verdict(document) for document in chunk]
