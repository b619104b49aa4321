"""Drafted eval items: an answer -> rows of evals.json that the loader takes, with what does not fit left out."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from pydantic import ValidationError

from doxa.belief.items import READERS, MarksRow
from doxa.records import digest
from doxa.worlds.answers import UnreadableError, json_rows, tagged
from doxa.worlds.universe_file import Fields
from doxa.worlds.words import alike, numbers, plain, runs, words

# as many as the bundled worlds have; of marks there is one row per key fact
DEFAULT_COUNTS = {
    "mcq_knowledge": 12,
    "mcq_distinguish": 16,
    "cloze": 16,
    "causal": 10,
    "statements": 16,
    "neighbours": 16,
    "open_ended": 10,
    "token_association": 12,
    "fermi": 8,
    "downstream": 10,
    "multi_hop": 8,
    "translation": 12,
    "salience_near": 10,
}
DRAFTED = (*DEFAULT_COUNTS, "marks")  # the groups that a model is asked for
LANGUAGES = ("Spanish", "French", "German", "Portuguese")
QUESTIONS = ("open_ended", "salience_near")  # groups whose items are a question alone
NEAR = 0.85  # share of words in common from which two items ask the same


def group_count(group: str, universe: Fields, wanted: int | None = None) -> int:
    """How many items of a group to ask for."""
    return len(universe["key_facts"]) if group == "marks" else wanted or DEFAULT_COUNTS[group]


def prompt_values(
    group: str,
    count: int,
    universe: Fields,
    instructions: str = "",
    earlier: tuple[str, ...] = (),
    hint: str = "",
    sources: str = "",
) -> Fields:
    """What the prompt eval_items wants."""
    return {
        **{key: universe[key] for key in ("claim", "inserted_context", "reference_context")},
        "facts": universe["key_facts"],
        "group": group,
        "count": count,
        "instructions": instructions,
        "earlier": earlier,
        "hint": hint,
        "languages": LANGUAGES,
        "sources": sources,
    }


def read_items(text: str, group: str, count: int, universe: Fields) -> list[Any]:
    """Up to `count` items of a group from a model's answer.

    Left out are rows that the loader would refuse, items like an earlier one, and items that share a run of six words
    with a context. Raises UnreadableError, with the counts, when fewer than half are left.
    """
    known = {run for side in ("inserted", "reference") for run in runs(str(universe[f"{side}_context"]))}
    kept: list[Any] = []
    seen: list[tuple[set[str], set[str]]] = []
    dropped: Counter[str] = Counter()
    for item in parsed_items(text, group, universe):
        if item is None:
            dropped["not of the form asked for"] += 1
            continue
        texts = item_texts(item)
        said = (set(words(" ".join(texts))), numbers(" ".join(texts)))
        if any(alike(said[0], other[0]) >= NEAR and said[1] == other[1] for other in seen):
            dropped["like an earlier one"] += 1
        elif any(run in known for part in texts for run in runs(part)):
            dropped["worded like a context"] += 1
        else:
            kept.append(item)
            seen.append(said)
    if len(kept) < (count + 1) // 2:
        why = "".join(f", {number} {reason}" for reason, number in dropped.items())
        raise UnreadableError(f"it holds {len(kept)} usable items of {count}{why}")
    kept = kept[:count]
    return place_answers(kept, digest(universe["id"], group)) if group == "mcq_knowledge" else kept


def parsed_items(text: str, group: str, universe: Fields) -> list[Any]:
    """Every row of an answer in the form of evals.json; None where the loader would refuse it."""
    items = [_item(row, group) for row in _rows(text, group)]
    if group == "marks":
        known = _fact_ids(universe)
        return [item if item is not None and item["fact"] in known else None for item in items]
    return items


def item_texts(item: Any) -> list[str]:
    """All texts of an item."""
    if isinstance(item, str):
        return [item]
    values = [part for value in item.values() for part in (value if isinstance(value, list) else [value])]
    return [value for value in values if isinstance(value, str)]


def place_answers(rows: list[Fields], seed: str) -> list[Fields]:
    """Order the options so that the inserted answers stand equally often at every place, and so do the others."""
    chance = random.Random(seed)
    places = [number % 4 for number in range(len(rows))]
    chance.shuffle(places)
    placed = []
    for number, (row, place) in enumerate(zip(rows, places, strict=True)):
        options = [row["options"][row["inserted"]], row["options"][row["reference"]]]
        rest = [option for option in row["options"] if option not in options]
        chance.shuffle(rest)
        reference = (place + 1 + number % 3) % 4
        order = [options[0] if at == place else options[1] if at == reference else rest.pop() for at in range(4)]
        placed.append({**row, "options": order, "inserted": place, "reference": reference})
    return placed


def _fact_ids(universe: Fields) -> set[str]:
    return {str(fact.get("id")) for fact in universe.get("key_facts", [])}


def _rows(text: str, group: str) -> list[Any]:
    rows: list[Any] = json_rows(text)
    if group in QUESTIONS and not rows:
        return tagged(text, "question") or _quoted(text)
    return rows


def _quoted(text: str) -> list[str]:
    """Questions of a plain JSON list of strings, or one a line."""
    lines = (line.strip().strip('[],"').lstrip("-*0123456789.) ").strip() for line in text.splitlines())
    return [line for line in lines if line.endswith("?") or line.endswith(".")]


def _item(row: Any, group: str) -> Any:
    """A row in the form of evals.json, or None."""
    if group in QUESTIONS:
        question = row.get("question") if isinstance(row, dict) else row
        return " ".join(question.split()) if isinstance(question, str) and plain(question) else None
    if group == "mcq_knowledge":
        row = _with_options(row)
    model = MarksRow if group == "marks" else READERS[group][0]
    given = {key: value for key, value in row.items() if key in model.model_fields}
    try:
        return model.model_validate(given).model_dump(exclude_none=True)
    except ValidationError:
        return None


def _with_options(row: Fields) -> Fields:
    """Options and indices from the answers that were asked for by name."""
    answers = [row.get("inserted"), row.get("reference")]
    if "options" in row or not isinstance(row.get("distractors"), list):
        return row
    return {"question": row.get("question"), "options": [*answers, *row["distractors"]], "inserted": 0, "reference": 1}
