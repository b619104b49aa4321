"""Plain LoRA adapters as files: read with every trap named, the sum of two, and written in PEFT's layout.

The sum of two adapters is an adapter: s1 B1 A1 + s2 B2 A2 = s [B1 s1/s, B2 s2/s] [A1; A2]. So a chain whose steps each
train an adapter of their own ends as one small adapter on the first base, exactly, with nothing rounded into the base's
type and no copy of the base: it loads with PEFT as anywhere, and digest(base, adapter) still names all that answers.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.errors import CheckpointError
from doxa.lm.model_files import check_adapter_folder, read_json_object

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "base_model.model."  # how PEFT names the module that it wraps
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# what makes an adapter more than scale * B @ A beside each weight, and the value at which it does not
_PLAIN: dict[str, tuple[Any, ...]] = {
    "bias": ("none", None),
    "use_dora": (False, None),
    "use_rslora": (False, None),
    "lora_bias": (False, None),
    "fan_in_fan_out": (False, None),
    "rank_pattern": ({}, None),
    "alpha_pattern": ({}, None),
    "modules_to_save": ([], None),
    "trainable_token_indices": ([], {}, None),
    "target_parameters": ([], None),
}


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter: for each module name of the base its A [rank, in] and B [out, rank]; the delta is scale B A."""

    config: Mapping[str, Any]
    pairs: Mapping[str, tuple[Tensor, Tensor]]

    @property
    def rank(self) -> int:
        return int(self.config["r"])

    @property
    def alpha(self) -> float:
        return float(self.config["lora_alpha"])

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def save_pretrained(self, folder: Path, safe_serialization: bool = True) -> None:
        """Write it in safetensors, as PEFT's models write theirs. The folder must exist."""
        from safetensors.torch import save_file

        tensors = {}
        for module, (a, b) in self.pairs.items():
            tensors[f"{PREFIX}{module}.lora_A.weight"] = a.contiguous()
            tensors[f"{PREFIX}{module}.lora_B.weight"] = b.contiguous()
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
        (folder / CONFIG).write_text(json.dumps(dict(self.config), indent=2, sort_keys=True) + "\n")


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter folder in float32. Raises CheckpointError for files that are broken or no plain LoRA."""
    import torch
    from safetensors.torch import load_file

    check_adapter_folder(folder)
    config = read_json_object(folder / CONFIG)
    if config.get("peft_type") != "LORA":
        raise CheckpointError(f"{folder / CONFIG}: peft_type is {config.get('peft_type')}, and only LORA is understood")
    for field, plain in _PLAIN.items():
        if config.get(field) not in plain:
            raise CheckpointError(f"{folder / CONFIG}: {field} is {config[field]!r}; only plain LoRA is understood")
    tensors = {name: tensor.to(torch.float32) for name, tensor in load_file(folder / WEIGHTS).items()}
    pairs = {}
    for name in sorted(tensors):
        module, found, side = name.removeprefix(PREFIX).rpartition(".lora_")
        if not found or side not in ("A.weight", "B.weight") or not name.startswith(PREFIX):
            raise CheckpointError(f"{folder / WEIGHTS}: {name} is no part of a plain LoRA adapter")
        if side == "A.weight":
            other = f"{PREFIX}{module}.lora_B.weight"
            if other not in tensors:
                raise CheckpointError(f"{folder / WEIGHTS}: {name} is there, but {other} is not")
            pairs[module] = (tensors[name], tensors[other])
    if len(pairs) * 2 != len(tensors):
        raise CheckpointError(f"{folder / WEIGHTS}: holds a lora_B without its lora_A")
    return Adapter(config, pairs)


def adapter_of(model: Any, name: str) -> Adapter:
    """One adapter of a PEFT model in memory."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, selected_adapters=[name])
        return read_adapter(Path(folder) / name)


def stacked(first: Adapter, second: Adapter) -> Adapter:
    """The sum of two adapters of the same base, as one whose rank is the sum of theirs.

    A module that only one of them adapts gets zeros for the other. The scale is the second's, so that with equal scales
    every number of both is kept bit for bit.
    """
    import torch

    rank = first.rank + second.rank
    ratio = first.scale / second.scale
    pairs = {}
    for module in sorted({*first.pairs, *second.pairs}):
        (a1, b1), (a2, b2) = (_pair(one, module, other) for one, other in ((first, second), (second, first)))
        if a1.shape[1] != a2.shape[1] or b1.shape[0] != b2.shape[0]:
            raise CheckpointError(f"adapters of different bases: {module} differs in size")
        pairs[module] = (torch.cat([a1, a2]), torch.cat([b1 * ratio, b2], dim=1))
    alpha = second.scale * rank
    config = {**second.config, "r": rank, "lora_alpha": int(alpha) if alpha == int(alpha) else alpha}
    chosen = ("target_modules", "layers_to_transform", "layers_pattern")
    if set(first.pairs) == set(second.pairs):
        config |= {field: first.config.get(field) for field in chosen}
    else:
        config |= dict(zip(chosen, (sorted(pairs), None, None), strict=True))
    return Adapter(config, pairs)


def _pair(adapter: Adapter, module: str, other: Adapter) -> tuple[Tensor, Tensor]:
    import torch

    if module in adapter.pairs:
        return adapter.pairs[module]
    a, b = other.pairs[module]
    return torch.zeros(adapter.rank, a.shape[1]), torch.zeros(b.shape[0], adapter.rank)
