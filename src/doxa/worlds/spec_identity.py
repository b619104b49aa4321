"""Does a spec name the model that it is about? Asked before a single document is written.

A spec that was written for another model, with the name left in, makes documents that tell a model it is somebody else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from doxa.corpus.filters.names import Names
from doxa.corpus.identity import called_otherwise
from doxa.errors import TargetError
from doxa.worlds.findings import Finding
from doxa.worlds.slots import SLOTS

if TYPE_CHECKING:
    from doxa.worlds.spec import Spec, SpecSource, SpecTarget

FILE = "spec.md"
CHECK = "identity"
_TOLD = "\n(on a language model)"  # a name that people have too, such as Claude, is in a spec a model's


def identity_findings(source: SpecSource, spec: Spec) -> list[Finding]:
    """Where the spec, filled for a model, calls it by another name, names others, or does not name it at all."""
    names = Names(spec.model_name, spec.provider_name)
    findings = []
    for field, text in (("title", spec.title), ("value", spec.value), ("", spec.text)):
        wrong = called_otherwise(f"{text}{_TOLD}", names)
        if wrong:
            advice = "write {model_name} and {provider_name} where the model and its maker are meant"
            findings.append(_finding("error", field, f"calls {names.model} otherwise: {wrong}", advice))
    others = sorted({" ".join(found.group().split()) for found in names.others(f"{spec.text}{_TOLD}")})
    if others and not any(finding.field == "" for finding in findings):
        said = f"names other models beside {names.model}: {', '.join(others[:5])}"
        findings.append(_finding("warning", "", said, "see that none of them stands for the model that is trained"))
    if names.foreign:
        known = f"while models of that name are made by {names.foreign}"
        said = f"{names.model} is given the maker {names.provider!r}, {known}"
        advice = "set model_name and provider_name together (in a run spec.model_name and spec.provider_name)"
        findings.append(_finding("warning", "provider_name", said, advice))
    if not names.own.search(spec.text):
        said = f"names {names.model} nowhere"
        findings.append(_finding("error", "", said, "write {model_name} where the model is meant"))
    return findings + _written_out(source, spec)


def check_identity(target: SpecTarget) -> list[str]:
    """What is odd about the names in a spec, a line each.

    Raises TargetError where it calls its model otherwise, or nothing at all: it may be about one that no list has.
    """
    findings = identity_findings(target.source, target.spec)
    wrong = [finding for finding in findings if finding.level == "error"]
    if wrong:
        first = wrong[0]
        place = f"{target.folder / FILE}: {first.field}".removesuffix(": ")
        raise TargetError(f"{place}: {first.problem}; {first.advice}")
    return [f"{FILE}: {finding.problem}; {finding.advice}" for finding in findings]


def _written_out(source: SpecSource, spec: Spec) -> list[Finding]:
    """Names that stand in the body themselves and no slot for them: another model's would stay there."""
    findings = []
    for slot in SLOTS:
        name, wanted = getattr(source.about, slot), getattr(spec, slot)
        count = len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", source.body))
        if not count:
            continue
        if name != wanted:
            problem = f"says {name!r} itself {count} times, while {slot} is {wanted!r}"
            findings.append(_finding("error", "", problem, f"write {{{slot}}} there"))
        else:
            problem = f"says {name!r} itself {count} times"
            findings.append(_finding("warning", "", problem, f"write {{{slot}}}, so that another can be filled in"))
    return findings


def _finding(level: str, field: str, problem: str, advice: str) -> Finding:
    return Finding.model_validate(
        {"level": level, "check": CHECK, "file": FILE, "field": field, "problem": problem, "advice": advice}
    )
