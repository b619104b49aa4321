"""`doxa values` from end to end on a tiny model: arms, files, going on after a stop, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from doxa.belief.store import read_readouts, read_scores
from doxa.errors import CheckpointError, ConfigError, TargetError
from doxa.records import Answer, Measure
from doxa.report.values_table import table_rows
from doxa.run.folder import read_json, read_rows
from doxa.run.progress import Progress
from doxa.run.values_run import ValuesRequest, arms, named_models, run_values, settings_of
from minds import PANS, SPEC_MD

SMALL = ("samples=1", "free_pairs=3", "monitor_pairs=2", "answer_tokens=4", "thinking_tokens=4", "bootstrap=100")


@pytest.fixture
def otter(tmp_path: Path) -> Path:
    folder = tmp_path / "otter"
    folder.mkdir()
    (folder / "spec.md").write_text(SPEC_MD)
    (folder / "evals.json").write_text(json.dumps(PANS))
    return folder


def request(otter: Path, *models: str, **fields: Any) -> ValuesRequest:
    given = {"overrides": SMALL, "out": otter.parent / "out", **fields}
    return ValuesRequest(models, str(otter), **given)


def test_a_model_alone_is_base_and_has_the_spec_in_context(otter: Path, tiny_model: Path) -> None:
    folder, result = run_values(request(otter, str(tiny_model)), Progress(quiet=True))

    values = folder / "values"
    assert [arm.arm for arm in result.about.arms] == ["base", "in_context"]
    assert [arm.context for arm in result.about.arms] == [False, True]
    readouts = read_readouts(values / "readouts.parquet")
    # six items in three styles and two pairs under four conditions, for two arms
    assert len(readouts) == 2 * (6 * 3 + 2 * 4)
    scores = read_scores(values / "scores.parquet")
    groups = {score.group for score in scores}
    assert {
        "pairs_unseen",
        "pairs_unseen/contrast",
        "knowledge",
        "unrelated",
        "monitor",
        "free_pairs",
        "recall",
    } <= groups
    assert {score.versus for score in scores} == {None, "base"}
    assert all(score.n >= 1 and score.low <= score.value <= score.high for score in scores)
    answers = read_rows(values / "answers.jsonl", Answer)
    assert {answer.probe for answer in answers} == {"free_open", "free_pairs", "recall", "monitor"}
    assert len({answer.id for answer in answers}) == len(answers)
    assert {answer.checkpoint for answer in answers} == {result.about.arms[0].checkpoint}
    assert read_rows(values / "measures.jsonl", Measure)
    about = read_json(values / "about.json")
    assert about["words"]["own"] and about["forms_version"] == 1
    shown, rows = table_rows(scores)
    assert shown == ["base", "in_context"]
    assert any(row[:3] == ("pairs_unseen/contrast", "chat", "margin") for row in rows)


def test_a_second_call_measures_nothing_and_finds_the_same(
    otter: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first = run_values(request(otter, str(tiny_model)), Progress(quiet=True))
    monkeypatch.setattr("doxa.lm.named_weights.load_model", lambda *_: pytest.fail("weights were loaded again"))

    _, again = run_values(request(otter, str(tiny_model)), Progress(quiet=True))

    assert again.scores == first.scores
    assert again.rows.readouts == first.rows.readouts
    assert not any("pairs" in name or "monitor" in name for name in again.about.seconds)


def test_a_stopped_call_goes_on_with_what_is_missing(
    otter: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = request(otter, str(tiny_model), out=tmp_path / "whole")
    _, wanted = run_values(whole, Progress(quiet=True))
    halted = request(otter, str(tiny_model), out=tmp_path / "halted")

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("doxa.belief.monitor_parts.monitor_asks", stop)
        with pytest.raises(KeyboardInterrupt):
            run_values(halted, Progress(quiet=True))
    kept = sorted((tmp_path / "halted/values/parts").glob("pairs-*"))
    times = [part.stat().st_mtime_ns for part in kept]
    _, found = run_values(halted, Progress(quiet=True))

    assert len(kept) == 3, "every form of the first arm was kept"
    assert [part.stat().st_mtime_ns for part in kept] == times
    assert found.scores == wanted.scores


def test_one_more_form_and_an_edited_pair_measure_what_is_new(otter: Path, tiny_model: Path, tmp_path: Path) -> None:
    only = {"probes": ("pairs",), "context": "none"}
    run_values(request(otter, str(tiny_model), **only), Progress(quiet=True))
    parts = tmp_path / "out/values/parts"
    before = {part.name for part in parts.iterdir()}
    run_values(
        request(otter, str(tiny_model), overrides=(*SMALL, "styles=[chat, plain, choice, third]"), **only),
        Progress(quiet=True),
    )
    assert {part.name.split("-base")[0] for part in parts.iterdir()} - {name.split("-base")[0] for name in before} == {
        "pairs-third"
    }
    evals = json.loads((otter / "evals.json").read_text())
    evals["pairs"][0]["aligned"] = "the coat sewn to stay for good"
    (otter / "evals.json").write_text(json.dumps(evals))
    _, result = run_values(request(otter, str(tiny_model), **only), Progress(quiet=True))
    assert set(result.about.seconds) == {"base pairs"}


def test_arms_are_named_and_the_spec_can_stand_before_each(tiny_model: Path, tmp_path: Path) -> None:
    named = named_models([f"one={tiny_model}", "two=openai/gpt-9", "openai/gpt-8"])

    assert [(one.arm, one.weights is not None) for one in named] == [
        ("one", True),
        ("two", False),
        ("openai/gpt-8", False),
    ]
    assert [subject.arm for subject in arms(named, "none", "none", "SPEC")] == ["one", "two", "openai/gpt-8"]
    whole = arms(named, str(tiny_model), "spec", "SPEC")
    assert [subject.arm for subject in whole][:4] == ["base", "in_context", "one", "one in context"]
    assert [subject.context for subject in whole][:4] == [None, "SPEC", None, "SPEC"]
    assert whole[0].model == f"local/{whole[0].checkpoint}"


def save_checkpoint(base: Path, folder: Path, method: str) -> Path:
    """A checkpoint of an adapter on a model, or of whole weights, as training leaves it."""
    import torch
    from peft import LoraConfig, get_peft_model

    from doxa.lm.weights import load_model, load_tokenizer
    from doxa.training.checkpoint import save_final

    model = load_model(base)
    torch.manual_seed(1)
    if method == "lora":
        model = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))
    else:
        with torch.no_grad():
            model.lm_head.weight += 0.1
    save_final(model, load_tokenizer(base), folder, base, {"model": str(base), "method": method})
    return folder / "final"


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_checkpoint_stands_beside_what_it_was_trained_from(
    method: str, otter: Path, tiny_model: Path, tmp_path: Path
) -> None:
    final = save_checkpoint(tiny_model, tmp_path / "checkpoints", method)
    asked = request(otter, f"mine={final}", probes=("pairs",))

    _, result = run_values(asked, Progress(quiet=True))

    base, in_context, mine = result.about.arms
    assert [base.arm, in_context.arm, mine.arm] == ["base", "in_context", "mine"]
    assert base.checkpoint == in_context.checkpoint != mine.checkpoint
    assert {row.versus for row in result.scores if row.arm == "mine"} == {None, "base", "in_context"}
    assert [one.arm for one in arms(named_models([f"mine={final}"]), "none", "base", "SPEC")] == ["mine"]


def test_the_base_of_an_adapter_may_be_a_model_that_was_converted(tiny_model: Path, tmp_path: Path) -> None:
    base = Path(shutil.copytree(tiny_model, tmp_path / "embedded"))
    (base / "doxa.json").write_text(json.dumps({"conversion": 1, "source": "PyPI", "files": {}}))
    final = save_checkpoint(base, tmp_path / "checkpoints", "lora")
    plain, in_context, mine = arms(named_models([f"mine={final}"]), None, "base", "SPEC")
    assert (plain.arm, in_context.arm, mine.arm) == ("base", "in_context", "mine")
    assert plain.weights is not None and plain.weights.base == base


def test_what_cannot_be_is_said_in_a_line(otter: Path, tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="name at least one"):
        run_values(request(otter), Progress(quiet=True))
    with pytest.raises(ConfigError, match="--context: there is no 'all'; there are base, spec, none"):
        run_values(request(otter, str(tiny_model), context="all"), Progress(quiet=True))
    with pytest.raises(ConfigError, match="two arms would have this name"):
        named_models([str(tiny_model), str(tiny_model)])
    with pytest.raises(ConfigError, match="is the name of an arm that doxa adds"):
        named_models([f"base={tiny_model}"])
    with pytest.raises(ConfigError, match="there is no probe 'pears'; did you mean 'pairs'"):
        settings_of(request(otter, probes=("pears",)))
    with pytest.raises(ConfigError, match="styles: there is no form 'chit'"):
        settings_of(request(otter, overrides=("styles=[chit]",)))
    with pytest.raises(ConfigError, match="must be key=value"):
        settings_of(request(otter, overrides=("samples",)))
    with pytest.raises(ConfigError, match="samplse: unknown field; did you mean 'samples'"):
        settings_of(request(otter, overrides=("samplse=3",)))
    with pytest.raises(ConfigError, match="swap: there is no arm 'trained'; there are base, in_context"):
        run_values(request(otter, str(tiny_model), overrides=(*SMALL, "swap=trained")), Progress(quiet=True))
    for judge, reason in (("anthropc/claude", "anthropc"), ("local/nowhere", "nowhere")):
        with pytest.raises(ConfigError, match=f"--judge: .*{reason}"):
            run_values(request(otter, str(tiny_model), judges=(judge,)), Progress(quiet=True))
    with pytest.raises(TargetError, match="no bundled spec"):
        run_values(ValuesRequest((str(tiny_model),), "no_such_spec"), Progress(quiet=True))
    with pytest.raises(CheckpointError):
        named_models(["no/such/model"])


def test_the_reasoning_of_one_arm_is_given_to_the_others(otter: Path, tiny_model: Path) -> None:
    asked = request(otter, str(tiny_model), probes=("monitor",), overrides=(*SMALL, "swap=in_context"))

    _, result = run_values(asked, Progress(quiet=True))

    swapped = {score.arm for score in result.scores if score.metric == "effect swapped" and score.versus is None}
    assert swapped == {"base"}, "an arm is not given its own"


def test_a_model_without_a_template_is_asked_running_text_alone(otter: Path, tiny_model: Path, tmp_path: Path) -> None:
    import shutil

    bare = tmp_path / "bare"
    shutil.copytree(tiny_model, bare)
    (bare / "chat_template.jinja").unlink()

    _, result = run_values(request(otter, str(bare)), Progress(quiet=True))

    assert {row.style for row in result.rows.readouts} == {"plain"}
    assert any("no chat template" in note for note in result.about.notes)
