"""The one target of a depth profile's folder, of which it keeps a copy of all that a report needs.

A profile of one target refuses another, however it is named: its rows would be about two worlds at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from doxa.config import RunConfig
from doxa.errors import ConfigError, TargetError
from doxa.run.folder import RunFolder, write_whole
from doxa.run.named_models import MODELS, has_stages
from doxa.run.runner import is_run_folder, stored_config
from doxa.worlds.universe import load_target, read_universe

if TYPE_CHECKING:
    from doxa.belief.world import World

OWN = "target"
UNIVERSE, EVALS = "universe.yaml", "evals.json"


def source_of(config: RunConfig) -> Path | None:
    """The target's own folder; None on a computer that does not have it."""
    try:
        return load_target(config.target).folder
    except TargetError:
        return None


def refuse_other_target(folder: RunFolder, wanted: RunConfig, source: Path | None) -> None:
    """Raise ConfigError where a folder would get answers about another target than it holds. Writes nothing.

    One that was moved, or edited under its own id, is the same.
    """
    run = has_stages(folder)
    if not is_run_folder(folder.path) or not (run or (folder / MODELS).exists()):
        return
    kept = stored_config(folder)
    if wanted.target != kept.target and wanted.target_digest != kept.target_digest:
        raise _other_target(folder, run, kept.target, wanted.target, wanted.target)
    own = folder / OWN / UNIVERSE
    if source is not None and own.is_file():
        here, there = read_universe(own).id, read_universe(source / UNIVERSE).id
        if here != there:  # the folder of that name holds another world by now
            raise _other_target(folder, run, here, f"{there}, which now lies in {source}", str(source))


def world_of(folder: RunFolder, source: Path | None) -> World:
    """What the folder's arms are asked about, from the target's newer files where there are any. Writes nothing.

    A run keeps the universe that it was trained on; evals may be newer. Raises TargetError naming file and field.
    """
    from doxa.belief.world import load_world

    own = folder / OWN
    if source is None:
        return load_world(own)
    lost = not (source / EVALS).is_file() and (own / EVALS).is_file()
    world = load_world(own if lost else source)
    return replace(world, universe=read_universe((own if _keeps(folder) else source) / UNIVERSE))


def take_target(folder: RunFolder, source: Path | None) -> None:
    """Copy into the folder what `world_of` read."""
    for name in (EVALS,) if _keeps(folder) else (UNIVERSE, EVALS):
        if source is not None and (source / name).is_file():
            write_whole(folder / OWN / name, (source / name).read_bytes())


def _keeps(folder: RunFolder) -> bool:
    return has_stages(folder) and (folder / OWN / UNIVERSE).exists()


def _other_target(folder: RunFolder, run: bool, kept: str, wanted: str, name: str) -> ConfigError:
    what, models = ("run", f"--model MODEL --trained local/{folder.path}") if run else ("profile", "--model MODEL")
    return ConfigError(
        f"{folder.path}: holds the {what} of {kept}, not of {wanted}; profile that in a folder of its own: "
        f"`doxa depth {name} {models} --out FOLDER`"
    )
