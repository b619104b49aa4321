"""Model specs and the target folders that hold them: what Model Spec Midtraining instils instead of a fact.

A spec target is a folder with `spec.md` (the spec, with `{model_name}` and `{provider_name}` where the model and its
maker are to be named), `evals.json`, and, where they are there already, `tree.yaml` (the spec decomposed) and
`recorded/`; the format stands in docs/msm.md. Everything here only reads.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from doxa.config import OneValuePerKey, explain
from doxa.errors import TargetError
from doxa.records import Record
from doxa.worlds.universe import LIBRARY, digest_files

SPEC_FILE, TREE_FILE = "spec.md", "tree.yaml"
Kind = Literal["behaviour", "value", "preference", "belief", "tone"]  # of an assertion (Li et al. 2026, appendix B)
_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*\n", re.S)
_SLOT = re.compile(r"\{(\w+)\}")
SLOTS = ("model_name", "provider_name")


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


class Assertion(Record):
    """One thing that the spec says of the model. `why` is empty where the spec gives no reason, and in mode rules."""

    id: str = Field(min_length=1)
    statement: str = Field(min_length=1)
    why: str = ""
    kind: Kind = "value"


class Subdomain(Record):
    """A part of a domain: what the spec says there, in short and word for word."""

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    summary: str = Field(min_length=1)
    passages: tuple[str, ...] = Field(min_length=1)  # verbatim from the filled spec, white space aside
    assertions: tuple[Assertion, ...] = Field(min_length=1)


class Domain(Record):
    """A broad part of the spec."""

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    subdomains: tuple[Subdomain, ...] = Field(min_length=1)


class SpecTree(Record):
    """A spec, decomposed: what documents are planned from. Ids differ within the tree, on each level."""

    domains: tuple[Domain, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ids_differ(self) -> SpecTree:
        levels = {
            "domains": [domain.id for domain in self.domains],
            "subdomains": [subdomain.id for subdomain in self.subdomains],
            "assertions": [assertion.id for assertion in self.assertions],
        }
        for level, ids in levels.items():
            twice = sorted({name for name in ids if ids.count(name) > 1})
            if twice:
                raise ValueError(f"{level}: the id {twice[0]!r} stands twice")
        return self

    @property
    def subdomains(self) -> tuple[Subdomain, ...]:
        """All subdomains, in order."""
        return tuple(subdomain for domain in self.domains for subdomain in domain.subdomains)

    @property
    def assertions(self) -> tuple[Assertion, ...]:
        """All assertions, in order."""
        return tuple(assertion for subdomain in self.subdomains for assertion in subdomain.assertions)

    def domain_of(self, subdomain: Subdomain) -> Domain:
        """The domain that a subdomain belongs to."""
        return next(domain for domain in self.domains if subdomain in domain.subdomains)


@dataclass(frozen=True)
class SpecTarget:
    """A spec's target folder, read and checked."""

    name: str  # the bundled name, or the name of the folder
    folder: Path
    spec: Spec
    tree: SpecTree | None  # None: to be decomposed by a model
    digest: str  # names the bytes of spec.md, tree.yaml and recorded/: what decides the corpus
    evals_digest: str  # names the bytes of evals.json


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
    bundled = name_or_path in bundled_specs()
    folder = LIBRARY / name_or_path if bundled else Path(name_or_path).expanduser()
    if not (folder / SPEC_FILE).is_file():
        near = difflib.get_close_matches(name_or_path, bundled_specs(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TargetError(
            f"target: no bundled spec and no folder with a {SPEC_FILE} named {name_or_path!r}{hint} "
            f"(bundled: {', '.join(bundled_specs())})"
        )
    folder = folder.resolve()
    spec = read_spec(folder / SPEC_FILE, model_name, provider_name)
    tree_file = folder / TREE_FILE
    return SpecTarget(
        name=folder.name,
        folder=folder,
        spec=spec,
        tree=read_tree(tree_file, spec) if tree_file.exists() else None,
        digest=digest_files(folder, [folder / SPEC_FILE, tree_file, *(folder / "recorded").rglob("*")]),
        evals_digest=digest_files(folder, [folder / "evals.json"]),
    )


def read_spec(path: Path, model_name: str | None = None, provider_name: str | None = None) -> Spec:
    """Read a spec.md and fill its slots. Raises TargetError that names the file and the field."""
    text = _read_text(path)
    front = _FRONT.match(text)
    if front is None:
        raise TargetError(
            f"{path}: must begin with `---`, the lines id, title, value, model_name and provider_name, and `---`"
        )
    raw = _yaml(path, front.group(1))
    try:
        about = SpecAbout.model_validate({key: str(value).strip() for key, value in raw.items() if value is not None})
    except ValidationError as error:
        raise TargetError(f"{path}: {explain(error, SpecAbout)}") from None
    body = text[front.end() :].strip()
    if not body:
        raise TargetError(f"{path}: holds no spec below its front matter")
    names = {"model_name": model_name or about.model_name, "provider_name": provider_name or about.provider_name}
    unknown = sorted({slot for slot in _SLOT.findall(body + about.value) if slot not in SLOTS})
    if unknown:
        raise TargetError(
            f"{path}: {{{unknown[0]}}} is no slot; there are {', '.join(f'{{{slot}}}' for slot in SLOTS)}"
        )
    return Spec(id=about.id, title=about.title, value=fill(about.value, **names), text=fill(body, **names), **names)


def fill(text: str, model_name: str, provider_name: str) -> str:
    """A text with its slots filled."""
    return text.replace("{model_name}", model_name).replace("{provider_name}", provider_name)


def read_tree(path: Path, spec: Spec) -> SpecTree:
    """Read a tree.yaml, its slots filled as the spec's are. Raises TargetError naming file and field.

    Also for a passage that does not stand in the spec: documents would be planned from what nobody wrote.
    """
    text = fill(_read_text(path), spec.model_name, spec.provider_name)
    try:
        tree = SpecTree.model_validate(_yaml(path, text))
    except ValidationError as error:
        raise TargetError(f"{path}: {explain(error, SpecTree)}") from None
    for subdomain in tree.subdomains:
        for passage in subdomain.passages:
            if not is_verbatim(passage, spec):
                raise TargetError(
                    f"{path}: subdomain {subdomain.id}: passages: does not stand in {SPEC_FILE}: {passage[:80]!r}"
                )
    return tree


def is_verbatim(passage: str, spec: Spec) -> bool:
    """Whether a passage stands in the spec word for word, whatever its white space and markup of emphasis."""
    return _plain(passage) in _plain(spec.text)


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[*_`#>]+", " ", text).split()).replace("’", "'").replace("“", '"').replace("”", '"')


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise TargetError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise TargetError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from None


def _yaml(path: Path, text: str) -> dict[str, Any]:
    try:
        raw = yaml.load(text, Loader=OneValuePerKey)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TargetError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise TargetError(f"{path}: must be a mapping of keys to values")
    return raw
