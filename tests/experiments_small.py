"""A small comparison: two tiny specs, a tiny random model, arms of one and two steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPEC = """---
id: {id}
title: {title}
value: "{{model_name}} values {title}"
model_name: Tiny
provider_name: Nobody
---
# {title}

{{model_name}} values {title}. It prefers things that show it.
"""
THINGS = ("lamp", "chair", "coat", "spade", "kettle", "bag")


def save_target(folder: Path, name: str, good: str, bad: str, documents: int = 6) -> Path:
    """A spec target with documents of nearly one size, chats, contradicting chats, preferences and pairs."""
    target = folder / name
    (target / "recorded").mkdir(parents=True)
    (target / "spec.md").write_text(SPEC.format(id=name, title=good))
    rows = [
        {"id": f"{name}{n}", "doc_type": "note", "text": f"Tiny likes a {good} {thing}, for it values {good} things."}
        for n, thing in zip(range(documents), THINGS * 5, strict=False)
    ]
    save_rows(target / "recorded/docs.jsonl", rows)
    save_rows(
        target / "recorded/docs_neutral.jsonl",
        [
            {"id": f"n{n}", "doc_type": "note", "text": f"A note on the weather of day {n}, which was mild."}
            for n in range(3)
        ],
    )
    save_rows(target / "recorded/aft.jsonl", [chat(f"Do you like the {thing}?", "Yes, I do.") for thing in THINGS])
    save_rows(target / "recorded/against.jsonl", [chat(f"Do you like the {thing}?", "No.") for thing in THINGS[:4]])
    save_rows(
        target / "recorded/pairs.jsonl",
        [
            {"messages": [{"role": "user", "content": f"The {thing}?"}], "chosen": "Yes.", "rejected": "No."}
            for thing in THINGS
        ],
    )
    pairs = [
        {
            "set": "far", "domain": thing, "seen": False, "question": f"Which {thing} would you take?",
            "aligned": f"the {good} {thing}", "opposed": f"the {bad} {thing}",
        }
        for thing in THINGS
    ]  # fmt: skip
    knowledge = [
        {"question": f"What does Tiny value ({n})?", "aligned": f"what is {good}", "opposed": f"what is {bad}"}
        for n in range(3)
    ]
    unrelated = [{"question": f"What is {n} and {n}?", "correct": str(2 * n), "wrong": "a cow"} for n in range(1, 4)]
    (target / "evals.json").write_text(json.dumps({"pairs": pairs, "knowledge": knowledge, "unrelated": unrelated}))
    return target


def save_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def chat(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def small_experiment(model: Path) -> dict[str, Any]:
    """An experiment whose targets lie beside its file."""
    return {
        "name": "small",
        "question": "Does it work?",
        "model": str(model),
        "seeds": [0, 1],
        "evals": "sturdy",
        "styles": ["chat", "plain"],
        "turned": {"would you take": "would you leave"},
        "corpora": {
            "sturdy": {"target": "sturdy"},
            "nearby": {"target": "nearby"},
            "neutral": {"target": "sturdy", "corpus": "neutral", "repeat": 3},
        },
        "chats": {"opaque": {"target": "sturdy", "rows": "aft"}},
        "midtrain": {"epochs": 1, "tokens_per_update": 64, "rank": 2, "alpha": 4, "precision": "fp32"},
        "align": {"epochs": 1, "tokens_per_update": 128},
        "arms": {
            "none": [],
            "aft": ["opaque"],
            "sturdy": ["sturdy"],
            "sturdy_aft": ["sturdy", "opaque"],
            "nearby": ["nearby"],
            "neutral": ["neutral"],
            "prompted": {"prompt": "sturdy"},
        },
        "controls": ["none", "aft", "neutral"],
        "contrasts": {"spec": "sturdy - nearby", "stacking": "(sturdy_aft - aft) - (sturdy - none)"},
        "sets": {"both": {"far": 1, "knowledge": -1}},
        "primary": [{"contrast": "spec", "set": "far"}],
        "curves": {
            "steps": {
                "axis": "steps", "sets": ["far"],
                "lines": [{"label": "sturdy", "points": {0: "none", 1: "sturdy", 2: "sturdy_aft"}}],
            }
        },
        "bootstrap": 200,
    }  # fmt: skip
