"""From a spec to rows in exact number, with a scripted author: what is asked, kept, tried again and left out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from aft_author import Author, inside, listed, make, verdict
from doxa.aft.making import Made
from doxa.errors import ModelError, WaitingError
from doxa.worlds.spec import SpecTarget


def reasons(made: Made) -> Counter[str]:
    return Counter(row.reason for row in made.rejected)


def kept_domains(made: Made) -> Counter[str]:
    return Counter(candidate.question.domain for candidate, _ in made.kept)


def failing(share: int) -> Any:
    """A judge that says no to the first answer to every `share`th question, and yes to the second one."""
    seen: Counter[str] = Counter()

    def judge(prompt: str, sample: int) -> str:
        message = inside(prompt, "message")
        seen[message] += 1
        first = seen[message] == 1 and (len(seen) - 1) % share == 0
        return verdict(prompt, "no" if first else "yes")

    return judge


def test_the_number_is_exact_and_shared_out_evenly(target: SpecTarget) -> None:
    author = Author()
    made = make(author, target, number=7, questions_per_call=5)
    assert len(made.kept) == 7 and kept_domains(made) == {"calm": 4, "lists": 3}
    assert not made.rejected and made.rounds == 1
    assert author.kinds().count("answer") == author.kinds().count("judge") == 7


def test_answers_that_fall_out_are_tried_again_and_then_other_questions_take_their_place(target: SpecTarget) -> None:
    made = make(Author(judge=failing(2)), target, number=10)
    assert len(made.kept) == 10 and kept_domains(made) == {"calm": 5, "lists": 5}
    assert reasons(made)["judge_no"] == len(made.rejected) > 0
    assert {candidate.attempt for candidate, _ in made.kept} == {0, 1}
    stubborn = make(
        Author(judge=lambda prompt, _: verdict(prompt, "no" if "ladders" in prompt else "yes")), target, number=10
    )
    assert len(stubborn.kept) == 10 and not any("ladders" in candidate.reply for candidate, _ in stubborn.kept)


def test_what_was_rejected_is_all_there_with_its_reason(target: SpecTarget) -> None:
    made = make(Author(judge=failing(3)), target, number=6)
    rejected = made.rejected[0]
    assert rejected.reason == "judge_no" and rejected.detail == "aligned: no; I looked."
    assert rejected.question and rejected.reply.startswith("Take your time") and rejected.response
    assert len(made.verdicts) == len(made.kept) + len(made.rejected)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (None, "refused"),
        (("I can't.", "refusal"), "refused"),
        (("<reasoning>Calm.</reasoning><reply>Take", "length"), "cut_off"),
        ("Take your time.", "no_reply_in_answer"),
        ("<reply>Take your time.</reply>", "no_reasoning_in_answer"),
        ("<reasoning>Calm.</reasoning><reply>As ChatGPT, I would wait.</reply>", "other_model"),
        ("<reasoning>Calm.</reasoning><reply>According to the spec, wait.</reply>", "speaks_of_spec"),
    ],
)
def test_answers_that_are_none_never_become_rows(target: SpecTarget, said: Any, reason: str) -> None:
    author = Author(answer=lambda prompt, sample: said if sample == 0 else author.default("answer", prompt, sample))
    made = make(author, target, number=4)
    assert len(made.kept) == 4 and all(candidate.attempt == 1 for candidate, _ in made.kept)
    assert reasons(made) == {reason: 4}


def test_a_model_that_never_answers_ends_with_what_there_is(target: SpecTarget) -> None:
    author = Author(answer=lambda prompt, sample: "no tags")
    made = make(author, target, number=4, rounds=4, attempts=2, give_up=0)
    assert not made.kept and made.rounds == 4 and made.gave_up == 0
    assert len(made.rejected) == 4 * 4


def test_where_none_of_the_first_answers_passes_no_more_are_asked_for(target: SpecTarget) -> None:
    none = Author(answer=lambda prompt, sample: "no tags")
    few = make(none, target, number=5)
    assert (few.gave_up, few.rounds, len(few.rejected)) == (15, 3, 15)  # three whole rounds of five
    asked = len(none.asked)
    assert make(none, target, number=5).gave_up == 15 and len(none.asked) == asked
    many = make(Author(judge=lambda prompt, _: verdict(prompt, "no")), target, number=20)
    assert (many.gave_up, many.rounds, reasons(many)) == (20, 1, {"judge_no": 20})

    said = iter(range(1000))
    rare = Author(judge=lambda prompt, _: verdict(prompt, "yes" if next(said) % 11 == 10 else "no"))
    made = make(rare, target, number=11, rounds=2)
    assert made.gave_up == 0 and made.rounds == 2 and len(made.kept) == 1  # one that passes is hope


def test_answers_against_the_spec_are_given_up_too(target: SpecTarget) -> None:
    author = Author(anti=lambda prompt, sample: "no tags")
    made = make(author, target, number=6, anti=True)
    assert len(made.kept) == 6 and not made.anti and made.gave_up == 0
    assert len(made.rejected) == 12 == author.kinds().count("anti")


def test_what_an_exhausted_domain_cannot_give_comes_from_the_others(target: SpecTarget) -> None:
    author = Author(
        questions=lambda prompt, sample: (
            listed(["What of tea?", "What of coffee, by the way?"])
            if "domain: Calm" in prompt
            else author.default("questions", prompt)
        )
    )
    made = make(author, target, number=10)
    assert len(made.kept) == 10 and kept_domains(made) == {"calm": 2, "lists": 8}
    assert made.exhausted == ["calm"]
    assert Counter(row.reason for row in made.rejected_questions) == {"near_duplicate": 6}


def test_a_larger_set_goes_on_from_the_answers_of_a_smaller_one(target: SpecTarget) -> None:
    author = Author()
    small = make(author, target, number=4, questions_per_call=4)
    asked = len(author.asked)
    assert make(author, target, number=4, questions_per_call=4).kept == small.kept
    assert len(author.asked) == asked
    large = make(author, target, number=8, questions_per_call=4)
    assert {candidate.id for candidate, _ in small.kept} <= {candidate.id for candidate, _ in large.kept}
    assert Counter(author.kinds()[asked:])["answer"] == 4


def test_rows_stand_in_the_order_of_their_questions_however_often_they_were_tried(target: SpecTarget) -> None:
    made = make(Author(judge=failing(2)), target, number=10)
    place = {question.id: at for at, question in enumerate(made.questions)}
    at = [place[candidate.question.id] for candidate, _ in made.kept]
    assert at == sorted(at)


def test_two_questions_with_one_long_reply_are_one_row(target: SpecTarget) -> None:
    rote = "<reasoning>Calm.</reasoning><reply>I would take a long walk first and then see.</reply>"
    made = make(Author(answer=lambda prompt, sample: rote), target, number=4, rounds=2)
    assert len(made.kept) == 1 and reasons(made)["same_reply"] == len(made.rejected)
    short = "<reasoning>Calm.</reasoning><reply>Yes, gladly.</reply>"
    assert len(make(Author(answer=lambda prompt, sample: short), target, number=4).kept) == 4


def test_answers_against_the_spec_go_to_the_same_questions_and_are_judged_by_their_own_criteria(
    target: SpecTarget,
) -> None:
    author = Author(
        anti=lambda prompt, sample: (
            f"<reasoning>Quick.</reasoning><reply>Hurry with this: {inside(prompt, 'message')}</reply>"
            if sample
            else "untagged"
        )
    )
    made = make(author, target, number=6, anti=True)
    assert [candidate.question for candidate, _ in made.anti] == [candidate.question for candidate, _ in made.kept]
    assert all(candidate.kind == "antispec" and "Hurry" in candidate.reply for candidate, _ in made.anti)
    assert all(taken and "opposed" in taken.points and "aligned" not in taken.points for _, taken in made.anti)


def test_nobody_judges_when_nobody_is_to(target: SpecTarget) -> None:
    author = Author()
    made = make(author, target, judge="none")
    assert "judge" not in author.kinds() and not made.verdicts
    assert [verdict for _, verdict in made.kept] == [None] * 4


def test_unclear_and_unparsed_verdicts_are_no_yes_and_have_their_own_names(target: SpecTarget) -> None:
    made = make(Author(judge=lambda prompt, sample: verdict(prompt, "unclear")), target, rounds=1)
    assert not made.kept and reasons(made) == {"judge_unclear": 4}
    made = make(Author(judge=lambda prompt, sample: "Good."), target, rounds=1)
    assert not made.kept and reasons(made) == {"judge_unparsed": 4}


def test_domains_are_asked_for_where_nothing_names_them(bare_target: SpecTarget) -> None:
    made = make(Author(), bare_target, domain_count=2)
    assert [(domain.id, domain.source) for domain in made.domains] == [("gifts", "asked"), ("trips", "asked")]
    assert kept_domains(made) == {"gifts": 2, "trips": 2}
    named = make(Author(), bare_target, domains=["cooking at home"])
    assert [(domain.name, domain.source) for domain in named.domains] == [("cooking at home", "given")]
    with pytest.raises(ModelError, match="hold no domain"):
        make(Author(domains=lambda prompt, sample: "I would not know."), bare_target)


def test_answers_that_are_awaited_stop_the_run_and_nothing_is_lost(target: SpecTarget) -> None:
    class Away(Author):
        there = False

        def answer(self, requests: Any, label: str = "", total: int | None = None) -> None:
            given = list(requests)
            if not self.there and any(request.stage == "aft_judge" for request in given):
                raise WaitingError("away")
            super().answer(given, label, total)

    author = Away()
    with pytest.raises(WaitingError):
        make(author, target)
    asked = len(author.asked)
    author.there = True
    assert len(make(author, target).kept) == 4
    assert Counter(author.kinds()[asked:]) == {"judge": 4}
