"""The kinds of target that a run may be about, each with its stages: what the runner, status and commands ask.

A universe is a belief to be planted, a spec a character to be taught. Whatever goes for both reads this table, so that
no command has to know which kinds there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doxa.config import RunConfig, UserConfig
from doxa.errors import ConfigError
from doxa.run.pipeline import STAGES, resolve_universe
from doxa.run.spec_pipeline import SPEC_STAGES, resolve_spec
from doxa.run.stages import Stage

if TYPE_CHECKING:
    from rich.console import Console

    from doxa.run.folder import RunFolder


@dataclass(frozen=True)
class Kind:
    """One kind of target: its stages, and the table at the end of a run."""

    name: str
    stages: list[Stage]
    summary: Callable[[RunFolder, Console], None]


def _universe_summary(folder: RunFolder, console: Console) -> None:
    from doxa.report.page import print_summary

    print_summary(folder, console)


def _spec_summary(folder: RunFolder, console: Console) -> None:
    from doxa.report.spec_summary import print_spec_summary

    print_spec_summary(folder, console)


UNIVERSE = Kind("universe", STAGES, _universe_summary)
SPEC = Kind("spec", SPEC_STAGES, _spec_summary)


def kind_of(config: RunConfig) -> Kind:
    """The kind of target that a run is about."""
    return UNIVERSE if config.spec is None else SPEC


def stages_of(config: RunConfig) -> list[Stage]:
    """The stages of a run, in order."""
    return kind_of(config).stages


def resolve_config(user: UserConfig, stored: RunConfig | None = None) -> RunConfig:
    """The complete config of a run, whatever its target is. Raises DoxaError naming file and field.

    `stored` is the one that a run folder has already; what that is good for, resolve_spec says.
    """
    from doxa.worlds.spec import is_spec_target

    return resolve_spec(user, stored) if is_spec_target(user.target) else resolve_universe(user)


def named_stage(config: RunConfig, name: str) -> Stage:
    """A stage by its name. Raises ConfigError listing those of the run."""
    for stage in stages_of(config):
        if stage.name == name:
            return stage
    there = ", ".join(stage.name for stage in stages_of(config))
    raise ConfigError(f"{name}: a run about a {kind_of(config).name} has no such stage; it has {there}")


def dump_config(config: RunConfig) -> str:
    """config.json of a run folder."""
    return json.dumps(config.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
