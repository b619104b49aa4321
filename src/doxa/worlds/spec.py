"""Model specs and the target folders that hold them: what Model Spec Midtraining instils instead of a fact.

A spec target is a folder with `spec.md` (the spec, with `{model_name}` and `{provider_name}` where the model and its
maker are to be named), `evals.json`, and, where they are there already, `tree.yaml` (the spec decomposed) and
`recorded/`; the format stands in docs/formats-spec.md. Everything here only reads.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import Field, ValidationError

from doxa.config import explain
from doxa.errors import TargetError
from doxa.records import Record
from doxa.worlds.slots import SLOTS, fill, filled, odd_slot, read_text, read_yaml
from doxa.worlds.spec_text import is_verbatim as stands_in
from doxa.worlds.spec_tree import TREE_FILE, Assertion, Domain, Kind, SpecTree, Subdomain, read_tree
from doxa.worlds.universe import LIBRARY, digest_files

__all__ = [
    "SLOTS",
    "SPEC_FILE",
    "TREE_FILE",
    "Assertion",
    "Domain",
    "Kind",
    "Spec",
    "SpecAbout",
    "SpecSource",
    "SpecTarget",
    "SpecTree",
    "Subdomain",
    "bundled_specs",
    "fill",
    "is_spec_target",
    "is_verbatim",
    "load_spec_target",
    "read_source",
    "read_spec",
    "read_tree",
]

SPEC_FILE = "spec.md"
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.S)


class SpecAbout(Record):
    """What stands between the `---` lines at the top of a spec.md: what the spec is called and whom it is about."""

    id: str = Field(min_length=1)
    title: str = Field(min_length=1)
    value: str = Field(min_length=1)  # in a sentence: what the model is to hold dear, "{model_name} values ..."
    model_name: str = Field(min_length=1)  # what fills {model_name}, unless the config names another
    provider_name: str = Field(min_length=1)


class Spec(Record):
    """A spec with its slots filled."""

    id: str
    title: str
    value: str
    model_name: str
    provider_name: str
    text: str  # without the front matter


@dataclass(frozen=True)
class SpecSource:
    """A spec.md as it was written, its slots open."""

    about: SpecAbout
    body: str

    def filled(self, model_name: str | None = None, provider_name: str | None = None) -> Spec:
        """The spec about a model and its maker; by default those that spec.md names."""
        model, provider = model_name or self.about.model_name, provider_name or self.about.provider_name
        return Spec(
            id=self.about.id,
            title=fill(self.about.title, model, provider),
            value=fill(self.about.value, model, provider),
            model_name=model,
            provider_name=provider,
            text=fill(self.body, model, provider),
        )


@dataclass(frozen=True)
class SpecTarget:
    """A spec's target folder, read and checked."""

    name: str  # the bundled name, or the name of the folder
    folder: Path
    spec: Spec
    tree: SpecTree | None  # None: to be decomposed by a model
    digest: str  # names the bytes of spec.md, tree.yaml and recorded/: what decides the corpus
    evals_digest: str  # names the bytes of evals.json
    source: SpecSource  # spec.md as it was written


def is_spec_target(name_or_path: str) -> bool:
    """Whether a target's name or folder is a spec's."""
    if name_or_path in bundled_specs():
        return True
    folder = Path(name_or_path).expanduser()
    return (folder / SPEC_FILE).is_file() and not (folder / "universe.yaml").exists()


def bundled_specs() -> list[str]:
    """Names of the spec targets that ship with doxa, sorted."""
    return sorted(entry.name for entry in LIBRARY.iterdir() if (entry / SPEC_FILE).exists())


def load_spec_target(name_or_path: str, model_name: str | None = None, provider_name: str | None = None) -> SpecTarget:
    """Load a bundled spec by name, or a folder with a spec.md by path, with its slots filled.

    `model_name` and `provider_name` take the place of those that spec.md names. Raises TargetError that names the file
    and the field, or lists the bundled specs.
    """
    folder = spec_folder(name_or_path)
    source = read_source(folder / SPEC_FILE)
    spec = source.filled(model_name, provider_name)
    tree_file = folder / TREE_FILE
    return SpecTarget(
        name=folder.name,
        folder=folder,
        spec=spec,
        tree=read_tree(tree_file, spec) if tree_file.exists() else None,
        digest=digest_files(folder, [folder / SPEC_FILE, tree_file, *(folder / "recorded").rglob("*")]),
        evals_digest=digest_files(folder, [folder / "evals.json"]),
        source=source,
    )


def spec_folder(name_or_path: str) -> Path:
    """The folder of a spec target. Raises TargetError that lists the bundled specs."""
    bundled = name_or_path in bundled_specs()
    folder = LIBRARY / name_or_path if bundled else Path(name_or_path).expanduser()
    if not (folder / SPEC_FILE).is_file():
        near = difflib.get_close_matches(name_or_path, bundled_specs(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TargetError(
            f"target: no bundled spec and no folder with a {SPEC_FILE} named {name_or_path!r}{hint} "
            f"(bundled: {', '.join(bundled_specs())})"
        )
    return folder.resolve()


def read_spec(path: Path, model_name: str | None = None, provider_name: str | None = None) -> Spec:
    """Read a spec.md and fill its slots. Raises TargetError that names the file and the field."""
    return read_source(path).filled(model_name, provider_name)


def read_source(path: Path) -> SpecSource:
    """Read a spec.md as it is. Raises TargetError that names the file and the field."""
    text = read_text(path)
    front = _FRONT.match(text)
    if front is None:
        raise TargetError(
            f"{path}: must begin with `---`, the lines id, title, value, model_name and provider_name, and `---`"
        )
    _refuse_odd_slots(path, front.group(1))
    raw = read_yaml(path, front.group(1))
    try:
        about = SpecAbout.model_validate({key: _text(value) for key, value in raw.items() if value is not None})
    except ValidationError as error:
        raise TargetError(f"{path}: {explain(error, SpecAbout)}") from None
    if any(slot in getattr(about, name) for slot in ("{model_name}", "{provider_name}") for name in SLOTS):
        raise TargetError(f"{path}: model_name and provider_name are what fills the slots; they must hold none")
    body = text[front.end() :].strip()
    if not body:
        raise TargetError(f"{path}: holds no spec below its front matter")
    _refuse_odd_slots(path, body, head=False)
    return SpecSource(about, body)


def _refuse_odd_slots(path: Path, text: str, head: bool = True) -> None:
    """Raise TargetError for what was meant as a slot; in the head before YAML takes its braces for a mapping."""
    odd = odd_slot(text)
    if odd:
        keys = re.findall(r"^(\w+):", text[: text.index(odd[0])], re.M) if head else []
        place = f"{keys[-1]}: " if keys else ""
        raise TargetError(f"{path}: {place}{odd[0]} is no slot; write {odd[1]}, or put it into backticks")


def is_verbatim(passage: str, spec: Spec) -> bool:
    """Whether a passage stands in the spec word for word, whatever its white space and markup of emphasis."""
    return stands_in(passage, spec.text)


def _text(value: object) -> object:
    """What YAML reads as a number or a date was meant as a text; a list or a mapping was not."""
    return str(value).strip() if isinstance(value, str | int | float | date) else filled(value, "", "")
