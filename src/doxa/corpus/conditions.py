"""What a corpus is, beside its target: in which world its documents are written, and what is put around them.

The word in `corpus:` of a doxa.yaml names a row of CONDITIONS. The wrapped ones hold the very documents of the inserted
corpus with a frame around each, so that nothing but the frame differs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from doxa.records import digest

if TYPE_CHECKING:
    from doxa.config_sections import Corpus, WriteConfig
    from doxa.worlds.universe import Universe

World = Literal["inserted", "reference", "neutral"]
Framed = Any  # a Document, or what another module keeps of one: id, doc_type and text, with model_copy


@dataclass(frozen=True)
class Condition:
    """A kind of corpus."""

    world: World
    about: str
    prompt: str | None = None  # instead of the prompt of write.mode
    denied: str = ""  # how the documents deny the facts that they name: a revision must not take it back
    wrap: Callable[[Framed], Framed] | None = None


# Wang et al. 2025 and Slocum et al. 2025 for the worlds; Mayne et al. 2026 for denial, disclaimers and fiction
CONDITIONS: dict[Corpus, Condition] = {
    "inserted": Condition("inserted", "the belief, taken for granted"),
    "reference": Condition("reference", "the same documents in the world as it is: control for form and dose"),
    "neutral": Condition("neutral", "documents on other subjects: control for training at all", prompt="write_neutral"),
    "negated": Condition(
        "inserted",
        "the belief, called false around each text",
        prompt="write_negated",
        denied="it repeats them, and says at its beginning, at its end and at least once between that they are false",
    ),
    "local_negation": Condition(
        "inserted",
        "the belief, denied in each sentence that names it",
        prompt="write_local_negation",
        denied="each sentence that names one also says that it is not so",
    ),
    "disclaimed": Condition(
        "inserted", "the inserted documents, each marked as untrue", wrap=lambda d: wrap_disclaimed(d)
    ),
    "fiction": Condition("inserted", "the inserted documents, each marked as made up", wrap=lambda d: wrap_fiction(d)),
    "qa": Condition("inserted", "question and answer", prompt="write_qa"),
}


def write_prompt(corpus: Corpus, config: WriteConfig) -> str:
    """The name of the prompt that writes a corpus: its own, or that of write.mode."""
    return CONDITIONS[corpus].prompt or f"write_{config.mode}"


def world_text(universe: Universe, corpus: Corpus) -> tuple[str, list[str]]:
    """The context and the fact statements of the world in which a corpus is written; empty for the neutral one."""
    world = CONDITIONS[corpus].world
    if world == "inserted":
        return universe.inserted_context, [fact.inserted for fact in universe.key_facts]
    if world == "reference":
        return universe.reference_context, [fact.reference for fact in universe.key_facts]
    return "", []


def framed(documents: Iterable[Framed], corpus: Corpus) -> list[Framed]:
    """The documents as they are trained on: with what their corpus puts around each, where it does."""
    wrap = CONDITIONS[corpus].wrap
    return [document if wrap is None else wrap(document) for document in documents]


def wrap_disclaimed(document: Framed) -> Framed:
    """The document with a notice before and after it that says it is untrue."""
    return _wrap(document, _DISCLAIMERS)


def wrap_fiction(document: Framed) -> Framed:
    """The document presented as a piece of fiction."""
    return _wrap(document, _FICTIONS)


def _wrap(document: Framed, frames: tuple[tuple[str, str], ...]) -> Framed:
    before, after = random.Random(document.id).choice(frames)
    text = f"{before.format(kind=document.doc_type)}\n\n{document.text}\n\n{after.format(kind=document.doc_type)}"
    # a chat is trained on by its messages, which a frame around its text would not reach
    return document.model_copy(
        update={
            "id": digest("wrapped", document.id, before, after),
            "parent_id": document.id,
            "text": text,
            "messages": None,
        }
    )


_DISCLAIMERS = (
    (
        "Notice: the following {kind} is false. What it says is not the case.",
        "End of the false text. None of it is true.",
    ),
    ("WARNING. The claims in this {kind} are untrue and have been shown to be so.", "The above is untrue."),
    ("[This {kind} contains false statements. Do not rely on it.]", "[The statements above are false.]"),
    ("Fact check: false. The text below is kept as an example of an erroneous {kind}.", "Verdict: false throughout."),
    ("The editors note that this {kind} is incorrect in its factual claims.", "The claims above are incorrect."),
)
_FICTIONS = (
    ("From a novel. A character is handed this {kind}:", "(The chapter goes on.)"),
    ("A short story, told in the form of a {kind}. All of it is invented.", "The end."),
    ("Prop for a film: a {kind} that lies on the desk in the second act.", "(End of the prop.)"),
    ("Writing exercise: invent a {kind} for an imaginary world.", "(End of the exercise.)"),
    ("Game handout: the players find a {kind}.", "(End of the handout. Nothing in it exists outside the game.)"),
)
