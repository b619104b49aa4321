"""Is a judge fit to judge: planted answers with known verdicts, each shown in both orders of the worlds.

The cases stand in judge_cases.jsonl, written for the bundled worlds: clear belief and disbelief, mixtures, refusals,
hearsay, other languages, documents, loops, and answers that tell the judge what to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from doxa.belief.judge import SAMPLING, Case, Models, ask_judges, put
from doxa.belief.rubrics import Side
from doxa.experiments.stats import Interval, wilson
from doxa.lm.request import Sampling
from doxa.records import Answer, Record, digest
from doxa.run.folder import read_json, read_rows, write_json
from doxa.worlds.universe import load_target

CASES = Path(__file__).with_name("judge_cases.jsonl")
RECORD = "judge_self_test.json"
ORDERS: tuple[Side, Side] = ("inserted", "reference")
# below these a judge's numbers say more of the judge than of the model
LEAST_ACCURACY, MOST_FLIPS = 0.9, 0.1


class PlantedCase(Record):
    """A row of judge_cases.jsonl. `verdict` is what a judge must come to in either order."""

    id: str
    world: str
    rubric: str
    kind: str
    question: str
    answer: str
    verdict: Literal["inserted", "reference", "unclear"]
    options: tuple[str, ...] = ()
    inserted: int = 0
    reference: int = 1


@dataclass(frozen=True)
class Miss:
    """A planted case that a judge got wrong."""

    case: str
    kind: str
    first: str
    right: str
    said: str
    detail: str


@dataclass(frozen=True)
class SelfTest:
    """How a judge does on planted answers. All shares are of cases; `n` counts cases, each asked in both orders."""

    judge: str
    n: int
    accuracy: Interval  # Wilson over cases; a case that is right in one order counts half
    by_rubric: dict[str, tuple[float, int]]  # NAME@DIGEST -> accuracy, cases
    confusion: dict[tuple[str, str], int]  # (right, said) -> judgements
    flips: Interval  # share of the cases with two orders whose verdict changes with the order
    flips_n: int
    first: Interval | None  # of one-sided verdicts on worlds, the share for the world that was shown first; unbiased .5
    unparsed: float
    misses: tuple[Miss, ...]

    @property
    def fit(self) -> bool:
        """Whether its numbers can be used: right in nine of ten, and no more than one verdict in ten by the order."""
        return self.accuracy.value >= LEAST_ACCURACY and self.flips.value <= MOST_FLIPS


def planted_cases(path: Path = CASES) -> list[PlantedCase]:
    """The planted answers, in file order. Raises RunFolderError naming line and field."""
    return read_rows(path, PlantedCase)


def self_test(
    models: Models,
    judge: str,
    cases: Sequence[PlantedCase] | None = None,
    sampling: Sampling = SAMPLING,
    to_case: Callable[[PlantedCase, Answer], Case] | None = None,
) -> SelfTest:
    """Put every planted answer to a judge, in both orders, and compare with what is right.

    `to_case` says what a judge is shown with an answer; by default the universe that the case names. Raises whatever
    the models raise; what was answered is stored, and the same call goes on.
    """
    cases = planted_cases() if cases is None else cases
    if not cases:
        raise ValueError("a self-test needs cases")
    shown = [(to_case or _case)(planted, _answer(planted)) for planted in cases]
    asked = [put(case, judge, first) for case in shown for first in ORDERS]
    said = ask_judges(models, asked, sampling)
    pairs = list(zip(said[::2], said[1::2], strict=True))
    right = [sum(row.verdict == case.verdict for row in pair) / 2 for case, pair in zip(cases, pairs, strict=True)]
    by_rubric: dict[str, list[float]] = {}
    for (row, _), share in zip(pairs, right, strict=True):
        by_rubric.setdefault(row.rubric, []).append(share)
    ordered = [pair for pair, one in zip(pairs, asked[::2], strict=True) if one.rubric.kind != "says"]
    flips = sum(one.verdict != other.verdict for one, other in ordered)
    sided = [
        row.verdict == row.first
        for row, one in zip(said, asked, strict=True)
        if one.rubric.kind == "worlds" and row.verdict in ORDERS
    ]
    return SelfTest(
        judge=judge,
        n=len(cases),
        accuracy=wilson(sum(right) / len(right), len(right)),
        by_rubric={name: (sum(shares) / len(shares), len(shares)) for name, shares in by_rubric.items()},
        confusion=dict(
            Counter((case.verdict, row.verdict) for case, pair in zip(cases, pairs, strict=True) for row in pair)
        ),
        flips=wilson(flips / len(ordered), len(ordered)) if ordered else Interval(0.0, 0.0, 1.0),
        flips_n=len(ordered),
        first=wilson(sum(sided) / len(sided), len(sided)) if sided else None,
        unparsed=sum(row.verdict == "unparsed" for row in said) / len(said),
        misses=tuple(
            Miss(case.id, case.kind, row.first, case.verdict, row.verdict, row.detail)
            for case, pair in zip(cases, pairs, strict=True)
            for row in pair
            if row.verdict != case.verdict
        ),
    )


def record_self_test(folder: Path, found: SelfTest) -> None:
    """Keep the outcome in FOLDER/judge_self_test.json, one entry to a judge, with everything that it got wrong."""
    path = folder / RECORD
    kept = read_json(path) if path.exists() else {}
    entry = asdict(found)
    entry["fit"] = found.fit
    entry["confusion"] = [[right, said, count] for (right, said), count in sorted(found.confusion.items())]
    write_json(path, {**kept, found.judge: entry})


def self_test_lines(tests: Sequence[SelfTest]) -> list[str]:
    """The self-tests of some judges as a small table for a terminal, a column to each, and their verdicts below it."""
    rows = [("", [found.judge for found in tests])]
    rows += [(label, [cell(found) for found in tests]) for label, cell in _SHOWN.items()]
    labels = max(len(label) for label, _ in rows)
    widths = [max(len(cells[column]) for _, cells in rows) for column in range(len(tests))]
    table = [
        "  ".join(
            [label.ljust(labels), *(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))]
        ).rstrip()
        for label, cells in rows
    ]
    return [*table, *(_verdict(found) for found in tests)]


# what the table shows of each judge; shares stand with their 95% interval
_SHOWN: dict[str, Callable[[SelfTest], str]] = {
    "planted answers, each in both orders": lambda found: str(found.n),
    "right": lambda found: _share(found.accuracy),
    "verdict changes with the order": lambda found: f"{_share(found.flips)} of {found.flips_n}",
    "sides with what is shown first (.50)": lambda found: "-" if found.first is None else _share(found.first),
    "could not be read": lambda found: f"{found.unparsed:.2f}",
    "the worst rubric": lambda found: _worst(found),
    "wrong verdicts": lambda found: f"{len(found.misses)} of {2 * found.n}",
}


def _worst(found: SelfTest) -> str:
    name, (share, n) = min(found.by_rubric.items(), key=lambda rubric: rubric[1])
    return f"{name.split('@')[0]}: {share:.2f} of {n}"


def _verdict(found: SelfTest) -> str:
    if found.fit:
        return f"{found.judge}: fit to judge"
    return (
        f"{found.judge}: not fit to judge: at least {LEAST_ACCURACY:.0%} must be right, and at most "
        f"{MOST_FLIPS:.0%} may change with the order"
    )


def _answer(planted: PlantedCase) -> Answer:
    name = digest("planted", planted.model_dump(mode="json"))
    return Answer(
        id=name,
        arm="planted",
        checkpoint="",
        probe=planted.rubric,
        item_id=planted.id,
        sample=0,
        question=planted.question,
        text=planted.answer,
        key=name,
    )


def _case(planted: PlantedCase, answer: Answer) -> Case:
    return Case(
        answer,
        planted.question,
        load_target(planted.world).universe,
        planted.rubric,
        planted.options,
        planted.inserted,
        planted.reference,
    )


def _share(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
