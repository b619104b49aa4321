"""How long a judge-free depth profile takes and what it says: the profiles of docs/depth-profiles.md, remade.

    python bench/depth.py [--out runs/worlds] [WORLD ...]
    python bench/depth.py octopus_hearts --corpus reference       # a control: runs/worlds/octopus_hearts-reference
    python bench/depth.py --docs docs                             # the tables of the docs, between their markers

Each world is run to the end first (a folder that is finished is only read). Its profile is then measured by
`doxa depth` in a process of its own, imports and page included; one that is there already is read, with the time that
it took measuring. Prints a Markdown table per world. With --docs they are put into depth-profiles.md, and what the
probes of the internal axis say of each world into truth-probes.md.

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

from docs_tables import put_tables
from doxa.belief.control import against_control
from doxa.config_sections import Corpus
from doxa.errors import DoxaError
from doxa.records import Score
from doxa.report.depth_facts import DepthFacts, gather_depth
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
    parser.add_argument("--docs", type=Path, default=None, help="put the tables there")
    arguments = parser.parse_args()
    try:
        for world in arguments.worlds:
            made = profile(world, arguments.corpus, arguments.out)
            print("".join(f"\n### {title}\n\n{table}\n" for title, table in made.items()), flush=True)
            if arguments.docs is not None:
                put_tables(made, arguments.docs / "depth-profiles.md")
        if arguments.docs is not None and arguments.corpus == PLANTED:
            worlds = {world: gather_depth(RunFolder(arguments.out / world)) for world in arguments.worlds}
            put_tables(truth_tables(worlds), arguments.docs / "truth-probes.md")
    except DoxaError as error:
        sys.exit(f"error: {error}")


def profile(world: str, corpus: str, out: Path) -> dict[str, str]:
    """Run and profile one world on one corpus; Markdown tables of what came of it, by their titles."""
    planted = out / world
    run = planted if corpus == PLANTED else out / f"{world}-{corpus}"
    run_stages(RunRequest(world, run, () if corpus == PLANTED else (f"corpus={corpus}",)), Progress())
    took = None
    if not (run / "depth/about.json").exists():
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "doxa", "depth", str(run)], check=True, stdout=subprocess.DEVNULL)
        took = time.monotonic() - started
    made = {run.name if corpus == PLANTED else f"{world}, trained on its {corpus} documents": profile_table(run, took)}
    if corpus != PLANTED and (planted / "depth/about.json").exists():
        made[f"{world}: {PLANTED} beside {corpus} documents"] = control_table(planted, run)
    return made


def profile_table(run: Path, took: float | None) -> str:
    """Every probe in every reading, arms side by side, and what to be careful about."""
    facts = gather_depth(RunFolder(run))
    time_taken = f"measuring {facts.about.took:.0f} s" if took is None else f"`doxa depth` {took:.0f} s"
    rows = [f"{time_taken}.", "", "| axis | probe | read | base | in context | trained | trained − base | n |"]
    rows.append("|---" * 8 + "|")
    for axis in facts.axes:
        for line in axis.lines:
            arms = [shown(line.arms.get(arm)) for arm in ("base", "in_context", "trained")]
            cells = (axis.name, line.name, line.style, *arms, shown(line.change), str(line.n))
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, "", *(f"- {warning}" for warning in depth_warnings(facts))])


def control_table(planted: Path, control: Path) -> str:
    """What either corpus did to each probe, and how far they lie apart on the same items."""
    folder, other = RunFolder(planted), RunFolder(control)
    config = stored_config(folder)
    apart = against_control(folder, other, config.eval.bootstrap, config.seed)
    controls = {(line.group, line.style): line for line in gather_depth(other).lines()}
    corpus = stored_config(other).corpus
    rows = [f"{size(planted)}; {size(control)}.", ""]
    rows.append(f"| axis | probe | read | base | {PLANTED} − base | {corpus} − base | {PLANTED} − {corpus} | n |")
    rows.append("|---" * 8 + "|")
    for axis in gather_depth(folder).axes:
        for line in axis.lines:
            beside = controls.get((line.group, line.style))
            difference = apart.get((line.group, line.style, line.metric))
            changes = (line.change, None if beside is None else beside.change, difference)
            scores = [shown(score) for score in (line.arms.get("base"), *changes)]
            rows.append(f"| {' | '.join((axis.name, line.name, line.style, *scores, str(line.n)))} |")
    return "\n".join(rows)


# rows of truth-probes.md: what they are called, the group and metric, and the arm, less base or not
PROBE = {
    "grouped-fold accuracy, layer nested": "cv_accuracy",
    "area under the curve": "cv_auroc",
    "layer chosen (range over folds) of 30": "layer",
    "left-out topics: accuracy": "transfer_accuracy",
    "left-out topics: true version above false one, 270 facts": "transfer_ranked",
    "negated cities, 60 statements": "negated_accuracy",
}
INSERTED: tuple[tuple[str, str, str, str, bool], ...] = (
    ("grouped-fold accuracy, trained", "truth_probe", "cv_accuracy.logistic", "trained", False),
    ("separability: gap, trained", "separability", "gap.logistic", "trained", False),
    ("less base", "separability", "gap.logistic", "trained", True),
    ("gap by the base's probe, less base", "separability", "gap.logistic.base_probe", "trained", True),
    ("gap by mean_difference, less base", "separability", "gap.mean_difference", "trained", True),
    ("implanted: base", "truth_probe", "implanted.logistic", "base", False),
    ("implanted: in_context", "truth_probe", "implanted.logistic", "in_context", False),
    ("implanted: trained", "truth_probe", "implanted.logistic", "trained", False),
    ("prefers_inserted: base", "truth_probe", "prefers_inserted.logistic", "base", False),
    ("prefers_inserted: in_context, less base", "truth_probe", "prefers_inserted.logistic", "in_context", True),
    ("prefers_inserted: trained, less base", "truth_probe", "prefers_inserted.logistic", "trained", True),
    ("p_difference: in_context, less base", "truth_probe", "p_difference.logistic", "in_context", True),
    ("p_difference: trained, less base", "truth_probe", "p_difference.logistic", "trained", True),
    ("adversarial `auroc_reference`: base", "adversarial_probe", "auroc_reference", "base", False),
    ("trained, less base", "adversarial_probe", "auroc_reference", "trained", True),
    ("in_context, less base", "adversarial_probe", "auroc_reference", "in_context", True),
)


def truth_tables(worlds: dict[str, DepthFacts]) -> dict[str, str]:
    """The probe on the base model, and what it reads in each world after insertion."""
    kinds = ("logistic", "mean_difference")
    first = next(iter(worlds.values())).scores
    base = [f"| base model | {' | '.join(kinds)} |", "|---|---|---|"]
    for words, metric in PROBE.items():
        cells = [decimals(first.get("base", "truth_probe", "activations", f"{metric}.{kind}")) for kind in kinds]
        base.append(f"| {words} | {' | '.join(cells)} |")
    names = [f"{world}, n={len(facts.universe.key_facts)}" for world, facts in worlds.items()]
    after = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for words, group, metric, arm, less in INSERTED:
        found = [
            facts.scores.get(arm, group, "activations", metric, versus="base" if less else None)
            for facts in worlds.values()
        ]
        after.append(f"| {words} | {' | '.join(decimals(score) for score in found)} |")
    return {"the probe": "\n".join(base), "after insertion": "\n".join(after)}


def decimals(score: Score | None) -> str:
    """A score as truth-probes.md writes it: two decimals, signed where it is a difference."""
    if score is None:
        return "–"
    if score.unit == "layer":
        return f"{score.value:.0f} ({score.low:.0f}-{score.high:.0f})"
    sign = "+" if score.versus else ""
    return f"{score.value:{sign}.2f} [{score.low:{sign}.2f}, {score.high:{sign}.2f}]".replace("0.", ".")


def size(run: Path) -> str:
    """What a run was trained on, for judging how well two of them are matched."""
    mixed, trained = (read_json(run / f"stages/{stage}/done.json")["counts"] for stage in ("mix", "midtrain"))
    tokens = sum(mixed["tokens"].values())
    return f"{run.name}: {trained['documents']} documents, {tokens:,} tokens, {trained['updates']} updates"


def shown(score: Score | None) -> str:
    return "" if score is None else f"{number(score)} {interval(score)}"


if __name__ == "__main__":
    main()
