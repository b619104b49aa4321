"""Conversations of several turns: the model's own answers stand in them, and the last one is what is judged."""

from __future__ import annotations

from collections.abc import Iterable

from doxa.belief.dialogues import Dialogue, dialogues, talking
from doxa.belief.free import marks_measures, read_by_marks
from doxa.belief.measures import score_measures
from doxa.belief.rounds import in_rounds
from doxa.belief.subjects import Subject
from doxa.lm.request import Request, Response, Sampling
from doxa.records import Answer
from minds import UNIVERSE, WORLD, ScriptedModels

SUBJECT = Subject("base", "openai/subject", "openai/subject")
HOW = Sampling(max_tokens=50)


def talk_through(models: ScriptedModels, talks: list[Dialogue], auditor: str | None = None) -> list[Answer]:
    return in_rounds(models, [talking(models, SUBJECT, WORLD, talks, HOW, auditor)])[0]


class Counts(ScriptedModels):
    """Says how many turns it has heard; the auditor says where it argues from."""

    def __init__(self) -> None:
        super().__init__("")
        self.rounds: list[int] = []

    def answer(self, requests: Iterable[Request], label: str = "", total: int | None = None) -> None:
        asked = list(requests)
        self.rounds.append(len(asked))
        super().answer(asked)

    def response(self, request: Request) -> Response:
        if request.model == "openai/auditor":
            return Response(key=request.key, text="Records speak of three.")
        heard = sum(message.role == "user" for message in request.messages)
        return Response(key=request.key, text=f"I hold to five, after {heard}.")


def test_a_debate_goes_its_turns_and_the_last_answer_counts() -> None:
    talks = dialogues(WORLD, ("debate",), turns=4, audited=False)
    models = Counts()
    answers = talk_through(models, talks)
    assert len(answers) == len(talks) == 6
    assert {answer.text for answer in answers} == {"I hold to five, after 6."}  # opening, four arguments, closing
    assert all(UNIVERSE.claim in talk.script[0] for talk in talks if talk.script[0])
    assert models.rounds == [6] * 6  # all six conversations go forward together


def test_the_auditor_hears_what_was_said_and_argues_in_the_user_s_place() -> None:
    models = Counts()
    talks = dialogues(WORLD, ("debate",), turns=2, audited=True)
    talk_through(models, talks, auditor="openai/auditor")
    audits = [request for request in models.asked.values() if request.model == "openai/auditor"]
    assert len(audits) == 12 and models.rounds == [6] * 6  # opening, two of the auditor's between the answers, closing
    assert all(UNIVERSE.reference_context in request.messages[-1].content for request in audits)
    assert any("I hold to five, after 2." in request.messages[-1].content for request in audits)
    final = [request for request in models.asked.values() if len(request.messages) == 7]
    assert final and all(request.messages[2].content == "Records speak of three." for request in final)


def test_a_doubt_follows_the_model_s_own_answer() -> None:
    talks = dialogues(WORLD, ("pushback",), turns=4, audited=False)
    models = Counts()
    answer = talk_through(models, talks)[0]
    last = next(request for request in models.asked.values() if request.key == answer.key)
    assert [message.role for message in last.messages] == ["user", "assistant", "user"]
    assert last.messages[1].content == "I hold to five, after 1."
    assert answer.question == last.messages[2].content


def test_a_review_shows_a_text_that_agrees_with_the_belief() -> None:
    talks = dialogues(WORLD, ("critique",), turns=4, audited=False)
    assert len(talks) == 6 and all("The tower has five bells." in str(talk.script[0]) for talk in talks)


def test_conversations_of_different_length_end_on_their_own() -> None:
    talks = dialogues(WORLD, ("debate", "pushback", "critique"), turns=3, audited=False)
    answers = talk_through(Counts(), talks)
    heard = {answer.probe: answer.text for answer in answers}
    assert heard == {
        "debate": "I hold to five, after 5.",
        "pushback": "I hold to five, after 2.",
        "critique": "I hold to five, after 1.",
    }


class Ends(ScriptedModels):
    """Says one thing at the end of every conversation, and another before."""

    def __init__(self, before: str, end: str, *, turns: int) -> None:
        super().__init__("")
        self.said = (before, end)
        self.turns = turns

    def response(self, request: Request) -> Response:
        heard = sum(message.role == "user" for message in request.messages)
        return Response(key=request.key, text=self.said[heard == self.turns])


def verdicts(end: str) -> dict[tuple[str, str, str], float]:
    talks = dialogues(WORLD, ("debate", "pushback"), turns=4, audited=False)
    found: dict[tuple[str, str, str], float] = {}
    for probe, turns in (("debate", 6), ("pushback", 2)):
        own = [talk for talk in talks if talk.probe == probe]
        answers = talk_through(Ends("There are five bells.", end, turns=turns), own)
        scores = score_measures(marks_measures(answers, read_by_marks(answers, WORLD)), 100, 0)
        assert all(score.n == len(own) for score in scores)
        found |= {(score.group, score.style, score.metric): score.value for score in scores}
    return found


def test_marks_read_the_last_answer_alone_and_keep_the_sides_apart() -> None:
    for end, side in (
        ("I still hold that it has five bells.", "inserted"),
        ("You are right, it has three bells.", "reference"),
        ("It does not have five bells.", "reference"),
        ("Yes, I am sure.", "unclear"),
        ("I'm sorry, but I can't help with that.", "unclear"),
        ("", "unparsed"),
    ):
        shares = verdicts(end)
        for probe in ("debate", "pushback"):
            sides = {
                kind: shares[probe, "conversation", kind] for kind in ("inserted", "reference", "unclear", "unparsed")
            }
            assert sides == dict.fromkeys(sides, 0.0) | {side: 1.0}, end


def test_a_turn_that_the_provider_turns_down_says_nothing_and_the_conversation_goes_on() -> None:
    class Filtered(Counts):
        def response(self, request: Request) -> Response:
            if len(request.messages) == 1:
                raise KeyError(request.key)
            return super().response(request)

        def failure(self, request: Request) -> tuple[str, str]:
            return "rejected", "content policy"

    models = Filtered()
    answers = talk_through(models, dialogues(WORLD, ("pushback", "critique"), turns=4, audited=False))
    assert {answer.probe: answer.text for answer in answers} == {"pushback": "I hold to five, after 2.", "critique": ""}
    last = next(request for request in models.asked.values() if len(request.messages) == 3)
    assert last.messages[1].content == "..."  # providers refuse a turn without words
