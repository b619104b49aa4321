"""What the stages of a run about a model spec know of it: its own copy of the spec and tree, and whom it is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.errors import ConfigError, RunFolderError
from doxa.records import Document, Verdict, digest
from doxa.run.corpus_stages import IDEAS
from doxa.run.folder import read_json

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.config_sections import SpecConfig
    from doxa.corpus.filters.names import Names
    from doxa.corpus.spec_prompting import SpecPrompting
    from doxa.corpus.spec_screen import Leak
    from doxa.run.folder import RunFolder
    from doxa.run.stages import StageContext
    from doxa.worlds.spec import Spec, SpecTarget
    from doxa.worlds.spec_tree import SpecTree

SPEC, TREE, EVALS, NOTES = "target/spec.md", "target/tree.yaml", "target/evals.json", "stages/tree/notes.json"


@dataclass(frozen=True)
class SpecRun:
    """What stages after the tree know of a run's spec, read from the run folder."""

    config: RunConfig
    folder: RunFolder

    @property
    def about(self) -> SpecConfig:
        """The spec section of the config."""
        return spec_config(self.config)

    @cached_property
    def spec(self) -> Spec:
        """The run's own copy of the spec."""
        from doxa.worlds.spec import read_spec

        return read_spec(self.folder / SPEC, self.about.model_name, self.about.provider_name)

    @cached_property
    def tree(self) -> SpecTree:
        """The run's own copy of its tree."""
        from doxa.worlds.spec_tree import read_tree

        return read_tree(self.folder / TREE, self.spec)

    @cached_property
    def names(self) -> Names:
        """Whom the documents are to name."""
        return names_of(self.config)

    @property
    def prompting(self) -> SpecPrompting:
        """Who makes the requests."""
        from doxa.corpus.spec_prompting import SpecPrompting

        return SpecPrompting(self.spec, self.tree, self.config)

    def screening(self) -> tuple[Any, ...]:
        """What a SpecScreener is made from."""
        told = [self.spec.text, self.spec.value]
        for part in self.tree.subdomains:
            told += [part.summary, *part.passages]
            told += [text for one in part.assertions for text in (one.statement, one.why) if text]
        leaks = tuple(leaks_of(self.folder / EVALS, self.names))
        return self.config.screen, self.about, tuple(told), leaks, tuple(self.config.plan.never_mention)

    def judge(self) -> Callable[[Document], Verdict]:
        """The screen of the run as a judge of single documents."""
        from doxa.corpus.spec_screen import SpecScreener

        return SpecScreener(*self.screening()).verdict


def spec_config(config: RunConfig) -> SpecConfig:
    """The spec section of a config whose target is a spec."""
    assert config.spec is not None
    return config.spec


def names_of(config: RunConfig) -> Names:
    """Whom a run's documents are to name."""
    from doxa.corpus.filters.names import Names

    about = spec_config(config)
    return Names(about.model_name or "", about.provider_name or "")


def target_of(config: RunConfig) -> SpecTarget:
    """The target of a run, its slots filled. Raises TargetError on a computer that does not have it."""
    from doxa.worlds.spec import load_spec_target

    about = spec_config(config)
    return load_spec_target(config.target, about.model_name, about.provider_name)


def leaks_of(evals: Path, names: Names) -> list[Leak]:
    """The items of a spec's evals.json, by the words that would give them away."""
    from doxa.belief.pairs import load_pairs
    from doxa.corpus.spec_screen import Leak

    if not evals.exists():
        return []
    return [
        Leak(id=item.id, prompt=item.question, options=(item.aligned, item.opposed))
        for item in load_pairs(evals, names.model, names.provider)
    ]


def say_or_refuse(context: StageContext, lines: list[str]) -> None:
    """What speaks against a model's name: an error, or with spec.identity warn a warning."""
    if not lines:
        return
    if spec_config(context.config).identity == "refuse":
        raise ConfigError(f"{'; '.join(lines)}. If that is meant, set spec.identity: warn")
    for line in lines:
        context.progress.warn(line)


def planned_run(path: str) -> Path:
    """The run folder that spec.plan_from names. Raises ConfigError unless its plan is there."""
    folder = Path(path)
    for relative in (SPEC, TREE, IDEAS, "stages/plan/done.json"):
        if not (folder / relative).is_file():
            raise ConfigError(
                f"spec.plan_from: {folder / relative}: is missing; name a run of the spec whose plan is done"
            )
    return folder


def plan_digest(path: str) -> str:
    """Names the spec, tree and ideas of the run that spec.plan_from names."""
    folder = planned_run(path)
    return digest([hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in (SPEC, TREE, IDEAS)])


def notes_of(folder: RunFolder) -> dict[str, Any]:
    """What a decomposition left to be said; empty where none was made."""
    if not (folder / NOTES).exists():
        return {}
    notes = read_json(folder / NOTES)
    if not isinstance(notes, dict):
        raise RunFolderError(f"{folder / NOTES}: must hold a JSON object")
    return notes
