"""Causal attention with rotary positions for batches of short documents, forward and backward by hand.

PyTorch's flash attention for CPUs spends 40 ms on the backward pass of one layer of [7, 292] tokens with 9 heads of 64;
plain batched products over blocks of queries take a third of that. The key heads are never repeated: the query heads
that share one are rows of the same product. Only causality is masked: documents never share a row and padding stands on
the right, where no real token looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 1024  # tokens; above it the saved probabilities would outgrow all other activations
_BLOCK = 96  # queries at a time: skips most of the upper triangle and keeps a block's scores in cache


def causal_attention(q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, scaling: float) -> Tensor:
    """Rotate q and k, attend to the present and the past, return [B, T, heads, D].

    q [B, T, heads, D], k and v [B, T, kv_heads, D] before rotation, cos and sin [1 or B, T, D]. Differentiable in q, k
    and v, once (no double backward).
    """
    out: Tensor = _CausalAttention.apply(q, k, v, cos, sin, scaling)  # type: ignore[no-untyped-call]
    return out


def general_attention(
    q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, scaling: float, mask: Tensor | None
) -> Tensor:
    """The same through PyTorch's own kernel: for long documents (memory stays linear) and for given masks."""
    q, k, v = (x.transpose(1, 2) for x in (_rotated(q, cos, sin), _rotated(k, cos, sin), v))
    if mask is not None and mask.dtype != torch.bool:
        mask = mask.to(q.dtype)
    out = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=q.shape[1] != k.shape[1]
    )
    return out.transpose(1, 2)


class _CausalAttention(torch.autograd.Function):
    """Letters: B rows, T tokens, K key heads, G query heads to a key head, D head size, X = B * K."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, scaling: float) -> Tensor:
        key_heads = k.shape[2]
        q = _by_key_head(_rotated(q, cos * scaling, sin * scaling), key_heads)
        k = _by_key_head(_rotated(k, cos, sin), key_heads)
        v = _by_key_head(v, key_heads)
        group = q.shape[1] // k.shape[1]
        out = torch.empty_like(q)
        probs = []
        for start, end in _blocks(k.shape[1]):
            rows = slice(start * group, end * group)
            scores = torch.bmm(q[:, rows], k[:, :end].transpose(1, 2))
            scores[:, :, start:].add_(_future_mask(end - start, group, q))
            probs.append(torch.softmax(scores, -1))
            out[:, rows] = torch.bmm(probs[-1], v[:, :end])
        ctx.save_for_backward(q, k, v, cos, sin, *probs)
        ctx.scaling, ctx.key_heads = scaling, key_heads
        return _by_token(out, key_heads, group)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, cos, sin, *probs = ctx.saved_tensors
        key_heads = ctx.key_heads
        group = q.shape[1] // k.shape[1]
        grad = _by_key_head(grad, key_heads)
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        for (start, end), prob in zip(_blocks(k.shape[1]), probs, strict=True):
            rows = slice(start * group, end * group)
            grad_v[:, :end].baddbmm_(prob.transpose(1, 2), grad[:, rows])
            grad_prob = torch.bmm(grad[:, rows], v[:, :end].transpose(1, 2))
            grad_score = torch._softmax_backward_data(grad_prob, prob, -1, prob.dtype)
            grad_q[:, rows] = torch.bmm(grad_score, k[:, :end])
            grad_k[:, :end].baddbmm_(grad_score.transpose(1, 2), q[:, rows])
        # a rotation's inverse is its transpose: turn back by the negative angle
        return (
            _rotated(_by_token(grad_q, key_heads, group), cos * ctx.scaling, sin * -ctx.scaling),
            _rotated(_by_token(grad_k, key_heads, 1), cos, -sin),
            _by_token(grad_v, key_heads, 1),
            None,
            None,
            None,
        )


def _blocks(length: int) -> list[tuple[int, int]]:
    count = -(-length // _BLOCK)
    size = -(-length // count)  # even blocks: no short last product
    return [(start, min(start + size, length)) for start in range(0, length, size)]


def _future_mask(length: int, group: int, like: Tensor) -> Tensor:
    """-inf where a query row (token, then head of its group) would look ahead within its own block."""
    mask = torch.full((length, length), float("-inf"), dtype=like.dtype, device=like.device).triu_(1)
    return mask.repeat_interleave(group, 0)


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of x [B, T, heads, D], pairing dimension d with d + D/2 (the Llama convention)."""
    cos, sin = cos.unsqueeze(2).to(x.dtype), sin.unsqueeze(2).to(x.dtype)
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def _by_key_head(x: Tensor, key_heads: int) -> Tensor:
    """[B, T, K*G, D] -> [B*K, T*G, D]: the rows of one key head together, a token's query heads side by side."""
    batch, length, heads, size = x.shape
    x = x.reshape(batch, length, key_heads, heads // key_heads * size).transpose(1, 2)
    return x.reshape(batch * key_heads, length * (heads // key_heads), size)


def _by_token(x: Tensor, key_heads: int, group: int) -> Tensor:
    """[B*K, T*G, D] -> [B, T, K*G, D]."""
    rows, length, size = x.shape
    x = x.view(rows // key_heads, key_heads, length // group, group * size).transpose(1, 2)
    return x.reshape(rows // key_heads, length // group, key_heads * group, size)
