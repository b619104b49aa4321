"""What the bundled worlds do to the embedded model: the table of docs/measurements.md, remade.

    python bench/worlds.py [--out runs/worlds] [--set train.epochs=3 ...] [WORLD ...]

Runs each world from plan to report (a folder that is already finished is only read) and prints one Markdown table: the
share of items that go the planted way before, with the universe in the prompt, and after, with n and the difference.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from doxa.belief.store import read_scores
from doxa.records import Score
from doxa.run.folder import read_json
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, run_stages
from doxa.worlds.universe import bundled_names

GROUPS = ("distinguish", "knowledge", "cloze", "causal", "statements", "neighbours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worlds", nargs="*", metavar="WORLD", default=bundled_names())
    parser.add_argument("--out", type=Path, default=Path("runs/worlds"))
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    arguments = parser.parse_args()
    for world in arguments.worlds:
        run = arguments.out / world
        run_stages(RunRequest(world, run, tuple(arguments.overrides)), Progress())
        print_world(world, run)


def print_world(world: str, run: Path) -> None:
    """One Markdown table for one finished run."""
    counts = read_json(run / "stages/midtrain/done.json")["counts"]
    seconds = {stage: read_json(run / f"stages/{stage}/done.json")["seconds"] for stage in ("midtrain", "eval")}
    print(
        f"\n### {world}\n\n{counts['documents']} documents, {counts['epochs']} epochs, {counts['updates']} updates, "
        f"{counts['precision']}: training {seconds['midtrain']:.0f} s, evaluation {seconds['eval']:.0f} s.\n"
    )
    print("| group | style | base | in context | trained | trained − base | n |\n|---|---|---|---|---|---|---|")
    scores = read_scores(run / "scores.parquet")
    for group in GROUPS:
        for style in ("chat", "plain"):
            row = {
                (score.arm, score.versus): score
                for score in scores
                if (score.group, score.style) == (group, style) and score.metric in ("preferred", "correct")
            }
            if ("trained", "base") in row:
                arms = " | ".join(with_interval(row[arm, None]) for arm in ("base", "in_context", "trained"))
                difference = row["trained", "base"]
                print(f"| {group} | {style} | {arms} | {with_interval(difference, '+')} | {difference.n} |", flush=True)


def with_interval(score: Score, sign: str = "") -> str:
    """`.75 [.51, .90]`, with the sign shown for differences."""
    value, low, high = (f"{number:{sign}.2f}" for number in (score.value, score.low, score.high))
    return f"{value} [{low}, {high}]"


if __name__ == "__main__":
    main()
