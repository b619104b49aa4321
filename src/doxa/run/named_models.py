"""Which models a profile folder asks: those that the command line named when it was made, kept in depth/models.json.

A run folder knows what it trained. A folder that `doxa depth TARGET --model M` made has this record instead, so that
`doxa depth FOLDER` (and `doxa chat FOLDER`) go on without the names, and no other model is measured into it unawares.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, model_validator

from doxa.config import validate
from doxa.errors import ConfigError, DoxaError, WaitingError
from doxa.lm.embedded import EMBEDDED
from doxa.records import Record
from doxa.run.folder import RunFolder, read_json, write_json, write_whole

MODELS = "depth/models.json"
LOCAL = "local/"


class NamedModels(Record):
    """Model strings by the arm that they stand for; `base` is asked with the universe in its prompt too."""

    base: str | None = Field(None, min_length=1)
    trained: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one_at_least(self) -> NamedModels:
        if self.base is None and self.trained is None:
            raise ValueError("base, trained: at least one of them must name a model")
        return self

    def arms(self) -> dict[str, str]:
        """arm -> model string."""
        named = {"base": self.base, "in_context": self.base, "trained": self.trained}
        return {arm: model for arm, model in named.items() if model is not None}


def read_named(folder: RunFolder) -> NamedModels | None:
    """The models that a folder's profile asks; None for a run folder. Raises DoxaError naming file and field."""
    path = folder / MODELS
    return validate(NamedModels, read_json(path), str(path)) if path.exists() else None


@contextlib.contextmanager
def remembered(folder: RunFolder, named: NamedModels) -> Iterator[None]:
    """Remember the models in the folder, unless the block fails before any of them has answered.

    So a name that its provider does not know stands neither in the way of the right one nor in that of a run.
    """
    path, done = folder / MODELS, _done(folder)
    before = path.read_bytes() if path.exists() else None
    write_json(path, named.model_dump(exclude_none=True))
    try:
        yield
    except WaitingError:
        raise
    except DoxaError:
        if _done(folder) == done:
            path.unlink() if before is None else write_whole(path, before)
        raise


def _done(folder: RunFolder) -> tuple[int, int]:
    """How much was answered, and measured, in a folder."""
    from doxa.lm.models import answers_by_model

    return sum(answers_by_model(folder.path).values()), len(list((folder / "depth/parts").glob("*")))


def choose_named(folder: RunFolder, model: str | None, trained: str | None) -> NamedModels | None:
    """The models to ask: those that the folder remembers and those named now; None where a run has its own.

    An arm that was not asked yet may be added. Raises ConfigError where an arm of a finished profile would become
    another model, and for models named beside a run, whose files would then say two things.
    """
    kept = read_named(folder)
    given = {"base": _anchored(model), "trained": _anchored(trained)}
    if kept is None:
        if not any(given.values()):
            return None
        if has_stages(folder):
            raise ConfigError(
                f"--model, --trained: {folder.path} is a run, which has its own models; profile it as it is with "
                f"`doxa depth {folder.path}`, or name a new folder with --out"
            )
        return NamedModels(**given)
    chosen = kept.model_dump()
    for (arm, name), option in zip(given.items(), ("--model", "--trained"), strict=True):
        # until a profile is finished a name may be put right: answers of different models never share a key
        if name is not None and chosen[arm] not in (None, name) and (folder / "depth/about.json").exists():
            raise ConfigError(
                f"{option} {name}: {folder.path} holds a profile in which {arm} is {chosen[arm]} ({MODELS}); "
                "name another folder with --out"
            )
        chosen[arm] = name or chosen[arm]
    return NamedModels(**chosen)


def refuse_profile(folder: RunFolder) -> None:
    """Raise ConfigError where a run would go into a folder that holds the profile of named models."""
    if (folder / MODELS).exists():
        raise ConfigError(
            f"{folder.path}: holds the profile of models named on a command line ({MODELS}); name another folder for "
            "the run with --out"
        )


def has_stages(folder: RunFolder) -> bool:
    """Whether a folder holds stages of a run, finished or begun."""
    stages = folder / "stages"
    return stages.is_dir() and any(stages.iterdir())


def _anchored(model: str | None) -> str | None:
    """A model string that means the same from anywhere: weights in a folder by their whole path."""
    if model is None or not model.startswith(LOCAL):
        return model
    name = model.removeprefix(LOCAL)
    folder = Path(name).expanduser()
    return f"{LOCAL}{folder.resolve()}" if name not in EMBEDDED and folder.is_dir() else model
