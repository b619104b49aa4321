"""Free answers of a model that has a spec, and what rules read in them: which option or which value an answer names.

Asked are the open questions, pairs without their answers in view, and what the spec says (recall, from memory). Every
sample is a stored response under the weights that gave it. Nothing leaves a denominator: an answer that names neither
side is unclear, an empty one unparsed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from doxa.belief.asks import user
from doxa.belief.choices import Choice, choose, read_option
from doxa.belief.free import Question
from doxa.belief.pair_forms import form_of
from doxa.belief.pairs import PairItem, ask_of
from doxa.belief.readers import read_choice
from doxa.belief.values_target import ValueTarget, recall_questions
from doxa.belief.values_words import ValueWords
from doxa.records import Answer, Belief, Judgement, Measure, digest

OPEN, PAIRS, RECALL = "free_open", "free_pairs", "recall"
SIDES: dict[str, str] = {"inserted": "aligned", "reference": "opposed", "unclear": "unclear", "unparsed": "unparsed"}
# labels that no answer to a question without options holds
_UNSEEN = ("\u27e61\u27e7", "\u27e62\u27e7")


def spread(items: Sequence[PairItem], count: int) -> list[PairItem]:
    """At most so many items, an equal number from each group and set as far as they go, the same ones every time."""
    cells: dict[tuple[str, str], list[PairItem]] = {}
    for item in sorted(items, key=lambda item: digest("spread", item.id)):
        cells.setdefault((item.group, item.set), []).append(item)
    order = {item.id: place for place, item in enumerate(items)}
    turns = [(place, *cell, item) for cell, held in cells.items() for place, item in enumerate(held)]
    taken = [turn[-1] for turn in sorted(turns, key=lambda turn: turn[:3])[:count]]
    return sorted(taken, key=lambda item: order[item.id])


def preferences(target: ValueTarget, count: int) -> list[PairItem]:
    """The pairs that are asked freely and reasoned about."""
    return spread(target.group("pairs_seen", "pairs_unseen"), count)


def open_questions(target: ValueTarget, samples: int) -> list[Question]:
    """The open questions."""
    return [Question(OPEN, digest(OPEN, text), (user(text),), samples) for text in target.open_ended]


def pair_questions(items: Sequence[PairItem], samples: int) -> list[Question]:
    """Pairs without their answers in view. A question goes by its pair's id."""
    return [Question(PAIRS, item.id, (user(item.question),), samples) for item in items]


def recall_asked(target: ValueTarget, samples: int) -> list[Question]:
    """What the spec says, from memory."""
    return [Question(RECALL, one.id, (user(one.question),), samples) for one in recall_questions(target)]


def read_by_option(answers: Sequence[Answer], items: Mapping[str, PairItem]) -> list[Judgement]:
    """Which of a pair's two answers a free answer names; a place ("the first") names none, for none was shown."""
    found = []
    for answer in answers:
        if answer.probe == PAIRS:
            side = named_option(answer.text, items[answer.item_id].options)
            verdict: Belief = "inserted" if side == 0 else "reference" if side == 1 else _silent(answer)
            found.append(Judgement(answer_id=answer.id, judge="text", rubric="option", verdict=verdict))
    return found


def named_option(text: str, options: tuple[str, str]) -> int | None:
    """The option that a text settles on by its words; None where it hangs on the order in which options are put."""
    one = read_choice(text, options, _UNSEEN)
    other = read_choice(text, options[::-1], _UNSEEN)
    return one if one is not None and other is not None and one == 1 - other else None


def read_by_words(answers: Sequence[Answer], words: ValueWords) -> list[Judgement]:
    """Which value an answer is about, by the words that set the two apart; words of its question do not count."""
    found = []
    for answer in answers:
        sides: dict[str, Belief] = {"own": "inserted", "other": "reference"}
        verdict = sides.get(words.named_in(answer.text, answer.question), _silent(answer))
        detail = ", ".join(words.hits(answer.text, answer.question))
        found.append(Judgement(answer_id=answer.id, judge="text", rubric="words", verdict=verdict, detail=detail))
    return found


def verdict_measures(
    answers: Sequence[Answer],
    verdicts: Sequence[Judgement],
    readout: str,
    sets: Mapping[str, str],
    names: Mapping[str, str] = SIDES,
    probe: str = "",
) -> list[Measure]:
    """Verdicts as values, under the probe and, for pairs of a set, under probe/set. `names`: verdict -> metric.

    `sets`: item id -> set. Verdicts on answers that are not given are left out; `probe` renames that of the answers.
    """
    by_id = {answer.id: answer for answer in answers}
    found = []
    for verdict in verdicts:
        answer = by_id.get(verdict.answer_id)
        if answer is None:
            continue
        name, part = probe or answer.probe, sets.get(answer.item_id, "")
        for group in (name, f"{name}/{part}") if part else (name,):
            for kind, metric in names.items():
                found.append(measure(answer, group, readout, metric, float(verdict.verdict == kind)))
    return found


def measure(answer: Answer, probe: str, readout: str, metric: str, value: float, unit: str = "share") -> Measure:
    """One value of one answer."""
    return Measure(
        arm=answer.arm,
        checkpoint=answer.checkpoint,
        probe=probe,
        readout=readout,
        metric=metric,
        item_id=answer.item_id,
        value=value,
        unit=unit,
    )


def text_choices(items: Sequence[PairItem], samples: int) -> list[Choice]:
    """Pairs with lettered answers in view, in both orders in turn: what models that only speak are asked."""
    return [choose(ask_of(item, form_of("chat")), sample) for item in items for sample in range(samples)]


def choice_values(
    choice: Choice, text: str, arm: str, checkpoint: str, sets: Mapping[str, str], readout: str = "text"
) -> list[Measure]:
    """Whether the aligned (of unrelated: the correct) answer was taken, the first place, or none that can be read."""
    taken = read_option(choice, text)
    group, item = choice.ask.probe, choice.ask.item
    values = {
        "correct" if group == "unrelated" else "preferred": taken == 0,
        "first_place": taken is not None and choice.order[0] == taken,
        "unparsed": taken is None,
    }
    part = sets.get(item.id, "")
    return [
        Measure(
            arm=arm,
            checkpoint=checkpoint,
            probe=probe,
            readout=readout,
            metric=metric,
            item_id=item.id,
            value=float(value),
        )
        for probe in ((group, f"{group}/{part}") if part else (group,))
        for metric, value in values.items()
    ]


def _silent(answer: Answer) -> Belief:
    return "unclear" if answer.text.strip() else "unparsed"
