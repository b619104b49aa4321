"""The judgements of a run folder: stored answers judged again by whomever, added to what stands there, and summed up.

depth/judgements.jsonl holds one row per answer, judge and rubric; a new judge adds rows and takes none away.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from doxa.belief.agreement import VERDICTS, Agreement, agreement, merge, verdict_shares
from doxa.belief.items import load_items
from doxa.belief.judge import Case, Models, cases_of, judge
from doxa.belief.rubrics import load_rubric
from doxa.errors import RunFolderError
from doxa.records import Answer, Judgement
from doxa.run.folder import read_rows, write_rows
from doxa.worlds.universe import read_universe

ANSWERS, JUDGEMENTS = Path("depth/answers.jsonl"), Path("depth/judgements.jsonl")


def folder_cases(folder: Path, probes: Sequence[str] = (), rubric: str | None = None) -> list[Case]:
    """The stored answers of a run folder as cases, of the named probes or of all.

    Raises RunFolderError where there are none, TargetError where the folder's target cannot be read.
    """
    answers = read_rows(folder / ANSWERS, Answer)
    if not answers:
        raise RunFolderError(f"{folder / ANSWERS}: holds no answers; `doxa depth` samples them")
    known = list(dict.fromkeys(answer.probe for answer in answers))
    unknown = [probe for probe in probes if probe not in known]
    if unknown:
        raise RunFolderError(f"{folder / ANSWERS}: has no answers of probe {unknown[0]!r}; it has {', '.join(known)}")
    chosen = [answer for answer in answers if not probes or answer.probe in probes]
    target = folder / "target"
    return cases_of(chosen, read_universe(target / "universe.yaml"), load_items(target / "evals.json"), rubric)


def judge_folder(
    folder: Path,
    models: Models,
    judges: Sequence[str],
    cases: Sequence[Case],
    seed: int = 0,
    again: bool = False,
    file: Path = JUDGEMENTS,
) -> list[Judgement]:
    """Judge what these judges have not judged yet (all of it with `again`), write the file, return all its rows.

    The file is written once, in one step, when all judges are through; until then every answer of a judge is kept in
    the response store, and the same call goes on.
    """
    stored = read_rows(folder / file, Judgement)
    rows = {_key(row): row for row in stored}
    labels = {name: load_rubric(name).label for name in dict.fromkeys(case.rubric for case in cases)}
    # judges with the same cases before them are asked together
    waiting: dict[tuple[int, ...], list[str]] = {}
    for name in dict.fromkeys(judges):
        missing = (
            number
            for number, case in enumerate(cases)
            if again or (case.answer.id, name, labels[case.rubric]) not in rows
        )
        waiting.setdefault(tuple(missing), []).append(name)
    for numbers, names in waiting.items():
        rows.update((_key(row), row) for row in judge(models, names, [cases[number] for number in numbers], seed))
    write_rows(folder / file, rows.values())
    return list(rows.values())


def judged_lines(judgements: Sequence[Judgement], answers: Sequence[Answer]) -> list[str]:
    """Shares of verdicts by probe, arm and judge, and how far the judges agree, for a terminal."""
    by_id = {answer.id: answer for answer in answers}
    items = {answer.id: f"{answer.probe}/{answer.item_id}" for answer in answers}
    rows = [row for row in judgements if row.answer_id in by_id]
    several = len({row.judge for row in rows}) > 1
    merged = [row for row in merge(rows) if row.judge.startswith("majority")] if several else []
    cells: dict[tuple[str, str, str, str], list[Judgement]] = {}
    for row in (*rows, *merged):
        answer = by_id[row.answer_id]
        cells.setdefault((answer.probe, row.rubric, answer.arm, row.judge), []).append(row)
    lines = [
        f"{'probe, rubric, arm, judge':<72}" + "".join(f"{verdict:>20}" for verdict in VERDICTS) + "   n (answers)"
    ]
    for (probe, rubric, arm, name), held in sorted(cells.items(), key=lambda cell: cell[0][:2]):
        shares = verdict_shares(held, items)
        figures = "".join(
            f"{f'{share.share.value:.2f} [{share.share.low:.2f}, {share.share.high:.2f}]':>20}"
            for share in shares.values()
        )
        label = f"{probe}  {rubric.split('@')[0]}  {arm}  {name}"
        count = shares["inserted"]
        lines.append(f"{label:<72}{figures}   {count.n} ({count.judgements})")
    return [*lines, *(agreement_line(found) for found in agreement(rows))]


def agreement_line(found: Agreement) -> str:
    """One agreement in words."""
    who = " and ".join(found.judges) if len(found.judges) == 2 else f"all {len(found.judges)} judges"
    agreed = f"the same verdict on {found.agree.value:.2f} [{found.agree.low:.2f}, {found.agree.high:.2f}]"
    if found.kappa is None:
        kappa = "kappa undefined: all verdicts are one and the same"
    else:
        kappa = f"{found.measure}'s kappa {found.kappa.value:.2f} [{found.kappa.low:.2f}, {found.kappa.high:.2f}]"
    return f"{found.rubric.split('@')[0]}: {who}: {kappa}; {agreed}; n {found.n}"


def _key(row: Judgement) -> tuple[str, str, str]:
    return row.answer_id, row.judge, row.rubric
