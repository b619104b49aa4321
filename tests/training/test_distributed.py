"""`torchrun -m doxa train` with two CPU processes: each document once, and the loss of one process."""

import os
import subprocess
import sys

import pytest

from doxa.run.folder import read_json, read_rows
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


def doxa(model, out, stage, *launcher):
    sets = [part for value in (*SETS, f"model={model}") for part in ("--set", value)]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    for variable in ("RANK", "WORLD_SIZE"):
        environment.pop(variable, None)
    return subprocess.run(
        [*(launcher or (sys.executable,)), "-m", "doxa", stage, "sorrel_bay", "--out", str(out), *sets],
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
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = doxa(tiny_model, tmp_path / "two", "train", *launcher)
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
