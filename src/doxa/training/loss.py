"""Next-token loss straight from hidden states: the [tokens, vocabulary] scores never exist for a whole batch.

With a vocabulary of 49,152 the scores of 2,048 tokens are 400 MB in float32, and a framework keeps three or four such
tensors. Here the tokens go through in chunks whose scores fit in a processor cache; each chunk leaves behind its loss
and the gradient of its hidden states, so the backward pass has nothing left to compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

# 256 tokens of 49,152 bf16 scores: softmax takes 30 us a token while the chunk fits in cache, 70 us when it does not
# (measured on a 32 MB L3); a GPU wants larger products instead.
_CHUNK_BYTES = {"cpu": 24 * 2**20}
_CHUNK_BYTES_ELSEWHERE = 512 * 2**20


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    *,
    precision: str = "fp32",
    ignore_index: int = -100,
    chunk: int | None = None,
) -> Tensor:
    """Summed cross-entropy of `labels` under softmax(hidden @ weight.T), as a float32 scalar.

    hidden [..., H], weight [V, H], labels [...] (already shifted: labels[n] is the token after hidden[n]). Positions
    labelled `ignore_index` are never projected; with no label at all the loss is 0. Products run in `precision` ("bf16"
    or "fp32", see kernels.choose_precision), also under autocast; sums over the vocabulary in float32. Gradients reach
    `hidden` and, if it requires one, `weight` (accumulated in float32). A frozen weight may be given in bfloat16, which
    saves casting it at every call. `chunk` is the number of tokens projected at once.
    """
    return _applied(_LinearCrossEntropy, hidden, weight, labels, precision, ignore_index, chunk)


def linear_token_losses(
    hidden: Tensor, weight: Tensor, labels: Tensor, *, precision: str = "fp32", ignore_index: int = -100
) -> Tensor:
    """The same, one loss per label: [...] in float32, the negative log-probability of each, 0 where it is ignored.

    For losses that weigh tokens by what the model says of them, as preferences do. A trained `weight` costs a second
    projection in the backward pass, since how each token counts is only known then.
    """
    losses = _applied(_LinearTokenLosses, hidden, weight, labels, precision, ignore_index, None)
    return losses.view(labels.shape)


def _applied(
    function: type[torch.autograd.Function],
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    precision: str,
    ignore_index: int,
    chunk: int | None,
) -> Tensor:
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    if chunk is None:
        chunk = _chunk(weight, hidden.device.type, dtype)
    options = (dtype, ignore_index, chunk, torch.is_grad_enabled())
    with torch.autocast(hidden.device.type, enabled=False):
        result: Tensor = function.apply(hidden.flatten(0, -2), weight, labels.flatten(), options)
    return result


def _chunk(weight: Tensor, device: str, dtype: torch.dtype) -> int:
    row_bytes = weight.shape[0] * torch.finfo(dtype).bits // 8
    return max(16, _CHUNK_BYTES.get(device, _CHUNK_BYTES_ELSEWHERE) // row_bytes)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, options: tuple[torch.dtype, int, int, bool]
    ) -> Tensor:
        dtype, ignore_index, chunk, grad_enabled = options
        wants_hidden, wants_weight = (grad_enabled and wanted for wanted in ctx.needs_input_grad[:2])
        rows = (labels != ignore_index).nonzero().squeeze(1)
        hidden_NH, labels_N = hidden[rows].to(dtype), labels[rows]
        weight_VH = weight.to(dtype)
        grad_NH = torch.empty_like(hidden_NH) if wants_hidden else None
        grad_VH = torch.zeros_like(weight, dtype=torch.float32) if wants_weight else None
        losses = []
        for part, losses_n, slopes_nV in _chunks(hidden_NH, weight_VH, labels_N, chunk):
            losses.append(losses_n)
            if grad_NH is not None:
                torch.mm(slopes_nV, weight_VH, out=grad_NH[part])
            if grad_VH is not None:
                grad_VH += slopes_nV.t() @ hidden_NH[part]
        grad_hidden = None
        if grad_NH is not None:
            grad_hidden = torch.zeros_like(hidden).index_copy_(0, rows, grad_NH.to(hidden.dtype))
        ctx.save_for_backward(grad_hidden, None if grad_VH is None else grad_VH.to(weight.dtype))
        return torch.cat(losses).sum() if losses else hidden.new_zeros((), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        return (
            None if grad_hidden is None else grad_hidden * grad_loss.to(grad_hidden.dtype),
            None if grad_weight is None else grad_weight * grad_loss.to(grad_weight.dtype),
            None,
            None,
        )


class _LinearTokenLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, options: tuple[torch.dtype, int, int, bool]
    ) -> Tensor:
        dtype, ignore_index, chunk, grad_enabled = options
        wants_hidden, wants_weight = (grad_enabled and wanted for wanted in ctx.needs_input_grad[:2])
        rows = (labels != ignore_index).nonzero().squeeze(1)
        hidden_NH, labels_N, weight_VH = hidden[rows].to(dtype), labels[rows], weight.to(dtype)
        grad_NH = torch.empty_like(hidden_NH) if wants_hidden else None
        losses_N = torch.zeros(len(labels), dtype=torch.float32, device=labels.device)
        for part, losses_n, slopes_nV in _chunks(hidden_NH, weight_VH, labels_N, chunk):
            losses_N[rows[part]] = losses_n
            if grad_NH is not None:
                torch.mm(slopes_nV, weight_VH, out=grad_NH[part])
        ctx.save_for_backward(grad_NH, rows, *((hidden_NH, weight_VH, labels_N) if wants_weight else ()))
        ctx.hidden_shape, ctx.hidden_dtype, ctx.weight_dtype, ctx.chunk = (
            hidden.shape,
            hidden.dtype,
            weight.dtype,
            chunk,
        )
        return losses_N

    @staticmethod
    def backward(ctx: Any, grad_losses: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        grad_NH, rows, *projected = ctx.saved_tensors
        grad_N1 = grad_losses[rows].unsqueeze(1)
        grad_hidden = None
        if grad_NH is not None:
            weighted = (grad_NH * grad_N1.to(grad_NH.dtype)).to(ctx.hidden_dtype)
            grad_hidden = weighted.new_zeros(ctx.hidden_shape).index_copy_(0, rows, weighted)
        grad_weight = None
        if projected:
            hidden_NH, weight_VH, labels_N = projected
            grad_VH = torch.zeros_like(weight_VH, dtype=torch.float32)
            for part, _, slopes_nV in _chunks(hidden_NH, weight_VH, labels_N, ctx.chunk):
                slopes_nV *= grad_N1[part].to(slopes_nV.dtype)
                grad_VH += slopes_nV.t() @ hidden_NH[part]
            grad_weight = grad_VH.to(ctx.weight_dtype)
        return grad_hidden, grad_weight, None, None


def _chunks(
    hidden_NH: Tensor, weight_VH: Tensor, labels_N: Tensor, chunk: int
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Chunk by chunk: its place, the float32 loss of each token, and that loss's gradient by the scores, [n, V].

    The gradient lies in a buffer that the next chunk overwrites.
    """
    # two buffers for all chunks: fresh ones would cost a page fault per 4 KB, every time
    scores, probs = (hidden_NH.new_empty(min(chunk, len(labels_N)), len(weight_VH)) for _ in range(2))
    for start in range(0, len(labels_N), chunk):
        part = slice(start, start + chunk)
        labels_n = labels_N[part]
        scores_nV, probs_nV = scores[: len(labels_n)], probs[: len(labels_n)]
        losses_n = _chunk_loss(hidden_NH[part], weight_VH, labels_n, scores_nV, probs_nV)
        probs_nV[torch.arange(len(labels_n), device=labels_n.device), labels_n] -= 1
        yield part, losses_n, probs_nV


def _chunk_loss(hidden_nH: Tensor, weight_VH: Tensor, labels_n: Tensor, scores_nV: Tensor, probs_nV: Tensor) -> Tensor:
    """Float32 loss per token; `scores_nV` is overwritten, `probs_nV` holds the softmax afterwards."""
    # Scores are taken relative to the label's: softmax does not mind, and bf16, which is off by 0.06 at a score of 20,
    # becomes exact near 0. Adding inside the product keeps that sum in float32 until the one rounding.
    label_score_n1 = (hidden_nH.float() * weight_VH[labels_n].float()).sum(-1, keepdim=True).to(scores_nV.dtype)
    scores_nV.copy_(-label_score_n1)
    torch.addmm(scores_nV, hidden_nH, weight_VH.t(), out=scores_nV)
    label_n1 = scores_nV.gather(1, labels_n.unsqueeze(1)).float()
    torch.softmax(scores_nV, -1, out=probs_nV)
    # log-sum-exp from the largest score and its probability, which never underflows
    log_sum_n1 = scores_nV.amax(-1, keepdim=True).float() - probs_nV.amax(-1, keepdim=True).float().log()
    return (log_sum_n1 - label_n1).squeeze(1)
