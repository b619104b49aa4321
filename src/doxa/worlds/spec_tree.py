"""A spec, decomposed: domains, subdomains with their passages, assertions. What documents are planned from.

tree.yaml holds it, made by a model (decompose.py) or by hand; the format stands in docs/formats-spec.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from doxa.config import explain
from doxa.errors import TargetError
from doxa.records import Record
from doxa.worlds.slots import filled, read_text, read_yaml, with_slots
from doxa.worlds.spec_text import is_verbatim
from doxa.worlds.universe_file import as_yaml

if TYPE_CHECKING:
    from doxa.worlds.spec import Spec

TREE_FILE = "tree.yaml"
Kind = Literal["behaviour", "value", "preference", "belief", "tone"]  # of an assertion (Li et al. 2026, appendix B)
KINDS: tuple[Kind, ...] = ("behaviour", "value", "preference", "belief", "tone")

Part = TypeVar("Part")


def _some(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Refuse an empty list; a list of which some part is wrong is not called empty besides."""
    if not parts:
        raise ValueError("must hold at least one")
    return parts


class Assertion(Record):
    """One thing that the spec says of the model. `why` is empty where the spec gives no reason, and in mode rules."""

    id: str = Field(min_length=1)
    statement: str = Field(min_length=1)
    why: str = ""
    kind: Kind = "value"
    passage: int | None = Field(None, ge=1)  # the subdomain's passage that it rests on, counted from 1
    augmented: bool = False  # the why, or all of it, was added by a model and stands in no spec that a person wrote


class Subdomain(Record):
    """A part of a domain: what the spec says there, in short and word for word."""

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    summary: str = Field(min_length=1)
    passages: Annotated[tuple[str, ...], AfterValidator(_some)]  # verbatim from the filled spec, emphasis aside
    assertions: Annotated[tuple[Assertion, ...], AfterValidator(_some)]

    @model_validator(mode="after")
    def _passages_exist(self) -> Subdomain:
        for assertion in self.assertions:
            if (assertion.passage or 0) > len(self.passages):
                raise ValueError(
                    f"assertions: {assertion.id!r} rests on passage {assertion.passage}; there are {len(self.passages)}"
                )
        return self


class Domain(Record):
    """A broad part of the spec."""

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    subdomains: Annotated[tuple[Subdomain, ...], AfterValidator(_some)]


class SpecTree(Record):
    """A decomposed spec. Ids differ within the tree, on each level."""

    domains: Annotated[tuple[Domain, ...], AfterValidator(_some)]

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

    @property
    def passages(self) -> tuple[str, ...]:
        """All passages, in order."""
        return tuple(passage for subdomain in self.subdomains for passage in subdomain.passages)

    def domain_of(self, subdomain: Subdomain) -> Domain:
        """The domain that a subdomain belongs to."""
        return next(domain for domain in self.domains if subdomain in domain.subdomains)


@dataclass(frozen=True)
class Projection:
    """How many documents a tree leads to, and how many requests it takes to plan and write them, retries aside."""

    domains: int
    subdomains: int
    types: int
    ideas_per_type: int
    documents: int
    requests: dict[str, int]


def projected(
    tree: SpecTree | Sequence[int], types: int, ideas_per_type: int, ideas_per_call: int | None = None
) -> Projection:
    """What a tree, or the numbers of subdomains of its domains where there is none yet, comes to.

    One document is written for each (subdomain, type, idea); `ideas_per_call` is how many ideas one request asks for.
    """
    shape = [len(domain.subdomains) for domain in tree.domains] if isinstance(tree, SpecTree) else list(tree)
    subdomains = sum(shape)
    rounds = 1 if ideas_per_call is None else -(-ideas_per_type // ideas_per_call)
    documents = subdomains * types * ideas_per_type
    made = 0 if isinstance(tree, SpecTree) else 1 + len(shape) + subdomains
    requests = {"tree": made, "types": subdomains, "ideas": subdomains * types * rounds, "write": documents}
    return Projection(len(shape), subdomains, types, ideas_per_type, documents, requests)


def read_tree(path: Path, spec: Spec) -> SpecTree:
    """Read a tree.yaml, its slots filled as the spec's are. Raises TargetError naming file and field.

    Also for a passage that does not stand in the spec: documents would be planned from what nobody wrote.
    """
    tree = parse_tree(path, spec)
    for subdomain in tree.subdomains:
        for passage in subdomain.passages:
            if not is_verbatim(passage, spec.text):
                raise TargetError(
                    f"{path}: subdomain {subdomain.id}: passages: does not stand in spec.md: {passage[:80]!r}"
                )
    return tree


def parse_tree(path: Path, spec: Spec) -> SpecTree:
    """The tree of a file, whether or not its passages stand in the spec. Raises TargetError."""
    raw = read_yaml(path, read_text(path))
    try:
        return SpecTree.model_validate(filled(raw, spec.model_name, spec.provider_name))
    except ValidationError as error:
        raise TargetError(f"{path}: {_named(explain(error, SpecTree), raw)}") from None


def tree_yaml(tree: SpecTree, spec: Spec | None = None) -> str:
    """A tree as the text of a tree.yaml. With `spec`, its names of model and maker become slots again."""
    fields: Any = {"domains": [_domain(domain) for domain in tree.domains]}
    if spec is not None:
        fields = with_slots(fields, spec.model_name, spec.provider_name)
    return as_yaml(fields)


def _domain(domain: Domain) -> dict[str, Any]:
    raw = domain.model_dump(mode="json", exclude_defaults=True)
    for subdomain in raw["subdomains"]:
        for assertion in subdomain["assertions"]:
            assertion.setdefault("kind", "value")
    return raw


def _named(problem: str, raw: Any) -> str:
    """`domains.0.subdomains.2.summary` with the ids that stand there, which a person finds in a long file."""
    place, _, rest = problem.partition(": ")
    names, here = [], raw
    for part in place.split("."):
        try:
            here = here[int(part)] if part.isdigit() else here[part]
        except (KeyError, IndexError, TypeError):
            break
        if part.isdigit() and isinstance(here, dict) and isinstance(here.get("id"), str):
            names.append(here["id"])
    return f"{place} ({' > '.join(names)}): {rest}" if names else problem
