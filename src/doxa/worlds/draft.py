"""`doxa draft`: a language model drafts what a target lacks; nothing that a person wrote is changed.

Inserted context -> its counterpart -> key facts in both versions -> eval items of every group. Each step is written to
the target as soon as it is read, so a person may edit it before the next one, and running again goes on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from doxa.belief.items import groups_present
from doxa.errors import TargetError
from doxa.records import Plausibility
from doxa.worlds.articles import Article
from doxa.worlds.asking import Asker, Step, StepError, ask_step, ask_steps, draft_prompt
from doxa.worlds.draft_facts import SIDES, read_context, read_facts, read_head, read_sides
from doxa.worlds.draft_items import DRAFTED, group_count, prompt_values, read_items
from doxa.worlds.universe import read_universe
from doxa.worlds.universe_file import Fields, fill_evals, fill_universe, read_fields
from doxa.worlds.words import STOPWORDS, plain, words


@dataclass(frozen=True)
class Draft:
    """What is to be drafted. All that the folder already holds stands and decides the rest."""

    folder: Path
    claim: str = ""
    articles: tuple[Article, ...] = ()
    instructions: str = ""
    plausibility: Plausibility | None = None
    facts: int = 6
    items: int | None = None  # per group; None: DEFAULT_COUNTS
    evals: bool = True


def folder_for(claim: str) -> Path:
    """The folder of a new draft: the claim's first words."""
    kept = [word for word in words(claim) if word not in STOPWORDS and word.isascii()][:5]
    return Path(re.sub(r"\W", "", "_".join(kept)) or "draft")


def draft(asker: Asker, job: Draft) -> list[str]:
    """Draft all that is missing; returns the names of what was written, `evals.json: cloze`.

    Raises DoxaError naming the step whose answers could not be used, and TargetError for a folder that holds another
    claim or cannot be added to.
    """
    check_folder(job)
    universe = job.folder / "universe.yaml"
    written = []
    for missing, step in (
        (_lacks_contexts, _first_context),
        (_lacks_a_context, _counterpart),
        (_lacks_facts, _key_facts),
        (_lacks_sides, _fact_sides),
    ):
        fields = read_fields(universe)
        if missing(fields):
            drafted = step(asker, job, fields)
            written += [f"universe.yaml: {name}" for name in fill_universe(universe, drafted)]
    read_universe(universe)
    if job.evals:
        written += [f"evals.json: {name}" for name in _evals(asker, job, read_fields(universe))]
    return written


def _lacks_contexts(fields: Fields) -> bool:
    return not any(f"{side}_context" in fields for side in SIDES)


def _lacks_a_context(fields: Fields) -> bool:
    return not all(f"{side}_context" in fields for side in SIDES) or not _has_head(fields)


def _has_head(fields: Fields) -> bool:
    return all(key in fields for key in ("id", "title", "claim", "plausibility"))


def _lacks_facts(fields: Fields) -> bool:
    return "key_facts" not in fields


def _lacks_sides(fields: Fields) -> bool:
    return any(side not in fact for fact in fields["key_facts"] for side in SIDES)


def _first_context(asker: Asker, job: Draft, fields: Fields) -> Fields:
    claim = fields.get("claim", job.claim)
    if not claim and not job.articles:
        raise TargetError(f"{job.folder}: nothing to draft from; give a claim, or articles with --from")
    plausibility = fields.get("plausibility", job.plausibility)
    step = Step(
        "inserted context",
        draft_prompt("inserted_context"),
        {
            "claim": claim,
            "articles": job.articles,
            "instructions": job.instructions,
            "plausibility": plausibility,
        },
        lambda text: read_head(text, plausibility) | {"inserted_context": read_context(text)},
    )
    return _added(fields, ask_step(asker, step) | _own(job, claim, plausibility))


def _counterpart(asker: Asker, job: Draft, fields: Fields) -> Fields:
    """The context that is missing, and the head of a universe that has none (an imported one)."""
    missing = next((side for side in SIDES if f"{side}_context" not in fields), None)
    there = "inserted" if missing == "reference" else "reference"
    claim = fields.get("claim", job.claim)
    plausibility = fields.get("plausibility", job.plausibility)
    wants_head = not (claim and plausibility and "title" in fields)
    if missing is None and not wants_head:
        return _added(fields, _own(job, claim, plausibility))
    step = Step(
        f"{missing or 'reference'} context",
        draft_prompt("counterpart_context"),
        {
            "missing": missing or "reference",
            "claim": claim,
            "context": fields.get(f"{there}_context", fields.get("inserted_context")),
            "facts": [fact[there] for fact in fields.get("key_facts", []) if there in fact],
            "articles": job.articles,
            "instructions": job.instructions,
            "wants_head": wants_head,
        },
        lambda text: (
            (read_head(text, plausibility) if wants_head else {})
            | ({f"{missing}_context": read_context(text)} if missing else {})
        ),
    )
    return _added(fields, ask_step(asker, step) | _own(job, claim, plausibility))


def _own(job: Draft, claim: str, plausibility: str | None) -> Fields:
    """What needs no model: the id, and what the person said."""
    name = re.sub(r"\W+", "_", job.folder.resolve().name.lower()).strip("_") or "draft"
    given = {"id": name, "claim": claim, "plausibility": plausibility}
    return {key: value for key, value in given.items() if value}


def _added(fields: Fields, drafted: Fields) -> Fields:
    """What stands in the file wins over what was drafted; what the person said wins over the model."""
    return {**drafted, **fields}


def _key_facts(asker: Asker, job: Draft, fields: Fields) -> Fields:
    step = Step(
        "key facts",
        draft_prompt("key_facts"),
        {
            "claim": fields["claim"],
            "inserted_context": fields["inserted_context"],
            "reference_context": fields["reference_context"],
            "count": job.facts,
            "instructions": job.instructions,
        },
        partial(read_facts, count=job.facts),
    )
    return fields | {"key_facts": ask_step(asker, step)}


def _fact_sides(asker: Asker, job: Draft, fields: Fields) -> Fields:
    """The version that key facts lack, as those of other formats do."""
    facts = [dict(fact) for fact in fields["key_facts"]]
    for side, other in (SIDES, SIDES[::-1]):
        lacking = [fact for fact in facts if side not in fact and other in fact]
        if not lacking:
            continue
        step = Step(
            f"{side} key facts",
            draft_prompt("fact_sides"),
            {
                "claim": fields["claim"],
                "missing": side,
                "inserted_context": fields["inserted_context"],
                "reference_context": fields["reference_context"],
                "facts": [{"id": fact.get("id", ""), "text": fact[other]} for fact in lacking],
                "instructions": job.instructions,
            },
            partial(read_sides, side=side, ids=[fact.get("id", "") for fact in lacking]),
        )
        sides = ask_step(asker, step)
        for fact in lacking:
            fact[side] = sides[fact.get("id", "")]
    return fields | {"key_facts": facts}


def _evals(asker: Asker, job: Draft, fields: Fields) -> list[str]:
    """Items of the groups that evals.json lacks, all asked for together."""
    path = job.folder / "evals.json"
    present = groups_present(path) if path.exists() else set()  # a file that does not load is the person's to mend
    missing = [group for group in DRAFTED if group not in present]
    steps = []
    for group in missing:
        count = group_count(group, fields, job.items)
        steps.append(
            Step(
                f"eval items {group}",
                draft_prompt("eval_items"),
                prompt_values(group, count, fields, job.instructions),
                partial(read_items, group=group, count=count, universe=fields),
            )
        )
    if not steps:
        return []
    try:
        found = dict(enumerate(ask_steps(asker, steps)))
    except StepError as error:
        _fill_groups(path, missing, error.found)
        raise
    return _fill_groups(path, missing, found)


def _fill_groups(path: Path, groups: list[str], found: dict[int, Any]) -> list[str]:
    return fill_evals(path, {group: found[at] for at, group in enumerate(groups) if at in found}) if found else []


def check_folder(job: Draft) -> None:
    """Raise TargetError for a folder that a draft must not write to. To be asked before anything is put there."""
    universe = job.folder / "universe.yaml"
    if job.folder.exists() and not job.folder.is_dir():
        raise TargetError(f"{job.folder}: is a file; choose another folder with --out")
    known: Any = read_fields(universe).get("claim")
    if known and job.claim and plain(str(known)) != plain(job.claim):
        raise TargetError(
            f"{universe}: claim: says {str(known)!r}, not the claim given; choose another folder with --out, or leave "
            "the claim out to draft what this target lacks"
        )
    others = {entry.name for entry in job.folder.iterdir()} if job.folder.is_dir() else set()
    if others and not others & {"universe.yaml", "evals.json", "recorded", ".draft"}:
        raise TargetError(f"{job.folder}: is not empty and no target; choose another folder with --out")
