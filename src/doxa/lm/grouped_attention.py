"""Attention for many answers at once on a CPU: what query heads or rows have in common is read once.

transformers repeats the keys and values of grouped heads for every query head, and a common beginning for every row:
behind a long system prompt that moves gigabytes a token. Here the queries are laid side by side instead. Attention to
the common beginning and to a row's own tokens are two passes, put together by their log-sum-exp (as in Hydragen,
Juravsky et al. 2024, arXiv 2402.05099).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from doxa.lm.roomy_cache import RoomyLayer

NAME = "doxa_grouped"


def groups_attention(model: Any) -> bool:
    """Whether a model's attention can be exchanged: on a CPU, by transformers' interface, plain scaled dot products."""
    config = model.config.get_text_config()
    exchangeable = model._supports_attention_backend and config._attn_implementation == "sdpa"
    special = ("attn_logit_softcapping", "v_head_dim", "num_kv_shared_layers")  # caps, uneven heads, borrowed keys
    return bool(
        model.device.type == "cpu" and exchangeable and not any(getattr(config, name, None) for name in special)
    )


@contextlib.contextmanager
def grouped_attention(model: Any, layers: list[RoomyLayer]) -> Iterator[None]:
    """While it lasts, the model attends to `layers`, one for each of its own, in this way."""
    from transformers import AttentionInterface, AttentionMaskInterface

    config = model.config.get_text_config()
    before = config._attn_implementation
    masks = _Masks()

    def attend(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float | None = None, **_: Any
    ) -> tuple[Any, None]:
        layer = layers[module.layer_idx]
        grouped = query.shape[1] // key.shape[1]
        mask = masks.added(attention_mask, layer.shared_length, grouped, query.dtype)
        return attend_grouped(query, key, value, mask, scaling, layer.shared), None

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, _whole_mask)
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def attend_grouped(
    query_BHTD: torch.Tensor,
    key_BGSD: torch.Tensor,
    value_BGSD: torch.Tensor,
    mask_B1RS: torch.Tensor,
    scaling: float | None,
    shared: tuple[torch.Tensor, torch.Tensor] | None,
) -> torch.Tensor:
    """Attention [batch, tokens, heads, head_dim] of queries to their row's keys and to those that all rows share.

    `mask` is added to the scores of a row's own keys; its R rows are the tokens, once per head of a group. `shared` are
    keys and values [1, groups, length, head_dim] that every query sees.
    """
    batch, heads, tokens, size = query_BHTD.shape
    groups = key_BGSD.shape[1]
    query_BGRD = query_BHTD.reshape(batch, groups, -1, size)
    out_BGRD, lse_BGR = _attend(query_BGRD, key_BGSD, value_BGSD, mask_B1RS, scaling)
    if shared is not None:
        query_1GQD = query_BGRD.transpose(0, 1).reshape(1, groups, -1, size)
        to_shared, lse_shared = _attend(query_1GQD, *shared, None, scaling)
        to_shared = to_shared.view(groups, batch, -1, size).transpose(0, 1)
        weight = (lse_shared.view(groups, batch, -1).transpose(0, 1) - lse_BGR).sigmoid()[..., None]
        out_BGRD = out_BGRD.float().lerp(to_shared.float(), weight).to(query_BHTD.dtype)
    out_BHTD: torch.Tensor = out_BGRD.reshape(batch, heads, tokens, size)
    return out_BHTD.transpose(1, 2).contiguous()


def _attend(query: Any, key: Any, value: Any, mask: Any, scaling: float | None) -> tuple[Any, Any]:
    """Output [batch, groups, rows, head_dim] and log-sum-exp [batch, groups, rows] of the scores."""
    import torch

    # what scaled_dot_product_attention calls on a CPU; only this form gives the log-sum-exp
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    out, lse = flash(query, key, value, 0.0, False, attn_mask=mask, scale=scaling)
    return out, lse


class _Masks:
    """The mask of a step, made once for all layers."""

    def __init__(self) -> None:
        self._seen: Any = None
        self._added: Any = None

    def added(self, visible_B1TS: torch.Tensor, shared: int, grouped: int, dtype: torch.dtype) -> torch.Tensor:
        """What is added to scores [batch, 1, grouped x tokens, own keys], from whether each key is visible.

        The least number rather than -inf, so that a padded query, which sees nothing, has a finite result.
        """
        import torch

        if visible_B1TS is not self._seen:
            own = visible_B1TS[..., shared:]
            added = torch.zeros(own.shape, dtype=dtype).masked_fill_(~own, torch.finfo(dtype).min)
            self._seen, self._added = visible_B1TS, added.repeat(1, 1, grouped, 1)
        return self._added  # type: ignore[no-any-return]


def _whole_mask(*args: Any, **kwargs: Any) -> Any:
    """transformers' mask of booleans, always made: it leaves out one that only says what comes before what."""
    from transformers.masking_utils import sdpa_mask

    return sdpa_mask(*args, **{**kwargs, "allow_is_causal_skip": False})
