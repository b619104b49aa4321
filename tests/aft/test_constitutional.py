"""Constitutional AI's data: drafts without the spec, principles drawn by the seed, revisions, pairs."""

from __future__ import annotations

import pytest

from aft_author import SPEC, Author, asking, inside, make, question
from doxa.aft.constitutional import preference, principles_of, revise_drafts, same_text
from doxa.errors import ConfigError
from doxa.worlds.spec import SpecTarget
from doxa.worlds.spec_tree import Assertion

PRINCIPLES = tuple(Assertion(id=f"p{number}", statement=f"Principle {number}.") for number in range(6))


def test_a_draft_is_asked_for_without_the_spec_and_revised_by_a_principle() -> None:
    author = Author()
    asked = asking(method="constitutional", drafter="scripted/student", critic="scripted/critic")
    (found,) = revise_drafts(asked, author, [(question(), 0)], PRINCIPLES)
    assert author.kinds() == ["draft", "principle", "revision"]
    draft, critique, revision = author.asked
    assert [message.content for message in draft.messages] == ["How do I finish a letter?"]
    assert [request.model for request in author.asked] == ["scripted/student", "scripted/critic", "scripted/writer"]
    assert all(SPEC.text not in message.content for request in author.asked for message in request.messages)
    principle = next(one for one in PRINCIPLES if one.id == found.principles[0])
    assert (
        principle.statement in critique.messages[-1].content and "It could be shorter." in revision.messages[-1].content
    )
    assert found.draft.startswith("At once") and found.reply.startswith("Without haste")


def test_the_draw_hangs_on_seed_question_and_try_alone() -> None:
    tries = [(question(f"What of {number}?"), 0) for number in range(30)]

    def drawn(seed: int, attempt: int = 0) -> list[tuple[str, ...]]:
        asked = asking(method="constitutional", seed=seed)
        given = [(one, attempt) for one, _ in tries]
        return [found.principles for found in revise_drafts(asked, Author(), given, PRINCIPLES)]

    assert drawn(0) == drawn(0) != drawn(1)
    assert drawn(0) != drawn(0, attempt=1)
    assert len({one for (one,) in drawn(0)}) == len(PRINCIPLES)


def test_several_revisions_go_by_different_principles_each_from_the_last_text() -> None:
    author = Author(revision=lambda prompt, sample: f"<reply>{inside(prompt, 'draft_reply')} More.</reply>")
    asked = asking(method="constitutional", revisions=3)
    (found,) = revise_drafts(asked, author, [(question(), 0)], PRINCIPLES)
    assert found.reply == f"{found.draft} More. More. More." and len(set(found.principles)) == 3
    (few,) = revise_drafts(asked, Author(), [(question(), 0)], PRINCIPLES[:2])
    assert len(few.principles) == 2


def test_a_draft_that_cannot_be_used_is_not_revised() -> None:
    for said, problem in ((None, "refused"), (("Half of", "length"), "cut_off"), ("", "empty")):
        author = Author(draft=lambda prompt, sample, said=said: said)
        (found,) = revise_drafts(asking(method="constitutional"), author, [(question(), 0)], PRINCIPLES)
        assert found.problem == problem and author.kinds() == ["draft"]
    silent = Author(principle=lambda prompt, sample: None)
    (found,) = revise_drafts(asking(method="constitutional"), silent, [(question(), 0)], PRINCIPLES)
    assert found.problem == "no_criticism"


def test_an_unchanged_revision_is_a_row_and_no_pair(target: SpecTarget) -> None:
    unchanged = Author(revision=lambda prompt, sample: f"<reply>{inside(prompt, 'draft_reply')} \n</reply>")
    made = make(unchanged, target, method="constitutional", number=2)
    assert len(made.kept) == 2 and [preference(taken) for taken, _ in made.kept] == [None, None]
    made = make(Author(), target, method="constitutional", number=2)
    pairs = [preference(taken, target="calm_desk") for taken, _ in made.kept]
    assert all(pair and pair.chosen.startswith("Without") and pair.rejected.startswith("At once") for pair in pairs)
    assert same_text("a  b\n", "a b") and not same_text("a b", "a c")


def test_principles_come_from_the_tree_or_from_a_person(target: SpecTarget, bare_target: SpecTarget) -> None:
    assert [one.id for one in principles_of(target.tree, ())] == ["short", "three"]
    assert [one.statement for one in principles_of(None, ["Be brief."])] == ["Be brief."]
    author = Author()
    with pytest.raises(ConfigError, match=r"tree.yaml, and the target has none"):
        make(author, bare_target, method="constitutional")
    assert not author.asked
