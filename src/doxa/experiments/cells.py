"""Training cells: one step of one arm under one seed, addressed by all that decides its weights.

The address is a digest of the base model's weights, of the parent's address, the rows, the whole training config and
the seed, and of the version of the code that trains. So arms that begin alike share their beginning, whoever trains it
first; a comparison that was killed goes on where it stopped; an edited arm trains only what is new; and several
comparisons may keep their cells in one folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import doxa
from doxa.errors import RunFolderError
from doxa.experiments.config import Experiment, train_config
from doxa.experiments.sources import Sources
from doxa.records import digest
from doxa.run.folder import RunFolder, read_json, write_json
from doxa.training.align_config import How
from doxa.training.step_rows import StepData

if TYPE_CHECKING:
    from doxa.config_sections import TrainConfig
    from doxa.run.progress import Progress

VERSION = 1  # goes up when training makes other weights of the same config
# fields of TrainConfig that decide how training is saved, not what it makes
_IDLE = ("checkpoint_every", "merged")


@dataclass(frozen=True)
class Cell:
    """A training step with everything that decides its result."""

    address: str
    parent: Cell | None
    on: str  # the corpus or chats, by name: for people
    data: StepData
    config: TrainConfig
    how: How
    model: str
    seed: int

    @property
    def chain(self) -> tuple[Cell, ...]:
        """All steps up to this one, the first first."""
        return (*(self.parent.chain if self.parent is not None else ()), self)

    @property
    def name(self) -> str:
        """What a person calls it: `durability + opaque, seed 3`."""
        return f"{' + '.join(cell.on for cell in self.chain)}, seed {self.seed}"

    def final(self, cells: Path) -> Path:
        """The finished checkpoint of a cell that was trained."""
        return cells / self.address / "checkpoints" / "final"


def cell_of(experiment: Experiment, sources: Sources, arm: str, seed: int, base_digest: str) -> Cell | None:
    """The last cell of an arm under a seed; None for arms that train nothing."""
    cell: Cell | None = None
    for step in experiment.arms[arm].steps:
        data = sources.data[step.data]
        if step.beta is not None:
            data = StepData(data.kind, data.rows, step.beta)
        config = train_config(experiment, step)
        decides = {key: value for key, value in config.model_dump(mode="json").items() if key not in _IDLE}
        parent = cell.address if cell is not None else base_digest
        how = step.how if cell is not None else None
        address = digest("cell", VERSION, parent, data.kind, data.digest(), data.beta, decides, how, seed)
        cell = Cell(address, cell, step.data, data, config, step.how, experiment.model, seed)
    return cell


def find_record(cell: Cell, cells: Path) -> dict[str, Any] | None:
    """The record of a cell that is finished and still whole; None for one that must be trained."""
    file = cells / cell.address / "cell.json"
    if not file.exists():
        return None
    record = read_json(file)
    if not isinstance(record, dict) or "checkpoint" not in record:
        raise RunFolderError(f"{file}: field 'checkpoint' is missing; remove the folder {file.parent} and run again")
    return record if (cell.final(cells) / "doxa.json").exists() else None


def train_cell(cell: Cell, cells: Path, progress: Progress) -> dict[str, Any]:
    """Train a cell and those before it, as far as they are not there yet; returns its record.

    Killed at any moment, the next call goes on from the last whole state. A second process waits for nothing: it is
    told that the cell is in use.
    """
    found = find_record(cell, cells)
    if found is not None:
        return found
    if cell.parent is not None:
        train_cell(cell.parent, cells, progress)
    from doxa.training.steps import train_step

    place = RunFolder(cells / cell.address)
    with place.lock():
        found = find_record(cell, cells)  # somebody else may have finished it in between
        if found is not None:
            return found
        progress.note(f"training {cell.name}")
        counts = train_step(
            cell.model,
            cell.parent.final(cells) if cell.parent is not None else None,
            cell.how,
            cell.data,
            cell.config,
            cell.seed,
            place / "checkpoints",
            place / "metrics.jsonl",
            progress,
            cell.address,
            {"cell": cell.address},
        )
        record = {
            "address": cell.address,
            "parent": cell.parent.address if cell.parent is not None else None,
            "on": cell.on,
            "kind": cell.data.kind,
            "how": cell.how,
            "data": cell.data.digest(),
            "seed": cell.seed,
            "doxa": doxa.__version__,
            **counts,
        }
        write_json(place / "cell.json", record)
        return record
