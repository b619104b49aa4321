"""Weights on this computer: which folder a model's name means, loading it, and the digest that tells weights apart.

A model is named by an embedded name, a local folder or a Hugging Face id. Whatever the name, everything else works with
the folder. What cannot be read is a CheckpointError that names folder and file, before any library's traceback.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from doxa.errors import CheckpointError
from doxa.lm.digests import weights_digest
from doxa.lm.embedded import EMBEDDED, cache_home, embedded_folder, embedded_place, is_ready
from doxa.lm.model_files import check_adapter_folder, check_model_folder, check_safetensors

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "ModelInfo",
    "cache_home",
    "copied_as",
    "known_models",
    "load_model",
    "load_tokenizer",
    "model_folder",
    "multiplies_bfloat16",
    "place",
    "project_whole",
    "weights_digest",
]

Dtype = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class ModelInfo:
    """A model that doxa brings along. `size` is in bytes, 0 while it is not set up."""

    name: str
    source: str
    licence: str
    parameters: int
    ready: bool
    folder: Path
    size: int


def known_models() -> list[ModelInfo]:
    """The embedded models and whether they are set up. Fetches nothing."""
    infos = []
    for model in EMBEDDED.values():
        folder = embedded_place(model)
        ready = is_ready(folder)
        infos.append(
            ModelInfo(
                name=model.name,
                source=f"PyPI: {model.requirement}",
                licence=model.licence,
                parameters=model.parameters,
                ready=ready,
                folder=folder,
                size=sum(file.stat().st_size for file in folder.iterdir()) if ready else 0,
            )
        )
    return infos


def model_folder(name: str) -> Path:
    """The checked folder that a model's name means, set up or downloaded on first use.

    In this order: an embedded name, an existing folder, a Hugging Face id. (A folder that is called like an embedded
    model is written ./NAME.) Raises CheckpointError that names what is missing.
    """
    if name in EMBEDDED:
        return embedded_folder(EMBEDDED[name])
    folder = Path(name).expanduser()
    if folder.is_dir():
        folder = folder.absolute()
    elif folder.exists():
        raise CheckpointError(f"{folder}: is a file; a model is a folder with config.json and *.safetensors")
    else:
        folder = _snapshot(name)
    check_model_folder(folder)
    return folder


def project_whole(model: Any) -> Any:
    """Make a model's output layer read whole blocks of memory. Returns the model.

    Of the last position of each row alone, torch folds a batch into one product only where the weights want a gradient;
    frozen ones, as those of a merged adapter, it copies for every row: 10 s instead of .1 for 84 rows of a 135M model.
    """
    model.get_output_embeddings().register_forward_pre_hook(lambda _, hidden: (hidden[0].contiguous(), *hidden[1:]))
    return model


def copied_as(model: Any, dtype: Dtype) -> Any:
    """A copy of a model in another type, where it lies."""
    import torch

    return copy.deepcopy(model).to(getattr(torch, dtype))


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether the device that `place` puts models on multiplies bfloat16 itself, and does not emulate it."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def load_tokenizer(name: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model (any name that `model_folder` takes), with a pad token set.

    Raises CheckpointError when the folder holds none that can be read.
    """
    from transformers import AutoTokenizer

    folder = model_folder(str(name))
    with _speaking(folder, "its tokenizer"):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # base models often name none; padding is masked out anyway
    return tokenizer


def load_model(name: str | Path, dtype: Dtype = "float32", adapter: Path | None = None) -> PreTrainedModel:
    """A causal language model in eval mode on the CPU, with a LoRA adapter on it if one is given (not merged).

    Raises CheckpointError when config or weights cannot be read, when the weights are not all of the model's, or when
    the adapter was made for another model.
    """
    import torch
    from transformers import AutoModelForCausalLM

    folder = model_folder(str(name))
    if adapter is not None:
        check_adapter_folder(adapter)
    with _speaking(folder, "its weights"), no_progress_bars():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), local_files_only=True, output_loading_info=True
        )
        model, found = loaded
    # transformers fills what is missing with random numbers and only logs it
    lacking = sorted([*found["missing_keys"], *(str(key) for key in found["mismatched_keys"])])
    if lacking:
        raise CheckpointError(f"{folder}: the safetensors lack {lacking[0]} ({len(lacking)} tensors do not fit)")
    if adapter is not None:
        model = _with_adapter(model, adapter)
    return model.eval()  # type: ignore[no-any-return]


def place(model: Any) -> Any:
    """A model on the GPU of this process (LOCAL_RANK under torchrun), where there is one; else where it was."""
    import torch

    return model.to(f"cuda:{os.environ.get('LOCAL_RANK', '0')}") if torch.cuda.is_available() else model


def _snapshot(name: str) -> Path:
    """Download a Hugging Face model, or find it in the hub's own cache."""
    known = f"The embedded models are: {', '.join(EMBEDDED)}."
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", name):
        raise CheckpointError(f"{name}: there is no such folder, and it is not a Hugging Face id. {known}")
    from doxa.lm.hub import HubError, download

    try:
        return download(name, ["*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model"])
    except HubError as error:
        raise CheckpointError(
            f"{name}: is neither a folder here nor an embedded model, and could not be fetched from Hugging Face "
            f"({error}). {known}"
        ) from None


def _with_adapter(model: Any, adapter: Path) -> Any:
    from peft import PeftModel, get_peft_model_state_dict

    with _speaking(adapter, f"as an adapter of {model.name_or_path}"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found missing adapter keys")  # an error below
        # peft's use of a name that transformers is about to change is no news to whoever runs this
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
        adapted = PeftModel.from_pretrained(model, adapter, local_files_only=True)
    # peft only warns of tensors that it found no place for, or no values for
    wanted = {name: list(tensor.shape) for name, tensor in get_peft_model_state_dict(adapted).items()}
    given = check_safetensors(adapter / "adapter_model.safetensors")
    misfits = sorted(name for name in wanted.keys() | given.keys() if wanted.get(name) != given.get(name))
    if misfits:
        raise CheckpointError(
            f"{adapter}: does not fit {model.name_or_path}: {len(misfits)} tensors differ, the first is {misfits[0]}"
        )
    return adapted


@contextlib.contextmanager
def _speaking(folder: Path, what: str) -> Iterator[None]:
    """Turn what the libraries raise for folders that do not fit into one line that names the folder."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"{folder}: cannot be loaded ({what}): {reason}") from error


@contextlib.contextmanager
def no_progress_bars() -> Iterator[None]:
    """Loading takes a second; its bar would stand in the middle of doxa's own output."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
