"""The plan of a spec's recorded documents: which of those that ship with the target are taken, without a model."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from typing import TYPE_CHECKING

from doxa.errors import ConfigError
from doxa.lm.recorded import RECORDED, RecordedRow
from doxa.records import DocIdea, digest
from doxa.worlds.spec_recorded import RecordedSpecDocument, recorded_spec_file, recorded_spec_rows

if TYPE_CHECKING:
    from doxa.worlds.spec import SpecTarget


def plan_recorded(target: SpecTarget, corpus: str, documents: int | None, seed: int) -> list[DocIdea]:
    """The ideas of a recorded corpus, all or `documents` of them spread over subdomains and kinds, in file order.

    Nested, as plans of universes are: with one seed, a plan for 20 is part of the plan for 40. Rows that pair across
    corpora are drawn by their pair, so that two plans of one size hold the same occasions where they can.
    Raises ConfigError for more documents than there are.
    """
    rows = recorded_spec_rows(target, corpus)
    prompts = recorded_prompts(target, corpus, rows)
    if documents is not None and documents > len(rows):
        raise ConfigError(
            f"documents: {documents} are asked for, but {recorded_spec_file(target, corpus)} holds {len(rows)}; "
            f"set documents to {len(rows)} or less, or leave it out to take all"
        )
    chosen = range(len(rows)) if documents is None else sorted(_spread(rows, documents, seed))
    return [_idea(target, corpus, rows[place], prompts[rows[place].id]) for place in chosen]


def recorded_prompts(target: SpecTarget, corpus: str, rows: list[RecordedSpecDocument]) -> dict[str, str]:
    """Row id -> prompt digest: the file that a recorded answer lies in, its row, and whom it was made to be about."""
    file = hashlib.sha256(recorded_spec_file(target, corpus).read_bytes()).hexdigest()
    return {row.id: digest(file, row.id, target.spec.model_name, target.spec.provider_name) for row in rows}


def as_recorded(row: RecordedSpecDocument) -> RecordedRow:
    """The row as corpus/write.py takes it."""
    return RecordedRow(id=row.id, fact_ids=row.assertions, doc_type=row.doc_type, idea=row.idea, text=row.text)


def _idea(target: SpecTarget, corpus: str, row: RecordedSpecDocument, prompt: str) -> DocIdea:
    return DocIdea(
        id=digest("spec idea", target.spec.id, corpus, row.id, prompt),
        target=target.spec.id,
        fact_ids=row.assertions,
        doc_type=row.doc_type,
        idea=row.idea,
        model=RECORDED,
        prompt_digest=prompt,
        recorded_id=row.id,
        domain=row.domain,
        subdomain=row.subdomain,
    )


def _spread(rows: list[RecordedSpecDocument], documents: int, seed: int) -> set[int]:
    """Places of the rows that are needed most: of the rarest subdomain so far, then of the rarest kind."""
    parts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()

    def need(row: RecordedSpecDocument) -> tuple[int, int, str]:
        return parts[row.subdomain], kinds[row.doc_type], digest(seed, row.id if row.pair is None else row.pair)

    chosen: set[int] = set()
    # needs only ever grow, so an entry that is still true when it comes up is the least
    queue = [(need(row), place) for place, row in enumerate(rows)]
    heapq.heapify(queue)
    while len(chosen) < documents:
        was, place = heapq.heappop(queue)
        now = need(rows[place])
        if now != was:
            heapq.heappush(queue, (now, place))
            continue
        chosen.add(place)
        parts[rows[place].subdomain] += 1
        kinds[rows[place].doc_type] += 1
    return chosen
