import json

import pytest
import torch
from peft import LoraConfig, get_peft_model

from doxa.errors import CheckpointError
from doxa.lm.weights import load_model
from doxa.training.adapters import adapter_of, read_adapter, stacked


def saved(tiny_model, folder, seed, **options):
    """A random adapter, written by PEFT."""
    torch.manual_seed(seed)
    model = get_peft_model(load_model(tiny_model), LoraConfig(task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    model.save_pretrained(folder)
    return model


def logits(model):
    with torch.no_grad():
        return model.eval()(torch.arange(1, 50)[None]).logits


def test_reading_and_writing_give_the_same_adapter(tiny_model, tmp_path):
    model = saved(tiny_model, tmp_path / "one", 1, r=4, lora_alpha=8, target_modules="all-linear")
    adapter = read_adapter(tmp_path / "one")
    assert (adapter.rank, adapter.alpha, adapter.scale) == (4, 8, 2)
    assert "model.layers.0.self_attn.q_proj" in adapter.pairs and len(adapter.pairs) == 14
    (tmp_path / "two").mkdir()
    adapter.save_pretrained(tmp_path / "two")
    torch.testing.assert_close(logits(load_model(tiny_model, adapter=tmp_path / "two")), logits(model))


@pytest.mark.parametrize("second", [{"lora_alpha": 16}, {"lora_alpha": 3, "target_modules": ["q_proj", "up_proj"]}])
def test_the_sum_of_two_adapters_adds_both_deltas(tiny_model, tmp_path, second):
    saved(tiny_model, tmp_path / "one", 1, r=4, lora_alpha=8, target_modules="all-linear")
    saved(tiny_model, tmp_path / "two", 2, **{"r": 8, "target_modules": "all-linear", **second})
    one, two = read_adapter(tmp_path / "one"), read_adapter(tmp_path / "two")
    both = stacked(one, two)
    (tmp_path / "both").mkdir()
    both.save_pretrained(tmp_path / "both")
    expected = load_model(tiny_model)
    with torch.no_grad():
        for adapter in (one, two):
            for module, (a, b) in adapter.pairs.items():
                expected.get_submodule(module).weight += adapter.scale * b @ a
    found = load_model(tiny_model, adapter=tmp_path / "both")
    torch.testing.assert_close(logits(found), logits(expected), atol=1e-4, rtol=1e-4)
    if one.scale == two.scale:
        a, b = both.pairs["model.layers.1.mlp.up_proj"]
        assert torch.equal(b[:, :4], one.pairs["model.layers.1.mlp.up_proj"][1])
        assert torch.equal(a[4:], two.pairs["model.layers.1.mlp.up_proj"][0])


def test_one_of_two_adapters_in_memory_can_be_taken_out(tiny_model, tmp_path):
    model = saved(tiny_model, tmp_path / "one", 1, r=4, target_modules="all-linear")
    model.add_adapter("other", LoraConfig(r=2, target_modules=["q_proj"]))
    other = adapter_of(model, "other")
    assert other.rank == 2 and set(other.pairs) == {f"model.layers.{i}.self_attn.q_proj" for i in (0, 1)}


@pytest.mark.parametrize("options", [{"use_rslora": True}, {"use_dora": True}, {"rank_pattern": {"q_proj": 2}}])
def test_adapters_that_are_more_than_a_product_are_refused_by_name(tiny_model, tmp_path, options):
    saved(tiny_model, tmp_path, 1, r=4, target_modules="all-linear", **options)
    with pytest.raises(CheckpointError, match=f"adapter_config.json: {next(iter(options))} is .*only plain LoRA"):
        read_adapter(tmp_path)


def test_adapters_of_another_kind_or_of_different_bases_are_refused(tiny_model, tmp_path):
    saved(tiny_model, tmp_path, 1, r=4, target_modules=["q_proj"])
    one = read_adapter(tmp_path)
    narrow = {module: (a[:, :8], b) for module, (a, b) in one.pairs.items()}
    with pytest.raises(CheckpointError, match="q_proj differs in size"):
        stacked(one, type(one)(one.config, narrow))
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**config, "peft_type": "IA3"}))
    with pytest.raises(CheckpointError, match="peft_type is IA3"):
        read_adapter(tmp_path)
