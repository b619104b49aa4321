"""`doxa judge`: judge the stored answers of a run, with any number of judges; `--self-test`: test the judges first.

A self-test ends in its verdict, which is the exit code too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from doxa.belief.judge_fitness import SelfTest
    from doxa.config_sections import LmConfig
    from doxa.lm.models import LanguageModels

SELF_TEST = Path("runs/judge_self_test")
UNFIT = 1  # the exit code where a judge fails its self-test; errors have 2, and answers that are awaited 3


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the command."""
    app.command("judge")(speaking(judge))


def judge(
    folder: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="A run folder with depth/answers.jsonl.", show_default=False)
    ] = None,
    judges: Annotated[
        list[str] | None, typer.Option("--judge", help="Any model string; repeat it for several judges.")
    ] = None,
    self_test: Annotated[bool, typer.Option("--self-test", help="Judge planted answers with known verdicts.")] = False,
    probes: Annotated[
        list[str] | None, typer.Option("--probe", help="Only the answers of this probe. Repeatable.")
    ] = None,
    rubric: Annotated[
        str | None, typer.Option("--rubric", help="Judge all by this one: a rubric's name, or a file in .md.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides which world is shown first.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Judge anew what these judges have judged already.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help=f"With --self-test and no run: a folder. Default: {SELF_TEST}.")
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Use the provider's batch service.")] = False,
    budget_usd: Annotated[float | None, typer.Option("--budget-usd", help="Stop before more is spent.")] = None,
) -> None:
    """Judge stored answers without sampling them again, or test judges on planted answers."""
    from doxa.belief.judge_fitness import self_test as run_self_test
    from doxa.belief.rubrics import load_rubric
    from doxa.errors import ConfigError
    from doxa.lm.models import check_model, open_models
    from doxa.run.folder import RunFolder
    from doxa.run.progress import Progress

    names = list(dict.fromkeys(judges or []))
    if not names:
        raise ConfigError("--judge: name at least one judge, such as --judge anthropic/claude-haiku-4-5")
    if folder is None and not self_test:
        raise ConfigError("name a run folder to judge its answers, or give --self-test")
    if rubric is not None:
        load_rubric(rubric)
    config = _lm_config(folder, batch, budget_usd)
    for name in names:
        check_model(name, "--judge", config)
    place = folder if folder is not None else out or SELF_TEST
    with RunFolder(place).lock(), open_models(place, config, Progress()) as models:
        if self_test:
            report_self_tests((run_self_test(models, name) for name in names), place)
        else:
            _judge_answers(names, models, place, probes or [], rubric, seed, again)


def _lm_config(folder: Path | None, batch: bool, budget_usd: float | None) -> LmConfig:
    """How models are called: as the run is configured, or the defaults, with what the command line says."""
    from doxa.config import validate
    from doxa.config_sections import LmConfig
    from doxa.errors import RunFolderError
    from doxa.run.folder import RunFolder
    from doxa.run.runner import is_run_folder, stored_config

    settings = LmConfig()
    if folder is not None:
        if not folder.is_dir():
            raise RunFolderError(f"{folder}: there is no such run folder")
        if is_run_folder(folder):
            settings = stored_config(RunFolder(folder)).lm
    given = settings.model_dump()
    if batch:
        given["batch"] = True
    if budget_usd is not None:
        given["budget_usd"] = budget_usd
    return validate(LmConfig, given, "doxa judge")


def report_self_tests(tests: Iterable[SelfTest], place: Path) -> None:
    """Keep each self-test in a folder as it comes, print them all, and leave with exit code 1 if a judge is not fit."""
    from doxa.belief.judge_fitness import RECORD, record_self_test, self_test_lines

    done = []
    for found in tests:
        record_self_test(place, found)
        done.append(found)
    print(f"every wrong verdict: {place / RECORD}")
    print("\n".join(self_test_lines(done)))
    if not all(found.fit for found in done):
        raise typer.Exit(UNFIT)


def _judge_answers(
    names: list[str],
    models: LanguageModels,
    place: Path,
    probes: list[str],
    rubric: str | None,
    seed: int,
    again: bool,
) -> None:
    from doxa.belief.judged import folder_cases, judge_folder, judged_lines

    cases = folder_cases(place, probes, rubric)
    rows = judge_folder(place, models, names, cases, seed, again)
    print("\n".join(judged_lines(rows, [case.answer for case in cases])))
