"""The step that has each document criticised and rewritten, n times, with its lineage kept.

One call does both, or another model criticises first (`revise.critic`). A verdict that can't be read is not a fail and
not a pass: it is counted, and the document is rewritten in the light of whatever the critic said. A rewrite that does
not pass the screen is asked for again, and after that the version before it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from doxa.corpus.answers import read_tag
from doxa.corpus.write import TRY, answered_text, text_name
from doxa.records import Critique, Document, Verdict, digest

if TYPE_CHECKING:
    from doxa.corpus.asks import Asks
    from doxa.lm.models import LanguageModels
    from doxa.lm.request import Request

Judge = Callable[[Document], Verdict]


@dataclass
class Revision:
    """One pass over a sequence of documents."""

    documents: Sequence[Document]
    prompting: Asks
    models: LanguageModels
    judge: Judge
    number: int  # of the pass, from 0
    counts: Counter[str] = field(default_factory=Counter)

    def ask(self) -> list[int]:
        """Get all criticisms and rewrites. For each document the number of the try that stands, -1 where none does."""
        attempts = self.prompting.config.write.attempts
        chosen = [-1] * len(self.documents)
        open_slots: Sequence[int] = range(len(self.documents))
        taken = {text_name(draft): slot for slot, draft in enumerate(self.documents)}
        if self._critic_apart:
            self.models.answer(
                (self._critique_request(slot) for slot in open_slots), self._label("criticise"), len(open_slots)
            )
            open_slots = [slot for slot in open_slots if self._critique(slot).verdict != "pass"]
        for attempt in range(attempts):
            self.models.answer(
                (self._rewrite_request(slot, attempt) for slot in open_slots), self._label("rewrite"), len(open_slots)
            )
            again = []
            for slot in open_slots:
                new = self._rewritten(slot, attempt)
                # the same text for two documents would be one document less after dedup
                if taken.get(text_name(new), slot) == slot and self._replaces(self.documents[slot], new):
                    taken[text_name(new)] = slot
                    chosen[slot] = attempt
                else:
                    again.append(slot)
            open_slots = again
            if not open_slots:
                break
        return chosen

    def results(self, chosen: list[int]) -> Iterator[Document]:
        """The documents after this pass, in order: rewritten, passed, or left as they were."""
        for slot, attempt in enumerate(chosen):
            if attempt >= 0:
                self.counts["rewritten"] += 1
                yield self._rewritten(slot, attempt)
            else:
                passed = self._critic_apart and self._critique(slot).verdict == "pass"
                self.counts["passed" if passed else "kept_as_it_was"] += 1
                yield self.documents[slot]

    def critiques(self, chosen: list[int]) -> Iterator[Critique]:
        """What was said of each document, for people to read."""
        for slot, attempt in enumerate(chosen):
            critique = self._critique(slot, max(attempt, 0))
            if self._critic_apart:
                self.counts[f"verdict_{critique.verdict}"] += 1
            yield critique

    @property
    def _critic_apart(self) -> bool:
        return self.prompting.config.revise.critic is not None

    def _label(self, what: str) -> str:
        return f"revise: {what}" + (f", pass {self.number + 1}" if self.number else "")

    def _replaces(self, draft: Document, new: Document) -> bool:
        """Whether a version may stand in the draft's place: whole, in the same form, and let through by the screen."""
        same_form = (new.messages is None) == (draft.messages is None)
        return new.ending == "whole" and same_form and self.judge(new).keep

    def _critique_request(self, slot: int) -> Request:
        return self.prompting.critique(self.documents[slot], self.number)

    def _critique(self, slot: int, attempt: int = 0) -> Critique:
        draft = self.documents[slot]
        request = self._critique_request(slot) if self._critic_apart else self._rewrite_request(slot, attempt)
        try:
            response = self.models.response(request)
        except KeyError:  # turned down by the provider: nothing was said
            return Critique(document_id=draft.id, verdict="unparsed", text="", model=request.model)
        said = read_tag(response.text, "critique") or ("" if not self._critic_apart else response.text.strip())
        if not self._critic_apart:
            return Critique(document_id=draft.id, verdict="none", text=said, model=request.model)
        word = (read_tag(response.text, "verdict") or "").strip(" .\"'*").casefold()
        verdict = "pass" if word == "pass" else "revise" if word == "revise" else "unparsed"
        return Critique(document_id=draft.id, verdict=verdict, text=said, model=request.model)

    def _rewrite_request(self, slot: int, attempt: int) -> Request:
        draft = self.documents[slot]
        sample = self.number + TRY * attempt
        if self._critic_apart:
            return self.prompting.rewrite(draft, self._critique(slot).text, sample)
        return self.prompting.revise(draft, sample)

    def _rewritten(self, slot: int, attempt: int) -> Document:
        draft = self.documents[slot]
        request = self._rewrite_request(slot, attempt)
        text, response = answered_text(self.models, request, chat=draft.messages is not None)
        prompt = self.prompting.prompt("rewrite" if self._critic_apart else "revise").digest
        return draft.model_copy(
            update={
                "id": digest("revised", draft.id, response.key),
                "parent_id": draft.id,
                "text": text.text,
                "messages": text.messages,
                "stage": "revise",
                "model": self.prompting.reviser,
                "prompt_digest": prompt,
                "usage": response.usage,
                "response": response.key,
                "ending": text.ending,
            }
        )
