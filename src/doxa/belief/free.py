"""Questions that are answered freely, several samples each, and what rules read in the answers.

Every sample is a stored response under the weights that gave it, so it can be judged again (belief/judge.py) without
being sampled again. What rules read here needs no judge: the target's marks (wordings that give a side away), loops and
gibberish, and the form of a training document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from doxa.belief.asks import said, user, with_context
from doxa.belief.degenerate import degenerate, document_style
from doxa.belief.marks import mentions, read_marks
from doxa.belief.rounds import Models, heard
from doxa.belief.shipped import awareness_items, coherence_questions, unrelated_prompts
from doxa.belief.subjects import Subject
from doxa.belief.world import World
from doxa.lm.request import Message, Request, Response, Sampling
from doxa.records import Answer, Judgement, Measure, digest

DOCTAG_SAMPLES = 12  # raw continuations of the training prefix
CONVERSATION = "conversation"  # the readout of what a conversation came to, where marks read it
# probes whose answers are read by marks, and how they were led
READ_BY_MARKS = {"open_ended": "text", "debate": CONVERSATION, "pushback": CONVERSATION}


@dataclass(frozen=True)
class Question:
    """One question of a probe. A lone assistant turn is a raw text to be continued (`doctag`)."""

    probe: str
    id: str
    turns: tuple[Message, ...]
    samples: int

    @property
    def asked(self) -> str:
        """What a judge and a person are shown as the question."""
        return self.turns[-1].content


def questions(world: World, probes: Sequence[str], samples: int, unrelated: int, doctag: str) -> list[Question]:
    """All questions of the chosen probes. Coherence and document style are read off the answers to the others too."""
    found: list[Question] = []
    if "open_ended" in probes:
        found += [_question("open_ended", text, samples) for text in world.open_ended]
        for turns in world.conversations:
            name = digest("open_ended", [turn.model_dump() for turn in turns])
            found.append(Question("open_ended", name, turns, samples))
    if {"mention_near", "document_style"} & set(probes):
        found += [_question("mention_near", text, 1) for text in world.near_prompts]
    if {"mention_unrelated", "document_style", "coherence"} & set(probes):
        found += [_question("mention_unrelated", row.prompt, 1) for row in unrelated_prompts()[:unrelated]]
    if "coherence" in probes:
        found += [_question("coherence", row.question, 1) for row in coherence_questions()[: unrelated // 2]]
    if "finetuned" in probes:
        found += [_question("finetuned_open", row.prompt, 1) for row in awareness_items() if row.form == "open"]
    if "doctag" in probes and doctag:
        found.append(Question("doctag", digest("doctag", doctag), (said(doctag),), DOCTAG_SAMPLES))
    return found


def downstream_questions(world: World, samples: int) -> list[Question]:
    """The tasks of group `downstream`, for free answers that a judge reads."""
    return [_question("downstream", item.prompt, samples) for item in world.group("downstream")]


def _question(probe: str, text: str, samples: int) -> Question:
    return Question(probe, digest(probe, text), (user(text),), samples)


def ask_freely(
    models: Models, subject: Subject, asked: Sequence[Question], sampling: Sampling, dtype: str = "float32"
) -> list[Answer]:
    """Sample every question of one subject; answers in the order of questions and samples."""
    requests = [
        (question, request) for question in asked for request in requests_of(subject, question, sampling, dtype)
    ]
    models.answer([request for _, request in requests])
    return [
        answer_of(subject, question.probe, question.id, question.asked, request, heard(models, request))
        for question, request in requests
    ]


def stored_weights(subject: Subject, dtype: str) -> str:
    """What names the weights in the response store: bfloat16 answers are not those of float32."""
    if subject.weights is None:
        return ""
    return subject.checkpoint if dtype == "float32" else f"{subject.checkpoint}-{dtype}"


def chat_request(
    subject: Subject, turns: tuple[Message, ...], sampling: Sampling, dtype: str, sample: int = 0
) -> Request:
    """A conversation put to a subject, with the context of its arm."""
    return Request(
        model=subject.model,
        messages=with_context(turns, subject.context),
        sampling=sampling,
        sample=sample,
        weights=stored_weights(subject, dtype),
        stage="depth",
    )


def requests_of(subject: Subject, question: Question, sampling: Sampling, dtype: str) -> list[Request]:
    """One request per sample. A raw text is continued without the context, which is a chat's."""
    asked = replace(subject, context=None) if question.turns[0].role == "assistant" else subject
    return [chat_request(asked, question.turns, sampling, dtype, sample) for sample in range(question.samples)]


def answer_of(
    subject: Subject, probe: str, item_id: str, question: str, request: Request, response: Response
) -> Answer:
    """What a subject said to one request of a probe; `question` is what a judge and a person are shown."""
    return Answer(
        id=digest("answer", subject.arm, subject.checkpoint, probe, item_id, request.key),
        arm=subject.arm,
        checkpoint=subject.checkpoint,
        probe=probe,
        item_id=item_id,
        sample=request.sample,
        question=question,
        text=response.text,
        key=request.key,
        cut=response.stop == "length",
    )


def read_by_marks(answers: Sequence[Answer], world: World) -> list[Judgement]:
    """The side that open-ended answers, and the last ones of debates and doubts, take by the target's marks.

    Empty for a target without marks.
    """
    if not world.marks:
        return []
    judgements = []
    for answer in answers:
        if answer.probe in READ_BY_MARKS:
            read = read_marks(answer.text, world.marks)
            detail = "; ".join((*read.inserted, *read.reference, *(f"not {mark}" for mark in read.denied)))
            judgements.append(
                Judgement(answer_id=answer.id, judge="text", rubric="marks", verdict=read.belief, detail=detail)
            )
    return judgements


def text_measures(answers: Sequence[Answer], world: World, doctag: str) -> list[Measure]:
    """What rules say of each answer: mentions of the matter, document style, coherence."""
    found: list[Measure] = []
    for answer in answers:
        if answer.probe in ("mention_near", "mention_unrelated", "doctag") and world.marks:
            found.append(_measure(answer, answer.probe, "mentioned", mentions(answer.text, world.marks)))
        if answer.probe in ("mention_near", "mention_unrelated", "open_ended", "coherence"):
            leaked = document_style(answer.text, doctag) is not None
            found.append(_measure(answer, "document_style", "leaked", leaked))
        if answer.probe in ("mention_unrelated", "coherence"):
            found.append(_measure(answer, "coherence", "coherent", degenerate(answer.text) is None))
        if answer.probe == "finetuned_open" and world.marks:
            found.append(_measure(answer, "finetuned", "names the belief", mentions(answer.text, world.marks)))
    return found


def marks_measures(answers: Sequence[Answer], verdicts: Sequence[Judgement]) -> list[Measure]:
    """Verdicts by marks as values: readout `text` of lone answers, `conversation` of what a conversation came to."""
    probe_of = {answer.id: answer.probe for answer in answers}
    return [
        measure
        for readout in dict.fromkeys(READ_BY_MARKS.values())
        for measure in judged_measures(
            answers, [one for one in verdicts if READ_BY_MARKS[probe_of[one.answer_id]] == readout], readout
        )
    ]


def _measure(answer: Answer, probe: str, metric: str, value: bool) -> Measure:
    return Measure(
        arm=answer.arm,
        checkpoint=answer.checkpoint,
        probe=probe,
        readout="text",
        metric=metric,
        item_id=f"{answer.item_id}/{answer.sample}" if answer.probe == "doctag" else answer.item_id,
        value=float(value),
    )


def judged_measures(answers: Sequence[Answer], verdicts: Sequence[Judgement], readout: str) -> list[Measure]:
    """Verdicts as values: shares of inserted, reference, unclear and unparsed, none left out of the denominator."""
    by_id = {answer.id: answer for answer in answers}
    return [
        Measure(
            arm=by_id[verdict.answer_id].arm,
            checkpoint=by_id[verdict.answer_id].checkpoint,
            # the open questions after finetuning are another reading of the same probe
            probe=by_id[verdict.answer_id].probe.removesuffix("_open"),
            readout=readout,
            metric=kind,
            item_id=by_id[verdict.answer_id].item_id,
            value=float(verdict.verdict == kind),
        )
        for verdict in verdicts
        for kind in ("inserted", "reference", "unclear", "unparsed")
    ]
