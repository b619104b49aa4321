"""Grafting: what training changed in one model, put onto its sibling. Train on the base checkpoint, graft onto the
instruct one.

An adapter is moved as it is; of whole weights the difference is added: onto + (trained - base), in float32. Both need
siblings: the same architecture and the same tokens under the same numbers. The graft is a checkpoint like any other,
and its lineage names what was trained (parent), what it was trained from (from) and what it was put onto (onto).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from doxa.errors import ConfigError
from doxa.lm.model_files import check_safetensors, read_json_object, weight_files
from doxa.lm.weights import load_model, load_tokenizer, model_folder, weights_digest
from doxa.training.adapters import read_adapter
from doxa.training.checkpoint import merged_model, save_final
from doxa.training.starts import Start, find_start

# of config.json: what must be the same for a weight to mean the same in both
_SAME = (
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "tie_word_embeddings",
)


def graft(
    model: str, trained: Path, onto: str, checkpoints: Path, about: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Put what `trained` (a checkpoint made from `model`) has learned onto `onto`; writes checkpoints/final.

    Returns its description, as doxa.json holds it. Raises ConfigError that names what differs when the two models are
    no siblings, and CheckpointError for folders that cannot be read.
    """
    start = find_start(model, trained)
    base, sibling = model_folder(model), model_folder(onto)
    _refuse_strangers(base, sibling)
    about = {**(about or {}), "model": onto, "method": "graft", "trained": str(trained)}
    step = {
        "kind": "graft",
        "parent": start.digest,
        "from": weights_digest(base),
        "onto": weights_digest(sibling),
        "data": None,
        "updates": 0,
        "content_tokens": 0,
        "seed": None,
    }
    made = _sum(start, base, sibling) if start.adapter is None or start.trained else _moved(start.adapter, sibling)
    return save_final(made, load_tokenizer(sibling), checkpoints, sibling, about, start.lineage, step)


def _moved(adapter: Path, sibling: Path) -> Any:
    """The adapter itself, once every module that it adapts is found in the sibling with the same sides."""
    found = read_adapter(adapter)
    shapes = _shapes(sibling)
    for module, (a, b) in found.pairs.items():
        wanted, there = [b.shape[0], a.shape[1]], shapes.get(f"{module}.weight")
        if there != wanted:
            raise ConfigError(f"{sibling}: {module}.weight is {there or 'missing'}, and the adapter is for {wanted}")
    return found


def _sum(start: Start, base: Path, sibling: Path) -> Any:
    import torch

    trained = load_model(start.base) if start.adapter is None else merged_model(start.base, start.adapter)
    target: Any = load_model(sibling)
    before = dict(load_model(base).named_parameters())
    after = dict(trained.named_parameters())
    with torch.no_grad():
        for name, parameter in target.named_parameters():
            if (
                name not in after
                or name not in before
                or not after[name].shape == before[name].shape == parameter.shape
            ):
                raise ConfigError(f"{sibling}: {name} is {list(parameter.shape)}, but not so in what was trained")
            parameter += after[name] - before[name]
    return target


def _shapes(folder: Path) -> dict[str, list[int]]:
    return {name: shape for file in weight_files(folder) for name, shape in check_safetensors(file).items()}


def _refuse_strangers(base: Path, sibling: Path) -> None:
    one, other = (read_json_object(folder / "config.json") for folder in (base, sibling))
    for field in _SAME:
        if one.get(field) != other.get(field):
            raise ConfigError(
                f"{sibling}: its {field} is {other.get(field)}, and that of {base} is {one.get(field)}; a delta can "
                "only be put onto a sibling"
            )
    known, there = (load_tokenizer(folder).get_vocab() for folder in (base, sibling))
    # tokens that only the sibling has are its own affair: nothing was learned about them
    differ = sorted(token for token, number in known.items() if there.get(token) != number)
    if differ:
        shown = ", ".join(f"{token!r} ({known[token]}, there {there.get(token, 'missing')})" for token in differ[:5])
        raise ConfigError(
            f"{sibling}: {len(differ)} tokens of {base} have another number there or are missing: {shown}; what was "
            "learned of the ones would be said of others"
        )
