"""`torchrun -m doxa train` and `align` with two CPU processes: each document once, and the loss of one process."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from doxa.errors import ConfigError
from doxa.run.folder import read_json, read_rows
from doxa.run.kinds import stages_of
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, open_run, run_stages
from doxa.run.stages import read_states
from doxa.training.midtrain import UpdateRow

SETS = (
    "documents=11",  # odd, so that the two processes get unequal shares
    "train.epochs=2",
    "train.tokens_per_update=700",
    "train.tokens_per_batch=512",
    "train.rank=4",
    "train.precision=fp32",
    "train.checkpoint_every=2",
)


LAUNCHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
STEPS = "align.steps=[{kind: sft, rows: aft, train: {tokens_per_update: 1500}}, {kind: sft, rows: aft_antispec}]"


def doxa(model, out, stage, *launcher, target="sorrel_bay", more=()):
    sets = [part for value in (*SETS, f"model={model}", *more) for part in ("--set", value)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    for variable in ("RANK", "WORLD_SIZE"):
        environment.pop(variable, None)
    return subprocess.run(
        [*(launcher or (sys.executable,)), "-m", "doxa", stage, target, "--out", str(out), *sets],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=300,
    )


def test_two_processes_train_what_one_does(tiny_model, tmp_path):
    for out in ("one", "two"):
        for stage in ("plan", "write", "screen", "dedup", "mix"):
            assert doxa(tiny_model, tmp_path / out, stage).returncode == 0
    assert doxa(tiny_model, tmp_path / "one", "train").returncode == 0
    done = doxa(tiny_model, tmp_path / "two", "train", *LAUNCHER)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = (read_rows(tmp_path / out / "train/metrics.jsonl", UpdateRow) for out in ("one", "two"))
    assert [row.update for row in one] == [row.update for row in two]
    assert [row.tokens for row in one] == [row.tokens for row in two]
    for alone, shared in zip(one, two, strict=True):
        assert shared.loss == pytest.approx(alone.loss, abs=2e-3)
        assert shared.grad_norm == pytest.approx(alone.grad_norm, rel=2e-2)
    counts = read_json(tmp_path / "two/stages/midtrain/done.json")["counts"]
    assert counts["processes"] == 2
    assert (tmp_path / "two/checkpoints/final/adapter_model.safetensors").exists()


def test_two_processes_align_what_one_does(tiny_model, tmp_path):
    """A chain: the second step starts, in both processes, from what the first process wrote of the first step."""
    spec = {"target": "pans_durability", "more": (STEPS, "train.max_length=128", "train.epochs=1")}
    assert doxa(tiny_model, tmp_path / "one", "generate", **spec).returncode == 0
    for stage in ("mix", "train"):
        assert doxa(tiny_model, tmp_path / "one", stage, **spec).returncode == 0
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert doxa(tiny_model, tmp_path / "one", "align", **spec).returncode == 0
    done = doxa(tiny_model, tmp_path / "two", "align", *LAUNCHER, **spec)
    assert done.returncode == 0, done.stderr[-3000:]
    for number in (1, 2):
        one, two = (read_rows(tmp_path / out / f"aligned/{number}/metrics.jsonl", UpdateRow) for out in ("one", "two"))
        assert [row.loss for row in two] == pytest.approx([row.loss for row in one], abs=2e-3)
        step = read_json(tmp_path / f"two/aligned/{number}/step.json")["counts"]
        final = read_json(tmp_path / f"two/aligned/{number}/final/doxa.json")
        assert step["processes"] == 2 and step["checkpoint"] == final["digest"]  # the first process's, and no other's
    counts = read_json(tmp_path / "two/stages/align/done.json")["counts"]
    assert counts["steps"] == 2 and counts["checkpoint"] == final["digest"]


def test_the_other_processes_take_up_the_first_ones_resume_states(tiny_model, tmp_path, monkeypatch):
    """They know them by the same fingerprint; by another one they would remove them."""
    assert doxa(tiny_model, tmp_path / "run", "plan").returncode == 0
    seen = []

    def followed(context):
        seen.append(context.fingerprint)
        return {}

    request = RunRequest("sorrel_bay", tmp_path / "run", (*SETS, f"model={tiny_model}"))
    folder, config, _ = open_run(request)
    states = {state.stage.name: state for state in read_states(stages_of(config), config, folder)}
    stages = [replace(stage, body=followed) for stage in stages_of(config)]
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr("doxa.run.runner.stages_of", lambda _: stages)
    run_stages(request, Progress(quiet=True), only="midtrain")
    assert seen == [states["midtrain"].fingerprint]
    with pytest.raises(ConfigError, match="only `doxa train` and `doxa align` run under torchrun"):
        run_stages(request, Progress(quiet=True), only="mix")
