"""Direct preference optimisation (Rafailov et al. 2023): the loss, and what the start says of both answers.

The loss of a pair is -log sigmoid(beta [(c - c0) - (r - r0)]), with c and r the summed log-probabilities (nats) of the
chosen and the rejected answer, and c0 and r0 those under the weights that the step started from. These are computed
once and kept beside the resume states, so that no second model is in memory and a run that was killed compares with the
same numbers. It runs through the trainer that documents run through, with its planned updates, kernels and
repeatability: TRL's own DPO trainer shuffles by itself, hands the model a mask that the fast attention has no use for,
and keeps its references in a cache that a run folder knows nothing of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.errors import RunFolderError
from doxa.run.folder import read_json, write_json
from doxa.training.data import collate, cut_batches
from doxa.training.preferences import Pair

if TYPE_CHECKING:
    from torch import Tensor

FILE = "reference.json"


def pair_losses(log_probs_2P: Tensor, reference_2P: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """Loss of each pair, and its rewards [2, P] (chosen, rejected), which are beta times what the answer has gained.

    Both arguments hold the chosen answers of the batch's pairs, then the rejected ones.
    """
    import torch

    rewards_2P = (beta * (log_probs_2P - reference_2P)).view(2, -1)
    return -torch.nn.functional.logsigmoid(rewards_2P[0] - rewards_2P[1]), rewards_2P.detach()


def collate_pairs(pairs: Sequence[Pair], reference: Sequence[tuple[float, float]], pad: int) -> dict[str, Tensor]:
    """The batch of some pairs: all chosen rows, then all rejected ones, with the start's log-probabilities [2P]."""
    import torch

    batch = collate([pair.chosen for pair in pairs] + [pair.rejected for pair in pairs], pad)
    batch["reference"] = torch.tensor([one for one, _ in reference] + [other for _, other in reference])
    return batch


def reference_log_probs(
    model: Any, pairs: Sequence[Pair], tokens_per_batch: int, pad: int, file: Path, fingerprint: str, keep: bool
) -> list[tuple[float, float]]:
    """What `model`, as it is now, says of both answers of every pair: from `file` where it holds them, else computed.

    The model's forward must be the trainer's (`fused_loss`). `keep` writes the file, for one process of several.
    """
    with contextlib.suppress(RunFolderError):  # none yet
        kept = read_json(file)
        if kept.get("fingerprint") == fingerprint:
            return [(float(one), float(other)) for one, other in kept["log_probs"]]
    import torch

    found: dict[int, tuple[float, float]] = {}
    order = sorted(range(len(pairs)), key=lambda index: -pairs[index].size)
    with torch.no_grad(), _without_dropout(model):
        for batch in cut_batches(order, pairs, tokens_per_batch):
            rows = collate_pairs([pairs[i] for i in batch], [], pad)
            rows = {name: rows[name].to(next(model.parameters()).device) for name in ("input_ids", "labels")}
            log_probs = -model(**rows, by_row=True, use_cache=False).loss
            chosen, rejected = log_probs.view(2, -1).tolist()
            found |= dict(zip(batch, zip(chosen, rejected, strict=True), strict=True))
    result = [found[index] for index in range(len(pairs))]
    if keep:
        write_json(file, {"fingerprint": fingerprint, "log_probs": result})
    return result


@contextlib.contextmanager
def _without_dropout(model: Any) -> Iterator[None]:
    """In training mode, where the fast kernels run, but with nothing dropped."""
    from torch import nn

    dropouts = [(module, module.p) for module in model.modules() if isinstance(module, nn.Dropout)]
    was_training = model.training
    model.train()
    try:
        for module, _ in dropouts:
            module.p = 0.0
        yield
    finally:
        for module, p in dropouts:
            module.p = p
        model.train(was_training)
