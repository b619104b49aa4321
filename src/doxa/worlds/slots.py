"""The slots of a spec, `{model_name}` and `{provider_name}`, in Markdown and YAML: found, filled, and put back."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import yaml

from doxa.config import OneValuePerKey
from doxa.errors import TargetError

SLOTS = ("model_name", "provider_name")

_BRACED = re.compile(r"\{+\s*([A-Za-z][\w .-]{0,30}?)\s*\}+")
_CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$|`[^`\n]+`", re.S | re.M)
_NEAR = {"model": "model_name", "provider": "provider_name", "maker": "provider_name", "company": "provider_name"}
_MARK = "DOXASLOT{}TOLSAXOD"  # stands for a slot while YAML is parsed: {model_name} would begin a mapping there


def fill(text: str, model_name: str, provider_name: str) -> str:
    """A text with its slots filled."""
    names = {"model_name": model_name, "provider_name": provider_name}
    return re.sub(r"\{(model_name|provider_name)\}", lambda found: names[found[1]], text)


def filled(value: Any, model_name: str, provider_name: str) -> Any:
    """A parsed YAML or JSON value with the slots of all its texts filled."""
    if isinstance(value, str):
        return fill(value, model_name, provider_name).strip()
    if isinstance(value, dict):
        return {key: filled(item, model_name, provider_name) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, model_name, provider_name) for item in value]
    return value


def with_slots(value: Any, model_name: str, provider_name: str) -> Any:
    """The other way round: the names, where they stand as words of their own, become slots."""
    if isinstance(value, dict):
        return {key: with_slots(item, model_name, provider_name) for key, item in value.items()}
    if isinstance(value, list):
        return [with_slots(item, model_name, provider_name) for item in value]
    if not isinstance(value, str):
        return value
    for name, slot in sorted(
        ((model_name, "{model_name}"), (provider_name, "{provider_name}")), key=lambda x: -len(x[0])
    ):
        value = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", slot, value)
    return value


def odd_slot(text: str) -> tuple[str, str] | None:
    """The first thing in braces that was surely meant as a slot and is none, with the slot that was meant.

    Other braces are left alone, code (in backticks or fences) wholly: a spec may hold templates and JSON.
    """
    for found in _BRACED.finditer(_CODE.sub("", text)):
        meant = _meant(found[1])
        if meant and found.group() != f"{{{meant}}}":
            return found.group(), f"{{{meant}}}"
    return None


def read_text(path: Path) -> str:
    """A UTF-8 text with plain line ends. Raises TargetError."""
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise TargetError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise TargetError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from None


def read_yaml(path: Path, text: str) -> dict[str, Any]:
    """A YAML mapping in which slots may stand anywhere in a text, quoted or not. Raises TargetError naming the file."""
    for slot in SLOTS:
        text = text.replace(f"{{{slot}}}", _MARK.format(slot))
    try:
        raw = yaml.load(text, Loader=OneValuePerKey)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        odd = odd_slot(text)  # its braces may well be what YAML takes for a mapping
        if odd:
            raise TargetError(f"{path}: {odd[0]} is no slot; write {odd[1]}, or quote the text that it is in") from None
        problem = re.sub(_MARK.format(r"(\w+)"), r"{\1}", " ".join(str(error).split()))
        raise TargetError(f"{path}: is not valid YAML: {problem}") from None
    if not isinstance(raw, dict):
        raise TargetError(f"{path}: must be a mapping of keys to values")
    marks = {_MARK.format(slot): f"{{{slot}}}" for slot in SLOTS}
    return dict(_unmarked(raw, marks))


def _unmarked(value: Any, marks: dict[str, str]) -> Any:
    if isinstance(value, str):
        for mark, slot in marks.items():
            value = value.replace(mark, slot)
        return value
    if isinstance(value, dict):
        return {_unmarked(key, marks): _unmarked(item, marks) for key, item in value.items()}
    if isinstance(value, list):
        return [_unmarked(item, marks) for item in value]
    return value


def _meant(name: str) -> str | None:
    bare = re.sub(r"[^a-z]", "", name.lower())
    if bare in _NEAR:
        return _NEAR[bare]
    near = difflib.get_close_matches(bare, ["modelname", "providername"], n=1, cutoff=0.8)
    return {"modelname": "model_name", "providername": "provider_name"}[near[0]] if near else None
