"""Model Spec Midtraining in miniature: the figures and numbers of docs/msm-miniature.md, remade.

    python bench/msm.py [--out runs/msm] [--seeds N] [--docs docs] [EXPERIMENT ...]

Runs the bundled comparisons (msm_pans; with names, others too) with one folder of trained steps, so that what two of
them share is trained once; a run that was stopped goes on. With --docs the figures and a small JSON with every number
of the page are put there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from doxa.experiments.compare import Result, power_table
from doxa.experiments.config import find_experiment
from doxa.experiments.runner import CompareRequest, run_comparison
from doxa.report.compare_facts import CompareFacts, gather_comparison
from doxa.report.compare_page import print_comparison, write_compare_page
from doxa.report.compare_table import nats
from doxa.run.folder import RunFolder, write_whole
from doxa.run.progress import Progress

DEFAULT = ("msm_pans",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", default=list(DEFAULT))
    parser.add_argument("--out", type=Path, default=Path("runs/msm"))
    parser.add_argument("--seeds", type=int, default=None, help="only the first so many")
    parser.add_argument("--report", action="store_true", help="train nothing: the numbers of what is there")
    parser.add_argument("--docs", type=Path, default=None, help="put figures and numbers there")
    parser.add_argument("--markdown", metavar="STYLE", default=None, help="print the tables in one style")
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
        if arguments.markdown is not None:
            print(markdown(gather_comparison(folder), arguments.markdown), flush=True)
        if arguments.docs is not None:
            publish(folder, name, arguments.docs)


def publish(folder: RunFolder, name: str, docs: Path) -> None:
    """Figures and numbers of one comparison, as the docs show them."""
    facts = gather_comparison(folder)
    for figure in sorted((folder / "figures").glob("*.png")):
        shutil.copy(figure, docs / f"{name.replace('_', '-')}-{figure.stem.replace('_', '-')}.png")
    write_whole(docs / f"{name.replace('_', '-')}.json", json.dumps(numbers(facts), indent=1) + "\n")


def markdown(facts: CompareFacts, style: str) -> str:
    """The tables of the page: shares of the arms; margins of arms and contrasts; all by sets, in one style."""
    lines = [f"| arm, share | {' | '.join(facts.sets)} |", "|---" * (len(facts.sets) + 1) + "|"]
    for arm in facts.arms:
        found = [facts.get(arm, set_name, style, "preferred") for set_name in facts.sets]
        lines.append(f"| {facts.label(arm)} | {' | '.join(nats(result) for result in found)} |")
    lines.append("")
    for title, names in (("arm", facts.arms), ("contrast", facts.contrasts)):
        lines += [f"| {title} | {' | '.join(facts.sets)} |", "|---" * (len(facts.sets) + 1) + "|"]
        for name in names:
            results = [facts.get(name, set_name, style) for set_name in facts.sets]
            cells = [nats(result, title == "contrast") for result in results]
            bold = [
                f"**{cell}**" if title == "contrast" and result is not None and result.clear else cell
                for cell, result in zip(cells, results, strict=True)
            ]
            lines.append(f"| {facts.label(name)} | {' | '.join(bold)} |")
        lines.append("")
    return "\n".join(lines)


def numbers(facts: CompareFacts) -> dict[str, Any]:
    """Every margin and share in every style, with sizes, digests of the data and what could have been seen."""
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
        "results": [row(result) for result in facts.results.values()],
        "power": {
            f"{result.name}/{result.set}/{result.style}": {n: round(e, 4) for n, e in power_table(result).items()}
            for result in facts.results.values()
            if result.kind == "contrast" and result.metric == "margin" and result.style == facts.style
            if result.seeds > 1
        },
    }


def row(result: Result) -> list[Any]:
    """[name, set, style, metric, value, low, high, items low, items high, seed SD, seeds, items], to four places."""
    values = (result.value, result.low, result.high, result.items_low, result.items_high, result.seed_sd)
    rounded = [None if value is None else round(value, 4) for value in values]
    return [result.name, result.set, result.style, result.metric, *rounded, result.seeds, result.items]


if __name__ == "__main__":
    main()
