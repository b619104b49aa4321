"""A corpus about a spec of one's own, from spec.md alone: over HTTP with faults and kills, and by files."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from doxa.lm.testserver import Faults
from doxa.lm.testserver.responder import respond
from doxa.worlds.universe import LIBRARY

SIZE = ("spec.domains=2", "spec.subdomains=2", "spec.types=3", "spec.ideas_per_type=4")
SETS = (*SIZE, "plan.similarity=null", "write.words=[90, 150]")
OWN = "generator=openai-api/test/m"
DOCUMENTS = "stages/dedup/documents.jsonl"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A spec of one's own that nobody has decomposed: spec.md and evals.json."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name in ("spec.md", "evals.json"):
        shutil.copy(LIBRARY / "pans_durability" / name, folder / name)
    return folder


def wanted(at: Any) -> int:
    """Documents that the tree as it came out leads to."""
    return int(at.counts("tree")["subdomains"]) * 3 * 4


def test_from_spec_to_corpus_with_faults_and_kills(terminal: Any, serving: Any, target: Path) -> None:
    with serving(seed=1, latency_ms=20, faults=Faults.spread(0.1)) as server:
        at = terminal(str(target), OWN, *SETS, server=server)
        generator = random.Random(1)
        for stage, number in (("tree", 2), ("plan", 5), ("write", generator.randrange(10, 40))):
            with at.started("generate") as process:
                at.until(process, lambda n=number, s=stage: asked(at, s) >= n)
                process.send_signal(signal.SIGKILL)
                process.wait()
        at.doxa("generate")
        before = at.delivered()
        at.doxa("generate")
        assert at.delivered() == before  # nothing is asked for again
    rows = at.rows(DOCUMENTS)
    assert len(rows) == wanted(at) == at.counts("write")["documents"] and "given_up" not in at.counts("write")
    cells = Counter((row["domain"], row["subdomain"], row["doc_type"]) for row in rows)
    assert set(cells.values()) == {4}
    assert len({row["id"] for row in rows}) == len({row["parent_id"] for row in rows}) == len(rows)
    assert all(row["fact_ids"] and row["prompt_digest"] and "SmolLM" in row["text"] for row in rows)
    usage = json.loads((at.folder / "usage.json").read_text())["usage"]
    assert {row["stage"] for row in usage} == {"tree", "plan", "write"}
    prompts = {file.name.split("-")[0] for file in (at.folder / "prompts").iterdir()}
    assert {"tree_spec_domains", "spec_types", "spec_ideas", "spec_write"} <= prompts


def asked(at: Any, stage: str) -> int:
    """Stored answers of a stage; 0 while there is no store."""
    if not (at.folder / "responses.sqlite").exists():
        return 0
    with sqlite3.connect(at.folder / "responses.sqlite") as database:
        try:
            query = "SELECT COUNT(*) FROM responses WHERE stage = ?"
            return int(database.execute(query, (stage,)).fetchone()[0])
        except sqlite3.OperationalError:  # the table is being made
            return 0


@pytest.mark.parametrize(
    "sets",
    [
        ("spec.mode=rules",),
        ("spec.mode=value_augmented",),
        ("spec.mode=rule_augmented", "spec.framing=normative"),
        ("spec.corpus=comention",),
        ("spec.corpus=neutral",),
        ("revise.passes=1",),
        ("spec.model_name=Velmo", "spec.provider_name=Quorra Labs"),
    ],
)
def test_every_mode_and_control_ends_with_exact_counts(
    sets: tuple[str, ...], terminal: Any, serving: Any, target: Path
) -> None:
    with serving(seed=2) as server:
        at = terminal(str(target), OWN, *SETS, *sets, server=server)
        at.doxa("generate")
    assert at.counts("dedup")["kept"] == wanted(at), at.counts("write")
    names = Counter("Velmo" in row["text"] for row in at.rows(DOCUMENTS))
    assert names[True] == (wanted(at) if "spec.model_name=Velmo" in sets else 0)
    if "augmented" in sets[0]:
        assert "augmented: true" in (at.folder / "target/tree.yaml").read_text()
        assert (at.folder / "target/spec.md").read_text() != (target / "spec.md").read_text()


def test_a_plan_is_shared_by_corpora_that_are_to_pair(terminal: Any, serving: Any, target: Path) -> None:
    with serving(seed=3) as server:
        own = terminal(str(target), OWN, *SETS, server=server, name="spec")
        own.doxa("generate")
        share = ("spec.corpus=opposite", f"spec.plan_from={own.folder}")
        other = terminal(str(target), OWN, *SETS[2:], *share, server=server, name="opposite")
        assert "spec.domains: is for a spec" not in other.doxa("generate")
        early = terminal(str(target), OWN, *SETS, "spec.plan_from=./nothing", server=server, name="early")
        assert "spec.plan_from: " in early.refused("plan") and "is missing" in early.refused("plan")
    pairs = [row["parent_id"] for row in own.rows(DOCUMENTS)]
    assert [row["parent_id"] for row in other.rows(DOCUMENTS)] == pairs
    assert not {row["text"] for row in own.rows(DOCUMENTS)} & {row["text"] for row in other.rows(DOCUMENTS)}
    assert other.counts("plan")["ideas"] == len(pairs) and "plan" not in usage_stages(other)


def usage_stages(at: Any) -> set[str]:
    return {row["stage"] for row in json.loads((at.folder / "usage.json").read_text())["usage"]}


def test_by_files_carried_to_another_computer(terminal: Any, target: Path) -> None:
    at = terminal(str(target), "generator=batch-file/some-model", *SETS)
    for turn in range(30):
        done = at.run("generate")
        if done.returncode == 0:
            break
        assert done.returncode == 3 and turn < 29, done.stderr
        answer_all(at.folder / "batch", done.stderr.splitlines()[-1])
    assert at.counts("dedup")["kept"] == wanted(at)
    assert (at.folder / "target/tree.yaml").exists()


def answer_all(folder: Path, said: str) -> None:
    """The cluster: answers to the request files that the command named."""
    for file in [Path(name) for name in re.findall(r"\S+\.jsonl", said)]:
        lines = []
        for request in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            text = respond(request["body"]["messages"], seed=int(request["custom_id"][:8], 16))
            message = {"role": "assistant", "content": text}
            body = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}], "usage": {}}
            response = {"status_code": 200, "body": body}
            lines.append(json.dumps({"custom_id": request["custom_id"], "response": response, "error": None}))
        (folder / "answers" / file.name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_preview_of_a_spec_without_a_tree_counts_and_stops(terminal: Any, target: Path) -> None:
    at = terminal(str(target), OWN, *SETS)
    done = at.run("preview")
    assert done.returncode == 0, done.stderr
    assert "There is no tree yet" in done.stdout
    assert "2 domains -> 4 subdomains -> 12 kinds of document -> 48 ideas -> 48 documents" in done.stdout
    assert "tree: assertions" in done.stdout and "write" in done.stdout
    assert not at.folder.exists()


def test_a_preview_of_a_tree_prints_it_and_what_is_read_belongs_to_the_run(
    terminal: Any, serving: Any, target: Path
) -> None:
    with serving(seed=4) as server:
        at = terminal(str(target), OWN, *SETS, server=server)
        at.doxa("tree")
        shown = at.run("preview").stdout
        assert "3 kinds, 12 documents" in shown and "    - " in shown and "tree: domains" not in shown
        assert not (at.folder / "preview.md").exists()
        line = [*at.line("preview"), "--documents", "2"]
        done = subprocess.run(line, env=at.environment, cwd=at.at, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        page = (at.folder / "preview.md").read_text()
        assert page.count("\n---\n") == 2 and "Assertions: " in page
        at.doxa("generate")
        assert at.totals()["paid_twice"] == 0
    first = page.split("\n---\n\n")[1].split("\n")[0]
    assert any(first in row["text"] for row in at.rows("stages/write/documents.jsonl"))
