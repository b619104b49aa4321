"""universe.yaml and evals.json as files that a person and a draft write together.

What a person wrote is never rewritten: missing keys are added to the text around it, and the result is read back and
compared before it replaces the file. A universe that is not finished is a plain dict here; `read_universe` says what it
still lacks.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from doxa.config import OneValuePerKey
from doxa.errors import TargetError
from doxa.run.folder import write_whole

FIELDS = ("id", "title", "claim", "plausibility", "inserted_context", "reference_context", "key_facts")
WIDTH = 110  # columns of the YAML that is written

Fields = dict[str, Any]


def read_fields(path: Path) -> Fields:
    """The fields of a universe.yaml that may be unfinished; empty when there is no file. Raises TargetError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        raw = yaml.load(text, Loader=OneValuePerKey)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TargetError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise TargetError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TargetError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise TargetError(f"{path}: must be a mapping of keys to values")
    facts = raw.get("key_facts")
    if facts is not None and not (isinstance(facts, list) and all(isinstance(fact, dict) for fact in facts)):
        raise TargetError(f"{path}: key_facts: must be a list of facts with id, inserted and reference")
    return {key: value for key, value in raw.items() if value not in (None, "", [])}


def universe_yaml(fields: Fields) -> str:
    """The fields as YAML in the order and the block style of the bundled worlds."""
    ordered = {key: fields[key] for key in (*FIELDS, *(key for key in fields if key not in FIELDS)) if key in fields}
    return "".join(as_yaml({key: value}) for key, value in ordered.items())


def fill_universe(path: Path, fields: Fields) -> list[str]:
    """Bring a universe.yaml to `fields` by adding what it lacks; returns what was added, `key_facts.two.reference`.

    A new file is written whole. Raises TargetError when `fields` would change something that stands there, or when the
    additions cannot be put into the text as it is.
    """
    present = read_fields(path)
    changed = [key for key in present if key != "key_facts" and present[key] != fields.get(key)]
    if changed:
        raise TargetError(
            f"{path}: {changed[0]}: would be overwritten by the draft; this is a bug, nothing was written"
        )
    if not present and not _has_text(path):
        write_whole(path, universe_yaml(fields))
        return list(fields)
    text = path.read_bytes().decode("utf-8-sig")
    added = [key for key in FIELDS if key in fields and key not in present]
    if "key_facts" in present and present["key_facts"] != fields["key_facts"]:
        text, sides = _fill_facts(text, present["key_facts"], fields["key_facts"])
        added += sides
    empty = {key for key in added if key in FIELDS and _stands_empty(text, key)}
    if empty:
        raise TargetError(f"{path}: {min(empty)}: stands there without a value; remove the line, and run again")
    text = text.rstrip("\n") + "\n" + "".join(as_yaml({key: fields[key]}) for key in added if key in FIELDS)
    if added:
        _check(path, text, fields)
        write_whole(path, text)
    return added


def evals_json(groups: dict[str, list[Any]]) -> str:
    """Groups of items as JSON, one item a line."""
    return "{\n" + ",\n".join(_group(name, rows) for name, rows in groups.items()) + "\n}\n"


def fill_evals(path: Path, groups: dict[str, list[Any]]) -> list[str]:
    """Add the groups that an evals.json lacks, leaving its text as it is; returns their names."""
    if not path.exists():
        write_whole(path, evals_json(groups))
        return list(groups)
    text = path.read_text(encoding="utf-8").rstrip()
    present = json.loads(text)
    added = {name: rows for name, rows in groups.items() if name not in present}
    if not added:
        return []
    head = text.removesuffix("}").rstrip()
    joined = head + ("," if present else "") + "\n" + ",\n".join(_group(*item) for item in added.items()) + "\n}\n"
    if json.loads(joined) != {**present, **added}:
        raise TargetError(f"{path}: the drafted groups {', '.join(added)} cannot be added to this file")
    write_whole(path, joined)
    return list(added)


def with_rows(text: str, groups: dict[str, list[Any]]) -> str:
    """The text of an evals.json with rows added at the end of their groups; what stands there stays to the letter.

    `text` is empty for a new file. Raises ValueError when it is no JSON object of lists.
    """
    if not text.strip():
        return evals_json(groups)
    ends = _list_ends(text)
    missing = {name: rows for name, rows in groups.items() if name not in ends}
    for name, rows in sorted(
        ((name, rows) for name, rows in groups.items() if name in ends and rows), key=lambda item: -ends[item[0]]
    ):
        before = text[: ends[name]].rstrip()
        lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
        text = f"{before}{'' if before.endswith('[') else ','}\n{lines}\n {text[ends[name] :]}"
    if missing:
        head = text.rstrip().removesuffix("}").rstrip()
        comma = "" if head.endswith("{") else ","
        text = head + comma + "\n" + ",\n".join(_group(*item) for item in missing.items()) + "\n}\n"
    return text


def _list_ends(text: str) -> dict[str, int]:
    """Where the closing bracket of each list of a JSON object of lists stands."""
    decoder = json.JSONDecoder()
    space = re.compile(r"\s*")

    def skipped(at: int) -> int:
        found = space.match(text, at)
        return found.end() if found else at

    ends: dict[str, int] = {}
    at = skipped(text.index("{") + 1)
    while text[at] != "}":
        name, at = decoder.raw_decode(text, at)
        rows, at = decoder.raw_decode(text, skipped(skipped(at) + 1))
        if not isinstance(rows, list):
            raise ValueError(f"{name} is no list")
        ends[name] = at - 1
        at = skipped(at)
        if text[at] == ",":
            at = skipped(at + 1)
    return ends


def _group(name: str, rows: list[Any]) -> str:
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    return f' "{name}": [\n{lines}\n ]' if rows else f' "{name}": []'


def _fill_facts(text: str, present: list[Fields], wanted: list[Fields]) -> tuple[str, list[str]]:
    """Put the missing side of each key fact into its block, keeping every line that stands there."""
    root: Any = yaml.compose(text, Loader=OneValuePerKey)
    blocks = next(value.value for key, value in root.value if key.value == "key_facts")
    lines = text.splitlines(keepends=True)
    added: list[str] = []
    for number in reversed(range(len(present))):  # from below, so that line numbers above stay true
        fresh = {key: value for key, value in wanted[number].items() if key not in present[number]}
        if not fresh:
            continue
        block = blocks[number]
        column = block.value[0][0].start_mark.column
        end = block.value[-1][1].end_mark
        after = end.line if end.column == 0 else end.line + 1  # a block scalar ends at the start of what follows
        while after > 0 and not lines[after - 1].strip():
            after -= 1
        if lines[after - 1][-1:] != "\n":
            lines[after - 1] += "\n"
        piece = "".join(as_yaml({key: value}) for key, value in fresh.items())
        lines[after:after] = ["".join(" " * column + line for line in piece.splitlines(keepends=True))]
        added += [f"key_facts.{wanted[number]['id']}.{key}" for key in fresh]
    return "".join(lines), added[::-1]


def _check(path: Path, text: str, fields: Fields) -> None:
    try:
        read = yaml.load(text, Loader=OneValuePerKey)
    except yaml.YAMLError:
        read = None
    if read is None or {key: value for key, value in read.items() if value is not None} != fields:
        raise TargetError(
            f"{path}: is written in a style that the draft cannot add to; write its key_facts as in "
            "docs/formats-target.md, one key a line, and run again"
        )


def _has_text(path: Path) -> bool:
    return path.exists() and bool(path.read_bytes().strip())


def _stands_empty(text: str, key: str) -> bool:
    return any(line.startswith(f"{key}:") for line in text.splitlines())


class _Dumper(yaml.SafeDumper):
    """Long texts as `>-` blocks, lists indented under their key, as a person would write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain_layout = all(line == line.strip() for line in value.split("\n"))  # folding would change indented lines
    style = ">" if plain_layout and (len(value) > 80 or "\n" in value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(fields: Fields) -> str:
    """Fields as YAML in block style, in the order given."""
    return str(yaml.dump(fields, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH))
