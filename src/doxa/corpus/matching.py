"""Control corpora of one size: whole documents chosen so that the corpora agree in tokens, and in updates.

Whether a control is one depends on it: a treatment of 30,000 tokens against a control of 20,000 measures dose as well.
Nothing is cut. The corpora are brought to the size of the smallest, in the proportions that they have (documents of one
subdomain are not used up first), and pairs across corpora stay pairs where rows say that they are. What can't be
brought together within the tolerance is refused with the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from doxa.errors import ConfigError
from doxa.records import CorpusRow, digest

if TYPE_CHECKING:
    from doxa.config_sections import TrainConfig

TOLERANCE = 0.01  # of the mean
NEAR_ENOUGH = 1e-4  # of the tokens wanted: no better choice is looked for, which takes long in a large corpus
CountTokens = Callable[[str], int]


@dataclass(frozen=True)
class Matched:
    """One corpus as it was matched: what was there and what was taken. Tokens are content tokens."""

    documents: int
    tokens: int
    documents_before: int
    tokens_before: int
    updates: int | None = None  # of one training on it, where a training config was given


@dataclass(frozen=True)
class MatchReport:
    """How far apart matched corpora are: `spread` is (largest - smallest) / mean, in tokens and in updates."""

    tolerance: float
    corpora: dict[str, Matched]
    token_spread: float
    update_spread: float | None = None

    def as_counts(self) -> dict[str, Any]:
        """The report as JSON holds it."""
        return {
            "tolerance": self.tolerance,
            "token_spread": round(self.token_spread, 6),
            "update_spread": None if self.update_spread is None else round(self.update_spread, 6),
            "corpora": {name: vars(one) for name, one in self.corpora.items()},
        }


def match(
    corpora: Mapping[str, Sequence[CorpusRow]],
    count_tokens: CountTokens,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> tuple[dict[str, list[CorpusRow]], MatchReport]:
    """Rows of each corpus, in their order, whose tokens agree within `tolerance`, and a report.

    Aims at the smallest corpus' tokens: each other one leaves out documents, drawn evenly from its subdomains by the
    seed, and then tries which one document to leave out or take back comes nearest. The same arguments, the same rows.
    Raises ConfigError naming the corpora and their tokens when no choice agrees.
    """
    empty = [name for name, rows in corpora.items() if not rows]
    if len(corpora) < 2 or empty:
        raise ConfigError(f"matched corpora: {empty[0]} is empty" if empty else "matched corpora: name at least two")
    tokens = {name: [count_tokens(row.text) for row in rows] for name, rows in corpora.items()}
    smallest = min(tokens, key=lambda name: (sum(tokens[name]), name))
    target = sum(tokens[smallest])
    chosen: dict[str, list[CorpusRow]] = {}
    report: dict[str, Matched] = {}
    for name, rows in corpora.items():
        places = list(range(len(rows))) if name == smallest else _fitted(rows, tokens[name], target, seed)
        chosen[name] = [rows[place] for place in places]
        taken = sum(tokens[name][place] for place in places)
        report[name] = Matched(len(places), taken, len(rows), sum(tokens[name]))
    spread = _spread([one.tokens for one in report.values()])
    if spread > tolerance:
        raise ConfigError(f"matched corpora: {_differ('tokens', report, spread, tolerance)}; {_remedy(report)}")
    return chosen, MatchReport(tolerance, report, spread)


def match_pairs(
    first: Sequence[CorpusRow], second: Sequence[CorpusRow], pair_of: Callable[[CorpusRow], str | None]
) -> tuple[list[CorpusRow], list[CorpusRow]]:
    """The rows of two corpora that have a partner in the other, in the order of the first; both of equal length."""
    partners = {pair: row for row in second if (pair := pair_of(row)) is not None}
    both = [(row, partners[pair]) for row in first if (pair := pair_of(row)) is not None and pair in partners]
    return [one for one, _ in both], [other for _, other in both]


def check_updates(
    matched: Mapping[str, Sequence[CorpusRow]],
    report: MatchReport,
    plan: Callable[[Sequence[CorpusRow]], tuple[int, int]],
) -> MatchReport:
    """The report with the optimizer updates of each corpus. `plan`: rows -> (updates, content tokens).

    Count updates, not tokens: a million tokens in 31 updates is a false null (docs/msm.md). Raises ConfigError when
    they differ by more than the tolerance, and by more than one update, which whole documents can't avoid.
    """
    corpora = {}
    for name, rows in matched.items():
        updates, _ = plan(rows)
        corpora[name] = Matched(**{**vars(report.corpora[name]), "updates": updates})
    counts = [one.updates or 0 for one in corpora.values()]
    spread = _spread(counts)
    if spread > report.tolerance and max(counts) - min(counts) > 1:
        raise ConfigError(
            f"matched corpora: {_differ('updates', corpora, spread, report.tolerance)}; "
            "set train.tokens_per_update, which makes equal tokens equal updates"
        )
    return MatchReport(report.tolerance, corpora, report.token_spread, spread)


def updates_of(model: str, config: TrainConfig, seed: int) -> Callable[[Sequence[CorpusRow]], tuple[int, int]]:
    """A plan for `check_updates`: how often a training of `model` on rows would update, without training."""
    from doxa.lm.weights import load_tokenizer, model_folder
    from doxa.training.data import plan_updates
    from doxa.training.midtrain import encode_for

    base = model_folder(model)
    tokenizer = load_tokenizer(base)

    def plan(rows: Sequence[CorpusRow]) -> tuple[int, int]:
        encoded = encode_for(config, rows, tokenizer, base)
        updates = plan_updates(encoded.sequences, config, seed)
        return len(updates), sum(update.content for update in updates)

    return plan


def _fitted(rows: Sequence[CorpusRow], tokens: list[int], target: int, seed: int) -> list[int]:
    """Places of rows, rising, whose tokens come as near to `target` as whole documents let them."""
    chosen: list[int] = []
    out: list[int] = []
    gap = target  # tokens that are still wanted; below 0, that are too many
    for place in _even_order(rows, seed):
        if tokens[place] <= gap:
            chosen.append(place)
            gap -= tokens[place]
        else:
            out.append(place)
    # one document more, or exchanged for another: the best such step, again and again, until none comes nearer
    while out and abs(gap) > NEAR_ENOUGH * target:
        steps: list[tuple[int, int | None, int]] = [(abs(gap - tokens[coming]), None, coming) for coming in out]
        steps += [(abs(gap - tokens[coming] + tokens[going]), going, coming) for coming in out for going in chosen]
        left, going, coming = min(steps, key=lambda step: step[0])
        if left >= abs(gap):
            break
        gap -= tokens[coming]
        out.remove(coming)
        chosen.append(coming)
        if going is not None:
            gap += tokens[going]
            chosen.remove(going)
            out.append(going)
    return sorted(chosen)


def _even_order(rows: Sequence[CorpusRow], seed: int) -> list[int]:
    """All places, so that any beginning holds the subdomains in the proportions of the whole; ties by the seed."""
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(row.subdomain, []).append(place)
    ranked = []
    for name, places in groups.items():
        drawn = sorted(places, key=lambda place: digest(seed, rows[place].id))
        ranked += [((rank + 0.5) / len(places), digest(seed, name), place) for rank, place in enumerate(drawn)]
    return [place for _, _, place in sorted(ranked)]


def _spread(numbers: Sequence[int]) -> float:
    mean = sum(numbers) / len(numbers)
    return (max(numbers) - min(numbers)) / mean if mean else 0.0


def _differ(what: str, corpora: Mapping[str, Matched], spread: float, tolerance: float) -> str:
    held = ", ".join(f"{name} {getattr(one, what):,} in {one.documents} documents" for name, one in corpora.items())
    return f"{what} differ by {spread:.2%}, more than the {tolerance:.2%} allowed ({held})"


def _remedy(corpora: Mapping[str, Matched]) -> str:
    short = min(corpora, key=lambda name: corpora[name].tokens_before)
    return f"add documents to {short}, or allow more (tolerance)"
