"""How long a judge-free depth profile takes and what it says: the profiles of docs/depth-profiles.md, remade.

    python bench/depth.py [--out runs/worlds] [WORLD ...]

Each world is run to the end first (a folder that is finished is only read). Its profile is then measured by
`doxa depth` in a process of its own, imports and page included; one that is there already is read, with the time that
it took measuring. Prints a Markdown table per world.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from doxa.records import Score
from doxa.report.depth_facts import gather_depth
from doxa.report.depth_warnings import depth_warnings
from doxa.report.table import interval, number
from doxa.run.folder import RunFolder
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, run_stages
from doxa.worlds.universe import bundled_names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worlds", nargs="*", metavar="WORLD", default=bundled_names())
    parser.add_argument("--out", type=Path, default=Path("runs/worlds"))
    arguments = parser.parse_args()
    for world in arguments.worlds:
        run = arguments.out / world
        run_stages(RunRequest(world, run), Progress())
        took = None
        if not (run / "depth/about.json").exists():
            started = time.monotonic()
            subprocess.run([sys.executable, "-m", "doxa", "depth", str(run)], check=True, stdout=subprocess.DEVNULL)
            took = time.monotonic() - started
        print_profile(world, run, took)


def print_profile(world: str, run: Path, took: float | None) -> None:
    """One Markdown table: every probe in every reading, arms side by side."""
    facts = gather_depth(RunFolder(run))
    time_taken = f"measuring {facts.about.took:.0f} s" if took is None else f"`doxa depth` {took:.0f} s"
    print(
        f"\n### {world}\n\n{time_taken}.\n\n| axis | probe | read | base | in context | trained | trained − base | n |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for axis in facts.axes:
        for line in axis.lines:
            arms = [shown(line.arms.get(arm)) for arm in ("base", "in_context", "trained")]
            cells = (axis.name, line.name, line.style, *arms, shown(line.change), str(line.n))
            print(f"| {' | '.join(cells)} |")
    print()
    for warning in depth_warnings(facts):
        print(f"- {warning}")


def shown(score: Score | None) -> str:
    return "" if score is None else f"{number(score)} {interval(score)}"


if __name__ == "__main__":
    main()
