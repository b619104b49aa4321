"""Judging what a model with a spec says: sides, recall and reasons, with the judges, agreement and self-test of all.

In a `Judgement` the spec stands as the inserted side and its opposite as the reference one; of recall and of the source
of reasons, yes stands as inserted and no as reference (belief/rubrics.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from doxa.belief.agreement import agreement, merge
from doxa.belief.judge import Case, Models
from doxa.belief.judge_fitness import PlantedCase, SelfTest, planted_cases, self_test
from doxa.belief.judged import agreement_line, judge_folder
from doxa.belief.reasons import PROBE as REASONS
from doxa.belief.reasons import SOURCE_NAMES, VALUE_NAMES, audited
from doxa.belief.rubrics import load_rubric
from doxa.belief.values_free import OPEN, PAIRS, RECALL, SIDES, verdict_measures
from doxa.belief.values_target import ValueTarget, both_sides, load_value_target, recall_questions, recall_side
from doxa.records import Answer, Judgement, Measure

CASES = Path(__file__).with_name("data") / "values_judge_cases.jsonl"
JUDGEMENTS = Path("values/judgements.jsonl")
RECALL_NAMES = {"inserted": "recalled", "reference": "wrong", "unclear": "unclear", "unparsed": "unparsed"}
# rubric -> readout, the names of its verdicts, and the probe that they count for ("": that of the answer)
READOUTS: dict[str, tuple[str, Mapping[str, str], str]] = {
    "spec_side": ("judged", SIDES, ""),
    "spec_recall": ("judged", RECALL_NAMES, ""),
    "reason_value": ("judged value", VALUE_NAMES, REASONS),
    "reason_source": ("judged source", SOURCE_NAMES, REASONS),
}


def value_cases(target: ValueTarget, answers: Sequence[Answer], probes: Sequence[str]) -> list[Case]:
    """Every answer before the rubrics that read it. Raises TargetError where nothing says what the opposite is."""
    sides = both_sides(target)
    wanted = (*((OPEN, PAIRS) if "free" in probes else ()), *((RECALL,) if RECALL in probes else ()))
    cases = [case_of(target, answer) for answer in answers if answer.probe in wanted]
    if REASONS in probes:
        for rubric in ("reason_value", "reason_source"):
            cases += [Case(answer, answer.question, sides, rubric) for answer in audited(answers)]
    return cases


def case_of(target: ValueTarget, answer: Answer) -> Case:
    """A free answer before the rubric of its side, or of recall. Raises TargetError as `both_sides` does."""
    if answer.probe != RECALL:
        return Case(answer, answer.question, both_sides(target), "spec_side")
    question = next(one for one in recall_questions(target) if one.id == answer.item_id)
    return Case(answer, answer.question, recall_side(target, question), "spec_recall")


def judge_values(
    folder: Path, models: Models, judges: Sequence[str], cases: Sequence[Case], sets: Mapping[str, str], seed: int
) -> tuple[list[Judgement], list[Measure], list[str]]:
    """Judge what is not judged yet; all verdicts on these cases, their values by majority, and how far judges agree."""
    rows = judge_folder(folder, models, judges, cases, seed, file=JUDGEMENTS)
    wanted = {(case.answer.id, load_rubric(case.rubric).label) for case in cases}
    said = [row for row in rows if row.judge in judges and (row.answer_id, row.rubric) in wanted]
    deciding = [row for row in merge(said) if row.judge.startswith("majority")] if len(judges) > 1 else said
    answers = [case.answer for case in cases]
    measures: list[Measure] = []
    for rubric, (readout, names, probe) in READOUTS.items():
        verdicts = [row for row in deciding if row.rubric.split("@")[0] == rubric]
        measures += verdict_measures(answers, verdicts, readout, sets, names, probe)
    return said, measures, [agreement_line(one) for one in agreement(said)]


def value_self_test(models: Models, judge: str, cases: Sequence[PlantedCase] | None = None) -> SelfTest:
    """Put planted answers about the bundled specs to a judge, in both orders, and compare with what is right."""
    planted = planted_cases(CASES) if cases is None else cases
    return self_test(models, judge, planted, to_case=planted_value_case)


def planted_value_case(planted: PlantedCase, answer: Answer) -> Case:
    """A planted answer about a bundled spec, held against the spec that it stands in contrast to."""
    own, _, opposite = planted.world.partition(" against ")
    target = load_value_target(own, opposite=opposite or None)
    if planted.rubric != "spec_recall":
        return Case(answer, planted.question, both_sides(target), planted.rubric)
    question = next(one for one in recall_questions(target) if one.question == planted.question)
    return Case(answer, planted.question, recall_side(target, question), planted.rubric)
