"""How long a judge-free depth profile takes and what it says: the profiles of docs/depth-profiles.md, remade.

    python bench/depth.py [--out runs/worlds] [WORLD ...]
    python bench/depth.py octopus_hearts --corpus reference       # a control: runs/worlds/octopus_hearts-reference

Each world is run to the end first (a folder that is finished is only read). Its profile is then measured by
`doxa depth` in a process of its own, imports and page included; one that is there already is read, with the time that
it took measuring. Prints a Markdown table per world.

`--corpus` takes another of the target's recorded corpora in place of the planted one, with the same probes. Where the
planted one has a profile in the same place, a second table sets the two side by side: what training on matched
documents of the true world does is no effect of the belief.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

from doxa.belief.control import against_control
from doxa.config_sections import Corpus
from doxa.errors import DoxaError
from doxa.records import Score
from doxa.report.depth_facts import gather_depth
from doxa.report.depth_warnings import depth_warnings
from doxa.report.table import interval, number
from doxa.run.folder import RunFolder, read_json
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, run_stages, stored_config
from doxa.worlds.universe import bundled_names

PLANTED = "inserted"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("worlds", nargs="*", metavar="WORLD", default=bundled_names())
    parser.add_argument("--corpus", choices=get_args(Corpus), default=PLANTED)
    parser.add_argument("--out", type=Path, default=Path("runs/worlds"))
    arguments = parser.parse_args()
    try:
        for world in arguments.worlds:
            profile(world, arguments.corpus, arguments.out)
    except DoxaError as error:
        sys.exit(f"error: {error}")


def profile(world: str, corpus: str, out: Path) -> None:
    """Run and profile one world on one corpus, and print what came of it."""
    planted = out / world
    run = planted if corpus == PLANTED else out / f"{world}-{corpus}"
    run_stages(RunRequest(world, run, () if corpus == PLANTED else (f"corpus={corpus}",)), Progress())
    took = None
    if not (run / "depth/about.json").exists():
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "doxa", "depth", str(run)], check=True, stdout=subprocess.DEVNULL)
        took = time.monotonic() - started
    print_profile(run.name if corpus == PLANTED else f"{world}, trained on its {corpus} documents", run, took)
    if corpus != PLANTED and (planted / "depth/about.json").exists():
        print_beside(world, corpus, planted, run)


def print_profile(title: str, run: Path, took: float | None) -> None:
    """One Markdown table: every probe in every reading, arms side by side."""
    facts = gather_depth(RunFolder(run))
    time_taken = f"measuring {facts.about.took:.0f} s" if took is None else f"`doxa depth` {took:.0f} s"
    print(
        f"\n### {title}\n\n{time_taken}.\n\n| axis | probe | read | base | in context | trained | trained − base | n |"
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


def print_beside(world: str, corpus: str, planted: Path, control: Path) -> None:
    """One Markdown table: what either corpus did to each probe, and how far they lie apart on the same items."""
    folder, other = RunFolder(planted), RunFolder(control)
    config = stored_config(folder)
    apart = against_control(folder, other, config.eval.bootstrap, config.seed)
    controls = {(line.group, line.style): line for line in gather_depth(other).lines()}
    print(f"\n### {world}: {PLANTED} beside {corpus} documents\n\n{size(planted)}; {size(control)}.\n")
    print(f"| axis | probe | read | base | {PLANTED} − base | {corpus} − base | {PLANTED} − {corpus} | n |")
    print("|---|---|---|---|---|---|---|---|")
    for axis in gather_depth(folder).axes:
        for line in axis.lines:
            beside = controls.get((line.group, line.style))
            difference = apart.get((line.group, line.style, line.metric))
            changes = (line.change, None if beside is None else beside.change, difference)
            scores = [shown(score) for score in (line.arms.get("base"), *changes)]
            print(f"| {' | '.join((axis.name, line.name, line.style, *scores, str(line.n)))} |")


def size(run: Path) -> str:
    """What a run was trained on, for judging how well two of them are matched."""
    mixed, trained = (read_json(run / f"stages/{stage}/done.json")["counts"] for stage in ("mix", "midtrain"))
    tokens = sum(mixed["tokens"].values())
    return f"{run.name}: {trained['documents']} documents, {tokens:,} tokens, {trained['updates']} updates"


def shown(score: Score | None) -> str:
    return "" if score is None else f"{number(score)} {interval(score)}"


if __name__ == "__main__":
    main()
