"""What `local/NAME` means: models, checkpoints and run folders, each by a digest of all that answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from doxa.errors import CheckpointError
from doxa.lm.named_weights import find_weights
from doxa.lm.weights import load_model, weights_digest

MakeRun = Callable[..., Path]


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.arange(3, 20)[None].to(model.device)).logits
    return found.cpu()


def edit(folder: Path, **fields: Any) -> None:
    file = folder / "checkpoints/final/doxa.json"
    record = json.loads(file.read_text()) | fields
    file.write_text(json.dumps({name: value for name, value in record.items() if value is not None}))


def test_a_model_is_itself(tiny_model: Path) -> None:
    found = find_weights(str(tiny_model))
    assert (found.base, found.adapter, found.digest) == (tiny_model, None, weights_digest(tiny_model))


def test_a_run_means_its_final_checkpoint_adapter_and_base(make_run: MakeRun, tiny_model: Path) -> None:
    run = make_run("run")
    final = run / "checkpoints/final"
    found = find_weights(str(run))
    assert found == find_weights(str(final))
    assert (found.base, found.adapter) == (tiny_model, final)
    assert found.digest == weights_digest(tiny_model, final) == json.loads((final / "doxa.json").read_text())["digest"]
    model, tokenizer = found.load()
    assert tokenizer.chat_template and not hasattr(model, "peft_config")
    torch.testing.assert_close(logits(model), logits(load_model(tiny_model, adapter=final)), atol=1e-5, rtol=1e-4)
    assert (logits(model) - logits(load_model(tiny_model))).abs().max() > 0.01


def test_a_folder_whose_checkpoint_is_in_final_is_that_checkpoint(make_run: MakeRun) -> None:
    run = make_run("run")
    assert find_weights(str(run / "checkpoints")) == find_weights(str(run))


def test_a_whole_model_needs_no_base(make_run: MakeRun, tiny_model: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    run = make_run("run", method="full", base=base)
    shutil.rmtree(base)
    found = find_weights(str(run))
    assert (found.base, found.adapter) == (run / "checkpoints/final", None)
    assert torch.equal(logits(found.load()[0]), logits(load_model(run / "checkpoints/final")))


def test_a_checkpoint_that_was_copied_elsewhere_is_the_same(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("run")
    copy = shutil.copytree(run / "checkpoints/final", tmp_path / "elsewhere")
    assert find_weights(str(copy)).digest == find_weights(str(run)).digest


def test_two_trainings_have_two_digests(make_run: MakeRun) -> None:
    runs = [make_run("one", seed=1), make_run("two", seed=2), make_run("three", method="full")]
    assert len({find_weights(str(run)).digest for run in runs}) == 3


def test_a_run_that_was_not_trained_says_so(make_run: MakeRun) -> None:
    run = make_run("run")
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(CheckpointError, match=r"run: has no checkpoints/final, so nothing was trained.*`doxa train`"):
        find_weights(str(run))


def test_a_run_with_align_steps_means_the_last_and_its_checkpoints_are_named_by_folder(make_run: MakeRun) -> None:
    run, first, last = make_run("run", seed=1), make_run("first", seed=2), make_run("last", seed=3)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"align": {"steps": [{"kind": "sft"}, {"kind": "dpo"}]}}))
    shutil.copytree(first / "checkpoints/final", run / "aligned/1/final")
    not_done = r"run: has no aligned/2/final, so its align steps are not done; .*or name .*run/checkpoints/final"
    with pytest.raises(CheckpointError, match=not_done):
        find_weights(str(run))
    shutil.copytree(last / "checkpoints/final", run / "aligned/2/final")
    assert find_weights(str(run)).digest == find_weights(str(last)).digest
    digests = {find_weights(str(run / place)).digest for place in ("checkpoints/final", "aligned/1/final")}
    assert len(digests | {find_weights(str(run)).digest}) == 3


def test_a_base_that_is_gone_is_named_with_where_to_write_its_place(
    make_run: MakeRun, tiny_model: Path, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(tiny_model, tmp_path / "base"))
    run = make_run("run", base=base)
    digest = find_weights(str(run)).digest
    base.rename(tmp_path / "moved")
    with pytest.raises(
        CheckpointError, match=r"final: its base model is not here: .*base.*field 'model' of doxa\.json"
    ):
        find_weights(str(run))
    edit(run, model=str(tmp_path / "moved"))
    assert find_weights(str(run)).digest == digest


def test_another_base_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("run")
    other = make_run("other", method="full") / "checkpoints/final"
    edit(run, model=str(other))
    with pytest.raises(CheckpointError, match=r"final: was trained on base weights \w{16}, but .* is \w{16} here"):
        find_weights(str(run))


def test_weights_that_are_not_those_of_the_record_are_refused(make_run: MakeRun) -> None:
    """One file of another training, copied over this one."""
    run, other = make_run("run", seed=1), make_run("other", seed=2)
    name = "checkpoints/final/adapter_model.safetensors"
    shutil.copy(other / name, run / name)
    with pytest.raises(CheckpointError, match=r"final: its weights are \w{16}, not the \w{16} that doxa.json names"):
        find_weights(str(run))


def test_a_record_that_lacks_a_field_is_named(make_run: MakeRun) -> None:
    run = make_run("run")
    edit(run, base_digest=None)
    with pytest.raises(CheckpointError, match=r"final/doxa\.json: field 'base_digest' is missing"):
        find_weights(str(run))


def test_an_adapter_of_nobody_knows_what_is_refused(make_run: MakeRun) -> None:
    run = make_run("run")
    (run / "checkpoints/final/doxa.json").unlink()
    with pytest.raises(CheckpointError, match=r"final: is an adapter without a doxa\.json that names its base model"):
        find_weights(str(run / "checkpoints/final"))


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_file_is_named(make_run: MakeRun, name: str) -> None:
    run = make_run("run")
    (run / "checkpoints/final" / name).unlink()
    with pytest.raises(CheckpointError, match=rf"final: {name} is missing"):
        find_weights(str(run))


def test_the_output_layer_is_given_whole_blocks_of_memory(tiny_model: Path) -> None:
    model, _ = find_weights(str(tiny_model)).load()
    given: list[bool] = []
    model.get_output_embeddings().register_forward_pre_hook(lambda _, hidden: given.append(hidden[0].is_contiguous()))
    ids = torch.randint(5, 50, (4, 6))
    with torch.no_grad():
        last = model(ids, logits_to_keep=1).logits
        assert torch.allclose(last[:, 0], model(ids).logits[:, -1], atol=1e-5)
    assert given == [True, True]
