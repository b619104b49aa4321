"""Makes a transformers causal LM train faster on a CPU: its blocks get hand-written forward and backward passes.

`accelerate_model` finds attention, MLP and norm modules by their structure, proves on a small input that its own
version gives the same numbers, and only then overrides their `forward`; anything else stays as it is. Parameters are
never touched: LoRA matrices and trained weights keep their float32 values, and `restore` leaves the model as it was.
Overridden modules use the fast path in training mode without a cache; generating and scoring are never affected.
On a GPU nothing is patched (autocast and its own kernels do it there); only `loss.linear_cross_entropy` serves both.
Gradient checkpointing works but is not needed here: a batch of 2,048 tokens of a 135M model keeps about 1.5 GB.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from doxa.errors import ConfigError
from doxa.training import attention, fused

_DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
_MARK = "_doxa_fast"  # set on a patched module; `restore` looks for it
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 3e-3}  # of the model's own arithmetic


def choose_precision(wanted: str = "auto") -> str:
    """ "bf16" where the hardware multiplies it natively, else "fp32"; anything but "auto" is returned as it is.

    On a CPU that emulates bf16 the products would be slower than in float32. Raises ConfigError for other words.
    """
    if wanted in _DTYPES:
        return wanted
    if wanted != "auto":
        raise ConfigError(f"train.precision: {wanted!r} is not one of auto, bf16, fp32")
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if native else "fp32"


def accelerate_model(model: nn.Module, precision: str) -> list[str]:
    """Patch a causal LM (PEFT-wrapped or not) in place; products run in `precision` ("bf16" or "fp32").

    Returns the names of the patched modules. Attention reads right-padded rows without a mask; given masks go to
    PyTorch's kernel. Base weights must not be changed (merged, say) until `restore`. Patching twice starts over.
    """
    restore(model)
    if next(model.parameters()).device.type != "cpu":
        return []
    dtype = _DTYPES[precision]
    patched: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer + ".") for outer in patched):
            continue  # an attention block runs its own projections
        for recognise in (_attention, _mlp, _norm, _lora_linear):
            block = recognise(module)
            if block is not None and _agrees(block):
                _patch(block, dtype)
                patched.append(name)
                break
    return patched


def restore(model: nn.Module) -> None:
    """Take every patch off again. Harmless on a model that has none."""
    for module in model.modules():
        if module.__dict__.pop(_MARK, False):
            del module.forward


@contextlib.contextmanager
def accelerated(model: nn.Module, precision: str) -> Iterator[list[str]]:
    """`accelerate_model` on entry, `restore` on exit, also when an error leaves the block."""
    try:
        yield accelerate_model(model, precision)
    finally:
        restore(model)


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
    """An nn.Linear or a PEFT LoRA layer over one, read anew at every call: adapters come, go and train."""

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
        name = active[0]
        dropout = module.lora_dropout[name]
        drops = module.training and not (isinstance(dropout, nn.Identity) or dropout.p == 0)
        a, b = module.lora_A[name], module.lora_B[name]
        if len(active) > 1 or name in module.lora_variant or drops or b.bias is not None:
            return None
        return fused.Linear(base.weight, base.bias, a.weight, b.weight, module.scaling[name], cast)

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


def _attention(module: Any) -> Block | None:
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


def _mlp(module: Any) -> Block | None:
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


def _norm(module: Any) -> Block | None:
    weight = getattr(module, "weight", None)
    eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    if not type(module).__name__.endswith("RMSNorm") or weight is None or weight.dim() != 1 or eps is None:
        return None

    def fast(dtype: torch.dtype, hidden_states: Tensor) -> Any:
        return fused.rms_norm(hidden_states, weight, eps)

    return Block(module, fast, lambda: ((_sample(2, 5, len(weight), like=module),), {}))


def _lora_linear(module: Any) -> Block | None:
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


def _agrees(block: Block) -> bool:
    """Whether the fast version, computed as precisely as the original, gives the original's numbers."""
    args, kwargs = block.example()
    was_training = block.module.training
    block.module.eval()  # no dropout
    try:
        with torch.no_grad():
            expected = block.module(*args, **kwargs)
            found = block.fast(torch.float32, *args, **kwargs)
    except (TypeError, RuntimeError, AttributeError):  # a module that is called differently is not the one meant
        return False
    finally:
        block.module.train(was_training)
    if found is NotImplemented:
        return False
    first, second = (x[0] if isinstance(x, tuple) else x for x in (expected, found))
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    tolerance = _TOLERANCE.get(first.dtype, 1e-4)
    return bool((first.float() - second.float()).norm() <= tolerance * first.float().norm())


def _patch(block: Block, dtype: torch.dtype) -> None:
    original = block.module.forward

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if self.training:
            result = block.fast(dtype, *args, **kwargs)
            if result is not NotImplemented:
                return result
        return original(*args, **kwargs)

    block.module.forward = types.MethodType(forward, block.module)
    block.module.__dict__[_MARK] = True
