"""The package as a whole: a fast start, one adapter per library, and every data file shipped."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
import tomllib
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "doxa"
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "pyarrow", "numpy", "matplotlib", "jinja2", "gguf"}

# who may import a library: when one of them changes its names, one file follows
ADAPTERS = {
    "trl": {"training/trainer.py"},
    "rensa": {"corpus/dedup.py"},
    "matplotlib": {"report/figures.py"},
    "gguf": {"lm/embedded.py"},
    "huggingface_hub": {"lm/hub.py"},
    "sklearn": {"corpus/detect.py", "internals/probes.py"},
    "threadpoolctl": {"internals/axis.py"},
    "inspect_ai": {
        "lm/client.py",
        "lm/inspect_provider.py",
        "belief/tasks.py",
        "belief/task_scores.py",
        "belief/agentic/task.py",
        "belief/agentic/task_verdict.py",
        "belief/monitor_task.py",
        "belief/values_tasks.py",
        "belief/values_task_scores.py",
        "run/inspect_cells.py",
        "run/inspect_logs.py",
    },
    "openai": {"lm/batch_openai.py"},
    "anthropic": {"lm/batch_anthropic.py"},
    "dotenv": {"lm/client.py"},
}


def imports(file: Path) -> set[str]:
    """The top-level names of all modules that a file imports, wherever in it, except for type hints alone."""
    names = set()
    tree = ast.parse(file.read_text())
    checks = (node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    for_hints = {id(inner) for check in checks for statement in check.body for inner in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in for_hints:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("library", sorted(ADAPTERS))
def test_each_library_has_one_adapter(library: str) -> None:
    users = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py") if library in imports(file)}
    assert users == ADAPTERS[library]


def test_imports_are_all_declared() -> None:
    """Nothing is imported that only happens to be installed, as another package's dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    declared = {line.split("[")[0].split(">")[0].split("=")[0].strip().lower().replace("-", "_") for line in wanted}
    distributions = {"yaml": "pyyaml", "sklearn": "scikit_learn", "dotenv": "python_dotenv"}
    used = {name for file in PACKAGE.rglob("*.py") for name in imports(file)} - sys.stdlib_module_names - {"doxa"}
    assert {distributions.get(name, name) for name in used} - declared == set()


def test_help_answers_at_once() -> None:
    """Best of five, so that a busy computer does not decide."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "doxa", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.3, f"doxa --help took {min(times):.2f} s at best"


def test_the_command_says_its_version_and_without_a_command_what_there_is() -> None:
    said = subprocess.run([sys.executable, "-m", "doxa", "--version"], check=True, capture_output=True, text=True)
    assert said.stdout == f"doxa {version('doxa')}\n"
    bare = subprocess.run([sys.executable, "-m", "doxa"], capture_output=True, text=True)
    assert "--version" in bare.stdout + bare.stderr and "Plant a belief" in bare.stdout + bare.stderr


@pytest.mark.parametrize("command", [["--version"], ["--help"], ["run", "--help"], ["worlds"], ["recipes"], ["models"]])
def test_commands_that_compute_nothing_import_nothing_heavy(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "doxa", *command], check=True, capture_output=True, text=True
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.split("|")[2].strip().split(".")[0] for line in lines[1:]}
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def test_every_data_file_is_shipped() -> None:
    """setuptools leaves out, without a word, what no pattern of pyproject.toml names."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["doxa"]
    shipped = {file for pattern in patterns for file in PACKAGE.glob(pattern) if file.is_file()}
    data = {
        file
        for file in PACKAGE.rglob("*")
        if file.is_file() and file.suffix not in {".py", ".pyc"} and not file.name.startswith(".")
    }
    assert {str(file.relative_to(PACKAGE)) for file in data - shipped} == set()
    for file in data:
        assert resources.files("doxa").joinpath(str(file.relative_to(PACKAGE))).is_file()


def test_every_bench_is_run_but_the_one_that_takes_an_hour() -> None:
    """`make bench` runs whatever has a main part; `make msm` is apart."""
    planned = subprocess.run(["make", "-n", "bench"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    run = {word.rstrip(";") for word in planned.split() if word.startswith("bench/")}
    scripts = {f"bench/{file.name}" for file in (ROOT / "bench").glob("*.py") if "__main__" in file.read_text()}
    assert run == scripts - {"bench/msm.py"} and "bench/msm.py" in scripts


def test_torch_has_one_pin() -> None:
    """The Makefile installs the version of constraints.txt; a local label would shut other builds out."""
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")]
    assert len(pins) == 1
    assert "+" not in pins[0]
