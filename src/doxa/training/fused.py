"""Differentiable pieces of a Llama-like layer with hand-written backward passes: projections, SwiGLU, RMSNorm.

Each saves only what its gradient needs and never computes a gradient nobody asked for (a frozen weight's above all).
Products run in a chosen dtype: on CPUs that multiply bfloat16 natively that is about three times the float32 rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Linear:
    """One linear map y = x @ weight.T + bias + scale * (x @ a.T) @ b.T; a [r, in] and b [out, r] are a LoRA pair.

    `cast` is a copy of a frozen `weight` in the product dtype. What is trained is cast anew at every call, because
    adding a LoRA pair to a bf16 weight, or keeping trained weights in bf16, would round small updates away.
    """

    weight: Tensor
    bias: Tensor | None = None
    a: Tensor | None = None
    b: Tensor | None = None
    scale: float = 1.0
    cast: Tensor | None = None


def project(x: Tensor, linears: list[Linear], dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Apply several linear maps to the same x [..., in]: one output [..., out] in `dtype` for each.

    Gradients reach x (in its own dtype) and every weight, bias and LoRA matrix that requires one.
    """
    tensors = [t for linear in linears for t in (linear.weight, linear.bias, linear.a, linear.b)]
    outputs: tuple[Tensor, ...] = _Project.apply(x, linears, dtype, *tensors)  # type: ignore[no-untyped-call]
    return outputs


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, linears: list[Linear], dtype: torch.dtype, *_: Tensor) -> tuple[Tensor, ...]:
        x_Ni = x.reshape(-1, x.shape[-1]).to(dtype)
        outputs, saved = [], [x_Ni]
        for linear in linears:
            weight = linear.weight.to(dtype) if linear.cast is None else linear.cast
            saved.append(weight)
            if linear.a is not None and linear.b is not None:
                a_ri, b_or = linear.a.to(dtype), linear.b.to(dtype) * linear.scale
                h_Nr = x_Ni @ a_ri.t()
                # The small part first, the large one added inside its product, before the one rounding. The other way
                # round a young LoRA pair is lost: below half a bf16 step it would never change a rounded output.
                y_No = torch.addmm(h_Nr @ b_or.t(), x_Ni, weight.t())
                saved += [a_ri, b_or, h_Nr]
            else:
                y_No = x_Ni @ weight.t()
            if linear.bias is not None:
                y_No += linear.bias.to(dtype)
            outputs.append(y_No.view(*x.shape[:-1], -1))
        ctx.save_for_backward(*saved)
        ctx.linears, ctx.x_shape, ctx.x_dtype = linears, x.shape, x.dtype
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        x_Ni, *saved = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        grad_x = None
        results: list[Tensor | None] = []
        for number, (linear, grad) in enumerate(zip(ctx.linears, grads, strict=True)):
            wants_weight, wants_bias, wants_a, wants_b = wanted[3 + 4 * number : 7 + 4 * number]
            weight, *saved = saved
            dy_No = grad.reshape(-1, grad.shape[-1])
            results.append((dy_No.t() @ x_Ni).to(linear.weight.dtype) if wants_weight else None)
            results.append(dy_No.sum(0, dtype=torch.float32) if wants_bias else None)
            if linear.a is not None and linear.b is not None:
                a_ri, b_or, h_Nr, *saved = saved
                dh_Nr = dy_No @ b_or
                if wanted[0]:
                    grad_x = _accumulate(grad_x, dh_Nr, a_ri)
                results.append((dh_Nr.t() @ x_Ni).to(linear.a.dtype) if wants_a else None)
                results.append((dy_No.t() @ h_Nr).to(linear.b.dtype) * linear.scale if wants_b else None)
            else:
                results += [None, None]
            if wanted[0]:
                grad_x = _accumulate(grad_x, dy_No, weight)
        if grad_x is not None:
            grad_x = grad_x.view(ctx.x_shape).to(ctx.x_dtype)
        return (grad_x, None, None, *results)


def _accumulate(total: Tensor | None, left: Tensor, right: Tensor) -> Tensor:
    return left @ right if total is None else total.addmm_(left, right)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) * up."""
    out: Tensor = _SwiGLU.apply(gate, up)  # type: ignore[no-untyped-call]
    return out


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        out: Tensor = F.silu(gate).mul_(up)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        return torch.ops.aten.silu_backward(grad * up, gate), F.silu(gate).mul_(grad)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """weight * x / sqrt(mean(x^2) + eps) over the last dimension, computed in float32, returned in x's dtype."""
    out: Tensor = _RMSNorm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
    return out


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32).square_().div_(x.shape[-1])
        inverse = mean_square.add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        normed: Tensor = x * inverse
        return normed.mul_(weight).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight, inverse = ctx.saved_tensors
        wants_x, wants_weight, _ = ctx.needs_input_grad
        normed = x * inverse
        grad_weight = None
        if wants_weight:
            grad_weight = (grad * normed).flatten(0, -2).sum(0).to(weight.dtype)
        if not wants_x:
            return None, grad_weight, None
        scaled = grad * weight.float()
        along = (scaled * normed).mean(-1, keepdim=True)
        return scaled.sub_(normed.mul_(along)).mul_(inverse).to(x.dtype), grad_weight, None
