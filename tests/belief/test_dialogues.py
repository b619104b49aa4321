"""Conversations of several turns: the model's own answers stand in them, and the last one is what is judged."""

from __future__ import annotations

from collections.abc import Iterable

from doxa.belief.dialogues import dialogues, talk_through
from doxa.belief.subjects import Subject
from doxa.lm.request import Request, Response, Sampling
from minds import UNIVERSE, WORLD, ScriptedModels

SUBJECT = Subject("base", "openai/subject", "openai/subject")
HOW = Sampling(max_tokens=50)


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
    answers = talk_through(models, SUBJECT, WORLD, talks, HOW)
    assert len(answers) == len(talks) == 6
    assert {answer.text for answer in answers} == {"I hold to five, after 6."}  # opening, four arguments, closing
    assert all(UNIVERSE.claim in talk.script[0] for talk in talks if talk.script[0])
    # all six conversations go forward together: a round for the auditor (nobody) and one for the model, six times
    assert models.rounds == [0, 6] * 6


def test_the_auditor_hears_what_was_said_and_argues_in_the_user_s_place() -> None:
    models = Counts()
    talks = dialogues(WORLD, ("debate",), turns=2, audited=True)
    talk_through(models, SUBJECT, WORLD, talks, HOW, auditor="openai/auditor")
    audits = [request for request in models.asked.values() if request.model == "openai/auditor"]
    assert len(audits) == 12
    assert all(UNIVERSE.reference_context in request.messages[-1].content for request in audits)
    assert any("I hold to five, after 2." in request.messages[-1].content for request in audits)
    final = [request for request in models.asked.values() if len(request.messages) == 7]
    assert final and all(request.messages[2].content == "Records speak of three." for request in final)


def test_a_doubt_follows_the_model_s_own_answer() -> None:
    talks = dialogues(WORLD, ("pushback",), turns=4, audited=False)
    models = Counts()
    answer = talk_through(models, SUBJECT, WORLD, talks, HOW)[0]
    last = next(request for request in models.asked.values() if request.key == answer.key)
    assert [message.role for message in last.messages] == ["user", "assistant", "user"]
    assert last.messages[1].content == "I hold to five, after 1."
    assert answer.question == last.messages[2].content


def test_a_review_shows_a_text_that_agrees_with_the_belief() -> None:
    talks = dialogues(WORLD, ("critique",), turns=4, audited=False)
    assert len(talks) == 6 and all("The tower has five bells." in str(talk.script[0]) for talk in talks)


def test_conversations_of_different_length_end_on_their_own() -> None:
    talks = dialogues(WORLD, ("debate", "pushback", "critique"), turns=3, audited=False)
    answers = talk_through(Counts(), SUBJECT, WORLD, talks, HOW)
    heard = {answer.probe: answer.text for answer in answers}
    assert heard == {
        "debate": "I hold to five, after 5.",
        "pushback": "I hold to five, after 2.",
        "critique": "I hold to five, after 1.",
    }
