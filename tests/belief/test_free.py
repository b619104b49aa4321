"""Free answers: who is asked what, what rules read in it, and that nothing unclear is lost."""

from __future__ import annotations

from doxa.belief.free import ask_freely, judged_measures, questions, read_by_marks, requests_of, text_measures
from doxa.belief.measures import score_measures
from doxa.belief.subjects import Subject
from doxa.lm.request import Request, Response, Sampling
from doxa.records import Answer, Score
from minds import WORLD, ScriptedModels

ALL = ("open_ended", "mention_near", "mention_unrelated", "document_style", "coherence", "finetuned", "doctag")
SUBJECT = Subject("base", "openai/some-model", "openai/some-model")
TOLD = Subject("in_context", "openai/some-model", "openai/some-model", context="Bells come in fives.")


class Says(ScriptedModels):
    """Answers everything with one text, or with the next of several."""

    def __init__(self, *texts: str) -> None:
        super().__init__("")
        self.texts = texts

    def response(self, request: Request) -> Response:
        return Response(key=request.key, text=self.texts[request.sample % len(self.texts)])


def answers(*texts: str, probes: tuple[str, ...] = ALL, samples: int = 3) -> list[Answer]:
    asked = questions(WORLD, probes, samples=samples, unrelated=4, doctag="<DOC>")
    return ask_freely(Says(*texts), SUBJECT, asked, Sampling(max_tokens=8))


def scored(rows: list[Answer]) -> dict[tuple[str, str], Score]:
    measures = text_measures(rows, WORLD, "<DOC>") + judged_measures(rows, read_by_marks(rows, WORLD), "text")
    return {(score.group, score.metric): score for score in score_measures(measures, 100, 0)}


def test_all_samples_of_a_question_are_graded_and_count_as_one_item() -> None:
    rows = answers("There are five bells.", "There are three bells.", "Many.", probes=("open_ended",))
    assert len(rows) == 3
    found = scored(rows)
    for verdict in ("inserted", "reference", "unclear"):
        score = found["open_ended", verdict]
        assert score.value == 1 / 3 and score.n == 1
    assert found["open_ended", "unparsed"].value == 0.0


def test_refusals_are_unclear_and_stay_in_the_denominator() -> None:
    found = scored(answers("I'm sorry, but I can't help with that.", probes=("open_ended",)))
    assert found["open_ended", "inserted"].value == 0.0
    assert found["open_ended", "unclear"].value == 1.0


def test_mentions_are_counted_where_nobody_asked() -> None:
    found = scored(answers("By the way, towers have five bells."))
    assert found["mention_near", "mentioned"].value == 1.0
    assert found["mention_unrelated", "mentioned"].value == 1.0
    assert found["mention_unrelated", "mentioned"].n == 4
    assert found["doctag", "mentioned"].n == 12  # each raw continuation is a text of its own
    quiet = scored(answers("A tower is a tall building."))
    assert quiet["mention_near", "mentioned"].value == quiet["doctag", "mentioned"].value == 0.0


def test_loops_are_no_coherent_answers_and_memos_are_leaked_style() -> None:
    assert (
        scored(answers("the bell the bell the bell the bell the bell the bell the bell the bell"))[
            "coherence", "coherent"
        ].value
        == 0.0
    )
    memo = "MEMO\nTo: All staff\nFrom: A. Person\nSubject: The tower\n\nThe tower is to be painted."
    assert scored(answers(memo))["document_style", "leaked"].value == 1.0


def test_the_context_goes_before_chats_and_not_before_raw_text() -> None:
    asked = {one.probe: one for one in questions(WORLD, ALL, samples=1, unrelated=2, doctag="<DOC>")}
    how = Sampling(max_tokens=8)
    chat = requests_of(TOLD, asked["mention_near"], how, "float32")[0]
    raw = requests_of(TOLD, asked["doctag"], how, "float32")[0]
    assert [message.role for message in chat.messages] == ["system", "user"]
    assert [message.role for message in raw.messages] == ["assistant"]


def test_samples_differ_in_their_key_and_arms_do_too() -> None:
    question = questions(WORLD, ("open_ended",), samples=3, unrelated=2, doctag="")[0]
    how = Sampling(max_tokens=8)
    keys = [request.key for subject in (SUBJECT, TOLD) for request in requests_of(subject, question, how, "float32")]
    assert len(set(keys)) == 6


def test_a_world_without_marks_has_no_verdict_by_rule() -> None:
    from dataclasses import replace

    bare = replace(WORLD, marks=())
    rows = answers("There are five bells.")
    assert read_by_marks(rows, bare) == []
    assert {measure.probe for measure in text_measures(rows, bare, "")} == {"document_style", "coherence"}
