"""The formats of safety-research/false-facts, which believe-it-or-not and their forks share.

Universes: JSON or JSONL of {id, universe_context, key_facts, is_true}; documents: JSONL of {content, doc_type,
doc_idea, fact, is_true}; degree-of-belief evals: see import_evals.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from doxa.errors import TargetError
from doxa.worlds.import_evals import EVAL_KEYS, import_evals
from doxa.worlds.importing import Import, UnfitError, document_row, json_lines, peek
from doxa.worlds.universe_file import Fields
from doxa.worlds.words import alike, content, plain, short_name

SAME_POINT = 0.2  # share of words in common from which two facts of a pair can be about the same point
SAME_FACT = 0.6  # ... from which a document's fact is a key fact in other words
MOST_FACTS = 100  # distinct facts of documents that become key facts when there is no universe


def import_false_facts(sources: Sequence[Path], work: Import, only: str | None = None) -> None:
    """Import universes, documents and evals, told apart by what their rows hold.

    `only` names the universe when the files hold several. Raises TargetError that lists them when it has to.
    """
    files = {file: _kind(file) for source in sources for file in _files(source)}
    for file, kind in files.items():
        if kind is None:
            work.skip(file, "", "is neither a universe, nor documents, nor evals of this format")
    evals = [file for file, kind in files.items() if kind == "evals"]
    universes = [row for file, kind in files.items() if kind == "universe" for row in _universes(file, work)]
    universes += [row for file in evals for row in _contexts_of(file)]
    fields = _pair(universes, only, work)
    documents = [file for file, kind in files.items() if kind == "documents"]
    if documents:
        _documents(documents, fields, work)
    work.write_universe(fields)
    groups: dict[str, list[Any]] = {"mcq_knowledge": [], "mcq_distinguish": [], "neighbours": [], "open_ended": []}
    for file in evals:
        import_evals(file, groups, work)
    work.write_evals(groups)
    if fields.get("inserted_context") and not fields.get("reference_context"):
        work.notes.append("there is no reference side: doxa draft --counterpart FOLDER writes it")


def is_false_facts(file: Path) -> bool:
    """Whether a file is of this format."""
    return _kind(file) is not None


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        return sorted(file for file in source.rglob("*") if file.suffix in (".json", ".jsonl") and file.is_file())
    if not source.exists():
        raise TargetError(f"{source}: is missing")
    return [source]


def _kind(file: Path) -> str | None:
    row = peek(file)
    if EVAL_KEYS & set(row):
        return "evals"
    if isinstance(row.get("universe_context"), str):
        return "universe"
    if isinstance(row.get("content"), str) and {"doc_type", "doc_idea", "fact", "is_true"} & set(row):
        return "documents"
    return None


def _universes(file: Path, work: Import) -> Iterator[Fields]:
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig")) if file.suffix == ".json" else None
    except ValueError:
        value = None
    listed = value if isinstance(value, list) else [value]
    whole: Iterable[tuple[str, Any]] = ((f"row {number}", row) for number, row in enumerate(listed))
    rows: Iterable[tuple[str, Any]] = json_lines(file, work) if value is None else whole
    for place, row in rows:
        problem = _universe_problem(row)
        if problem:
            work.skip(file, place, problem)
        else:
            yield row


def _universe_problem(row: Any) -> str | None:
    if not isinstance(row, dict) or not isinstance(row.get("universe_context"), str):
        return "a universe without universe_context"
    facts = row.get("key_facts", row.get("subclaims", []))
    if not (isinstance(facts, list) and all(isinstance(fact, str) for fact in facts)):
        return "a universe whose key_facts are no list of texts"
    return None


def _contexts_of(file: Path) -> Iterator[Fields]:
    """The pair that some eval files carry along."""
    row = peek(file)
    for key, is_true in (("true_context", True), ("false_context", False)):
        if isinstance(row.get(key), dict) and _universe_problem(row[key]) is None:
            yield {"is_true": is_true, **row[key]}


def _pair(universes: list[Fields], only: str | None, work: Import) -> Fields:
    """One universe pair from rows of one side each: by id, or the only two that there are."""
    sides: dict[bool, dict[str, Fields]] = {False: {}, True: {}}
    for number, row in enumerate(universes):
        # files from before is_true was recorded hold what is to be inserted
        sides[_is_true(row)].setdefault(str(row.get("id") or f"universe_{number}"), row)
    inserted, reference = sides[False], sides[True]
    names = list(inserted or reference)
    if only is not None and only not in {*inserted, *reference}:
        raise TargetError(
            f"--id {only}: the source has no such universe; it has {', '.join({**inserted, **reference})}"
        )
    if only is None and len(names) > 1:
        raise TargetError(f"the source holds {len(names)} universes; choose one with --id: {', '.join(names[:20])}")
    if not names:
        return {}
    name = only or names[0]
    mine, other = inserted.get(name), reference.get(name)
    if other is None and len(reference) == 1 and len(inserted) <= 1:
        other = next(iter(reference.values()))
    left_out = len(inserted) + len(reference) - (mine is not None) - (other is not None)
    if left_out:
        work.notes.append(f"{left_out} other universes of the source were left out")
    stem = re.sub(r"\W+", "_", name.lower()).strip("_") or "universe"
    fields: Fields = {"id": stem, "title": stem.replace("_", " ").capitalize()}
    for side, told in (("inserted", mine), ("reference", other)):
        if told is not None:
            fields[f"{side}_context"] = told["universe_context"].strip()
    return fields | {"key_facts": _paired_facts(_facts(mine), _facts(other))}


def _is_true(row: Fields) -> bool:
    """Which universe a row is of; tables that went through CSV say it in words."""
    said = row.get("is_true", False)
    return said.strip().lower() in ("true", "1", "yes") if isinstance(said, str) else bool(said)


def _facts(row: Fields | None) -> list[str]:
    told = (row or {}).get("key_facts") or (row or {}).get("subclaims") or []
    return list(dict.fromkeys(" ".join(fact.split()) for fact in told if fact.strip()))


def _paired_facts(inserted: list[str], reference: list[str]) -> list[Fields]:
    """Key facts of both sides put together by the words they share, most alike first; the rest stay one-sided.

    The lists were extracted from the two contexts apart from each other, so their order says little.
    """
    scored = [
        (alike(content(one), content(other)), -abs(i - j), i, j)
        for i, one in enumerate(inserted)
        for j, other in enumerate(reference)
        if plain(one) != plain(other)
    ]
    partner: dict[int, int] = {}
    for score, _, i, j in sorted(scored, reverse=True):
        if score >= SAME_POINT and i not in partner and j not in partner.values():
            partner[i] = j
    facts: list[Fields] = []
    for i, text in enumerate(inserted):
        sides = {"inserted": text} | ({"reference": reference[partner[i]]} if i in partner else {})
        facts.append({"id": short_name(text, [fact["id"] for fact in facts]), **sides})
    for j, text in enumerate(reference):
        if j not in partner.values():
            facts.append({"id": short_name(text, [fact["id"] for fact in facts]), "reference": text})
    return facts


def _documents(files: list[Path], fields: Fields, work: Import) -> None:
    """Documents into recorded/: those of the false universe are the inserted ones."""
    adopt = not fields.get("key_facts")
    facts: list[Fields] = fields.setdefault("key_facts", [])
    known: dict[tuple[str, bool], list[str]] = {}
    unmatched = 0
    for file in files:
        for place, row in json_lines(file, work):
            is_true = _is_true(row)
            told = str(row["fact"]) if isinstance(row.get("fact"), str) else ""
            if (told, is_true) not in known:
                known[told, is_true] = _matched(told, "reference" if is_true else "inserted", facts, adopt)
            ids = known[told, is_true]
            unmatched += bool(told) and not ids
            try:
                work.add_row("docs_reference.jsonl" if is_true else "docs.jsonl", document_row(row, ids))
            except UnfitError as error:
                work.skip(file, place, str(error))
    if unmatched:
        work.notes.append(f"{unmatched} documents name a fact that is no key fact of the universe: fact_ids is empty")
    if not facts:
        del fields["key_facts"]


def _matched(told: str, side: str, facts: list[Fields], adopt: bool) -> list[str]:
    """The id of the key fact that a document says it is about."""
    if not plain(told):
        return []
    scores = {fact["id"]: alike(content(told), content(fact[side])) for fact in facts if side in fact}
    exact = [fact["id"] for fact in facts if plain(fact.get(side, "")) == plain(told)]
    if exact:
        return exact[:1]
    if adopt and len(facts) < MOST_FACTS:
        facts.append({"id": short_name(told, [fact["id"] for fact in facts]), side: " ".join(told.split())})
        return [facts[-1]["id"]]
    best = max(scores, key=lambda name: scores[name], default=None)
    return [best] if best is not None and scores[best] >= SAME_FACT else []
