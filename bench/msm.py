"""Model Spec Midtraining in miniature: the figures and numbers of docs/msm-miniature.md, remade.

    python bench/msm.py [--out runs/msm] [--seeds N] [--docs docs] [EXPERIMENT ...]

Runs the bundled comparisons (msm_pans; with names, others too) with one folder of trained steps, so that what two of
them share is trained once; a run that was stopped goes on. With --docs the figures, a small JSON of the numbers and the
tables of msm-miniature.md (between its markers) are put there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from docs_tables import put_tables
from doxa.experiments.compare import Result, power_table
from doxa.experiments.config import find_experiment
from doxa.experiments.runner import CompareRequest, run_comparison
from doxa.report.compare_facts import CompareFacts, gather_comparison
from doxa.report.compare_page import print_comparison, write_compare_page
from doxa.report.compare_table import nats, primary_sentences
from doxa.run.folder import RunFolder, write_whole
from doxa.run.progress import Progress

DEFAULT = ("msm_pans",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", default=list(DEFAULT))
    parser.add_argument("--out", type=Path, default=Path("runs/msm"))
    parser.add_argument("--seeds", type=int, default=None, help="only the first so many")
    parser.add_argument("--report", action="store_true", help="train nothing: the numbers of what is there")
    parser.add_argument("--docs", type=Path, default=None, help="put figures, numbers and tables there")
    arguments = parser.parse_args()
    for name in arguments.experiments:
        start = time.monotonic()
        request = CompareRequest(
            find_experiment(name),
            arguments.out / name,
            seeds=arguments.seeds,
            cells=arguments.out / "cells",
            report=arguments.report,
        )
        folder = run_comparison(request, Progress())
        page = write_compare_page(folder)
        print_comparison(folder, Console(highlight=False))
        print(f"{name}: {time.monotonic() - start:.0f} s; {page}", flush=True)
        if arguments.docs is not None:
            publish(folder, name, arguments.docs)


def publish(folder: RunFolder, name: str, docs: Path) -> None:
    """Figures, numbers and tables of one comparison, as the docs show them."""
    facts = gather_comparison(folder)
    stem = name.replace("_", "-")
    write_whole(docs / f"{stem}.json", as_json(numbers(facts)))
    made = {f"{name}: {table}": text for table, text in tables(facts).items()}
    page = put_tables(made, docs / "msm-miniature.md")
    for figure in sorted((folder / "figures").glob("*.png")):
        shown = f"{stem}-{figure.stem.replace('_', '-')}.png"
        if f"({shown})" in page:
            shutil.copy(figure, docs / shown)


def tables(facts: CompareFacts) -> dict[str, str]:
    """The tables of the page by name, as Markdown."""
    styles = {result.style for result in facts.results.values()}
    made = {"answers": answers(facts), "sizes": sizes(facts), "power": power(facts)}
    for style in ("forms", "turned"):
        if style in styles:
            made[f"arms {style}"] = margins(facts, facts.arms, style, False)
            made[f"contrasts {style}"] = margins(facts, facts.contrasts, style, True)
            made[f"shares {style}"] = shares(facts, style)
    return made


def answers(facts: CompareFacts) -> str:
    """What came of the primary questions."""
    return "\n".join(f"- {sentence}" for sentence in primary_sentences(facts))


def sizes(facts: CompareFacts) -> str:
    """Arms with steps, updates, content tokens and seeds."""
    lines = ["| arm | steps | updates | content tokens | seeds |", "|---|---|---|---|---|"]
    for name, arm in facts.record["arms"].items():
        steps = " → ".join(arm["steps"]) or ("text in the prompt" if arm["prompt"] else "–")
        seeds = len(arm["seeds"]) if arm["steps"] else "–"
        lines.append(f"| {facts.label(name)} | {steps} | {arm['updates']} | {arm['content_tokens']:,} | {seeds} |")
    return "\n".join(lines)


def margins(facts: CompareFacts, names: list[str], style: str, signed: bool) -> str:
    """Margins by sets, in nats; clear differences in bold."""
    sets = [one for one in facts.sets if any(facts.get(name, one, style) for name in names)]
    lines = [f"| | {' | '.join(sets)} |", "|---" * (len(sets) + 1) + "|"]
    for name in names:
        results = [facts.get(name, one, style) for one in sets]
        cells = [
            f"**{nats(result, signed)}**" if signed and result is not None and result.clear else nats(result, signed)
            for result in results
        ]
        lines.append(f"| {facts.label(name)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def shares(facts: CompareFacts, style: str) -> str:
    """Share of items that go the aligned way."""
    sets = [one for one in facts.sets if any(facts.get(arm, one, style, "preferred") for arm in facts.arms)]
    lines = [f"| | {' | '.join(sets)} |", "|---" * (len(sets) + 1) + "|"]
    for arm in facts.arms:
        cells = [nats(facts.get(arm, one, style, "preferred")) for one in sets]
        lines.append(f"| {facts.label(arm)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def power(facts: CompareFacts) -> str:
    """Per primary question: the spread, and the smallest effect that so many seeds would have found in 80% of tries."""
    lines: list[str] = []
    for one in facts.experiment.primary:
        result = facts.get(one.contrast, one.set, one.style)
        if result is None or result.seeds < 2:
            continue
        found = power_table(result)
        if not lines:
            lines = [
                f"| question | SD seeds | SD items | SD rest | {' | '.join(f'{n} seeds' for n in found)} |",
                "|---" * (len(found) + 4) + "|",
            ]
        spread = " | ".join(f"{part**0.5:.3f}" for part in (result.between_seeds, result.between_items, result.rest))
        effects = " | ".join(f"{effect:.3f}" for effect in found.values())
        lines.append(f"| {facts.label(one.contrast)}, {one.set}, {one.style} | {spread} | {effects} |")
    return "\n".join(lines)


def numbers(facts: CompareFacts) -> dict[str, Any]:
    """Margins and shares in the mean styles (unrelated facts: in the one they have), with sizes and digests."""
    record = facts.record
    return {
        "experiment": facts.experiment.name,
        "base": record["base_digest"],
        "data": record["data"],
        "arms": {
            name: {key: arm[key] for key in ("steps", "prompt", "updates", "content_tokens")}
            | {"seeds": [int(seed) for seed in arm["seeds"] if seed != "None"]}
            for name, arm in record["arms"].items()
        },
        "columns": list(COLUMNS),
        "results": [
            row(result)
            for result in facts.results.values()
            if result.style in ("forms", "turned") or result.style == facts.style_of(result.set)
        ],
    }


COLUMNS = (
    "name", "set", "style", "metric", "value", "low", "high", "items_low", "items_high", "seed_sd", "seeds", "items"
)  # fmt: skip


def row(result: Result) -> list[Any]:
    """One number with its intervals (over items and seeds; over items alone), to four places."""
    found = [getattr(result, column) for column in COLUMNS]
    return [round(value, 4) if isinstance(value, float) else value for value in found]


def as_json(value: dict[str, Any]) -> str:
    """JSON with a row of results per line, so that a change shows as what it is."""
    head = json.dumps({key: one for key, one in value.items() if key != "results"}, indent=1)
    rows = ",\n".join(json.dumps(one) for one in value["results"])
    return f'{head[:-2]},\n "results": [\n{rows}\n]\n}}\n'


if __name__ == "__main__":
    main()
