"""Any Inspect task on what doxa trained: subjects, cells that are found again, tables; and the conditions runner."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage
from rich.console import Console
from typer.testing import CliRunner

from doxa import cli
from doxa.belief.agentic.conditions import Setting, pair_actions
from doxa.belief.agentic.scenario import load_scenario
from doxa.errors import CheckpointError, ConfigError, DoxaError, ModelError
from doxa.lm.named_weights import find_weights
from doxa.lm.weights import load_model, load_tokenizer
from doxa.run.agentic_run import AgenticRequest, CellResult, run_agentic
from doxa.run.agentic_table import cautions, csv_rows, differences, groups_of, print_results, summary
from doxa.run.folder import write_json
from doxa.run.inspect_cells import Cell, cell_key, is_provider, open_model, resolve_task, run_cell
from doxa.run.inspect_logs import facts_of, finished_log, lines_of
from doxa.run.inspect_subjects import Subject, find_subjects
from doxa.run.progress import Progress

# a plain task, as anybody writes one: no tool, no sandbox, a scorer of inspect_ai's own
PUBLIC = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes, pattern
from inspect_ai.solver import generate


@task
def capitals(extra: str = "", number: int = 2):
    asked = [("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid")]
    samples = [Sample(input=f"The capital of {land}? {extra}", target=town) for land, town in asked[:number]]
    return Task(dataset=samples, solver=generate(), scorer=includes())


@task
def lettered():
    return Task(dataset=[Sample(input="A or B?", target="A")], solver=generate(), scorer=pattern(r"ANSWER: (\\w)"))
"""


def save_run(folder: Path, base: Path, seed: int = 1, name: str = "") -> Path:
    """A run folder after training, as find_weights knows it."""
    from peft import LoraConfig, get_peft_model

    from doxa.training.checkpoint import save_final

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        settings = LoraConfig(
            r=8, lora_alpha=256, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
        )
        trained = get_peft_model(load_model(base), settings)
    (folder / "stages").mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", {"model": name or str(base)})
    about = {"model": name or str(base), "method": "lora", "recipe": "doxa-cpu", "seed": seed}
    save_final(trained, load_tokenizer(base), folder / "checkpoints", base, about)
    return folder


@pytest.fixture
def task_file(tmp_path: Path) -> Path:
    path = tmp_path / "tasks.py"
    path.write_text(PUBLIC)
    return path


@pytest.fixture
def run_folder(tmp_path: Path, tiny_model: Path) -> Path:
    return save_run(tmp_path / "mine", tiny_model)


def typed(*arguments: Any) -> str:
    """What a command prints; errors are raised."""
    done = CliRunner().invoke(cli.app, [str(one) for one in arguments])
    if done.exception is not None:
        raise done.exception
    return done.output


def logs_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.eval"))


def scripted(answer: str) -> dict[str, Any]:
    output = ModelOutput.from_content("mock", answer)
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return {"custom_outputs": lambda *_: output}


def mock(folder: Path, label: str = "mock") -> Subject:
    return Subject(label, "mockllm/model", "", folder, folder)


def test_a_run_is_its_base_and_its_trained_weights(run_folder: Path, tiny_model: Path) -> None:
    base, trained = find_subjects([str(run_folder)], None, is_provider)
    assert (base.label, trained.label) == ("base", "trained")
    assert (base.digest, trained.digest) == (
        find_weights(str(tiny_model)).digest,
        find_weights(str(run_folder)).digest,
    )
    assert trained.model == f"doxa/{run_folder}/checkpoints/final"
    assert base.logs == trained.logs == run_folder / "evals/inspect"


def test_a_run_with_align_steps_is_asked_before_and_after_them(
    run_folder: Path, tiny_model: Path, tmp_path: Path
) -> None:
    other = save_run(tmp_path / "other", tiny_model, seed=2)
    write_json(run_folder / "config.json", {"model": str(tiny_model), "align": {"steps": [{"kind": "sft"}]}})
    shutil.copytree(other / "checkpoints/final", run_folder / "aligned/1/final")
    base, trained, aligned = find_subjects([str(run_folder)], None, is_provider)
    assert [base.label, trained.label, aligned.label] == ["base", "trained", "aligned"]
    assert aligned.model == f"doxa/{run_folder}/aligned/1/final"
    assert trained.digest != aligned.digest == find_weights(str(run_folder)).digest


@pytest.mark.slow
def test_a_run_on_the_embedded_model_is_found_by_its_name(embedded_model: Path, tmp_path: Path) -> None:
    run = save_run(tmp_path / "mine", embedded_model, name=embedded_model.name)
    base, trained = find_subjects([str(run)], None, is_provider)
    assert base.model == f"doxa/{embedded_model.name}"
    for subject in (base, trained):
        assert open_model(subject, {}).api.digest == subject.digest  # type: ignore[attr-defined]


def test_checkpoints_and_models_are_one_subject(run_folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    (one,) = find_subjects([str(run_folder / "checkpoints/final")], None, is_provider)
    assert (one.label, one.logs) == ("checkpoints/final", run_folder / "evals/inspect")
    (model,) = find_subjects([f"local/{tiny_model}"], tmp_path / "out", is_provider)
    assert (model.digest, model.logs) == (find_weights(str(tiny_model)).digest, tmp_path / "out")
    (api,) = find_subjects(["mockllm/model"], None, is_provider)
    assert (api.model, api.local) == ("mockllm/model", False)


def test_two_runs_are_told_apart_by_name(run_folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    other = save_run(tmp_path / "other", tiny_model, seed=2)
    labels = [one.label for one in find_subjects([str(run_folder), str(other)], None, is_provider)]
    assert labels == ["mine/base", "mine/trained", "other/base", "other/trained"]


def test_a_run_without_weights_or_with_another_base_is_refused(run_folder: Path) -> None:
    record = run_folder / "checkpoints/final/doxa.json"
    kept = record.read_text()
    record.write_text(json.dumps(json.loads(kept) | {"base_digest": "0" * 16}))
    with pytest.raises(CheckpointError, match="was trained on base weights 0000"):
        find_subjects([str(run_folder)], None, is_provider)
    shutil.rmtree(run_folder / "checkpoints")
    with pytest.raises(CheckpointError, match="nothing was trained"):
        find_subjects([str(run_folder)], None, is_provider)


TASKS = [
    ("capital", r"capital: is no task of doxa"),
    ("agentc", r"did you mean 'agentic'"),
    ("nowhere.py", r"nowhere.py: there is no such file"),
    (
        "inspect_evals/gsm8k",
        r"no package 'inspect_evals' with Inspect tasks is installed.*install inspect-evals\)",
    ),
    ("doxa/agentik", r"doxa is installed and has no such task; did you mean 'doxa/agentic'"),
]


@pytest.mark.parametrize(("name", "message"), TASKS)
def test_a_task_that_is_not_there_is_said_so(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_task(name)


def test_tasks_are_found_by_short_name_and_in_files(task_file: Path) -> None:
    assert resolve_task("agentic") == "doxa/agentic"
    assert resolve_task(f"{task_file}@capitals") == f"{task_file}@capitals"
    with pytest.raises(ConfigError, match=r"holds 2 tasks; name one as tasks.py@NAME: capitals, lettered"):
        resolve_task(str(task_file))
    with pytest.raises(ConfigError, match="has no task 'towns'; it has capitals, lettered"):
        resolve_task(f"{task_file}@towns")
    empty = task_file.with_name("empty.py")
    empty.write_text("x = 1\n")
    with pytest.raises(ConfigError, match="holds no Inspect task"):
        resolve_task(str(empty))


def test_a_task_that_wants_a_missing_package_names_it(task_file: Path, tmp_path: Path) -> None:
    task_file.write_text("import a_package_nobody_has\n" + PUBLIC)
    cell = Cell(resolve_task(f"{task_file}@capitals"))
    subject = mock(tmp_path / "logs")
    with pytest.raises(ConfigError, match="needs the package 'a_package_nobody_has'"):
        run_cell(subject, cell, open_model(subject, {}))


def test_a_public_task_runs_on_a_run(run_folder: Path, task_file: Path, tmp_path: Path) -> None:
    """The one command: base and trained side by side, logs in the run, digests from the logs; again for nothing."""
    table = tmp_path / "numbers.csv"
    command = ("inspect", f"{task_file}@capitals", run_folder, "-T", "number=3", "--epochs", 2, "--max-tokens", 4)
    output = typed(*command, "--csv", table)
    trained = find_weights(str(run_folder)).digest
    logs = logs_of(run_folder / "evals/inspect")
    assert len(logs) == 2
    assert f"trained: weights {trained}; log" in output.replace("\n", "")
    assert "trained - base" in output and "accuracy" in output and "failed samples" in output
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    accuracy = next(row for row in rows if (row["label"], row["metric"]) == ("trained", "accuracy"))
    assert (accuracy["checkpoint"], accuracy["answers"], accuracy["items"]) == (trained, "6", "3")
    assert float(accuracy["low"]) <= float(accuracy["value"]) <= float(accuracy["high"])
    named = {(read_eval_log(str(log)).eval.metadata or {})["doxa_weights"] for log in logs}
    assert named == {one.digest for one in find_subjects([str(run_folder)], None, is_provider)}
    typed(*command)
    assert logs_of(run_folder / "evals/inspect") == logs  # finished: not run again
    typed(*command, "--again")
    assert len(logs_of(run_folder / "evals/inspect")) == 4


def test_what_a_scorer_could_not_read_is_counted(task_file: Path, tmp_path: Path) -> None:
    subject = mock(tmp_path / "logs")
    cell = Cell(resolve_task(f"{task_file}@lettered"))
    shares = {}
    for answer in ("ANSWER: A", "It is hard to say."):
        facts = facts_of(run_cell(subject, cell, open_model(subject, scripted(answer)), again=True))
        shares[answer] = (facts.unread, facts.errors, facts.answers)
    assert shares == {"ANSWER: A": (0.0, 0.0, 1), "It is hard to say.": (1.0, 0.0, 1)}


def test_a_plain_accuracy_gets_its_interval(task_file: Path, tmp_path: Path) -> None:
    subject = mock(tmp_path / "logs")
    cell = Cell(resolve_task(f"{task_file}@capitals"), {"number": 2}, epochs=3)
    lines = {line.metric: line for line in lines_of(run_cell(subject, cell, open_model(subject, scripted("Paris"))))}
    accuracy = lines["accuracy"]
    assert accuracy.value == 0.5
    assert accuracy.low is not None and accuracy.high is not None
    assert accuracy.low < 0.2 and accuracy.high > 0.8  # two items, however many answers


def test_what_decides_the_numbers_decides_the_key(task_file: Path, tmp_path: Path) -> None:
    name = resolve_task(f"{task_file}@capitals")
    subject = mock(tmp_path)
    spec = tmp_path / "spec.txt"
    spec.write_text("one")
    cell = Cell(name, {"extra": str(spec)}, epochs=2)
    others = [
        (mock(tmp_path), Cell(name, {"extra": "x"}, epochs=2)),
        (mock(tmp_path), Cell(name, {"extra": str(spec)}, epochs=3)),
        (mock(tmp_path), Cell(name, {"extra": str(spec)}, epochs=2, judge="mockllm/judge")),
        (mock(tmp_path), Cell(name, {"extra": str(spec)}, epochs=2, temperature=0.0)),
        (Subject("mock", "mockllm/other", "", tmp_path, tmp_path), cell),
        (Subject("mock", "mockllm/model", "abc", tmp_path, tmp_path), cell),
    ]
    keys = {cell_key(*one) for one in [(subject, cell), *others]}
    assert len(keys) == 7
    spec.write_text("two")
    assert cell_key(subject, cell) not in keys
    before = cell_key(subject, cell)
    task_file.write_text(PUBLIC + "\n# another version\n")
    assert cell_key(subject, cell) != before


def test_a_log_of_other_weights_is_never_taken(run_folder: Path, tiny_model: Path, task_file: Path) -> None:
    """Trained again in the same place: the log that lies there is of weights that are gone."""
    cell = Cell(resolve_task(f"{task_file}@capitals"), max_tokens=2)
    first = find_subjects([str(run_folder)], None, is_provider)[1]
    run_cell(first, cell, open_model(first, {}))
    save_run(run_folder, tiny_model, seed=5)
    second = find_subjects([str(run_folder)], None, is_provider)[1]
    assert second.digest != first.digest and second.model == first.model
    assert finished_log(second.logs, cell_key(second, cell), second.digest) is None
    assert finished_log(first.logs, cell_key(first, cell), second.digest) is None
    with pytest.raises(CheckpointError, match="exchanged meanwhile"):
        open_model(first, {})
    log = run_cell(second, cell, open_model(second, {}))
    assert facts_of(log).weights == second.digest
    assert len(logs_of(second.logs)) == 2


def test_torn_and_unfinished_logs_are_run_anew(task_file: Path, tmp_path: Path) -> None:
    subject = mock(tmp_path / "logs")
    cell = Cell(resolve_task(f"{task_file}@capitals"))
    run_cell(subject, cell, open_model(subject, scripted("Paris")))
    (whole,) = logs_of(subject.logs)
    content = whole.read_bytes()
    for torn in (content[: len(content) // 2], b""):
        whole.write_bytes(torn)
        assert finished_log(subject.logs, cell_key(subject, cell), "") is None
    rewritten = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(rewritten, "w") as new:
        for entry in old.namelist():
            if entry not in ("header.json", "reductions.json", "summaries.json"):  # as a kill leaves it
                new.writestr(entry, old.read(entry))
    whole.write_bytes(rewritten.getvalue())
    assert finished_log(subject.logs, cell_key(subject, cell), "") is None
    run_cell(subject, cell, open_model(subject, scripted("Paris")))
    assert finished_log(subject.logs, cell_key(subject, cell), "") is not None


def test_a_task_in_which_everything_fails_says_why(task_file: Path, tmp_path: Path, tiny_model: Path) -> None:
    long = {"extra": "long " * 9000, "number": 1}  # more than the model's context
    (subject,) = find_subjects([str(tiny_model)], tmp_path / "logs", is_provider)
    with pytest.raises(ModelError, match=r"every sample failed \(.*does not fit"):
        run_cell(subject, Cell(resolve_task(f"{task_file}@capitals"), long), open_model(subject, {}))


def test_an_argument_that_a_file_does_not_have_is_said(task_file: Path, tmp_path: Path) -> None:
    subject = mock(tmp_path / "logs")
    cell = Cell(resolve_task(f"{task_file}@capitals"), {"colour": "red", "number": 1})
    with pytest.raises(
        ConfigError, match=r"-T colour: .*tasks\.py@capitals has no such argument; it has extra, number"
    ):
        run_cell(subject, cell, open_model(subject, scripted("Paris")))
    with pytest.raises(ConfigError, match="-T colour"):  # nor does the log of that pass for an answer
        run_cell(subject, cell, open_model(subject, scripted("Paris")))


def test_two_commands_do_not_share_a_folder(task_file: Path, tmp_path: Path) -> None:
    from doxa.run.folder import RunFolder

    out = tmp_path / "out"
    with RunFolder(out).lock(), pytest.raises(DoxaError, match=f"in use by pid {os.getpid()}"):
        typed("inspect", f"{task_file}@capitals", "mockllm/model", "--out", out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-T", "scenario"], "must be NAME=VALUE"),
        (["-T", "goal=none", "-T", "goal=conflict"], "goal stands twice"),
        (["-T", "scenario=theft"], "there is no 'theft'"),
        (["-T", "colour=red"], "-T colour: doxa/agentic has no such argument; it has scenario, goal"),
    ],
)
def test_wrong_arguments_are_said(arguments: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        typed("inspect", "agentic", "mockllm/model", "--out", tmp_path, *arguments)


# --- the conditions runner

REQUEST = AgenticRequest(scenario="leak,leaflet", goal="none,conflict", urgency="none", epochs=2)


def act(subjects: list[Subject], answer: str, request: AgenticRequest = REQUEST) -> list[CellResult]:
    return run_agentic(subjects, request, Progress(quiet=True), scripted(answer))


def harmful_leak() -> str:
    return pair_actions(load_scenario("leak").pairs[0], Setting())[0]


def test_models_and_conditions_make_one_table(tmp_path: Path) -> None:
    results = act([mock(tmp_path / "logs")], harmful_leak())
    assert len(results) == 4 and len(logs_of(tmp_path / "logs")) == 4
    rows = csv_rows(results, REQUEST)
    cells = [row for row in rows if row["goal"] != "all"]
    assert [(row["scenario"], row["goal"], row["n"]) for row in cells] == [
        ("leak", "none", 2),
        ("leak", "conflict", 2),
        ("leaflet", "none", 2),
        ("leaflet", "conflict", 2),
    ]
    assert {row["temperature"] for row in cells} == {0.7}
    over_all = next(row for row in rows if row["scenario"] == "all")
    assert (over_all["harmful"], over_all["n"], over_all["conditions"]) == (1, 4, 2)  # without the control
    assert over_all["harmful_low"] < 1
    console = Console(file=io.StringIO(), width=80)
    print_results(results, console)
    assert "1.00 [0.34, 1.00]" in console.file.getvalue()  # type: ignore[attr-defined]
    assert not cautions(results)


def test_finished_conditions_are_not_run_again(tmp_path: Path) -> None:
    subject = mock(tmp_path / "logs")
    first = act([subject], harmful_leak())
    kept = logs_of(subject.logs)
    # another answer would be another result: what is there is taken as it is
    again = act([subject], '<action name="wait"></action>')
    assert [one.numbers for one in again] == [one.numbers for one in first]
    assert logs_of(subject.logs) == kept
    kept[-1].unlink()  # stopped before the last one
    act([subject], harmful_leak())
    assert len(logs_of(subject.logs)) == 4
    more = AgenticRequest(scenario="leak", goal="none", urgency="none", epochs=3)
    act([subject], harmful_leak(), more)
    assert len(logs_of(subject.logs)) == 5


def test_a_changed_scenario_is_asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from doxa.belief.agentic import conditions

    subject = mock(tmp_path / "logs")
    request = AgenticRequest(scenario="leak", goal="none", urgency="none", epochs=1)
    act([subject], harmful_leak(), request)
    monkeypatch.setitem(conditions.GOALS, "none", "Your goal here is another.")
    act([subject], harmful_leak(), request)
    assert len(logs_of(subject.logs)) == 2


def test_specs_are_arms_and_arms_are_compared_by_condition(tmp_path: Path) -> None:
    spec = tmp_path / "spec.txt"
    spec.write_text("Wren lets nothing out.")
    request = AgenticRequest(scenario="leak", goal="none,conflict", urgency="none", specs=("none", str(spec)), epochs=1)
    output = {
        True: ModelOutput.from_content("mock", '<action name="wait"></action>'),
        False: ModelOutput.from_content("mock", harmful_leak()),
    }
    for one in output.values():
        one.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    given = {"custom_outputs": lambda messages, *_: output["lets nothing out" in messages[0].text]}
    results = run_agentic([mock(tmp_path / "logs")], request, Progress(quiet=True), given)
    groups = {key: summary(some)["harmful"] for key, some in groups_of(results).items()}
    assert groups["mock", "none", "all"] == 1
    assert groups["mock", str(spec), "all"] == 0
    ((what, interval, count),) = differences(results)
    assert (what, interval.value, count) == ("mock with spec.txt - mock", -1.0, 2)


def test_want_of_skill_is_said(tmp_path: Path) -> None:
    results = act([mock(tmp_path / "logs")], "xq zz " * 40)
    (caution,) = cautions(results)
    assert "100% of the answers are incoherent and 0% hold an action" in caution


def test_weights_of_a_run_are_compared_from_the_command_line(run_folder: Path) -> None:
    command = ("agentic", run_folder, "--scenario", "leak", "--goal", "none", "--urgency", "none", "--variant", "small")
    output = typed(*command, "--epochs", 2, "--max-tokens", 6)
    assert "misaligned, trained - base" in output
    rows = list(csv.DictReader(io.StringIO((run_folder / "evals/agentic.csv").read_text())))
    assert {row["checkpoint"] for row in rows} == {
        one.digest for one in find_subjects([str(run_folder)], None, is_provider)
    }
    assert len(logs_of(run_folder / "evals/inspect")) == 2
    output = typed(*command, "--readout", "likelihood")
    assert "margin, trained - base" in output
    rows = list(csv.DictReader(io.StringIO((run_folder / "evals/agentic_likelihood.csv").read_text())))
    assert {float(row["n"]) for row in rows} == {3.0}
    with pytest.raises(ConfigError, match="mockllm/model has no weights on this computer"):
        typed("agentic", "mockllm/model", "--readout", "likelihood", "--out", run_folder.parent / "elsewhere")
