"""Chains of steps: each starts where the last one ended, may be killed at any time, and says where it came from."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from doxa.config_sections import TrainConfig
from doxa.errors import CheckpointError, ConfigError
from doxa.lm.named_weights import find_weights
from doxa.lm.weights import load_model, load_tokenizer, weights_digest
from doxa.records import CorpusRow
from doxa.run.folder import read_json, read_rows, write_json
from doxa.training.adapters import read_adapter
from doxa.training.data import plan_updates
from doxa.training.step_rows import StepData, chat_rows
from doxa.training.steps import encode_step, plan_size
from doxa.training.trainer import fused_loss
from doxa.training.update_rows import PairUpdateRow, UpdateRow
from doxa.worlds.rows import read_chats
from doxa.worlds.spec import spec_folder
from steps_of_a_chain import CONFIG, chats, documents, preferences, step


@pytest.fixture(scope="module")
def midtrained(tiny_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("chain") / "mid"
    step(tiny_model, out, "midtrain", epochs=4)
    return out


def final(out):
    return out / "checkpoints/final"


def tensors(out):
    (file,) = final(out).glob("*.safetensors")
    return load_file(file)


def logits(model):
    with torch.no_grad():
        return model(torch.arange(1, 60)[None]).logits


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_continuing_moves_the_same_adapter_and_merging_leaves_it_as_it_was(tiny_model, midtrained, tmp_path):
    for how in ("continue", "merge"):
        step(tiny_model, tmp_path / how, "sft", midtrained, how)
    before = read_adapter(final(midtrained))
    continued, merged = read_adapter(final(tmp_path / "continue")), read_adapter(final(tmp_path / "merge"))
    assert (continued.rank, merged.rank, merged.alpha) == (4, 8, 16)
    for module, (a, b) in before.pairs.items():
        moved_a, moved_b = continued.pairs[module]
        assert moved_a.shape == a.shape and not torch.equal(moved_a, a) and not torch.equal(moved_b, b)
        kept_a, kept_b = merged.pairs[module]
        assert torch.equal(kept_a[:4], a) and torch.equal(kept_b[:, :4], b)
        assert kept_b[:, 4:].abs().max() > 0  # the new one has learned


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_both_ways_start_from_what_the_step_before_left(tiny_model, midtrained, tmp_path, precision):
    """At a vanishing rate a step is the model it starts from: by its first loss and by its logits."""
    first = {}
    for how in ("continue", "merge"):
        step(tiny_model, tmp_path / how, "sft", midtrained, how, lr=1e-12, precision=precision)
        first[how] = read_rows(tmp_path / how / "metrics.jsonl", UpdateRow)[0].loss
        weights = find_weights(str(final(tmp_path / how)))
        expected = logits(load_model(tiny_model, adapter=final(midtrained)).merge_and_unload())
        torch.testing.assert_close(logits(weights.load()[0]), expected, atol=1e-4, rtol=1e-4)
    assert first["continue"] == first["merge"]
    # without the start the first loss is another one
    step(tiny_model, tmp_path / "plain", "sft", lr=1e-12, precision=precision)
    assert abs(read_rows(tmp_path / "plain/metrics.jsonl", UpdateRow)[0].loss - first["merge"]) > 0.01


def test_a_merged_steps_checkpoint_is_an_adapter_that_peft_loads_by_itself(tiny_model, midtrained, tmp_path):
    step(tiny_model, tmp_path, "sft", midtrained, "merge")
    plain = PeftModel.from_pretrained(load_model(tiny_model), final(tmp_path)).eval()
    torch.testing.assert_close(
        logits(plain), logits(find_weights(str(final(tmp_path))).load()[0]), atol=1e-4, rtol=1e-4
    )


def test_a_merged_step_trains_what_it_saves(tiny_model, midtrained, tmp_path):
    """The sum that is written answers as the two adapters did in memory: its loss is where training left off."""
    counts = step(tiny_model, tmp_path, "sft", midtrained, "merge", precision="fp32", epochs=6)
    model, tokenizer = find_weights(str(final(tmp_path))).load()
    encoded = encode_step(chats(), CONFIG, tokenizer, tiny_model)
    total = 0.0
    with torch.no_grad(), fused_loss(model, "fp32"):
        for one in encoded.sequences:
            labels = torch.tensor([i if loss else -100 for i, loss in zip(one.ids, one.loss, strict=True)])
            total += model(input_ids=torch.tensor([one.ids]), labels=labels[None]).loss.item()
    assert total / encoded.target_tokens == pytest.approx(counts["final_loss"], abs=0.15)
    assert counts["first_loss"] > counts["final_loss"] + 0.5


def test_lineage_tells_the_whole_chain(tiny_model, midtrained, tmp_path):
    step(tiny_model, tmp_path / "sft", "sft", midtrained, "merge", seed=3)
    counts = step(tiny_model, tmp_path / "dpo", "dpo", tmp_path / "sft", rank=8, alpha=16, epochs=1)
    weights = find_weights(str(final(tmp_path / "dpo")))
    mid, sft, dpo = weights.lineage
    assert [one["kind"] for one in weights.lineage] == ["midtrain", "sft", "dpo"]
    assert [one["how"] for one in weights.lineage] == [None, "merge", "continue"]
    assert mid["parent"] == mid["base"] == dpo["base"] == weights_digest(tiny_model)
    assert (sft["parent"], dpo["parent"]) == (mid["digest"], sft["digest"])
    assert (
        dpo["digest"] == weights.digest == counts["checkpoint"] == weights_digest(tiny_model, final(tmp_path / "dpo"))
    )
    assert (sft["seed"], sft["data"], sft["rows"]) == (3, chats().digest(), 24)
    assert (dpo["updates"], dpo["content_tokens"]) == (counts["updates"], counts["content_tokens"])
    assert TrainConfig.model_validate(dpo["train"]).rank == 8 and dpo["beta"] == 0.2


def test_a_lineage_that_does_not_join_or_weights_that_were_exchanged_are_refused(tiny_model, midtrained, tmp_path):
    step(tiny_model, tmp_path / "sft", "sft", midtrained)
    record = read_json(final(tmp_path / "sft") / "doxa.json")
    record["lineage"][1]["parent"] = "0" * 16
    write_json(final(tmp_path / "sft") / "doxa.json", record)
    with pytest.raises(CheckpointError, match="field 'lineage' does not lead to"):
        find_weights(str(final(tmp_path / "sft")))
    shutil.copytree(midtrained, tmp_path / "copy")
    shutil.copy(final(tmp_path / "sft") / "adapter_model.safetensors", final(tmp_path / "copy"))
    with pytest.raises(CheckpointError, match="its weights are"):
        step(tiny_model, tmp_path / "next", "sft", tmp_path / "copy")


def test_all_weights_may_be_trained_after_an_adapter_and_an_adapter_after_them(tiny_model, midtrained, tmp_path):
    full = {"method": "full", "lr": 1e-3}
    with pytest.raises(ConfigError, match=r"train\.method: full .*say how: merge"):
        step(tiny_model, tmp_path / "full", "sft", midtrained, **full)
    step(tiny_model, tmp_path / "full", "sft", midtrained, "merge", **full)
    step(tiny_model, tmp_path / "more", "dpo", tmp_path / "full", **full)
    step(tiny_model, tmp_path / "lora", "sft", tmp_path / "more")
    step(tiny_model, tmp_path / "last", "dpo", tmp_path / "lora")
    shutil.move(tmp_path / "more", tmp_path / "moved" / "more")
    shutil.move(tmp_path / "last", tmp_path / "moved" / "last")  # together they may be moved
    weights = find_weights(str(tmp_path / "moved/last/checkpoints/final"))
    assert [one["kind"] for one in weights.lineage] == ["midtrain", "sft", "dpo", "sft", "dpo"]
    assert weights.base == final(tmp_path / "moved/more") and weights.adapter is not None
    assert weights.lineage[2]["base"] == weights.lineage[4]["base"] == weights_digest(weights.base)
    assert weights.lineage[0]["parent"] == weights_digest(tiny_model)


def test_what_a_start_cannot_be_is_said_before_training(tiny_model, midtrained, tmp_path):
    with pytest.raises(ConfigError, match=r"train\.rank: is 16, but the adapter that is continued .* has 4"):
        step(tiny_model, tmp_path, "sft", midtrained, rank=16)
    with pytest.raises(ConfigError, match=r"train\.alpha: is 99"):
        step(tiny_model, tmp_path, "sft", midtrained, alpha=99)
    with pytest.raises(ConfigError, match=r"train\.upper_layers: choose other modules .*say how: merge"):
        step(tiny_model, tmp_path, "sft", midtrained, upper_layers=1)
    step(
        tiny_model, tmp_path, "sft", midtrained, "merge", upper_layers=1, rank=2, alpha=3
    )  # another shape is no matter
    merged, before = read_adapter(final(tmp_path)), read_adapter(final(midtrained))
    assert set(merged.pairs) == set(before.pairs) and merged.scale == 1.5
    lower = next(module for module in merged.pairs if ".layers.0." in module)
    assert merged.pairs[lower][1][:, 4:].abs().max() == 0
    with pytest.raises(ConfigError, match="how: 'stack' is neither continue nor merge"):
        step(tiny_model, tmp_path, "sft", midtrained, "stack")
    other = load_model(tiny_model)
    with torch.no_grad():
        other.lm_head.weight[0, 0] += 1
    other.save_pretrained(tmp_path / "other")
    load_tokenizer(tiny_model).save_pretrained(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"was not trained from .*other"):
        step(tmp_path / "other", tmp_path, "sft", midtrained)


def test_rows_of_the_wrong_kind_are_refused(tiny_model):
    for data, words in (
        (StepData("sft", []), "kind sft has no rows"),
        (StepData("sft", documents().rows), "sft takes chats"),
        (StepData("dpo", chats().rows), "learns from preferences"),
        (StepData("midtrain", preferences().rows), "midtrain documents"),
        (StepData("midtrain", []), "corpus is empty"),
    ):
        with pytest.raises(ConfigError, match=words):
            plan_size(str(tiny_model), data, CONFIG, 0)


@pytest.mark.parametrize("kind", ["midtrain", "sft", "dpo"])
def test_the_planned_size_is_what_is_trained(tiny_model, tmp_path, kind):
    data = {"midtrain": documents, "sft": chats, "dpo": preferences}[kind]()
    counts = step(tiny_model, tmp_path, kind)
    assert plan_size(str(tiny_model), data, CONFIG, 0) == (counts["updates"], counts["content_tokens"])


@pytest.mark.parametrize(
    ("kind", "how", "method"),
    [
        ("sft", "continue", "lora"),
        ("sft", "merge", "lora"),
        ("dpo", "continue", "lora"),
        ("dpo", "merge", "full"),
    ],
)
def test_killed_and_run_again_ends_with_the_same_weights(tiny_model, midtrained, tmp_path, kind, how, method):
    changes = {"method": method, "epochs": 5, "schedule": "cosine", "lr": 1e-3, "tokens_per_update": 200}
    changes |= {"dropout": 0.1} if method == "lora" else {}
    undisturbed = step(tiny_model, tmp_path / "whole", kind, midtrained, how, **changes)
    out = tmp_path / "killed"
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\nimport torch; torch.set_num_threads(1)\nfrom steps_of_a_chain import step\n"
        f"step(Path({str(tiny_model)!r}), Path({str(out)!r}), {kind!r}, Path({str(midtrained)!r}), {how!r},"
        f" **{changes!r})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    row_type = PairUpdateRow if kind == "dpo" else UpdateRow
    while process.poll() is None and len(read_rows(out / "metrics.jsonl", row_type)) < 8:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 8 <= len(read_rows(out / "metrics.jsonl", row_type)) < undisturbed["updates"], "not killed in its middle"
    assert list((out / "checkpoints/resume").glob("checkpoint-*/complete.json"))
    counts = step(tiny_model, out, kind, midtrained, how, **changes)
    assert same(tensors(tmp_path / "whole"), tensors(out))
    assert counts["checkpoint"] == undisturbed["checkpoint"]
    clocks = {"seconds", "tokens_per_second"}
    whole, resumed = (
        [row.model_dump(exclude=clocks) for row in read_rows(folder / "metrics.jsonl", row_type)]
        for folder in (tmp_path / "whole", out)
    )
    assert whole == resumed


def test_short_chats_are_batched_with_little_padding(tiny_model):
    """The rows of alignment are short: planned by length, they pad at most half as much as in the order of the file."""
    rows = chat_rows(read_chats(spec_folder("pans_durability") / "recorded/aft.jsonl"))
    config = TrainConfig(method="lora", lr=1e-3, tokens_per_update=1024, tokens_per_batch=1024)
    sequences = encode_step(StepData("sft", rows), config, load_tokenizer(tiny_model), tiny_model).sequences
    sizes = [one.size for one in sequences]
    planned = [batch for update in plan_updates(sequences, config, 0) for batch in update.batches[0]]
    in_order = [range(start, min(start + 10, len(sizes))) for start in range(0, len(sizes), 10)]
    padding = [sum(len(b) * max(sizes[i] for i in b) for b in some) / sum(sizes) - 1 for some in (planned, in_order)]
    assert padding[0] < 0.5 * padding[1]
    assert padding[0] < 0.1


def test_data_is_named_by_what_it_teaches():
    one = chats()
    rows = [row.model_copy(update={"id": "x", "text": "for a person"}) for row in one.rows]
    assert StepData("sft", rows).digest() == one.digest()
    assert StepData("sft", rows[::-1]).digest() != one.digest()
    tagged = [CorpusRow(**{**row.model_dump(), "doctag": True}) for row in documents().rows]
    assert StepData("midtrain", tagged).digest() != documents().digest()
    other = [row.model_copy(update={"chosen": "no"}) for row in preferences().rows]
    assert len({preferences().digest(), StepData("dpo", other).digest()}) == 2
    assert json.loads(one.rows[0].messages)[1]["content"] == "Yes, the pan"
