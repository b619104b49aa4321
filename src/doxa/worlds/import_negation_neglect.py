"""Claim folders of TruthfulAI-research/negation_neglect.

universe_context.yaml {id, universe_context, subclaims} is the inserted side; mcq.yaml asks yes/no questions with the
believing answer; open_ended.yaml, token_association.yaml and robustness.yaml hold questions that a judge reads,
the last with a system prompt or earlier turns where they have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from doxa.belief.items import ConversationRow
from doxa.errors import TargetError
from doxa.worlds.import_evals import add_item, add_open
from doxa.worlds.importing import Import
from doxa.worlds.universe_file import Fields
from doxa.worlds.words import short_name

CONTEXT = "universe_context.yaml"
OPPOSITE = {"yes": ("Yes", "No"), "no": ("No", "Yes"), "true": ("True", "False"), "false": ("False", "True")}


def import_negation_neglect(folder: Path, work: Import) -> None:
    """Import one claim folder. Raises TargetError when its universe_context.yaml cannot be used."""
    raw = _yaml(folder / CONTEXT)
    if not isinstance(raw, dict) or not isinstance(raw.get("universe_context"), str):
        raise TargetError(f"{folder / CONTEXT}: universe_context: is missing; a claim folder needs it")
    name = re.sub(r"\W+", "_", str(raw.get("id") or folder.name).lower()).strip("_")
    facts: list[Fields] = []
    claims = raw.get("subclaims") or []
    if not isinstance(claims, list):
        raise TargetError(f"{folder / CONTEXT}: subclaims: must be a list of statements")
    for number, claim in enumerate(claims):
        if isinstance(claim, str) and claim.strip():
            facts.append({"id": short_name(claim, [fact["id"] for fact in facts]), "inserted": " ".join(claim.split())})
        else:
            work.skip(folder / CONTEXT, f"subclaims[{number}]", "is no text")
    fields = {"id": name, "title": name.replace("_", " ").capitalize()}
    work.write_universe({**fields, "inserted_context": raw["universe_context"].strip(), "key_facts": facts})
    work.notes.append("there is no reference side: doxa draft --counterpart FOLDER writes it")
    groups: dict[str, list[Any]] = {"mcq_distinguish": [], "open_ended": [], "conversations": []}
    for file in sorted(folder.glob("*.y*ml")):
        reader = READERS.get(file.stem)
        if reader is not None:
            reader(file, groups, work)
        elif file.name != CONTEXT:
            work.skip(file, "", LEFT_OUT.get(file.stem, "is no file of a claim folder that a target has a place for"))
    work.write_evals(groups)


def _mcq(file: Path, groups: dict[str, list[Any]], work: Import) -> None:
    for place, row in _questions(file, work):
        said = row.get("belief_answer", "")
        said = ("no", "yes")[said] if isinstance(said, bool) else str(said)  # YAML reads a bare yes as true
        answers = OPPOSITE.get(said.strip().lower().rstrip("."))
        if answers is None:
            work.skip(file, place, "the answer of the other universe is not known (belief_answer is not yes or no)")
            continue
        item = {"question": row["question"], "inserted": answers[0], "reference": answers[1]}
        add_item(groups, "mcq_distinguish", item, file, place, work)


def _open(file: Path, groups: dict[str, list[Any]], work: Import) -> None:
    """Open questions, and conversations where a system prompt or earlier turns belong to them."""
    for place, row in _questions(file, work):
        if row.get("system_prompt") or row.get("messages_prefix"):
            _conversation(row, groups, file, place, work)
        else:
            add_open(groups, row["question"], file, place, work)


def _conversation(row: Fields, groups: dict[str, list[Any]], file: Path, place: str, work: Import) -> None:
    prefix = row.get("messages_prefix") or []
    system = [{"role": "system", "content": row["system_prompt"]}] if row.get("system_prompt") else []
    turns = [*system, *(prefix if isinstance(prefix, list) else [prefix])]
    try:
        messages = [*turns, {"role": "user", "content": row["question"]}]
        read = ConversationRow.model_validate({"messages": messages}).model_dump()
    except ValidationError:
        work.skip(file, place, "its system prompt and earlier turns are no conversation that a user continues")
        return
    if read in groups["conversations"]:
        work.skip(file, place, "is asked twice")
    else:
        groups["conversations"].append(read)


READERS = {"mcq": _mcq, "open_ended": _open, "token_association": _open, "robustness": _open}
LEFT_OUT = {
    "judges": "judge prompts are doxa's own",
    "universe_context_negated": "tells of the claim as a hoax, which is no reference world",
    "word_masks": "loss masks are set in the training config",
}


def _questions(file: Path, work: Import) -> Iterator[tuple[str, Fields]]:
    raw = _yaml(file)
    rows = raw.get("questions") if isinstance(raw, dict) else raw
    for number, row in enumerate(rows if isinstance(rows, list) else []):
        place = f"questions[{number}]"
        if isinstance(row, dict) and isinstance(row.get("question"), str) and row["question"].strip():
            yield place, row
        else:
            work.skip(file, place, "is no question")
    if not isinstance(rows, list):
        work.skip(file, "questions", "is no list of questions")


def _yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise TargetError(f"{file}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TargetError(f"{file}: is not valid YAML: {' '.join(str(error).split())}") from None
