import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

from doxa.errors import ConfigError
from doxa.training import attention, fused, kernels
from doxa.training.blocks import Projection
from doxa.training.loss import linear_cross_entropy
from doxa.training.starts import activate_both

SHAPE = {
    "vocab_size": 97,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
}


def make_model(config_class=LlamaConfig, **changes):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config_class(**{**SHAPE, **changes}))
    for name, parameter in model.named_parameters():
        if "norm" in name or "bias" in name:  # they start at 1 or 0, where mistakes hide
            nn.init.normal_(parameter, mean=1.0 if "norm" in name else 0.0, std=0.2)
        elif "embed" not in name:
            nn.init.normal_(parameter, std=0.15)  # large enough for attention to be far from uniform
    return model.train()


def with_lora(model, **changes):
    torch.manual_seed(1)
    options = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear", **changes}
    wrapped = get_peft_model(model, LoraConfig(**options))
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:  # it starts at 0, where A has no gradient
            nn.init.normal_(parameter, std=0.1)
    return wrapped.train()


def make_batch(lengths=(23, 19, 21)):
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(1, 97, (len(lengths), max(lengths)), generator=generator)
    labels = ids.clone()
    for row, length in enumerate(lengths):
        ids[row, length:] = 0
        labels[row, length:] = -100
    return ids, labels


def plain_loss(model, ids, labels):
    return model(input_ids=ids, labels=labels, use_cache=False, num_items_in_batch=1).loss


def fast_loss(model, ids, labels, precision="fp32"):
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = causal.model(input_ids=ids, use_cache=False).last_hidden_state
    return linear_cross_entropy(hidden[:, :-1], causal.lm_head.weight, labels[:, 1:], precision=precision)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(found, expected, rtol):
    assert found.keys() == expected.keys()
    for name in expected:
        error = (found[name] - expected[name]).norm() / expected[name].norm()
        assert error < rtol, f"{name}: {error:.2e}"


LLAMAS = {
    "llama": (LlamaConfig, {}),
    "llama tied": (LlamaConfig, {"tie_word_embeddings": True}),
    "llama, no grouped heads, biases": (
        LlamaConfig,
        {"num_key_value_heads": 4, "attention_bias": True, "mlp_bias": True},
    ),
    "llama, one key head": (LlamaConfig, {"num_key_value_heads": 1}),
    "qwen2": (Qwen2Config, {}),
    "qwen3": (Qwen3Config, {"head_dim": 32}),
    "mistral": (MistralConfig, {"sliding_window": None}),
}


@pytest.mark.parametrize("name", LLAMAS)
def test_lora_training_is_the_same_in_fp32(name):
    config_class, changes = LLAMAS[name]
    model = with_lora(make_model(config_class, **changes))
    ids, labels = make_batch()
    expected_loss = plain_loss(model, ids, labels)
    expected = gradients(model, expected_loss)
    with kernels.accelerated(model, "fp32") as patched:
        assert len(patched) == 9  # per layer an attention, an MLP and two norms; the last norm
        loss = fast_loss(model, ids, labels)
        found = gradients(model, loss)
    torch.testing.assert_close(loss, expected_loss, rtol=1e-5, atol=0)
    assert all("lora" in name for name in found)
    assert_same(found, expected, rtol=1e-5)


@pytest.mark.parametrize("name", LLAMAS)
def test_full_finetuning_is_the_same_in_fp32(name):
    config_class, changes = LLAMAS[name]
    model = make_model(config_class, **changes)
    ids, labels = make_batch()
    expected = gradients(model, plain_loss(model, ids, labels))
    with kernels.accelerated(model, "fp32"):
        found = gradients(model, fast_loss(model, ids, labels))
    assert_same(found, expected, rtol=1e-5)


@pytest.mark.parametrize("wrap", [with_lora, lambda model: model])
def test_bf16_gradients_point_the_same_way(wrap):
    model = wrap(make_model())
    ids, labels = make_batch((120, 131))
    expected_loss = plain_loss(model, ids, labels)
    expected = gradients(model, expected_loss)
    with kernels.accelerated(model, "bf16"):
        loss = fast_loss(model, ids, labels, "bf16")
        found = gradients(model, loss)
    torch.testing.assert_close(loss, expected_loss, rtol=3e-3, atol=0)
    assert found.keys() == expected.keys()
    assert all(gradient.dtype == torch.float32 for gradient in found.values())
    flat_found, flat_expected = (torch.cat([g[name].flatten() for name in expected]) for g in (found, expected))
    assert (flat_found - flat_expected).norm() < 0.03 * flat_expected.norm()
    assert torch.cosine_similarity(flat_found, flat_expected, dim=0) > 0.999


@pytest.mark.parametrize("length", [1, 2, 95, 96, 97, 200, 1100])
def test_every_length_is_covered(length):
    """Around the block size, and beyond the length at which PyTorch's own kernel takes over."""
    model = with_lora(make_model(num_hidden_layers=1))
    ids = torch.randint(1, 97, (1, length), generator=torch.Generator().manual_seed(3))
    weights = torch.randn(1, length, 64, generator=torch.Generator().manual_seed(4))

    def run():
        hidden = model.get_base_model().model(input_ids=ids, use_cache=False).last_hidden_state
        return hidden.detach(), gradients(model, (hidden * weights).sum())

    expected_hidden, expected = run()
    with kernels.accelerated(model, "fp32"):
        hidden, found = run()
    torch.testing.assert_close(hidden, expected_hidden, rtol=1e-4, atol=1e-4)
    expected = {name: gradient for name, gradient in expected.items() if gradient.norm() > 1e-3}  # length 1: no q, k
    assert_same({name: found[name] for name in expected}, expected, rtol=3e-5)
    assert length < 2 or expected
    assert (length > attention.LONGEST) == (length == 1100)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_rows_are_isolated_and_padding_is_unseen(precision):
    model = with_lora(make_model())
    ids, labels = make_batch((23, 19, 21))
    other, other_labels = ids.clone(), labels.clone()
    other[1, 19:] = 55  # other padding
    other[0] = other[0].flip(0)  # another first document

    def second_row(batch, labels):
        only_second = torch.full_like(labels, -100)
        only_second[1] = labels[1]
        hidden = model.get_base_model().model(input_ids=batch, use_cache=False).last_hidden_state
        loss = fast_loss(model, batch, only_second, precision)
        return hidden[1, :19].detach(), gradients(model, loss)

    with kernels.accelerated(model, precision):
        hidden, grads = second_row(ids, labels)
        other_hidden, other_grads = second_row(other, other_labels)
    assert torch.equal(hidden, other_hidden)
    assert_same(other_grads, grads, rtol=1e-6)


def test_given_masks_are_obeyed():
    model = with_lora(make_model())
    ids, _ = make_batch((23, 19))
    mask = torch.ones_like(ids)
    mask[1, :6] = 0  # left padding
    run = model.get_base_model().model
    expected = run(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    with kernels.accelerated(model, "fp32"):
        found = run(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        unmasked = run(input_ids=ids, use_cache=False).last_hidden_state
    torch.testing.assert_close(found[1, 6:], expected[1, 6:], rtol=1e-4, atol=1e-5)
    assert (unmasked[1, 6:] - expected[1, 6:]).abs().max() > 1e-2


def test_the_same_seed_gives_the_same_bits():
    def train():
        model = with_lora(make_model())
        optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-2)
        ids, labels = make_batch((120, 131))
        with kernels.accelerated(model, "bf16"):
            for _ in range(3):
                optimizer.zero_grad()
                fast_loss(model, ids, labels, "bf16").backward()
                optimizer.step()
        return [p.detach() for p in model.parameters()]

    assert all(torch.equal(first, second) for first, second in zip(train(), train(), strict=True))


def test_small_updates_are_not_rounded_away_in_bf16():
    """A LoRA pair far below the bf16 step of the base weights moves the output by what it is worth."""
    layer = with_lora(make_model()).get_base_model().model.layers[0].mlp.gate_proj
    layer.weight.data = layer.weight.bfloat16().float()  # as it is in a bf16 checkpoint
    x = torch.randn(1, 4000, 64, generator=torch.Generator().manual_seed(6))

    def output(std):
        nn.init.normal_(layer.lora_B["default"].weight, std=std)
        return fused.project(x, [Projection.of(layer).read(torch.bfloat16)], torch.bfloat16)[0].float()

    movement = output(0.0) - output(1e-4)
    expected = -(x @ layer.get_delta_weight("default").t())
    merged = (layer.weight + layer.get_delta_weight("default")).bfloat16() - layer.weight.bfloat16()
    assert merged.norm() < 0.9 * layer.get_delta_weight("default").norm()  # what adding it to the weight would keep
    along = (movement * expected).sum() / expected.square().sum()
    torch.testing.assert_close(along, torch.tensor(1.0), rtol=0.05, atol=0)


def test_restore_leaves_the_model_as_it_was(tmp_path):
    model = with_lora(make_model())
    ids, labels = make_batch()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    forwards = {name: module.forward.__func__ for name, module in model.named_modules() if name}
    kernels.accelerate_model(model, "bf16")
    gradients(model, fast_loss(model, ids, labels, "bf16"))
    model.save_pretrained(tmp_path)  # saving works while patched
    kernels.restore(model)
    assert {name: module.forward.__func__ for name, module in model.named_modules() if name} == forwards
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert copy.deepcopy(model).merge_and_unload() is not None
    assert (tmp_path / "adapter_model.safetensors").exists()


def test_evaluation_and_generation_stay_exact_while_patched():
    model = with_lora(make_model())
    ids, _ = make_batch((8,))
    model.eval()
    with torch.no_grad():
        expected = model(input_ids=ids).logits
        text = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False)
        with kernels.accelerated(model, "bf16"):
            assert torch.equal(model(input_ids=ids).logits, expected)
            again = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False
            )
    assert torch.equal(text, again)


def test_adapters_can_be_switched_off_while_patched():
    model = with_lora(make_model())
    ids, labels = make_batch()
    with kernels.accelerated(model, "fp32"), model.disable_adapter():
        found = fast_loss(model, ids, labels)
    with model.disable_adapter():
        torch.testing.assert_close(found, plain_loss(model, ids, labels), rtol=1e-5, atol=0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_kept_adapter_and_a_new_one_beside_it_run_fast_and_only_the_new_one_learns(precision):
    model = with_lora(make_model())
    model.add_adapter("step", LoraConfig(r=4, lora_alpha=4, target_modules=["q_proj", "down_proj", "gate_proj"]))
    for name, parameter in model.named_parameters():
        if "lora_B.step" in name:
            nn.init.normal_(parameter, std=0.1)
    activate_both(model)
    ids, labels = make_batch()
    expected_loss = plain_loss(model, ids, labels)
    expected = gradients(model, expected_loss)
    assert expected.keys() == {name for name, _ in model.named_parameters() if ".step." in name}
    with kernels.accelerated(model, precision) as patched:
        assert len(patched) == 9
        loss = fast_loss(model, ids, labels, precision)
        found = gradients(model, loss)
    torch.testing.assert_close(loss, expected_loss, rtol=1e-5 if precision == "fp32" else 2e-2, atol=0)
    assert_same(found, expected, rtol=1e-5 if precision == "fp32" else 0.1)


@pytest.mark.parametrize("changes", [{"lora_dropout": 0.5}, {"use_dora": True}, {"lora_bias": True}])
def test_what_lora_does_beyond_a_plain_product_is_left_to_peft(changes):
    model = with_lora(make_model(), **changes)
    ids, labels = make_batch()
    torch.manual_seed(5)
    expected = gradients(model, plain_loss(model, ids, labels))
    with kernels.accelerated(model, "fp32"):
        torch.manual_seed(5)
        found = gradients(model, fast_loss(model, ids, labels))
    assert_same(found, expected, rtol=1e-5)


def test_layers_that_compute_something_else_are_left_alone():
    model = make_model(hidden_act="gelu")
    patched = kernels.accelerate_model(model, "fp32")
    assert not any(name.endswith("mlp") for name in patched)
    assert "model.layers.0.self_attn" in patched
    wrapped = with_lora(model)
    patched = kernels.accelerate_model(wrapped, "fp32")
    assert any(name.endswith("mlp.gate_proj") for name in patched)  # its LoRA products still are


def test_gradient_checkpointing_still_works():
    model = with_lora(make_model())
    ids, labels = make_batch()
    expected = gradients(model, plain_loss(model, ids, labels))
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    with kernels.accelerated(model, "fp32"):
        found = gradients(model, fast_loss(model, ids, labels))
    assert_same(found, expected, rtol=1e-5)


def test_precision_is_chosen_by_the_hardware():
    assert kernels.choose_precision("fp32") == "fp32"
    assert kernels.choose_precision("bf16") == "bf16"
    assert kernels.choose_precision("auto") in ("bf16", "fp32")
    with pytest.raises(ConfigError, match="fp8"):
        kernels.choose_precision("fp8")
