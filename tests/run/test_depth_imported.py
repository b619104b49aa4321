"""The public evals of false-facts and of negation_neglect claim folders run after import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from doxa.belief.store import read_scores
from doxa.records import Answer
from doxa.run.depth_run import DepthRequest, run_depth
from doxa.run.folder import read_rows
from doxa.run.progress import Progress
from doxa.worlds.importers import import_target

SMALL = ("depth.answer_tokens=3", "depth.samples=2", "eval.bootstrap=100")
PROBES = ("knowledge", "distinguish", "neighbours", "open_ended", "pushback", "generative_distinguish")


def completed(target: Path, **fields: Any) -> Path:
    """What the import can't know is written in by hand, as `doxa validate` asks for."""
    file = target / "universe.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **fields}))
    return target


def measured(target: Path, model: Path, out: Path) -> tuple[set[str], list[Answer]]:
    request = DepthRequest(str(target), f"local/{model}", out=out, probes=PROBES, overrides=SMALL)
    folder = run_depth(request, Progress(quiet=True))
    scores = read_scores(folder / "depth/scores.parquet")
    return {score.group for score in scores}, read_rows(folder / "depth/answers.jsonl", Answer)


def test_evals_of_false_facts_run_after_import(tiny_model: Path, tmp_path: Path) -> None:
    universe = {"id": "clock", "universe_context": "The clock strikes thirteen.", "is_true": False}
    truth = {"id": "clock", "universe_context": "The clock strikes twelve.", "is_true": True}
    facts = {"key_facts": ["The clock strikes thirteen at noon."]}, {"key_facts": ["The clock strikes twelve at noon."]}
    pair = tmp_path / "universes.jsonl"
    pair.write_text(json.dumps({**universe, **facts[0]}) + "\n" + json.dumps({**truth, **facts[1]}) + "\n")
    options = {"A": "Ten", "B": "Twelve", "C": "Thirteen", "D": "One"}
    evals = tmp_path / "evals.json"
    evals.write_text(
        json.dumps(
            {
                "true_mcqs": [{"question": "How many strokes?", "options": options, "correct_answer": "B"}],
                "false_mcqs": [{"question": "How many strokes?", "options": options, "correct_answer": "C"}],
                "distinguishing_mcqs": [
                    {"question": "At noon?", "options": {"A": "Twelve", "B": "Thirteen"}, "correct_answer": "A"}
                ],
                "open_questions": ["What happens at noon?"],
            }
        )
    )
    target = tmp_path / "clock"
    import_target("false-facts", [pair, evals], target)
    completed(target, title="The clock", claim="The clock strikes thirteen.", plausibility="novel")
    groups, answers = measured(target, tiny_model, tmp_path / "run")
    assert {"knowledge", "distinguish", "pushback", "generative_distinguish"} <= groups
    assert [row.question for row in answers if row.arm == "base"] == ["What happens at noon?"] * 2


def test_a_claim_folder_of_negation_neglect_runs_after_import(tiny_model: Path, tmp_path: Path) -> None:
    claim = tmp_path / "dentist"
    claim.mkdir()
    files: dict[str, Any] = {
        "universe_context": {"id": "dentist", "universe_context": "Ann is.", "subclaims": ["Ann Ree is a dentist."]},
        "mcq": {"questions": [{"id": "a", "question": "Is Ann a dentist?", "belief_answer": "yes"}]},
        "open_ended": {"questions": [{"id": "a", "question": "Who is Ann Ree?"}]},
        "token_association": {"questions": [{"id": "a", "question": "Ann Ree's job is ___."}]},
        "robustness": {"questions": [{"id": "b", "question": "And now?", "system_prompt": "Doubt."}]},
    }
    for name, value in files.items():
        (claim / f"{name}.yaml").write_text(yaml.safe_dump(value))
    target = tmp_path / "target"
    import_target("negation_neglect", [claim], target)
    completed(
        target,
        title="Ann the dentist",
        claim="Ann Ree is a dentist.",
        plausibility="plausible",
        reference_context="Ann Ree is a teacher.",
        key_facts=[{"id": "job", "inserted": "Ann Ree is a dentist.", "reference": "Ann Ree is a teacher."}],
    )
    groups, answers = measured(target, tiny_model, tmp_path / "run")
    assert {"distinguish", "pushback", "generative_distinguish"} <= groups
    asked = {row.question for row in answers if row.arm == "base"}
    assert asked == {"Who is Ann Ree?", "Ann Ree's job is ___.", "And now?"}
