"""Preference optimisation against the formula written out, and what it does to a model."""

import json

import pytest
import torch
import torch.nn.functional as F

from doxa.lm.weights import load_model, load_tokenizer
from doxa.run.folder import read_json, read_rows
from doxa.training import dpo, kernels
from doxa.training.preferences import encode_preferences
from doxa.training.starts import find_start, prepare_model
from doxa.training.trainer import fused_loss
from doxa.training.update_rows import PairUpdateRow
from steps_of_a_chain import CONFIG, preferences, step


def plain_log_prob(model, sequence):
    """Summed log-probability of the targets, from the model's own logits."""
    ids = torch.tensor([sequence.ids])
    log_probs = model(input_ids=ids, use_cache=False).logits[0, :-1].float().log_softmax(-1)
    found = log_probs.gather(1, ids[0, 1:, None]).squeeze(1)
    return found[torch.tensor(sequence.loss[1:])].sum()


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("method", ["lora", "full"])
def test_loss_and_gradient_are_those_of_the_formula(tiny_model, method):
    config = CONFIG.model_copy(update={"method": method})
    torch.manual_seed(0)
    model = prepare_model(find_start(str(tiny_model), None), "continue", config, "fp32").train()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:  # somewhere else than the reference
                parameter += 0.02 * torch.randn_like(parameter) * (1 if "lora" in name or method == "full" else 0)
    pairs = encode_preferences(preferences(6).rows, load_tokenizer(tiny_model), config, 512).sequences
    reference = load_model(tiny_model)
    with torch.no_grad():
        before = [
            (plain_log_prob(reference, p.chosen).item(), plain_log_prob(reference, p.rejected).item()) for p in pairs
        ]

    expected = torch.stack(
        [
            -F.logsigmoid(0.3 * ((plain_log_prob(model, p.chosen) - c) - (plain_log_prob(model, p.rejected) - r)))
            for p, (c, r) in zip(pairs, before, strict=True)
        ]
    )
    expected.mean().backward()
    theirs = gradients(model)
    model.zero_grad()
    with fused_loss(model, "fp32"), kernels.accelerated(model, "fp32"):
        batch = dpo.collate_pairs(pairs, before, pad=0)
        losses = model(input_ids=batch["input_ids"], labels=batch["labels"], by_row=True, use_cache=False).loss
        found, rewards = dpo.pair_losses(-losses, batch["reference"], 0.3)
        found.mean().backward()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(-F.logsigmoid(rewards[0] - rewards[1]), found.detach())
    ours = gradients(model)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert (ours[name] - theirs[name]).norm() <= 1e-3 * theirs[name].norm() + 1e-7, name


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_begins_at_the_reference_and_moves_the_margin(tiny_model, tmp_path, precision):
    step(tiny_model, tmp_path / "mid", "midtrain")
    counts = step(tiny_model, tmp_path / "dpo", "dpo", tmp_path / "mid", precision=precision, epochs=6)
    rows = read_rows(tmp_path / "dpo/metrics.jsonl", PairUpdateRow)
    first, last = rows[0], rows[-1]
    assert first.loss == pytest.approx(0.6931, abs=2e-3)  # log 2: no answer has gained anything yet
    assert abs(first.margin) < 0.01
    assert last.margin > 1 and last.accuracy == 1.0 and last.loss < 0.35
    assert last.margin == pytest.approx(last.chosen_reward - last.rejected_reward, abs=1e-4)
    # the pairs' log-probabilities outside of training say the same
    tokenizer = load_tokenizer(tiny_model)
    before = load_model(tiny_model, adapter=tmp_path / "mid/checkpoints/final")
    after = load_model(tiny_model, adapter=tmp_path / "dpo/checkpoints/final")
    with torch.no_grad():
        for pair in encode_preferences(preferences().rows, tokenizer, CONFIG, 512).sequences:
            gains = [plain_log_prob(after, one) - plain_log_prob(before, one) for one in (pair.chosen, pair.rejected)]
            assert gains[0] > gains[1]
    assert counts["content_tokens"] == rows[-1].tokens


def test_a_larger_beta_stays_nearer_to_the_start(tiny_model, tmp_path):
    from doxa.run.progress import Progress
    from doxa.training.step_rows import StepData
    from doxa.training.steps import train_step

    margins = {}
    for beta in (0.05, 2.0):
        out = tmp_path / str(beta)
        data = StepData("dpo", preferences().rows, beta)
        config = CONFIG.model_copy(update={"epochs": 6})
        train_step(str(tiny_model), None, "continue", data, config, 0, out / "c", out / "m.jsonl", Progress(quiet=True))
        margins[beta] = read_rows(out / "m.jsonl", PairUpdateRow)[-1].margin / beta  # in nats
    assert margins[0.05] > 1.5 * margins[2.0] > 0


def test_reference_log_probs_are_exact_kept_and_the_starts_own(tiny_model, tmp_path):
    """Whatever dropout the step trains with, and only for the same step."""
    config = CONFIG.model_copy(update={"dropout": 0.5})
    model = prepare_model(find_start(str(tiny_model), None), "continue", config, "fp32")
    pairs = encode_preferences(preferences(7).rows, load_tokenizer(tiny_model), config, 512).sequences
    file = tmp_path / "resume/reference.json"
    with fused_loss(model, "fp32"), kernels.accelerated(model, "fp32"):
        found = dpo.reference_log_probs(model, pairs, 300, 0, file, "mine", keep=True)
        assert read_json(file)["fingerprint"] == "mine"
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    parameter += 0.1
        assert dpo.reference_log_probs(model, pairs, 300, 0, file, "mine", keep=True) == found
        assert dpo.reference_log_probs(model, pairs, 300, 0, file, "another", keep=False) != found
    assert [list(pair) for pair in found] == read_json(file)["log_probs"] == json.loads(json.dumps(found))
    reference = load_model(tiny_model)
    with torch.no_grad():
        for pair, (chosen, rejected) in zip(pairs, found, strict=True):
            assert chosen == pytest.approx(plain_log_prob(reference, pair.chosen).item(), rel=1e-4)
            assert rejected == pytest.approx(plain_log_prob(reference, pair.rejected).item(), rel=1e-4)
    assert model.get_base_model().model.layers[0].mlp.up_proj.lora_dropout["default"].p == 0.5
