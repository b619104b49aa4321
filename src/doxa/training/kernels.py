"""Makes a transformers causal LM train faster on a CPU: its blocks get hand-written forward and backward passes.

`accelerate_model` finds attention, MLP and norm modules by their structure, proves on a small input that its own
version gives the same numbers, and only then overrides their `forward`; anything else stays as it is. Parameters are
never touched: LoRA matrices and trained weights keep their float32 values, and `restore` leaves the model as it was.
Overridden modules use the fast path in training mode without a cache; generating and scoring are never affected.
On a GPU nothing is patched (autocast and its own kernels do it there); only `loss.linear_cross_entropy` serves both.
Gradient checkpointing works but is not needed here: a batch of 2,048 tokens of a 135M model keeps about 1.3 GB.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import platform
import types
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from doxa.errors import ConfigError
from doxa.lm.weights import multiplies_bfloat16
from doxa.training.blocks import Block, attention_block, lora_block, mlp_block, norm_block

_DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # names of glibc's mallopt (malloc.h)
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
    return "bf16" if multiplies_bfloat16() else "fp32"


def accelerate_model(model: nn.Module, precision: str) -> list[str]:
    """Patch a causal LM (PEFT-wrapped or not) in place; products run in `precision` ("bf16" or "fp32").

    Returns the names of the patched modules. Attention reads right-padded rows without a mask; given masks go to
    PyTorch's kernel. Base weights must not be changed (merged, say) until `restore`. Patching twice starts over.
    """
    restore(model)
    if next(model.parameters()).device.type != "cpu":
        return []
    _keep_freed_memory()
    dtype = _DTYPES[precision]
    patched: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer + ".") for outer in patched):
            continue  # an attention block runs its own projections
        for recognise in (attention_block, mlp_block, norm_block, lora_block):
            block = recognise(module)
            if block is not None and _agrees(block):
                _patch(block, dtype)
                patched.append(name)
                break
    return patched


def restore(model: nn.Module) -> None:
    """Take every patch off again. Harmless on a model that has none."""
    patched = [module for module in model.modules() if module.__dict__.pop(_MARK, False)]
    for module in patched:
        del module.forward
    if patched:
        _give_memory_back()


@contextlib.contextmanager
def accelerated(model: nn.Module, precision: str) -> Iterator[list[str]]:
    """`accelerate_model` on entry, `restore` on exit, also when an error leaves the block."""
    try:
        yield accelerate_model(model, precision)
    finally:
        restore(model)


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


def _keep_freed_memory() -> None:
    """Let glibc reuse a step's activations in the next step instead of returning 1 GB to the system in between.

    Getting it back costs a page fault per 4 KB: 4 % of a step's time (measured on 2 cores of a virtual machine).
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(_TOP_PAD, 256 * 2**20)
        libc.mallopt(_MMAP_THRESHOLD, 32 * 2**20)  # the largest that glibc accepts


def _give_memory_back() -> None:
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


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
