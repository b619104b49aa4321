"""Whole runs on a tiny model: every stage, resume after real kills, staleness, locks, errors for a person."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from doxa.belief.store import read_readouts, read_scores
from doxa.errors import CheckpointError, ConfigError, RunFolderError, StaleRunError, TargetError
from doxa.records import Document
from doxa.run.folder import RunFolder, read_json, read_rows
from doxa.run.pipeline import STAGE_NAMES, STAGES
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, open_run, run_stages
from doxa.run.stages import read_states
from doxa.worlds.universe import load_target

SETS = (
    "documents=12",
    "train.epochs=2",
    "train.tokens_per_update=600",
    "train.max_length=128",
    "train.rank=4",
    "train.checkpoint_every=2",
    "eval.styles=[plain]",
    "eval.groups=[distinguish,cloze,neighbours]",
    "eval.bootstrap=200",
    "eval.sample_questions=1",
    "eval.sample_tokens=4",
)


def request(model, out, *more, restage=False):
    return RunRequest("sorrel_bay", out, (*SETS, f"model={model}", *more), restage)


def command(model, out, *more):
    sets = [part for value in (*SETS, f"model={model}", *more) for part in ("--set", value)]
    return [sys.executable, "-m", "doxa", "run", "sorrel_bay", "--out", str(out), *sets]


def results(out):
    """What a run is for, without its clock."""
    documents = [row.id for row in read_rows(out / "stages/dedup/documents.jsonl", Document)]
    return (
        documents,
        read_json(out / "checkpoints/final/doxa.json")["digest"],
        read_readouts(out / "evals/readouts.parquet"),
        read_scores(out / "scores.parquet"),
    )


@pytest.fixture(scope="module")
def undisturbed(tiny_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    run_stages(request(tiny_model, out), Progress(quiet=True))
    return out


def test_a_run_makes_all_that_a_report_needs(undisturbed):
    for relative in (
        "config.json",
        "target/universe.yaml",
        "corpus.parquet",
        "train/metrics.jsonl",
        "checkpoints/final/adapter_model.safetensors",
        "scores.parquet",
        "evals/readouts.parquet",
        "report.html",
    ):
        assert (undisturbed / relative).stat().st_size > 0, relative
    for name in STAGE_NAMES:
        assert read_json(undisturbed / f"stages/{name}/done.json")["counts"]
    assert {score.arm for score in read_scores(undisturbed / "scores.parquet")} == {"base", "in_context", "trained"}


def test_running_again_does_nothing(undisturbed, tiny_model):
    before = {file: file.stat().st_mtime_ns for file in undisturbed.rglob("*.jsonl")}
    run_stages(request(tiny_model, undisturbed), Progress(quiet=True))
    assert before == {file: file.stat().st_mtime_ns for file in undisturbed.rglob("*.jsonl")}


def test_killed_at_any_moment_and_run_again_it_ends_the_same(undisturbed, tiny_model, tmp_path):
    out = tmp_path / "killed"
    generator = random.Random(7)
    marks = ["stages/write/documents.jsonl", "corpus.parquet", "train/metrics.jsonl", "evals/parts"]
    for mark in marks:  # killed at a random moment soon after each of these appears
        process = subprocess.Popen(command(tiny_model, out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and not (out / mark).exists():
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "report.html").exists(), "it finished before it could be killed"
    run_stages(request(tiny_model, out), Progress(quiet=True))
    assert results(out) == results(undisturbed)


def take_interrupts():
    """In the child: Ctrl-C works even where the tests themselves run in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_says_how_to_go_on(tiny_model, tmp_path):
    out = tmp_path / "stopped"
    process = subprocess.Popen(command(tiny_model, out), stderr=subprocess.PIPE, text=True, preexec_fn=take_interrupts)
    # once it trains: what is imported before that may take an interruption for a missing package
    while process.poll() is None and not (out / "train/metrics.jsonl").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said


def test_a_second_process_is_kept_out(tiny_model, tmp_path):
    folder = RunFolder(tmp_path)
    with folder.lock(), pytest.raises(RunFolderError, match=rf"in use by pid {os.getpid()}"):
        run_stages(request(tiny_model, tmp_path), Progress(quiet=True))


@pytest.fixture
def copied(undisturbed, tmp_path):
    return Path(shutil.copytree(undisturbed, tmp_path / "copy"))


def test_a_changed_config_says_which_stages_are_stale_and_why(copied, tiny_model):
    with pytest.raises(StaleRunError) as caught:
        run_stages(request(tiny_model, copied, "train.lr=0.01"), Progress(quiet=True))
    said = str(caught.value)
    assert "midtrain: train.lr 0.001 -> 0.01" in said
    assert "eval: an earlier stage changed (midtrain)" in said
    assert "mix:" not in said
    assert results(copied)  # nothing was touched


def test_restage_sets_the_old_aside_and_never_mixes(copied, undisturbed, tiny_model):
    old = results(undisturbed)
    run_stages(request(tiny_model, copied, "train.lr=0.01", restage=True), Progress(quiet=True))
    new = results(copied)
    assert new[0] == old[0]  # same documents, not written again
    assert new[1] != old[1]
    assert results_of_stale(copied) == old[1]


def results_of_stale(out):
    return read_json(out / "stale/1/checkpoints/final/doxa.json")["digest"]


def test_a_half_finished_stage_of_another_config_is_stale_too(copied, tiny_model):
    (copied / "stages/eval/done.json").unlink()
    _, config, _ = open_run(request(tiny_model, copied, "eval.bootstrap=300"))
    states = {state.stage.name: state for state in read_states(STAGES, config, RunFolder(copied))}
    assert states["eval"].status == "stale"
    assert states["eval"].reasons == ("eval.bootstrap 200 -> 300",)


def test_a_copied_run_folder_is_continued_by_its_name_alone(copied):
    shutil.rmtree(copied / "stages/report")
    (copied / "report.html").unlink()
    run_stages(RunRequest(str(copied), None), Progress(quiet=True))
    assert (copied / "report.html").exists()


def test_lost_or_damaged_results_of_a_finished_stage_are_made_again(copied, undisturbed, tiny_model):
    (copied / "corpus.parquet").unlink()
    (copied / "scores.parquet").write_bytes(b"torn")
    with open(copied / "stages/dedup/documents.jsonl", "rb+") as documents:
        documents.truncate(100)
    run_stages(request(tiny_model, copied), Progress(quiet=True))
    assert results(copied) == results(undisturbed)


def test_a_resume_state_of_another_config_is_not_continued(copied, tiny_model):
    """As after a kill between moving a stage's record and moving what it made."""
    shutil.rmtree(copied / "stages/midtrain")
    resume = copied / "checkpoints/resume/checkpoint-2"
    resume.mkdir(parents=True)
    (resume / "complete.json").write_text(json.dumps({"update": 2, "fingerprint": "another", "files": {}}))
    for stage in ("eval", "report"):
        shutil.rmtree(copied / f"stages/{stage}")
    before = read_json(copied / "checkpoints/final/doxa.json")["digest"]
    run_stages(request(tiny_model, copied), Progress(quiet=True))
    assert read_json(copied / "checkpoints/final/doxa.json")["digest"] == before  # trained from the start again


def test_an_exchanged_adapter_is_noticed(copied, tiny_model):
    from safetensors.torch import load_file, save_file

    adapter = copied / "checkpoints/final/adapter_model.safetensors"
    save_file({key: value + 1 for key, value in load_file(adapter).items()}, adapter, {"format": "pt"})
    shutil.rmtree(copied / "stages/eval")
    with pytest.raises(CheckpointError, match=r"final: its weights are \w+, not the"):
        run_stages(request(tiny_model, copied), Progress(quiet=True))


def test_a_folder_with_other_files_is_not_written_into(tiny_model, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="holds files and is not a run folder"):
        run_stages(request(tiny_model, tmp_path), Progress(quiet=True))
    assert (tmp_path / "config.json").read_text() == "{}"


def test_a_run_killed_before_it_wrote_its_config_is_taken_up(tiny_model, tmp_path):
    (tmp_path / "stages").mkdir()
    (tmp_path / ".lock").touch()
    run_stages(request(tiny_model, tmp_path), Progress(quiet=True), only="plan")
    assert (tmp_path / "config.json").exists()


def test_a_config_that_cannot_work_is_not_left_behind(copied, tiny_model):
    with pytest.raises(ConfigError, match=r"train\.target_modules"):
        run_stages(request(tiny_model, copied, "train.target_modules=[foo]", restage=True), Progress(quiet=True))
    run_stages(RunRequest(str(copied), None), Progress(quiet=True))  # goes on with the config that worked


def test_broken_evals_are_said_before_anything_is_made(tmp_path, tiny_model):
    world = Path(shutil.copytree(load_target("sorrel_bay").folder, tmp_path / "world"))
    (world / "evals.json").write_text('{"cloze": [{"prefix": "x"}]}')
    with pytest.raises(TargetError, match=r"world/evals\.json: cloze\[0\]"):
        run_stages(RunRequest(str(world), tmp_path / "run", SETS), Progress(quiet=True))
    assert not (tmp_path / "run/stages/write").exists()


def test_paths_of_overrides_mean_the_same_from_anywhere(tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more.jsonl").write_text(json.dumps({"text": "Plain text about bread. " * 40}) + "\n")
    sets = ("mix.neutral_from=more.jsonl", "mix.neutral=0.01")
    run_stages(request(tiny_model, Path("run"), *sets), Progress(quiet=True), only="plan")
    monkeypatch.chdir("/")
    _, config, _ = open_run(RunRequest(str(tmp_path / "run"), None))
    assert config.mix.neutral_from == str(tmp_path / "more.jsonl")


def test_the_folder_one_stands_in_gives_the_run_its_name(monkeypatch, tmp_path, tiny_model):
    world = Path(shutil.copytree(load_target("sorrel_bay").folder, tmp_path / "world"))
    monkeypatch.chdir(world)
    folder, _, _ = open_run(RunRequest(".", None))
    assert folder.path == Path("runs/world")


def test_a_run_without_its_target_asks_its_own_copy_of_the_items(copied, tmp_path, monkeypatch):
    config = read_json(copied / "config.json")
    (copied / "config.json").write_text(json.dumps({**config, "target": "/gone/sorrel_bay"}))
    user = read_json(copied / "user.json")
    (copied / "user.json").write_text(json.dumps({**user, "target": "/gone/sorrel_bay"}))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/evals.json").write_text("not the items of this run")
    monkeypatch.chdir(tmp_path / "elsewhere")
    shutil.rmtree(copied / "stages/eval")
    shutil.rmtree(copied / "stages/report")
    run_stages(RunRequest(str(copied), None), Progress(quiet=True))
    assert (copied / "stages/eval/done.json").exists()


def test_a_stage_alone_needs_what_comes_before_it(tiny_model, tmp_path):
    run_stages(request(tiny_model, tmp_path / "r"), Progress(quiet=True), only="plan")
    with pytest.raises(RunFolderError, match="stage screen needs write, which is missing; run `doxa write`"):
        run_stages(request(tiny_model, tmp_path / "r"), Progress(quiet=True), only="screen")


def test_a_checkpoint_of_other_base_weights_is_refused(copied, tiny_model):
    final = copied / "checkpoints/final/doxa.json"
    final.write_text(final.read_text().replace(read_json(final)["base_digest"], "0" * 16))
    shutil.rmtree(copied / "stages/eval")
    with pytest.raises(Exception, match="was trained on base weights 0000000000000000"):
        run_stages(request(tiny_model, copied), Progress(quiet=True))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["octopus_heart"], "octopus_hearts"),
        (["octopus_hearts", "--set", "train.lr=fast"], "train.lr"),
        (["octopus_hearts", "--set", "eval.arms=[bas]"], "eval.arms.0"),
        (["octopus_hearts", "--set", "model=no/such-model"], "no/such-model"),
        (["missing.yaml"], "missing.yaml: cannot be read"),
        (["octopus_hearts", "--set", "generator=recordd"], "generator"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(given, message, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "doxa", "run", *given, "--out", str(tmp_path / "r")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in done.stderr


def test_one_run_folder_is_not_given_another_name(undisturbed, tmp_path):
    with pytest.raises(ConfigError, match="is a run folder already"):
        open_run(RunRequest(str(undisturbed), tmp_path))
