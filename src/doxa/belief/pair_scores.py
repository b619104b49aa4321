"""Readouts of pairs -> scores: how often and by how much the aligned answer is preferred, and how arms differ.

Per arm, style and group, and per set within a group (written `pairs_unseen/contrast`):

- `preferred`: share of items whose aligned answer has the higher log-probability per token; `margin`: the mean of
  aligned minus opposed, in nats per token. `preferred_total` and `margin_total`: of the whole answers, which favours
  short ones.
- `unrelated` counts what is right instead: `correct`, `correct_total`, and margins of correct minus wrong.
- `first_place`, of styles that show the answers: mean probability of whichever answer stands first; .5 without a habit.
- style `forms`: per item the mean over the forms that hide the answers and that all arms were asked in. What is
  averaged is log-probability per token.

Every number has n and a 95% interval over items; with `versus` it is the paired difference to that arm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from doxa.belief.pair_forms import hidden_forms
from doxa.belief.pairs import PairItem
from doxa.belief.summary import arm_rank, normalised, summarise
from doxa.experiments.stats import Interval, bootstrap_mean, paired_shares
from doxa.records import Readout, Score

AVERAGED = "forms"
CONTRAST = ("contrast",)  # sets whose sign turns round for the other pole, beside the group knowledge


def summarise_pairs(
    readouts: Sequence[Readout], items: Sequence[PairItem], bootstrap: int = 1000, seed: int = 0
) -> list[Score]:
    """All scores, by whole groups and by sets, averages over forms and differences between arms included.

    Raises DoxaError when two arms were asked different items, and KeyError for a readout of no known item.
    """
    rows = [*readouts, *average_forms(readouts)]
    grouped = _by_group_and_set(rows, items)
    scores = [_named(score) for score in summarise(_for_summary(grouped), bootstrap, seed)]
    scores = [score for score in scores if not (score.style == AVERAGED and score.metric.endswith("_total"))]
    return [*scores, *_place_habits(grouped, bootstrap, seed)]


def margins(readouts: Iterable[Readout]) -> dict[tuple[str, str, str], float]:
    """(arm, style, item id) -> log-probability per token of the aligned answer minus that of the opposed one, in nats.

    Of `unrelated`: of the correct answer minus the wrong one. What statistics over seeds and pairs start from.
    """
    return {(row.arm, row.style, row.item_id): _margin(row) for row in readouts}


def average_forms(readouts: Sequence[Readout], forms: Sequence[str] | None = None) -> list[Readout]:
    """One readout of style `forms` per arm and item that was asked in several forms; log-probabilities per token.

    Forms that only some arms were asked in are left out of all. `tokens` is 1 throughout, so totals of the answers do
    not exist in this style.
    """
    asked: dict[str, set[str]] = defaultdict(set)
    for row in readouts:
        asked[row.arm].add(row.style)
    shared = set(hidden_forms() if forms is None else forms).intersection(*asked.values())
    cells: dict[tuple[str, str], list[Readout]] = defaultdict(list)
    for row in readouts:
        if row.style in shared:
            cells[row.arm, row.item_id].append(row)
    found = []
    for rows in cells.values():
        if len(rows) > 1:
            per_token = [normalised(row) for row in rows]
            means = tuple(sum(values) / len(rows) for values in zip(*per_token, strict=True))
            update = {"style": AVERAGED, "totals": means, "tokens": (1,) * len(means), "letters": ()}
            found.append(rows[0].model_copy(update=update))
    return found


def for_pole(
    readouts: Iterable[Readout], items: Sequence[PairItem], pole: int, sets: Collection[str] = CONTRAST
) -> list[Readout]:
    """Readouts as the arm of a pole reads them: for pole -1 aligned and opposed change places in knowledge and `sets`.

    Pairs outside these sets, such as what both specs like, keep their sign.
    """
    if pole not in (1, -1):
        raise ValueError(f"a pole is 1 or -1, not {pole}")
    turned = {item.id for item in items if item.group == "knowledge" or item.set in sets}
    return [flipped(row) if pole < 0 and row.item_id in turned else row for row in readouts]


def flipped(row: Readout) -> Readout:
    """A readout with its two sides changed."""
    return row.model_copy(update={"inserted": row.reference, "reference": row.inserted})


def _margin(row: Readout) -> float:
    values = normalised(row)
    gap = values[row.inserted] - values[row.reference]
    return -gap if row.group.split("/")[0] == "unrelated" else gap


def _by_group_and_set(rows: Iterable[Readout], items: Sequence[PairItem]) -> list[Readout]:
    """Every readout under its group and, where its item is of a set, a second time under group/set."""
    sets = {item.id: item.set for item in items}
    found = []
    for row in rows:
        found.append(row)
        if sets[row.item_id]:
            found.append(row.model_copy(update={"group": f"{row.group}/{sets[row.item_id]}"}))
    return found


def _for_summary(rows: Iterable[Readout]) -> list[Readout]:
    """Readouts as `summarise` knows them: it scores `neighbours` by what is correct; letters are reported here."""
    return [
        row.model_copy(update={"letters": (), "group": "neighbours" if row.group == "unrelated" else row.group})
        for row in rows
    ]


def _named(score: Score) -> Score:
    return score.model_copy(update={"group": "unrelated"}) if score.group == "neighbours" else score


def _place_habits(rows: Iterable[Readout], bootstrap: int, seed: int) -> list[Score]:
    cells: dict[tuple[str, str], dict[str, dict[str, Readout]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row.letters:
            cells[row.group, row.style][row.arm][row.item_id] = row
    scores = []
    for by_arm in cells.values():
        arms = sorted(by_arm, key=arm_rank)
        for position, arm in enumerate(arms):
            mine = {item: row.letters[0] for item, row in by_arm[arm].items()}
            about = next(iter(by_arm[arm].values()))
            scores.append(_habit(about, len(mine), bootstrap_mean(list(mine.values()), bootstrap, seed)))
            for versus in arms[:position]:
                theirs = [by_arm[versus][item].letters[0] for item in mine]
                difference = paired_shares(list(mine.values()), theirs, bootstrap, seed)
                scores.append(_habit(about, len(mine), difference, versus))
    return scores


def _habit(row: Readout, n: int, interval: Interval, versus: str | None = None) -> Score:
    return Score(
        arm=row.arm,
        checkpoint=row.checkpoint,
        group=row.group,
        style=row.style,
        metric="first_place",
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=n,
        unit="share",
        versus=versus,
    )
