"""Commands that only look: the tokens of a coming training, the state of a run, recipes and models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from doxa.config import load_recipe, recipe_names, recipe_text
from doxa.errors import RunFolderError
from doxa.run.folder import RunFolder, read_json
from doxa.run.kinds import stages_of
from doxa.run.runner import RunRequest, is_run_folder, open_run, shown_counts
from doxa.run.stages import read_states, require_upstream

if TYPE_CHECKING:
    from rich.console import Console


def preview_training(request: RunRequest, console: Console, shown: int) -> None:
    """`doxa train --preview`: midtraining and every align step. Needs the corpus (stages up to mix), trains nothing."""
    from doxa.corpus.parquet import read_corpus
    from doxa.run.spec_training import with_own_rows
    from doxa.training.align_config import step_config
    from doxa.training.preview import preview_step
    from doxa.training.step_rows import StepData, step_data

    folder, config, _ = open_run(request)
    require_upstream(read_states(stages_of(config), config, folder), "midtrain", folder)
    steps = config.align.steps
    if steps:
        console.rule("midtrain")
    documents = StepData("midtrain", read_corpus(folder / "corpus.parquet"))
    preview_step(config.model, documents, config.train, config.seed, console, shown)
    for number, step in enumerate(steps, start=1):
        console.rule(f"align step {number} of {len(steps)}: {step.kind}, how: {step.how}, {', '.join(step.rows)}")
        data = step_data(with_own_rows(config, folder, step, number))
        train = step_config(step, config.train, f"align.steps.{number - 1}")
        preview_step(config.model, data, train, config.seed if step.seed is None else step.seed, console, shown)


def print_status(path: Path) -> None:
    """One line per stage of a run folder."""
    from rich.console import Console

    if not is_run_folder(path):
        raise RunFolderError(f"{path}: is not a run folder (no config.json and stages/ in it)")
    folder, config, _ = open_run(RunRequest(str(path), None))
    console = Console(highlight=False, soft_wrap=True)
    for state in read_states(stages_of(config), config, folder):
        beside = "; ".join(state.reasons) or shown_counts(state.counts)
        console.print(f"{state.stage.name:<9} {state.status:<10} {beside}", markup=False)
    for line in _spent(folder):
        console.print(line, markup=False)
    console.print(f"{_size(folder):,} bytes in {path}", markup=False)


def _spent(folder: RunFolder) -> list[str]:
    """What the language models cost so far, a line per model."""
    if not (folder / "usage.json").exists():
        return []
    totals: dict[str, list[float | None]] = {}
    for row in read_json(folder / "usage.json")["usage"]:
        total = totals.setdefault(row["model"], [0, 0, 0.0])
        total[0] = (total[0] or 0) + row["responses"]
        total[1] = (total[1] or 0) + row["input_tokens"] + row["output_tokens"]
        total[2] = None if total[2] is None or row["usd"] is None else total[2] + row["usd"]
    return [
        f"{model}: {answers:,.0f} answers, {tokens:,.0f} tokens, "
        + ("price unknown" if dollars is None else f"${dollars:,.2f}")
        for model, (answers, tokens, dollars) in totals.items()
    ]


def print_recipes() -> None:
    """Every bundled recipe: what it is, where its numbers come from, and the numbers."""
    from rich.console import Console

    console = Console(highlight=False)
    for name in recipe_names():
        described = yaml.safe_load(recipe_text(name))
        console.print(f"[bold]{name}[/bold]: {described['about']}")
        console.print(f"  source: {' '.join(described['source'].split())}", markup=False)
        fields = ", ".join(f"{key} {value}" for key, value in load_recipe(name).items())
        console.print(f"  {fields}\n", markup=False)


def print_models() -> None:
    """The models that doxa knows by a name of its own."""
    from rich.console import Console

    from doxa.lm.weights import known_models

    console = Console(highlight=False)
    for model in known_models():
        state = f"ready, {model.size / 1e6:.0f} MB in {model.folder}" if model.ready else "made on first use"
        size = f"{model.parameters / 1e6:.0f}M parameters"
        console.print(f"[bold]{model.name}[/bold]  {size}, {model.licence}, {model.source}: {state}")
    console.print("Any Hugging Face id or local folder works in place of a name.")


def _size(folder: RunFolder) -> int:
    return sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())
