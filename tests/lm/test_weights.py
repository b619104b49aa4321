"""Naming, loading and digesting weights; the set-up of the embedded model is in test_embedded.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from doxa.errors import CheckpointError
from doxa.lm.weights import cache_home, known_models, load_model, load_tokenizer, model_folder, weights_digest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test's own."""
    monkeypatch.setenv("DOXA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    """The tiny model, to be damaged."""
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """A LoRA adapter of the tiny model whose B matrices are not zero, so that it changes answers."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    modules = ["q_proj", "down_proj"]
    settings = LoraConfig(r=2, target_modules=modules, init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(load_model(tiny_model), settings).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def answer(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(torch.arange(3, 20)[None]).logits
    return logits


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"DOXA_HOME": "/somewhere/doxa", "XDG_CACHE_HOME": "/xdg"}, "/somewhere/doxa"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/doxa"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/reader/.cache/doxa"),
        ({}, "/home/reader/.cache/doxa"),
    ],
)
def test_cache_home_follows_xdg(settings: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOXA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/reader")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert cache_home() == Path(expected)


def test_known_models_fetches_nothing(home: Path) -> None:
    (model,) = known_models()
    assert (model.name, model.licence, model.ready, model.size) == ("smollm2-135m-instruct", "Apache-2.0", False, 0)
    assert not home.exists()


def test_a_folder_is_a_model(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_model.parent)
    assert model_folder("tiny") == tiny_model
    assert answer(load_model("./tiny")).shape[:2] == (1, 17)


@pytest.mark.parametrize("name", ["./nowhere", "no/such/folder", "smollm2-135m", "someone/some-model"])
def test_unknown_name_says_what_there_is(name: str, home: Path) -> None:
    with pytest.raises(CheckpointError, match=r"(?s)^" + name + ".*smollm2-135m-instruct"):
        model_folder(name)


def test_dtypes_hold_the_asked_precision(tiny_model: Path) -> None:
    assert load_model(tiny_model, "bfloat16").dtype == torch.bfloat16
    model = load_model(tiny_model)
    assert model.dtype == torch.float32
    assert not model.training


def test_tokenizer_gets_a_pad_token(copy: Path) -> None:
    file = copy / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    del settings["pad_token"]
    file.write_text(json.dumps(settings))
    tokenizer = load_tokenizer(copy)
    assert tokenizer.pad_token == tokenizer.eos_token == "<|im_end|>"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json: cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[]"), r"config\.json: should hold"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"model\.safetensors is missing"),
        (lambda folder: cut(folder / "model.safetensors"), r"model\.safetensors: cannot be read.*bytes"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 50), r"model\.safetensors: cannot be read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), r"model\.safetensors: cannot be read"),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            r"found pytorch_model\.bin",
        ),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "part-1"}}'),
            "part-1 is missing",
        ),
    ],
)
def test_a_damaged_folder_is_one_line_with_the_file(damage, named: str, copy: Path, home: Path) -> None:  # type: ignore[no-untyped-def]
    damage(copy)
    for use in (load_model, weights_digest):
        with pytest.raises(CheckpointError, match=named) as caught:
            use(copy)
        assert str(caught.value).startswith(str(copy))
        assert "\n" not in str(caught.value)


def test_weights_that_are_not_all_there_are_refused(copy: Path) -> None:
    """transformers alone would fill the third layer with random numbers and go on."""
    file = copy / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_hidden_layers": 3}))
    with pytest.raises(CheckpointError, match=r"lack model\.layers\.2\."):
        load_model(copy)


def test_weights_of_another_shape_are_refused(copy: Path) -> None:
    file = copy / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"intermediate_size": 96}))
    with pytest.raises(CheckpointError, match=str(copy)):
        load_model(copy)


def test_a_folder_without_tokenizer_is_refused(copy: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    with pytest.raises(CheckpointError, match="its tokenizer"):
        load_tokenizer(copy)


def test_adapter_changes_the_answer_and_the_digest(tiny_model: Path, adapter: Path, home: Path) -> None:
    with_it = load_model(tiny_model, adapter=adapter)
    assert not with_it.training
    assert not torch.allclose(answer(with_it), answer(load_model(tiny_model)))
    assert torch.equal(answer(with_it), answer(load_model(tiny_model, adapter=adapter)))
    assert weights_digest(tiny_model, adapter) != weights_digest(tiny_model)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: shutil.rmtree(folder), "no such adapter folder"),
        (lambda folder: (folder / "adapter_config.json").unlink(), r"adapter_config\.json is missing"),
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), r"adapter_model\.safetensors is missing"),
        (lambda folder: cut(folder / "adapter_model.safetensors"), r"adapter_model\.safetensors: cannot be read"),
    ],
)
def test_a_damaged_adapter_is_one_line(damage, named: str, tiny_model: Path, adapter: Path) -> None:  # type: ignore[no-untyped-def]
    damage(adapter)
    with pytest.raises(CheckpointError, match=named):
        load_model(tiny_model, adapter=adapter)


@pytest.mark.parametrize("change", [{"num_hidden_layers": 1}, {"num_hidden_layers": 3}, {"intermediate_size": 96}])
def test_an_adapter_of_another_model_is_refused(change: dict[str, int], tiny_model: Path, adapter: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    other = adapter.parent / "other"
    settings = json.loads((tiny_model / "config.json").read_text()) | change
    LlamaForCausalLM(LlamaConfig(**settings)).save_pretrained(other)
    with pytest.raises(CheckpointError, match=str(adapter)):
        load_model(other, adapter=adapter)


def test_an_adapter_folder_is_no_model(adapter: Path) -> None:
    with pytest.raises(CheckpointError, match="is an adapter"):
        model_folder(str(adapter))


def test_digest_follows_content_not_place(tiny_model: Path, copy: Path, home: Path) -> None:
    assert weights_digest(copy) == weights_digest(tiny_model)
    assert len(weights_digest(copy)) == 16


def test_digest_changes_with_one_weight(tiny_model: Path, copy: Path, home: Path) -> None:
    before = weights_digest(copy)
    file = copy / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    times = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # as rsync and cp -p do
    assert weights_digest(copy) != before


def test_digest_sees_a_change_although_it_remembers(
    tiny_model: Path, copy: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old files are remembered; a later change, even with the old size and time, is seen."""
    import doxa.lm.digests

    later = 10 + (copy / "model.safetensors").stat().st_ctime
    monkeypatch.setattr(doxa.lm.digests.time, "time", lambda: later)
    before = weights_digest(copy)
    assert len(list((home / "digests").iterdir())) >= 2
    assert weights_digest(copy) == before
    test_digest_changes_with_one_weight(tiny_model, copy, home)


def test_digest_ignores_who_saved_the_folder(tiny_model: Path, copy: Path, home: Path) -> None:
    file = copy / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"transformers_version": "99", "_name_or_path": "/x"}))
    assert weights_digest(copy) == weights_digest(tiny_model)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"rms_norm_eps": 0.5}))
    assert weights_digest(copy) != weights_digest(tiny_model)


def test_importing_weights_imports_no_torch() -> None:
    code = "import sys, doxa.lm.weights; sys.exit(any(name in sys.modules for name in ('torch', 'transformers')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_the_embedded_model_answers(embedded_model: Path) -> None:
    tokenizer, model = load_tokenizer(embedded_model), load_model("smollm2-135m-instruct")
    assert model.num_parameters() == 134_515_008
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt")
    words = model.generate(**prompt, max_new_tokens=12, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(words, skip_special_tokens=True) == "The capital of France is Paris."


@pytest.mark.slow
def test_the_embedded_tokenizer_gives_text_back(embedded_model: Path) -> None:
    tokenizer = load_tokenizer(embedded_model)
    text = "<|im_start|>user\nList:\n\n1. naïve — 日本語 🐙\t12  1990<|im_end|>\n"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert ids[0] == tokenizer.bos_token_id  # from the text: the tokenizer adds none
    assert tokenizer.tokenize("List:\n\n12") == ["List", ":", "ĊĊ", "1", "2"]
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.model_max_length) == (2, 2, 8192)
