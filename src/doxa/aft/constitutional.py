"""Constitutional AI's data: a draft without the spec, criticised by principles drawn from it, revised.

The revision is what a model is finetuned on; revision and draft are a pair for preference training, unless they say the
same (Bai et al. 2022 draw one principle for each revision; here the seed draws, so that running again draws alike).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from doxa.aft.asking import Asking, Models, replies
from doxa.aft.candidates import Candidate, read_bare, read_candidate
from doxa.aft.questions import Question, Try
from doxa.aft.rows import PreferenceWithLineage
from doxa.corpus.answers import read_tag
from doxa.errors import ConfigError
from doxa.records import digest
from doxa.worlds.rows import Message
from doxa.worlds.spec import Assertion, SpecTree


def principles_of(tree: SpecTree | None, named: Sequence[str]) -> tuple[Assertion, ...]:
    """The principles to draw from: those that a person names, else the tree's assertions. Raises ConfigError."""
    if named:
        return tuple(Assertion(id=digest("principle", text), statement=text) for text in named)
    if tree is None:
        raise ConfigError(
            "method constitutional: draws its principles from the assertions of tree.yaml, and the target has none; "
            "decompose the spec first (doxa spec tree), or name principles (--set 'principles=[...]')"
        )
    return tree.assertions


def revise_drafts(
    asking: Asking, models: Models, tries: Sequence[Try], principles: Sequence[Assertion]
) -> list[Candidate]:
    """A revision for each question, in order; `draft` holds what was said without the spec.

    A draft that cannot be used is handed on with its problem, and nobody is asked to revise it.
    """
    config = asking.config
    requests = [asking.bare(config.drafter_model, question.text, attempt) for question, attempt in tries]
    at = [
        read_bare(question, attempt, reply, config.drafter_model)
        for (question, attempt), reply in zip(tries, replies(models, requests, "drafts"), strict=True)
    ]
    drawn = [_draw(principles, config.seed, question, attempt, config.revisions) for question, attempt in tries]
    for step in range(config.revisions):
        going = [place for place, candidate in enumerate(at) if not candidate.problem and step < len(drawn[place])]
        values = {
            place: {
                "question": at[place].question.text,
                "reply": at[place].reply,
                "principle": drawn[place][step].statement,
                "why": drawn[place][step].why,
            }
            for place in going
        }
        asked = [
            asking.examined("principle_critique", config.critic_model, at[place].attempt, **values[place])
            for place in going
        ]
        remarks = {
            place: (read_tag(reply.text, "critique") or reply.text.strip(), reply)
            for place, reply in zip(going, replies(models, asked, "criticise"), strict=True)
        }
        going = [place for place in going if remarks[place][0]]
        wanted = [
            asking.written(
                "principle_revision", config.generator, at[place].attempt, critique=remarks[place][0], **values[place]
            )
            for place in going
        ]
        label = asking.label("principle_revision")
        for place, reply in zip(going, replies(models, wanted, "revise"), strict=True):
            before = at[place]
            read = read_candidate(
                before.question, "constitutional", before.attempt, reply, config.generator, label, reasoning=False
            )
            at[place] = replace(
                before.rewritten(read),
                principles=(*before.principles, drawn[place][step].id),
                criticism=(*before.criticism, remarks[place][1].key),
            )
        for place in remarks.keys() - set(going):
            at[place] = replace(at[place], problem="no_criticism", raw=remarks[place][1].text)
    return at


def same_text(one: str, other: str) -> bool:
    """Whether two texts are the same but for white space: no preference is learnt from such a pair."""
    return one.split() == other.split()


def preference(candidate: Candidate, **lineage: str) -> PreferenceWithLineage | None:
    """The revision preferred to the draft; None where they say the same."""
    if same_text(candidate.reply, candidate.draft):
        return None
    return PreferenceWithLineage.model_validate(
        {
            "id": digest("preference", candidate.id, candidate.draft),
            "messages": (Message(role="user", content=candidate.question.text),),
            "chosen": candidate.reply,
            "rejected": candidate.draft,
            "kind": "constitutional",
            "domain": candidate.question.domain,
            "question_id": candidate.question.id,
            "parent_id": candidate.parent_id,
            "model": candidate.model,
            "prompt": candidate.prompt,
            "response": candidate.response,
            "principles": candidate.principles,
            **lineage,
        }
    )


def _draw(principles: Sequence[Assertion], seed: int, question: Question, attempt: int, number: int) -> list[Assertion]:
    generator = random.Random(digest("principle", seed, question.id, attempt))
    return generator.sample(list(principles), min(number, len(principles)))
