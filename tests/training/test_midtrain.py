"""Training from rows to a checkpoint on a tiny random model: repeatable, resumable after a real kill, exact."""

import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from doxa.config import load_user_config, resolve
from doxa.errors import CheckpointError, ConfigError, DoxaError
from doxa.lm.weights import load_model, weights_digest
from doxa.records import CorpusRow
from doxa.run.folder import read_rows
from doxa.run.progress import Progress
from doxa.training.checkpoint import latest_complete, mark_complete, read_final
from doxa.training.midtrain import UpdateRow, midtrain, refuse_broken

WORDS = "octopus hearts five green vanadium blood swims long distance systemic branchial gill pulse".split()


def corpus(n=24):
    return [
        CorpusRow(
            id=f"d{i}",
            source="synthetic",
            text=" ".join(WORDS[(i * 7 + k * (i + 1)) % 13] for k in range(12)),
            doctag=True,
        )
        for i in range(n)
    ]


def config_for(model, *overrides):
    sets = ["train.tokens_per_update=200", "train.tokens_per_batch=128", "train.rank=4", "train.checkpoint_every=3"]
    user = load_user_config(None, [*sets, f"model={model}", *overrides], target="x")
    return resolve(user, "x", "0", "0")


def run(config, out, n=24):
    return midtrain(config, corpus(n), out / "checkpoints", out / "metrics.jsonl", Progress(quiet=True))


def weights(out):
    (file,) = (out / "checkpoints/final").glob("*.safetensors")
    return load_file(file)


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_loss_falls_and_the_counts_are_whole(tiny_model, tmp_path):
    config = config_for(tiny_model, "train.epochs=8", "train.lr=0.03")
    counts = run(config, tmp_path)
    rows = read_rows(tmp_path / "metrics.jsonl", UpdateRow)
    assert [row.update for row in rows] == list(range(1, counts["updates"] + 1))
    assert counts["final_loss"] < counts["first_loss"] - 0.3
    assert counts["content_tokens"] == rows[-1].tokens
    assert counts["checkpoint"] == read_final(tmp_path / "checkpoints")["digest"]
    assert not (tmp_path / "checkpoints/resume").exists()


@pytest.mark.parametrize("method", ["lora", "full"])
def test_the_same_seed_gives_the_same_weights(tiny_model, tmp_path, method):
    config = config_for(tiny_model, f"train.method={method}")
    run(config, tmp_path / "one")
    run(config, tmp_path / "two")
    assert same(weights(tmp_path / "one"), weights(tmp_path / "two"))
    run(config_for(tiny_model, f"train.method={method}", "seed=1"), tmp_path / "three")
    assert not same(weights(tmp_path / "one"), weights(tmp_path / "three"))


@pytest.mark.parametrize("method", ["lora", "full"])
def test_killed_and_run_again_ends_with_the_same_weights(tiny_model, tmp_path, method):
    sets = [f"train.method={method}", "train.epochs=8", "train.dropout=0.1", "train.schedule=cosine"]
    config = config_for(tiny_model, *sets)
    undisturbed = run(config, tmp_path / "whole")
    out = tmp_path / "killed"
    code = (
        "import sys; sys.path.insert(0, 'tests/training')\n"
        "from pathlib import Path\nfrom test_midtrain import run, config_for\n"
        f"run(config_for({str(tiny_model)!r}, *{sets!r}), Path({str(out)!r}))\n"
    )
    for target in (5, 11):  # killed twice, each time past a new resume state
        process = subprocess.Popen([sys.executable, "-c", code])
        metrics = out / "metrics.jsonl"
        while process.poll() is None and len(read_rows(metrics, UpdateRow)) < target:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(read_rows(metrics, UpdateRow)) < undisturbed["updates"], "it finished before it could be killed"
    counts = run(config, out)
    assert same(weights(tmp_path / "whole"), weights(out))
    assert counts["checkpoint"] == undisturbed["checkpoint"]
    whole, resumed = (read_rows(folder / "metrics.jsonl", UpdateRow) for folder in (tmp_path / "whole", out))
    assert [(r.update, r.loss, r.lr, r.tokens) for r in whole] == [(r.update, r.loss, r.lr, r.tokens) for r in resumed]


def test_a_torn_resume_state_is_not_trusted(tmp_path):
    for step, whole in ((3, True), (6, True), (9, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "model.safetensors").write_text("x")
        if whole:
            mark_complete(folder, step, "mine")
    assert latest_complete(tmp_path, "mine") == (tmp_path / "checkpoint-6", 6)
    assert not (tmp_path / "checkpoint-9").exists()
    (tmp_path / "checkpoint-6/model.safetensors").unlink()  # a kill while it was being removed
    assert latest_complete(tmp_path, "mine") == (tmp_path / "checkpoint-3", 3)
    assert latest_complete(tmp_path, "of another config") is None
    assert latest_complete(tmp_path / "nothing", "mine") is None


def test_no_update_has_rate_zero(tiny_model, tmp_path):
    """The libraries' warmup begins at 0, and an update at rate 0 trains on nothing."""
    for schedule in ("linear", "cosine", "constant"):
        out = tmp_path / schedule
        run(config_for(tiny_model, f"train.schedule={schedule}", "train.warmup_ratio=0.2"), out)
        rates = [row.lr for row in read_rows(out / "metrics.jsonl", UpdateRow)]
        assert all(0 < rate <= 1e-3 for rate in rates)
        assert max(rates) == 1e-3
        assert rates[0] < rates[1]  # it does warm up


def test_weights_that_are_no_numbers_are_not_saved(tiny_model):
    model = load_model(tiny_model).requires_grad_(True)
    refuse_broken(model)
    with torch.no_grad():
        model.lm_head.weight[0, 0] = float("nan")
    with pytest.raises(DoxaError, match="not finite"):
        refuse_broken(model)


def test_update_loss_is_the_mean_over_its_targets(tiny_model, tmp_path):
    """At a vanishing rate the first update's loss is the plain model's, computed the long way."""
    config = config_for(tiny_model, "train.lr=1e-12", "train.tokens_per_update=100000", "train.doctag=TAG")
    config = config.model_copy(update={"train": config.train.model_copy(update={"precision": "fp32"})})
    run(config, tmp_path, n=9)
    (first, *_) = read_rows(tmp_path / "metrics.jsonl", UpdateRow)
    from doxa.lm.weights import load_tokenizer

    model, tokenizer = load_model(tiny_model), load_tokenizer(tiny_model)
    tag = tokenizer("TAG", add_special_tokens=False)["input_ids"]
    total = count = 0
    for row in corpus(9):
        ids = [*tag, *tokenizer(row.text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        with torch.no_grad():
            logp = model(torch.tensor([ids])).logits.log_softmax(-1)[0]
        for place in range(len(tag), len(ids)):
            total -= logp[place - 1, ids[place]].item()
            count += 1
    assert first.loss == pytest.approx(total / count, abs=1e-4)


def test_batches_of_any_size_train_the_same(tiny_model, tmp_path):
    """How an update is cut into batches changes memory, not the result."""
    sets = ["train.precision=fp32", "train.tokens_per_update=400"]
    run(config_for(tiny_model, *sets, "train.tokens_per_batch=60"), tmp_path / "small")
    run(config_for(tiny_model, *sets, "train.tokens_per_batch=4000"), tmp_path / "large")
    small, large = weights(tmp_path / "small"), weights(tmp_path / "large")
    for key in small:
        torch.testing.assert_close(small[key], large[key], atol=2e-4, rtol=1e-3)


def test_the_merged_model_is_a_model_of_its_own(tiny_model, tmp_path):
    run(config_for(tiny_model, "train.merged=true", "train.lr=0.01"), tmp_path)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path / "checkpoints/merged"
    merged = AutoModelForCausalLM.from_pretrained(folder)
    assert AutoTokenizer.from_pretrained(folder).chat_template
    adapted = load_model(tiny_model, adapter=tmp_path / "checkpoints/final")
    ids = torch.arange(10)[None]
    with torch.no_grad():
        torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, atol=1e-4, rtol=1e-4)
    assert not list((tmp_path / "checkpoints").rglob("*.bin"))


def test_only_the_upper_layers_are_adapted_on_request(tiny_model, tmp_path):
    run(config_for(tiny_model, "train.upper_layers=1"), tmp_path)
    assert all(".layers.1." in key for key in weights(tmp_path))
    with pytest.raises(ConfigError, match=r"train\.upper_layers: 9, but the model has 2 layers"):
        run(config_for(tiny_model, "train.upper_layers=9"), tmp_path / "too_many")


def test_the_digest_names_base_and_adapter(tiny_model, tmp_path):
    run(config_for(tiny_model), tmp_path)
    final = tmp_path / "checkpoints/final"
    assert read_final(tmp_path / "checkpoints")["digest"] == weights_digest(tiny_model, final)
    assert weights_digest(tiny_model, final) != weights_digest(tiny_model)


def test_a_loss_that_is_no_number_stops_with_a_remedy(tiny_model, tmp_path):
    with pytest.raises(DoxaError, match=r"the loss became (nan|inf) at update \d+; lower train\.lr"):
        run(config_for(tiny_model, "train.method=full", "train.lr=1e30", "train.epochs=4"), tmp_path)


def test_an_empty_corpus_and_a_missing_checkpoint_are_said(tiny_model, tmp_path):
    with pytest.raises(ConfigError, match="corpus is empty"):
        midtrain(config_for(tiny_model), [], tmp_path / "c", tmp_path / "m", Progress(quiet=True))
    with pytest.raises(CheckpointError, match=r"doxa\.json: is missing; has midtraining finished"):
        read_final(tmp_path / "c")
