"""Where a training step starts: which weights, whether they are of the right model, and the model made trainable.

Without a start it is the model itself. Else it is what an earlier step left: an adapter that is trained on ("continue")
or kept as it is with a new one beside it ("merge"), or whole weights.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from doxa.config_sections import TrainConfig
from doxa.errors import ConfigError
from doxa.lm.named_weights import find_weights
from doxa.lm.weights import load_model, model_folder, place, weights_digest
from doxa.training.adapters import read_adapter
from doxa.training.checkpoint import merged_model

How = Literal["continue", "merge"]
KEPT, NEW = "default", "step"  # PEFT's names of the adapter that is kept as it is and of the one that is trained


@dataclass(frozen=True)
class Start:
    """The weights that a step starts from: a whole model's folder and perhaps an adapter on it.

    `trained` says that the whole model is itself what an earlier step left; `lineage` is how the start was made.
    """

    model: str
    base: Path
    trained: bool
    adapter: Path | None
    digest: str
    lineage: tuple[dict[str, Any], ...]

    def base_name(self, folder: Path) -> str:
        """What a checkpoint in `folder` calls its base in doxa.json: a trained one by the relative way to it, so that
        both can be moved together."""
        return os.path.relpath(self.base, folder.absolute()) if self.trained else self.model


def find_start(model: str, start: Path | None) -> Start:
    """The start of a step of `model`. Raises CheckpointError, or ConfigError when the start is another model's."""
    folder = model_folder(model)
    if start is None:
        return Start(model, folder, False, None, weights_digest(folder), ())
    weights = find_weights(str(start))
    lineage = weights.lineage
    if lineage:  # the chain's first weights, what adapters lie on, and what a graft was put on
        ancestors = {
            str(lineage[0]["parent"]),
            *(str(step[key]) for step in lineage for key in ("base", "onto") if key in step),
        }
    else:
        ancestors = {weights_digest(weights.base), weights.base_digest}
    if weights_digest(folder) not in ancestors:
        raise ConfigError(f"{start}: was not trained from {model}, whose weights are {weights_digest(folder)}")
    trained = weights_digest(weights.base) != weights_digest(folder)
    return Start(model, weights.base, trained, weights.adapter, weights.digest, lineage)


def prepare_model(start: Start, how: How, config: TrainConfig, precision: str) -> Any:
    """Load the start and make the right weights trainable, all of them kept in float32.

    method full: every weight, after an adapter has been folded in. method lora: a fresh adapter; the start's own, if it
    is to be continued; or a fresh one (NEW) beside the start's (KEPT), which stays as it is, so that the model begins
    exactly where the start ended and nothing of a small delta is rounded into weights in bfloat16.
    Raises ConfigError naming the field that does not fit.
    """
    if config.method == "full":
        if start.adapter is None:
            model: Any = load_model(start.base, dtype="float32")
        elif how == "merge":
            model = merged_model(start.base, start.adapter)
        else:
            raise ConfigError("train.method: full trains all weights and no adapter; say how: merge")
        model.requires_grad_(True)
        return place(model)
    dtype: Literal["bfloat16", "float32"] = "bfloat16" if precision == "bf16" else "float32"
    if start.adapter is None:
        return place(_with_fresh(load_model(start.base, dtype=dtype), config))
    fresh = fresh_modules(start.base, config)
    if how == "continue":
        _refuse_other_shape(start.adapter, config, fresh)
    model = load_model(start.base, dtype=dtype, adapter=start.adapter)
    if how == "continue":
        _set_dropout(model, KEPT, config.dropout)
        model.set_adapter(KEPT)
        return place(model)
    read_adapter(start.adapter)  # refuses what could not be written as a sum in the end
    _set_dropout(model, KEPT, 0.0)
    model.add_adapter(NEW, _lora(config, targets=fresh))
    activate_both(model)
    return place(model)


def activate_both(model: Any) -> None:
    """Let the kept adapter and the new one both answer, and only the new one learn."""
    model.base_model.set_adapter([KEPT, NEW])
    for name, parameter in model.named_parameters():
        if f".{KEPT}." in name:
            parameter.requires_grad_(False)


def is_beside(model: Any) -> bool:
    """Whether a new adapter is trained beside a kept one."""
    return NEW in getattr(model, "peft_config", {})


def fresh_modules(base: Path, config: TrainConfig) -> list[str]:
    """Full names of the modules that a fresh adapter of this config would adapt. Loads no weights."""
    import torch
    from peft.tuners.lora.layer import LoraLayer
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base))
        adapted = _with_fresh(empty, config)
    names = (name for name, module in adapted.base_model.model.named_modules() if isinstance(module, LoraLayer))
    return sorted(names)


def _with_fresh(model: Any, config: TrainConfig) -> Any:
    from peft import get_peft_model

    depth = model.config.num_hidden_layers
    if config.upper_layers is not None and config.upper_layers > depth:
        raise ConfigError(f"train.upper_layers: {config.upper_layers}, but the model has {depth} layers")
    targets: Any = config.target_modules if isinstance(config.target_modules, str) else list(config.target_modules)
    layers = None
    if config.upper_layers is not None:
        layers = list(range(depth - config.upper_layers, depth))
        if targets == "all-linear":  # PEFT chooses layers only among modules that are named one by one
            targets = _linear_names(model)
    try:
        return get_peft_model(model, _lora(config, targets, layers))
    except ValueError as error:
        raise ConfigError(f"train.target_modules: {targets}: {error}") from None


def _lora(config: TrainConfig, targets: str | list[str], layers: list[int] | None = None) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=targets,
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )


def _linear_names(model: Any) -> list[str]:
    from torch import nn

    head = model.get_output_embeddings()
    linear = (name for name, module in model.named_modules() if isinstance(module, nn.Linear) and module is not head)
    return sorted({name.rpartition(".")[2] for name in linear})


def _refuse_other_shape(adapter: Path, config: TrainConfig, fresh: list[str]) -> None:
    """To continue an adapter is to keep its shape: a config that says another would be ignored in silence."""
    found = read_adapter(adapter)
    for field, has, wanted in (("rank", found.rank, config.rank), ("alpha", found.alpha, config.alpha)):
        if has != wanted:
            raise ConfigError(
                f"train.{field}: is {wanted:g}, but the adapter that is continued ({adapter}) has {has:g}; set it to "
                "that, or say how: merge"
            )
    if sorted(found.pairs) != fresh:
        differ = sorted(set(found.pairs) ^ set(fresh))
        raise ConfigError(
            f"train.target_modules or train.upper_layers: choose other modules than the adapter that is continued "
            f"({adapter}) has; {len(differ)} differ, the first is {differ[0]}; set them alike, or say how: merge"
        )


def _set_dropout(model: Any, name: str, p: float) -> None:
    from peft.tuners.lora.layer import LoraLayer
    from torch import nn

    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.lora_dropout[name] = nn.Dropout(p) if p else nn.Identity()
    model.peft_config[name].lora_dropout = p


def refuse_unknown_how(how: str) -> None:
    """Raise ConfigError for a word that is neither of the two."""
    if how not in ("continue", "merge"):
        raise ConfigError(f"how: {how!r} is neither continue nor merge")
