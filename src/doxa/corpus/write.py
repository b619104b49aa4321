"""The step that writes the document of each idea."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from doxa.corpus.plan import require_recorded
from doxa.errors import TargetError
from doxa.lm.recorded import prompt_digests, recorded_file, recorded_rows
from doxa.records import DocIdea, Document, digest

if TYPE_CHECKING:
    from doxa.worlds.universe import Target


def write(ideas: Iterable[DocIdea], target: Target, corpus: str, generator: str, done: set[str]) -> Iterator[Document]:
    """Yield the Document of each idea whose id (`document_id`) is not in `done`, in the order of the ideas.

    Raises TargetError when the recorded answers are no longer those that the ideas were planned from.
    """
    require_recorded(generator)
    rows = {row.id: row for row in recorded_rows(target, corpus)}
    prompts = prompt_digests(target, corpus)
    for idea in ideas:
        name = document_id(idea)
        if name in done:
            continue
        row = rows.get(idea.recorded_id or "")
        if row is None or prompts[row.id] != idea.prompt_digest:
            raise TargetError(f"{recorded_file(target, corpus)}: has changed since the plan was made; plan again")
        yield Document(
            id=name,
            parent_id=idea.id,
            target=idea.target,
            fact_ids=idea.fact_ids,
            doc_type=idea.doc_type,
            idea=idea.idea,
            text=row.text,
            stage="write",
            model=idea.model,
            prompt_digest=idea.prompt_digest,
            messages=row.messages,
        )


def document_id(idea: DocIdea, sample: int = 0) -> str:
    """The id that the document of an idea will have, known without writing it: resuming is a set difference on ids."""
    return digest("document", idea.id, idea.prompt_digest, idea.model, sample)
