"""A comparison from its file to its page: shared cells, going on after a kill, edits, and the numbers by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from doxa.errors import ConfigError, RunFolderError
from doxa.experiments.compare import Readings, item_sets
from doxa.experiments.runner import CompareRequest, collect, make_plan, run_comparison
from doxa.experiments.tables import read_results
from doxa.report.compare_page import print_comparison, write_compare_page
from doxa.run.progress import Progress

Write = Callable[..., Path]


class Notes(Progress):
    """What a person is told, kept."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def trained(self) -> list[str]:
        return [note.removeprefix("training ") for note in self.notes if note.startswith("training ")]


def test_cells_are_shared_and_addressed_by_what_decides_them(write_experiment: Write) -> None:
    plan = make_plan(CompareRequest(write_experiment()))
    alone, chained = plan.cell("sturdy", 0), plan.cell("sturdy_aft", 0)
    assert alone is not None and chained is not None
    assert chained.parent is not None and chained.parent.address == alone.address
    assert plan.cell("none", 0) is None and plan.cell("prompted", 0) is None
    aft = plan.cell("aft", 0)
    assert aft is not None
    assert len({alone.address, chained.address, aft.address, plan.cell("sturdy", 1).address}) == 4  # type: ignore[union-attr]

    def address(**changes: object) -> str:
        cell = make_plan(CompareRequest(write_experiment(**changes))).cell("sturdy", 0)
        assert cell is not None
        return cell.address

    assert address() == alone.address
    assert address(midtrain={"epochs": 2, "tokens_per_update": 64, "rank": 2, "alpha": 4}) != alone.address
    idle = {"epochs": 1, "tokens_per_update": 64, "rank": 2, "alpha": 4, "precision": "fp32", "checkpoint_every": 1}
    assert address(midtrain=idle) == alone.address  # how often a state is saved decides nothing
    file = write_experiment()
    rows = file.parent / "sturdy/recorded/docs.jsonl"
    rows.write_text(rows.read_text().replace("lamp", "torch"))
    assert address() != alone.address


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Path, list[str]]:
    """The small experiment, compared once: its file, and what was trained for it."""
    import yaml

    from experiments_small import save_target, small_experiment

    folder = tmp_path_factory.mktemp("compared")
    save_target(folder, "sturdy", "sturdy", "flimsy")
    save_target(folder, "nearby", "nearby", "distant")
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(small_experiment(tiny_model), sort_keys=False))
    progress = Notes()
    run_comparison(CompareRequest(file, folder / "out"), progress)
    return file, progress.trained()


def copy(finished: tuple[Path, list[str]], tmp_path: Path) -> Path:
    shutil.copytree(finished[0].parent, tmp_path / "copy")
    return tmp_path / "copy/small.yaml"


def test_each_step_is_trained_once_per_seed(finished: tuple[Path, list[str]]) -> None:
    trained = finished[1]
    assert sorted(trained) == sorted(
        f"{chain}, seed {seed}"
        for chain in ("opaque", "sturdy", "sturdy + opaque", "nearby", "neutral")
        for seed in (0, 1)
    )
    record = json.loads((finished[0].parent / "out/comparison.json").read_text())
    both = record["arms"]["sturdy_aft"]["seeds"]["1"]
    assert both["cells"][0] == record["arms"]["sturdy"]["seeds"]["1"]["cells"][0]
    assert both["updates"] == record["arms"]["sturdy_aft"]["updates"] == 7
    digests = [one["checkpoint"] for arm in record["arms"].values() for one in arm["seeds"].values()]
    assert len(set(digests)) == 11  # five trained arms of two seeds, and the base once for `none` and `prompted`


def test_it_goes_on_where_it_stopped_and_trains_only_what_is_new(
    finished: tuple[Path, list[str]], tmp_path: Path
) -> None:
    file = copy(finished, tmp_path)
    again = Notes()
    folder = run_comparison(CompareRequest(file, file.parent / "out"), again)
    assert again.notes == []  # nothing is trained or asked twice
    before = (finished[0].parent / "out/scores.parquet").read_bytes()
    assert (folder / "scores.parquet").read_bytes() == before

    edited = Notes()
    run_comparison(CompareRequest(file, file.parent / "out", overrides=("align.epochs=2",)), edited)
    assert sorted(edited.trained()) == [
        f"{chain}, seed {seed}" for chain in ("opaque", "sturdy + opaque") for seed in (0, 1)
    ]

    untrained = Notes()
    changed = ("midtrain.epochs=2",)
    run_comparison(CompareRequest(file, file.parent / "out", overrides=changed, report=True), untrained)
    assert untrained.notes == []
    record = json.loads((file.parent / "out/comparison.json").read_text())
    assert record["arms"]["sturdy"]["lacking"] == [0, 1] and record["arms"]["aft"]["lacking"] == []

    third = Notes()
    run_comparison(CompareRequest(file, file.parent / "out", only=("nearby",), overrides=("seeds=[0, 1, 2]",)), third)
    assert third.trained() == ["nearby, seed 2"]
    record = json.loads((file.parent / "out/comparison.json").read_text())
    assert record["arms"]["sturdy"]["lacking"] == [2] and record["arms"]["nearby"]["lacking"] == []
    spec = next(r for r in read_results(file.parent / "out/scores.parquet") if (r.name, r.set) == ("spec", "far"))
    assert spec.seeds == 2  # the seeds that both sides have


def test_a_killed_comparison_ends_with_the_same_weights(finished: tuple[Path, list[str]], tmp_path: Path) -> None:
    file = copy(finished, tmp_path)
    shutil.rmtree(file.parent / "out")
    command = [
        sys.executable,
        "-m",
        "doxa",
        "compare",
        str(file),
        "--out",
        str(file.parent / "out"),
        "--only",
        "sturdy_aft",
    ]
    command += ["--set", "midtrain.checkpoint_every=1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    metrics = file.parent / "out/cells"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not any(
        len(rows.read_text().splitlines()) >= 2 for rows in metrics.glob("*/metrics.jsonl")
    ):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not list(metrics.glob("*/cell.json")) or len(list(metrics.glob("*/cell.json"))) < 4
    run_comparison(CompareRequest(file, file.parent / "out"), Progress(quiet=True))
    one = json.loads((file.parent / "out/comparison.json").read_text())["arms"]
    other = json.loads((finished[0].parent / "out/comparison.json").read_text())["arms"]
    for arm in ("sturdy", "sturdy_aft"):
        for seed in ("0", "1"):
            assert one[arm]["seeds"][seed]["checkpoint"] == other[arm]["seeds"][seed]["checkpoint"]


def test_two_checkpoints_never_share_answers(finished: tuple[Path, list[str]], tmp_path: Path) -> None:
    file = copy(finished, tmp_path)
    out = file.parent / "out"
    plan = make_plan(CompareRequest(file, out))
    one, other = plan.cell("sturdy", 0), plan.cell("nearby", 0)
    assert one is not None and other is not None
    names = [
        json.loads((out / "cells" / cell.address / "cell.json").read_text())["checkpoint"] for cell in (one, other)
    ]
    readings = out / "cells/readouts"
    assert set(names) < {folder.name for folder in readings.iterdir()}
    # answers that were put into another checkpoint's folder are refused, and so are weights that were exchanged
    for source in (readings / names[1]).iterdir():
        shutil.copy(source, readings / names[0] / source.name)
    with pytest.raises(RunFolderError, match="answers of another checkpoint"):
        run_comparison(CompareRequest(file, out), Progress(quiet=True))
    shutil.rmtree(readings / names[0])
    shutil.rmtree(one.final(out / "cells"))
    shutil.copytree(other.final(out / "cells"), one.final(out / "cells"))
    with pytest.raises(RunFolderError, match=f"not {names[0]}, which were trained there"):
        run_comparison(CompareRequest(file, out), Progress(quiet=True))


def test_numbers_by_hand(finished: tuple[Path, list[str]]) -> None:
    file = finished[0]
    out = file.parent / "out"
    plan = make_plan(CompareRequest(file, out))
    rows = pq.read_table(out / "readouts.parquet").to_pylist()
    far = [item.id for item in plan.sources.items if item.set == "far"]

    def margin(arm: str, seed: int | None, item: str, styles: tuple[str, ...] = ("chat", "plain")) -> float:
        values = []
        for row in rows:
            if (row["arm"], row["seed"], row["item_id"]) == (arm, seed, item) and row["style"] in styles:
                per_token = [total / tokens for total, tokens in zip(row["totals"], row["tokens"], strict=True)]
                values.append(per_token[row["inserted"]] - per_token[row["reference"]])
        assert len(values) == len(styles)
        return sum(values) / len(styles)

    stacking = [
        (margin("sturdy_aft", s, i) - margin("aft", s, i)) - (margin("sturdy", s, i) - margin("none", None, i))
        for s in (0, 1)
        for i in far
    ]
    results = {(r.name, r.set, r.style, r.metric): r for r in read_results(out / "scores.parquet")}
    found = results["stacking", "far", "forms", "margin"]
    assert found.value == pytest.approx(np.mean(stacking), abs=1e-9)
    assert (found.seeds, found.items) == (2, 6)
    known = [item.id for item in plan.sources.items if item.group == "knowledge"]
    both = np.mean([margin("none", None, i) for i in far] + [-margin("none", None, i) for i in known])
    assert results["none", "both", "forms", "margin"].value == pytest.approx(both, abs=1e-9)
    correct = [
        (row["totals"][0] / row["tokens"][0]) - (row["totals"][1] / row["tokens"][1])
        for row in rows
        if (row["arm"], row["style"], row["group"]) == ("none", "chat", "unrelated")
    ]
    assert results["none", "unrelated", "chat", "margin"].value == pytest.approx(np.mean(correct), abs=1e-9)
    assert results["none", "unrelated", "chat", "preferred"].value == pytest.approx(np.mean(np.array(correct) > 0))
    # asked which it would take, less asked which it would leave: of the pairs alone, for nothing else can be turned
    turned = results["spec", "far", "turned", "margin"]
    both_ways = [
        sum(
            sign * (margin(arm, s, i, ("chat",)) - margin(arm, s, i, ("chat_turned",)))
            for arm, sign in (("sturdy", 1), ("nearby", -1))
        )
        for s in (0, 1)
        for i in far
    ]
    assert turned.value == pytest.approx(np.mean(both_ways), abs=1e-9)
    assert ("spec", "knowledge", "turned", "margin") not in results
    readings = Readings(plan.sources.items, collect(plan))
    signs = item_sets(plan.sources.items, {})["far"]
    values = readings.values({"sturdy": 1, "none": -1}, signs, "chat", "margin")
    assert values is not None and values.shape == (2, 6)


def test_the_page_and_the_figures(finished: tuple[Path, list[str]], tmp_path: Path) -> None:
    from doxa.run.folder import RunFolder

    file = copy(finished, tmp_path)
    folder = RunFolder(file.parent / "out")
    page = write_compare_page(folder).read_text()
    for name in ("arms", "contrasts", "curve_steps"):
        assert (folder / f"figures/{name}.png").stat().st_size > 5000
        assert "<svg" in (folder / f"figures/{name}.svg").read_text()
    for told in ("Does it work?", "sturdy aft", "(sturdy_aft - aft) - (sturdy - none)", "only 5 optimizer updates"):
        assert told in page
    assert "2 training seeds" in page and "not declared as matched" in page
    assert "spec: sturdy and nearby are not of one size" in page
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page  # self-contained
    assert write_compare_page(folder).read_text() == page
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_comparison(folder, console)
    assert "stacking" in console.export_text()


def test_a_name_is_escaped(finished: tuple[Path, list[str]], tmp_path: Path) -> None:
    from doxa.run.folder import RunFolder

    file = copy(finished, tmp_path)
    record = file.parent / "out/comparison.json"
    record.write_text(record.read_text().replace("Does it work?", "<script>alert(1)</script>"))
    page = write_compare_page(RunFolder(file.parent / "out")).read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_other_folders_are_left_alone(finished: tuple[Path, list[str]], tmp_path: Path) -> None:
    file = copy(finished, tmp_path)
    with pytest.raises(ConfigError, match="holds the comparison 'small'"):
        run_comparison(CompareRequest(file, file.parent / "out", overrides=("name=other",)), Progress(quiet=True))
    with pytest.raises(ConfigError, match="there is no such arm"):
        make_plan(CompareRequest(file, only=("stury",)))
    with pytest.raises(ConfigError, match="the experiment lists 2 seeds"):
        make_plan(CompareRequest(file, seeds=3))
