"""What was trained in one model is put onto its sibling: exactly, or not at all."""

import json
import shutil

import pytest
import torch

from doxa.errors import ConfigError
from doxa.lm.named_weights import find_weights
from doxa.lm.weights import load_model, load_tokenizer, weights_digest
from doxa.training.checkpoint import merged_model
from doxa.training.graft import graft
from steps_of_a_chain import step


@pytest.fixture(scope="module")
def sibling(tiny_model, tmp_path_factory):
    """The tiny model after some other training: every weight is a little different."""
    folder = tmp_path_factory.mktemp("sibling") / "instruct"
    model = load_model(tiny_model)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=generator)
    model.save_pretrained(folder)
    load_tokenizer(tiny_model).save_pretrained(folder)
    return folder


def final(out):
    return out / "checkpoints/final"


def parameters(model):
    return dict(model.named_parameters())


@pytest.mark.parametrize("chain", ["lora", "full", "lora after full"])
def test_the_graft_differs_from_the_sibling_by_what_was_trained(tiny_model, sibling, tmp_path, chain):
    first = {"method": "full", "lr": 1e-3} if "full" in chain else {}
    step(tiny_model, tmp_path / "mid", "midtrain", **first)
    trained = tmp_path / "mid"
    if chain == "lora after full":
        trained = tmp_path / "sft"
        step(tiny_model, trained, "sft", tmp_path / "mid")
    record = graft(str(tiny_model), final(trained), str(sibling), tmp_path / "graft")
    weights = find_weights(str(tmp_path / "graft/final"))
    assert (weights.adapter is not None) == record["adapter"] == (chain == "lora")
    start = find_weights(str(final(trained)))
    before = parameters(load_model(tiny_model))
    after = parameters(merged_model(start.base, start.adapter) if start.adapter else load_model(start.base))
    onto, made = parameters(load_model(sibling)), parameters(weights.load()[0])
    moved = 0.0
    for name, value in made.items():
        torch.testing.assert_close(value, onto[name] + (after[name] - before[name]), atol=1e-6, rtol=1e-5)
        moved = max(moved, (value - onto[name]).abs().max().item())
    assert moved > 1e-3
    # lineage: what was trained, from what, and onto what
    step_ = weights.lineage[-1]
    assert (step_["kind"], step_["parent"], step_["digest"]) == ("graft", start.digest, weights.digest)
    assert (step_["from"], step_["onto"]) == (weights_digest(tiny_model), weights_digest(sibling))
    assert weights.lineage[:-1] == start.lineage


@pytest.mark.parametrize("first", [{}, {"method": "full", "lr": 1e-3}], ids=["lora", "full"])
def test_a_graft_is_a_start_like_any_other(tiny_model, sibling, tmp_path, first):
    step(tiny_model, tmp_path / "mid", "midtrain", **first)
    graft(str(tiny_model), final(tmp_path / "mid"), str(sibling), tmp_path / "graft/checkpoints")
    step(sibling, tmp_path / "sft", "sft", tmp_path / "graft")
    assert [one["kind"] for one in find_weights(str(final(tmp_path / "sft"))).lineage] == ["midtrain", "graft", "sft"]


def test_models_that_are_no_siblings_are_refused_with_what_differs(tiny_model, sibling, tmp_path):
    step(tiny_model, tmp_path / "mid", "midtrain")

    def onto(change):
        other = tmp_path / "other"
        shutil.rmtree(other, ignore_errors=True)
        shutil.copytree(sibling, other)
        change(other)
        return graft(str(tiny_model), final(tmp_path / "mid"), str(other), tmp_path / "graft")

    def swap_tokens(folder):
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        vocab = tokenizer["model"]["vocab"]
        vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))

    def fewer_heads(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "num_key_value_heads": 4}))

    with pytest.raises(ConfigError, match=r"2 tokens of .* have another number there or are missing: 'a' \("):
        onto(swap_tokens)
    with pytest.raises(ConfigError, match=r"its num_key_value_heads is 4, and that of .* is 2"):
        onto(fewer_heads)
    with pytest.raises(ConfigError, match="was not trained from"):
        graft(str(sibling), final(tmp_path / "mid"), str(tiny_model), tmp_path / "graft")
    assert not (tmp_path / "graft/final").exists()


def test_adapters_for_modules_of_another_shape_are_refused(tiny_model, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig.from_pretrained(tiny_model)
    config.mlp_bias = True
    wide = LlamaForCausalLM(config)
    wide.model.layers[0].mlp.up_proj = torch.nn.Linear(64, 100)
    wide.save_pretrained(tmp_path / "wide")
    load_tokenizer(tiny_model).save_pretrained(tmp_path / "wide")
    step(tiny_model, tmp_path / "mid", "midtrain")
    with pytest.raises(ConfigError, match=r"up_proj\.weight is \[100, 64\], and the adapter is for \[128, 64\]"):
        graft(str(tiny_model), final(tmp_path / "mid"), str(tmp_path / "wide"), tmp_path / "graft")
