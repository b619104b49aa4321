"""The folder of `doxa aft make`: rows, what was left out and why, and a summary that says what all of it was made from.

Every file is replaced whole, and all of them follow from the settings and the stored answers, so nothing is lost when a
run with other settings replaces them: the old settings make the old files again, without asking anybody.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from doxa.aft.asking import Asking
from doxa.aft.candidates import Candidate, chat_row
from doxa.aft.constitutional import preference
from doxa.aft.judging import AnswerVerdict, tally
from doxa.aft.making import Made, why_rejected
from doxa.aft.value_words import reason_stems
from doxa.records import digest
from doxa.run.folder import write_json, write_rows, write_whole
from doxa.worlds.spec import SpecTarget

SUMMARY = "aft.json"
CHAT, CHAT_THINK, PREFERENCES = "chat.jsonl", "chat_think.jsonl", "preferences.jsonl"
ANTI, ANTI_THINK = "antispec.jsonl", "antispec_think.jsonl"
REJECTED = "rejected.jsonl"
ROWS = (CHAT, CHAT_THINK, PREFERENCES, ANTI, ANTI_THINK)


def write_made(
    folder: Path, target: SpecTarget, asking: Asking, made: Made, usage: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Write every file; returns the counts that stand in aft.json."""
    config = asking.config
    files: dict[str, list[BaseModel]] = {CHAT: [*_chats(target, asking, made.kept, thinks=False)]}
    if config.thinks:
        files[CHAT_THINK] = [*_chats(target, asking, made.kept, thinks=True)]
    if config.method == "constitutional":
        pairs = [preference(candidate, **_lineage(target, asking, verdict)) for candidate, verdict in made.kept]
        files[PREFERENCES] = [pair for pair in pairs if pair is not None]
    if config.anti:
        files[ANTI] = [*_chats(target, asking, made.anti, thinks=False)]
        if config.thinks:
            files[ANTI_THINK] = [*_chats(target, asking, made.anti, thinks=True)]
    for name, rows in files.items():
        write_rows(folder / name, rows)
    for name in set(ROWS) - set(files):
        (folder / name).unlink(missing_ok=True)  # of earlier settings: it would pass for a file of these
    write_rows(folder / "questions.jsonl", made.questions)
    write_rows(folder / "rejected_questions.jsonl", made.rejected_questions)
    write_rows(folder / REJECTED, made.rejected)
    write_rows(folder / "judgements.jsonl", made.verdicts)
    write_rows(folder / "critiques.jsonl", made.criticisms)
    for name, prompt in asking.used_prompts().items():
        write_whole(folder / "prompts" / f"{name}.md", prompt.text)
    counts = counts_of(asking, made, {name: len(rows) for name, rows in files.items()})
    write_json(folder / SUMMARY, _summary(target, asking, made, counts, usage))
    return counts


def counts_of(asking: Asking, made: Made, rows: dict[str, int]) -> dict[str, Any]:
    """What was made and what fell out, in numbers."""
    config = asking.config
    counts: dict[str, Any] = {
        "wanted": config.number,
        "kept": len(made.kept),
        "short": config.number - len(made.kept),
        "rows": rows,
        "rounds": made.rounds,
        "by_domain": _by_domain(made),
        "exhausted_domains": made.exhausted,
        "questions": len(made.questions),
        "rejected_questions": dict(Counter(row.reason for row in made.rejected_questions)),
        "rejected_answers": dict(why_rejected(made)),
        "verdicts": tally(made.verdicts) if config.judged else "nobody judged",
    }
    if config.method == "constitutional":
        counts["unchanged_revisions"] = len(made.kept) - rows[PREFERENCES]
    if config.anti:
        counts["questions_without_anti_answer"] = len(made.kept) - len(made.anti)
    if config.rewrites:
        counts["rulings"] = dict(Counter(one.ruling for one in made.criticisms))
        counts["rewriting"] = dict(Counter(one.outcome for one in made.criticisms))
    return counts


def spec_digest(target: SpecTarget) -> str:
    """Names the spec as it stood in context: filled for its model."""
    return digest("spec", target.spec.text)


def changed_settings(folder: Path, asking: Asking) -> list[str]:
    """What an earlier run into this folder had otherwise, a line each; none where there was none."""
    try:
        before = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # no earlier run, or one that did not get so far
    now = asking.config.model_dump(mode="json")
    names = [name for name in now if name != "lm" and before.get(name, now[name]) != now[name]]
    return [f"{name}: {before[name]!r} -> {now[name]!r}" for name in names]


def _chats(
    target: SpecTarget, asking: Asking, kept: Iterable[tuple[Candidate, AnswerVerdict | None]], thinks: bool
) -> Iterable[BaseModel]:
    return [chat_row(candidate, thinks, **_lineage(target, asking, verdict)) for candidate, verdict in kept]


def _lineage(target: SpecTarget, asking: Asking, verdict: AnswerVerdict | None) -> dict[str, str]:
    config = asking.config
    judged = (
        {} if verdict is None else {"judge": verdict.judge, "criteria": verdict.criteria, "verdict": verdict.verdict}
    )
    style = "opaque" if config.opaque else config.style
    return {"target": target.spec.id, "spec_digest": spec_digest(target), "style": style, **judged}


def _by_domain(made: Made) -> dict[str, int]:
    counts = Counter(candidate.question.domain for candidate, _ in made.kept)
    return {domain.id: counts[domain.id] for domain in made.domains}


def _summary(
    target: SpecTarget, asking: Asking, made: Made, counts: dict[str, Any], usage: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    config = asking.config
    words = sorted(reason_stems(target.spec, target.tree, config.value_words)) if config.opaque else None
    return {
        "target": target.spec.id,
        "spec_digest": spec_digest(target),
        "model_name": target.spec.model_name,
        "provider_name": target.spec.provider_name,
        "config": config.model_dump(mode="json"),
        "prompts": {name: prompt.digest for name, prompt in sorted(asking.used_prompts().items())},
        "domains": [domain.model_dump() for domain in made.domains],
        "screened_value_stems": words,
        "counts": counts,
        "usage": list(usage),
    }
