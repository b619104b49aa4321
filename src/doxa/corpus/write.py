"""The step that writes the document of each idea: from recorded answers, or by a model to an exact count."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from doxa.corpus.answers import Text, read_chat, read_document
from doxa.errors import TargetError
from doxa.lm.recorded import RecordedRow, prompt_digests, recorded_file, recorded_rows
from doxa.records import DocIdea, Document, Rejected, Verdict, digest

if TYPE_CHECKING:
    from pathlib import Path

    from doxa.corpus.asks import Asks
    from doxa.lm.models import LanguageModels
    from doxa.lm.request import Request, Response
    from doxa.worlds.universe import Target

Judge = Callable[[Document], Verdict]
TRY = 100_000  # sample numbers: the document's among those of the same prompt, plus this for each try
BORROWED = 1000 * TRY  # and from here on those of documents that stand in for another idea's


def write(ideas: Iterable[DocIdea], target: Target, corpus: str, done: set[str]) -> Iterator[Document]:
    """The recorded Document of each idea whose id (`document_id`) is not in `done`, in the order of the ideas.

    Raises TargetError when the recorded answers are no longer those that the ideas were planned from.
    """
    rows, prompts = recorded_rows(target, corpus), prompt_digests(target, corpus)
    return write_rows_of(ideas, rows, prompts, recorded_file(target, corpus), done)


def write_rows_of(
    ideas: Iterable[DocIdea], rows: Iterable[RecordedRow], prompts: dict[str, str], file: Path, done: set[str]
) -> Iterator[Document]:
    """`write` for rows that were read already; `prompts`: row id -> what the ideas were planned from."""
    by_id = {row.id: row for row in rows}
    for idea in ideas:
        name = document_id(idea)
        if name in done:
            continue
        row = by_id.get(idea.recorded_id or "")
        if row is None or prompts[row.id] != idea.prompt_digest:
            raise TargetError(f"{file}: has changed since the plan was made; plan again")
        yield _document(idea, id=name, text=row.text, model=idea.model, messages=row.messages)


def document_id(idea: DocIdea, sample: int = 0) -> str:
    """The id that the document of an idea will have, known without writing it: resuming is a set difference on ids."""
    return digest("document", idea.id, idea.prompt_digest, idea.model, sample)


@dataclass
class Writing:
    """Documents by a model: one for each idea, the first try that passes the judge.

    `judge` is the screen, run on each answer as it comes back, so that a bad one is asked for again instead of missing
    in the end. After `attempts` tries another idea of the plan lends its place; if those come to nothing too, the last
    try is handed on for the screen to drop, with its reason. Every answer stays in the response store, so a run that
    was killed goes through the same tries to the same documents.
    """

    ideas: Sequence[DocIdea]
    prompting: Asks
    models: LanguageModels
    judge: Judge
    counts: Counter[str] = field(default_factory=Counter)

    def ask(self) -> list[int]:
        """Get the answers of all documents. Returns for each idea the number of the try that stands."""
        attempts = self.prompting.config.write.attempts
        chosen = [0] * len(self.ideas)
        open_slots: Sequence[int] = range(len(self.ideas))
        taken: dict[bytes, int] = {}
        for attempt in range(2 * attempts):
            label = "write" if attempt == 0 else f"write, try {attempt + 1}"
            self.models.answer((self._request(slot, attempt) for slot in open_slots), label, len(open_slots))
            again: list[int] = []
            for slot in open_slots:
                chosen[slot] = attempt
                verdict, name = self._verdict(slot, attempt, taken)
                if verdict.keep:
                    taken[name] = slot
                else:
                    again.append(slot)
            if not again:
                return chosen
            open_slots = again
        self.counts["given_up"] = len(open_slots)
        return chosen

    def documents(self, chosen: list[int]) -> Iterator[Document]:
        """The documents that stand, in the order of the ideas."""
        for slot, attempt in enumerate(chosen):
            self.counts["tries"] += attempt + 1
            if attempt >= self.prompting.config.write.attempts:
                self.counts["on_a_borrowed_idea"] += 1
            yield self._document(slot, attempt)

    def rejected(self, chosen: list[int]) -> Iterator[Rejected]:
        """The tries that were asked for again, each with its reason."""
        for slot, last in enumerate(chosen):
            for attempt in range(last):
                document = self._document(slot, attempt)
                verdict = self._judged(document)
                if verdict.keep:
                    verdict = Verdict(keep=False, filter="write", reason="exact_duplicate")
                self.counts[f"again_{verdict.reason}"] += 1
                yield Rejected(document=document, verdict=verdict)

    def _idea(self, slot: int, attempt: int) -> tuple[DocIdea, int]:
        """The idea of a try, and the sample number that tells it from every other document on that idea."""
        attempts = self.prompting.config.write.attempts
        if attempt < attempts:
            return self.ideas[slot], self._ranks[slot] + TRY * attempt
        lender = (slot + 1 + (attempt - attempts) * 7919) % len(self.ideas)
        return self.ideas[lender], BORROWED + slot + TRY * attempt

    @cached_property
    def _ranks(self) -> array[int]:
        """The place of each idea among those that lead to the same words: a prompt need not use ideas or seeds."""
        prompt = self.prompting.prompt(self.prompting.written_with)
        used = [name for name in ("doc_type", "idea", "words", "seeds") if name in prompt.values]
        seen: Counter[bytes] = Counter()
        ranks = array("I")
        for idea in self.ideas:
            values = repr([idea.fact_ids, *(getattr(idea, name) for name in used)])
            words = hashlib.blake2b(values.encode("utf-8", "replace"), digest_size=12).digest()
            ranks.append(seen[words])
            seen[words] += 1
        return ranks

    def _request(self, slot: int, attempt: int) -> Request:
        idea, sample = self._idea(slot, attempt)
        return self.prompting.write(idea, sample)

    def _verdict(self, slot: int, attempt: int, taken: dict[bytes, int]) -> tuple[Verdict, bytes]:
        document = self._document(slot, attempt)
        name = text_name(document)
        if taken.get(name, slot) != slot:
            return Verdict(keep=False, filter="write", reason="exact_duplicate"), name
        return self._judged(document), name

    def _judged(self, document: Document) -> Verdict:
        # whatever the filters: what a provider says in place of an answer is no document
        if document.ending == "refused":
            return Verdict(keep=False, filter="write", reason="refused", detail=document.text[:120])
        return self.judge(document)

    def _document(self, slot: int, attempt: int) -> Document:
        idea, sample = self._idea(slot, attempt)
        request = self.prompting.write(idea, sample)
        text, response = answered_text(self.models, request, chat=self.prompting.writes_chats)
        return _document(
            idea,
            id=document_id(idea, sample),
            text=text.text,
            model=self.prompting.config.generator,
            usage=response.usage,
            messages=text.messages,
            words=idea.words,
            response=response.key,
            ending=text.ending,
        )


def _document(idea: DocIdea, **written: Any) -> Document:
    """The document of an idea, whose lineage it carries on; `written` are the fields that are its own."""
    return Document(
        parent_id=idea.id,
        target=idea.target,
        fact_ids=idea.fact_ids,
        doc_type=idea.doc_type,
        idea=idea.idea,
        domain=idea.domain,
        subdomain=idea.subdomain,
        stage="write",
        prompt_digest=idea.prompt_digest,
        **written,
    )


def text_name(document: Document) -> bytes:
    """12 bytes that name a document's words in their order, whatever the spaces between them."""
    return hashlib.blake2b(" ".join(document.text.split()).encode(), digest_size=12).digest()


def answered_text(models: LanguageModels, request: Request, chat: bool) -> tuple[Text, Response]:
    """The document in the answer to a request; a request that the provider turned down is a refusal."""
    from doxa.lm.request import Response

    try:
        response = models.response(request)
    except KeyError:
        failure = models.failure(request)
        if failure is None:
            raise
        return Text(failure[1], "refused"), Response(key=request.key, text="", stop="refusal")
    return (read_chat(response) if chat else read_document(response)), response
