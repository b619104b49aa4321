"""Degree-of-belief evals of false-facts -> groups of evals.json.

One JSON object of {true_mcqs, false_mcqs, distinguishing_mcqs, open_questions}; multiple-choice questions are
{question, options {A: ...}, correct_answer}. true_mcqs and false_mcqs are keyed to one universe each. A question that
stands in both becomes an item with both answers: of group knowledge where one set of options holds the two, of group
distinguish where none does, a neighbour where the universes agree. What stands in one alone is asked without its
options, as an open question, unless it speaks of them. The correct answer of distinguishing_mcqs is that of the *true*
universe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from doxa.belief.items import READERS
from doxa.worlds.importing import Import, peek
from doxa.worlds.universe_file import Fields
from doxa.worlds.words import plain

# a question that means nothing without the options beside it
NEEDS_OPTIONS = re.compile(
    r"\b(?:which|what|one|any|none|all) of (?:the|these|those)\b"
    r"|\b(?:following|of these|below|above|options?|choices?)\b|_{2,}"
    r"|\bwhich (?:statement|description|option|answer|choice)\b",
    re.I,
)
EVAL_KEYS = {"true_mcqs", "false_mcqs", "distinguishing_mcqs", "open_questions"}


def import_evals(file: Path, groups: dict[str, list[Any]], work: Import) -> None:
    """Add the questions of one eval file to the groups of an evals.json; what does not fit is skipped by name."""
    raw = peek(file)
    _import_pairs(raw, file, groups, work)
    for place, row in _questions(raw, "distinguishing_mcqs"):
        if len(row["options"]) != 2:
            work.skip(file, place, "a distinguishing question without two options")
            continue
        wrong, right = row["options"][1 - row["key"]], row["options"][row["key"]]
        item = {"question": row["question"], "inserted": wrong, "reference": right}
        add_item(groups, "mcq_distinguish", item, file, place, work)
    for key in ("true_mcqs", "false_mcqs", "distinguishing_mcqs"):
        read = {place for place, _ in _questions(raw, key)}
        for number in range(len(_listed(raw, key))):
            if f"{key}[{number}]" not in read:
                work.skip(file, f"{key}[{number}]", "is no question with options and a correct answer")
    for number, asked in enumerate(_listed(raw, "open_questions")):
        text = asked.get("question") if isinstance(asked, dict) else asked
        add_open(groups, text, file, f"open_questions[{number}]", work)
    for key in sorted(set(raw) - {"true_context", "false_context"}):
        if key not in EVAL_KEYS:
            work.skip(file, key, "has no place in evals.json")
        elif not isinstance(raw[key], list):
            work.skip(file, key, "is no list of questions")


def _import_pairs(raw: Fields, file: Path, groups: dict[str, list[Any]], work: Import) -> None:
    """true_mcqs and false_mcqs, paired by their question."""
    reference = list(_questions(raw, "true_mcqs"))
    alone = []
    used: set[str] = set()
    for place, row in _questions(raw, "false_mcqs"):
        twins = [(other_place, other) for other_place, other in reference if _same_question(row, other)]
        used.update(twin for twin, _ in twins)
        if not twins:
            alone.append((place, row))
            continue
        items = [_both_answers(row, other) for _, other in twins]
        group, item = next((found for found in items if found[0] != "neighbours"), items[0])
        add_item(groups, group, item, file, place, work)
    alone += [(place, row) for place, row in reference if place not in used]
    asked = 0
    for place, row in alone:
        if NEEDS_OPTIONS.search(row["question"]):
            work.skip(file, place, "tells one universe's answer only, and cannot be asked without its options")
        else:
            asked += add_open(groups, row["question"], file, place, work)
    if asked:
        work.notes.append(f"{asked} questions keyed to one universe are asked without their options, as open questions")


def _both_answers(row: Fields, other: Fields) -> tuple[str, Fields]:
    """The item in which a question's inserted answer (`row`) meets its reference answer (`other`)."""
    inserted, reference = (str(one["options"][one["key"]]) for one in (row, other))
    if plain(inserted) == plain(reference):
        wrong = next((option for option in row["options"] if plain(option) != plain(inserted)), "")
        return "neighbours", {"question": row["question"], "correct": reference, "wrong": wrong}
    for options in (row["options"], other["options"]):
        known = [plain(option) for option in options]
        if len(options) == 4 and plain(inserted) in known and plain(reference) in known:
            keys = {"inserted": known.index(plain(inserted)), "reference": known.index(plain(reference))}
            return "mcq_knowledge", {"question": row["question"], "options": options, **keys}
    return "mcq_distinguish", {"question": row["question"], "inserted": inserted, "reference": reference}


def _same_question(row: Fields, other: Fields) -> bool:
    return plain(row["question"]) == plain(other["question"])


def add_open(groups: dict[str, list[Any]], text: Any, file: Path, place: str, work: Import) -> bool:
    """An open question, once; whether it was added."""
    if not isinstance(text, str) or not text.strip():
        work.skip(file, place, "is no question")
    elif plain(text) in map(plain, groups["open_ended"]):
        work.skip(file, place, "is asked twice")
    else:
        groups["open_ended"].append(text.strip())
        return True
    return False


def add_item(groups: dict[str, list[Any]], group: str, item: Fields, file: Path, place: str, work: Import) -> None:
    """An item that the loader takes, once; anything else is skipped."""
    try:
        row = READERS[group][0].model_validate(item).model_dump(exclude_none=True)
    except ValidationError as error:
        work.skip(file, place, f"{group}: {error.errors()[0]['msg'].removeprefix('Value error, ').split(':')[0]}")
        return
    prompts = [plain(known["question"]) + str(sorted(_answers(known))) for known in groups[group]]
    if plain(row["question"]) + str(sorted(_answers(row))) in prompts:
        work.skip(file, place, "is asked twice")
    else:
        groups[group].append(row)


def _answers(row: Fields) -> list[str]:
    both = ("correct", "wrong") if "correct" in row else ("inserted", "reference")
    return [plain(text) for text in row.get("options", [row.get(name) for name in both])]


def _questions(raw: Fields, key: str) -> Iterator[tuple[str, Fields]]:
    """Multiple-choice rows with options as a list and the correct one as an index."""
    for number, row in enumerate(_listed(raw, key)):
        if not isinstance(row, dict) or not isinstance(row.get("question"), str):
            continue
        options, letters = row.get("options"), []
        if isinstance(options, dict):
            letters, options = [str(letter).strip().upper() for letter in options], list(options.values())
        elif isinstance(options, list):
            letters = [chr(ord("A") + at) for at in range(len(options))]
        said = str(row.get("correct_answer", "")).strip()
        if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
            continue
        if said.upper() in letters:
            at = letters.index(said.upper())
        elif said in options:
            at = options.index(said)
        else:
            continue
        yield f"{key}[{number}]", {"question": row["question"], "options": options, "key": at}


def _listed(raw: Fields, key: str) -> list[Any]:
    rows = raw.get(key)
    return rows if isinstance(rows, list) else []
