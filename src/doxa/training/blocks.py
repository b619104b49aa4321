"""The modules of Llama-like models that have a fast version, recognised by their structure.

A `Block` pairs a module with the version of it that `kernels.accelerate_model` may put in its place once the two have
given the same numbers. The LoRA layers of PEFT are read anew at every call: adapters come, go and train.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from doxa.training import attention, fused


@dataclass(frozen=True)
class Block:
    """A recognised module with its fast version.

    `fast(dtype, *args, **kwargs)` returns NotImplemented for a call it does not cover; `example` makes the arguments of
    a small call, with which the two versions are compared.
    """

    module: nn.Module
    fast: Callable[..., Any]
    example: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]


@dataclass
class Projection:
    """An nn.Linear or a PEFT LoRA layer over one."""

    module: Any
    _casts: dict[tuple[Any, ...], Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, module: Any) -> Projection | None:
        """None unless it is exactly a linear map (quantised and other layers have other types)."""
        from peft.tuners.lora.layer import Linear as LoraLinear

        base = module.base_layer if type(module) is LoraLinear else module
        return cls(module) if type(base) is nn.Linear else None

    @property
    def in_features(self) -> int:
        return int(self.module.in_features)

    def read(self, dtype: torch.dtype) -> fused.Linear | None:
        """The present weights; None if the adapter does more than one plain LoRA product."""
        module = self.module
        if isinstance(module, nn.Linear):
            return fused.Linear(module.weight, module.bias, cast=self._cast(module.weight, dtype))
        if module.merged:
            return None
        base = module.base_layer
        cast = self._cast(base.weight, dtype)
        active = [] if module.disable_adapters else [name for name in module.active_adapters if name in module.lora_A]
        if not active:
            return fused.Linear(base.weight, base.bias, cast=cast)
        for name in active:
            dropout = module.lora_dropout[name]
            drops = module.training and not (isinstance(dropout, nn.Identity) or dropout.p == 0)
            if name in module.lora_variant or drops or module.lora_B[name].bias is not None:
                return None
        pairs = [(module.lora_A[name].weight, module.lora_B[name].weight, module.scaling[name]) for name in active]
        a, b, scale = pairs[0]
        if len(pairs) > 1:  # the sum of two LoRA products is one of their matrices side by side
            a, b, scale = torch.cat([a for a, _, _ in pairs]), torch.cat([b * s for _, b, s in pairs], 1), 1.0
        return fused.Linear(base.weight, base.bias, a, b, scale, cast)

    def _cast(self, weight: Tensor, dtype: torch.dtype) -> Tensor | None:
        if weight.requires_grad:
            return None
        key = (dtype, weight.data_ptr(), weight._version)  # weights that were loaded anew are cast anew
        if key not in self._casts:
            self._casts.clear()
            self._casts[key] = weight.detach().to(dtype)
        return self._casts[key]


def _read(projections: list[Projection], dtype: torch.dtype) -> list[fused.Linear] | None:
    linears = [projection.read(dtype) for projection in projections]
    return None if any(linear is None for linear in linears) else [linear for linear in linears if linear is not None]


def _projections(module: nn.Module, names: tuple[str, ...]) -> list[Projection] | None:
    found = [Projection.of(getattr(module, name, None)) for name in names]
    return None if any(one is None for one in found) else [one for one in found if one is not None]


def attention_block(module: Any) -> Block | None:
    """q, k, v and o projections with rotary positions, grouped key heads, perhaps norms on q and k."""
    projections = _projections(module, ("q_proj", "k_proj", "v_proj", "o_proj"))
    if projections is None or not all(hasattr(module, name) for name in ("head_dim", "scaling", "config")):
        return None
    size = module.head_dim
    norms = [getattr(module, name, None) for name in ("q_norm", "k_norm")]

    def fast(
        dtype: torch.dtype,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> Any:
        linears = _read(projections, dtype)
        length = hidden_states.shape[1]
        window = getattr(module, "sliding_window", None)
        dropped = module.training and getattr(module, "attention_dropout", 0.0)
        if linears is None or position_embeddings is None or past_key_values is not None or dropped:
            return NotImplemented
        if kwargs.get("output_attentions") or (window is not None and attention_mask is None and length > window):
            return NotImplemented
        q, k, v = (y.view(*y.shape[:2], -1, size) for y in fused.project(hidden_states, linears[:3], dtype))
        q, k = (x if norm is None else norm(x).to(dtype) for x, norm in zip((q, k), norms, strict=True))
        cos, sin = position_embeddings
        if attention_mask is None and length <= attention.LONGEST:
            mixed = attention.causal_attention(q, k, v, cos, sin, module.scaling)
        else:
            mixed = attention.general_attention(q, k, v, cos, sin, module.scaling, attention_mask)
        (out,) = fused.project(mixed.flatten(2), linears[3:], dtype)
        return out.to(hidden_states.dtype), None

    def example() -> tuple[tuple[Any, ...], dict[str, Any]]:
        x = _sample(2, 5, projections[0].in_features, like=module.o_proj)
        angles = torch.arange(5)[None, :, None] * torch.linspace(1.0, 0.1, size // 2).repeat(2)
        turns = (angles.cos().to(x.dtype), angles.sin().to(x.dtype))
        return (), {"hidden_states": x, "position_embeddings": turns, "attention_mask": None}

    return Block(module, fast, example)


def mlp_block(module: Any) -> Block | None:
    """down(silu(gate(x)) * up(x)); another activation fails the comparison."""
    projections = _projections(module, ("gate_proj", "up_proj", "down_proj"))
    if projections is None:
        return None

    def fast(dtype: torch.dtype, x: Tensor) -> Any:
        linears = _read(projections, dtype)
        if linears is None:
            return NotImplemented
        gate, up = fused.project(x, linears[:2], dtype)
        return fused.project(fused.swiglu(gate, up), linears[2:], dtype)[0].to(x.dtype)

    return Block(module, fast, lambda: ((_sample(2, 5, projections[0].in_features, like=module.down_proj),), {}))


def norm_block(module: Any) -> Block | None:
    weight = getattr(module, "weight", None)
    eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    if not type(module).__name__.endswith("RMSNorm") or weight is None or weight.dim() != 1 or eps is None:
        return None

    def fast(dtype: torch.dtype, hidden_states: Tensor) -> Any:
        return fused.rms_norm(hidden_states, weight, eps)

    return Block(module, fast, lambda: ((_sample(2, 5, len(weight), like=module),), {}))


def lora_block(module: Any) -> Block | None:
    """A LoRA layer in a block that was not recognised as a whole."""
    projection = None if isinstance(module, nn.Linear) else Projection.of(module)
    if projection is None:
        return None

    def fast(dtype: torch.dtype, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        linear = projection.read(dtype)
        if linear is None or args or kwargs:
            return NotImplemented
        return fused.project(x, [linear], dtype)[0].to(x.dtype)

    return Block(module, fast, lambda: ((_sample(2, 5, projection.in_features, like=module),), {}))


def _sample(*shape: int, like: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator).to(next(like.parameters()).dtype)
