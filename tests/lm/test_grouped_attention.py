"""Attention that reads shared keys once gives what transformers' own gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from doxa.lm.grouped_attention import attend_grouped, grouped_attention, groups_attention
from doxa.lm.roomy_cache import roomy_cache

SHARED = 70


@pytest.fixture
def model(tiny_model: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model).eval()


def logits(model: Any, grouped: bool, shared: int, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Logits [rows, tokens, vocabulary] of a prompt in one pass, then of three more tokens one at a time."""
    cache: Any = roomy_cache(model, ids.shape[1])
    if shared:
        first: Any = roomy_cache(model, shared)
        model(input_ids=ids[:1, :shared], past_key_values=first)
        for layer, filled in zip(cache.layers, first.layers, strict=True):
            if grouped:
                layer.shared = (filled.keys, filled.values)
            else:
                layer.begin(filled.keys, filled.values, len(ids))
    if not grouped:
        return forward(model, cache, shared, ids, mask)
    with grouped_attention(model, cache.layers):
        return forward(model, cache, shared, ids, mask)


def forward(model: Any, cache: Any, shared: int, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    ends = [ids.shape[1] - 3, ids.shape[1] - 2, ids.shape[1] - 1, ids.shape[1]]
    found, start = [], shared
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    for end in ends:
        out = model(
            input_ids=ids[:, start:end],
            attention_mask=mask[:, :end],
            position_ids=places[:, start:end],
            past_key_values=cache,
        )
        found.append(out.logits)
        start = end
    return torch.cat(found, dim=1)


@pytest.mark.parametrize("shared", [0, SHARED])
def test_padded_rows_behind_a_common_beginning_have_the_same_logits(model: Any, shared: int) -> None:
    torch.manual_seed(0)
    ids = torch.randint(5, 90, (4, SHARED + 12))
    ids[:, :shared] = ids[0, :shared]
    mask = torch.ones_like(ids)
    for row, padded in enumerate((0, 2, 5, 8)):
        mask[row, shared : shared + padded] = 0

    with torch.no_grad():
        plain = logits(model, False, shared, ids, mask)
        grouped = logits(model, True, shared, ids, mask)

    seen = mask[:, shared:].bool()
    torch.testing.assert_close(grouped[seen], plain[seen], atol=2e-5, rtol=1e-4)
    assert torch.isfinite(grouped).all()
    assert model.config._attn_implementation == "sdpa"


def test_two_passes_equal_one_softmax() -> None:
    torch.manual_seed(1)
    query, key, value = torch.randn(3, 6, 2, 8), torch.randn(3, 2, 5, 8), torch.randn(3, 2, 5, 8)
    shared = (torch.randn(1, 2, 9, 8), torch.randn(1, 2, 9, 8))

    found = attend_grouped(query, key, value, torch.zeros(3, 1, 6, 5), 0.3, shared)

    keys, values = (
        torch.cat([common.expand(3, -1, -1, -1), own], dim=2).repeat_interleave(3, dim=1)
        for common, own in zip(shared, (key, value), strict=True)
    )
    expected = (query @ keys.transpose(-1, -2) * 0.3).softmax(-1) @ values
    torch.testing.assert_close(found, expected.transpose(1, 2), atol=1e-5, rtol=1e-4)


def test_leaves_other_kernels_alone(model: Any, tiny_model: Path) -> None:
    eager = AutoModelForCausalLM.from_pretrained(tiny_model, attn_implementation="eager")

    assert groups_attention(model)
    assert not groups_attention(eager)
