"""`doxa lineage` and `doxa graft` on a chain of two steps."""

import pytest
from typer.testing import CliRunner

from doxa.cli import app
from doxa.errors import ConfigError
from doxa.lm.named_weights import find_weights
from doxa.lm.weights import weights_digest
from steps_of_a_chain import step


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def chain(tiny_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("chain")
    step(tiny_model, out / "mid", "midtrain")
    step(tiny_model, out / "sft", "sft", out / "mid", "merge")
    return out


def test_lineage_is_a_line_for_each_step(tiny_model, chain):
    shown = run("lineage", chain / "sft/checkpoints/final").output.splitlines()
    steps = find_weights(str(chain / "sft/checkpoints/final")).lineage
    assert shown[0].startswith(f"{weights_digest(tiny_model)}  the model")
    assert shown[1].startswith(f"{steps[0]['digest']}  midtrain, data {steps[0]['data']}, ")
    assert shown[2].startswith(f"{steps[1]['digest']}  sft, how merge, data ")
    assert f"{steps[1]['updates']} updates" in shown[2] and shown[3].startswith(f"weights in {tiny_model}, with the")
    assert "no lineage" in run("lineage", tiny_model).output


def test_a_graft_is_made_once(tiny_model, chain, tmp_path):
    words = ("graft", chain / "sft/checkpoints/final", tiny_model, "--model", tiny_model, "--out", tmp_path)
    done = run(*words)
    record = find_weights(str(tmp_path / "final"))
    assert done.exit_code == 0 and record.digest in done.output
    assert [one["kind"] for one in record.lineage] == ["midtrain", "sft", "graft"]
    assert "graft, onto " in run("lineage", tmp_path / "final").output
    again = run(*words)
    assert isinstance(again.exception, ConfigError) and "is there already" in str(again.exception)
