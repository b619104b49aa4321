"""A corpus by the `batch-file` provider. The test is the cluster: it takes the request files and brings answers."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from doxa.lm.testserver.responder import respond

SETS = ("generator=batch-file/some-model", "documents=300", "write.words=[90, 150]", "plan.types=3")
PADDING_BYTES = 50_000_000


class Cluster:
    """Answers each request file with files of its own, in no order and never quite all the first time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rounds = 0
        self.seen: dict[str, int] = {}
        self.rng = random.Random(5)

    def work(self, said: str) -> int:
        """Answer what the last command asked for; how many answers were brought."""
        files = [Path(name) for name in re.findall(r"\S+\.jsonl", said[said.index(" Run ") :])]
        assert files and all(file.is_file() for file in files)
        requests = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
        asked = [request["custom_id"] for request in requests]
        assert len(set(asked)) == len(asked)
        self.rng.shuffle(requests)
        fresh = [request for request in requests if request["custom_id"] not in self.seen]
        left_out = {request["custom_id"] for request in fresh[: len(fresh) // 10]}
        for name in asked:
            self.seen[name] = self.seen.get(name, 0) + 1
        answered = [self.answer(request) for request in requests if request["custom_id"] not in left_out]
        self.rounds += 1
        for part in range(3):
            lines = answered[part::3]
            if part == 0:
                lines += self.rubbish(answered)
                self.rng.shuffle(lines)
            file = self.folder / "answers" / f"round{self.rounds}-{'cab'[part]}.jsonl"
            file.write_text("\n".join(lines) + "\n" * (part != 1), encoding="utf-8")  # one lacks its last newline
        return len(answered)

    def answer(self, request: dict) -> str:
        assert request["body"]["model"] == "some-model" and request["url"] == "/v1/chat/completions"
        text = respond(request["body"]["messages"], seed=int(request["custom_id"][:8], 16))
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
        body = {"model": "some-model", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        line = {"custom_id": request["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}
        return json.dumps(line, ensure_ascii=self.rng.random() < 0.5)

    def rubbish(self, answered: list[str]) -> list[str]:
        """Lines that no one should trip over: torn, foreign, errors, and an answer that comes twice."""
        failed = json.loads(answered[0])["custom_id"]
        error = {"custom_id": failed, "response": {"status_code": 500, "body": {"error": {"message": "out of memory"}}}}
        return [
            answered[0][: len(answered[0]) // 2],
            '{"custom_id": ',
            "null",
            "[1, 2]",
            "",
            "\ufeff",
            '{"custom_id": "of another run", "response": {"status_code": 200, "body": {}}}',
            '{"custom_id": ["a", "list"], "response": 7}',
            json.dumps(error),
            answered[-1],
        ]


def bring(at, stage: str, cluster: Cluster) -> list[str]:
    """Run a stage until it has all its answers; what it said each time."""
    said = []
    while not (at.folder / f"stages/{stage}/done.json").exists():
        done = at.run(stage)
        said.append(done.stderr)
        if done.returncode == 0:
            break
        assert done.returncode == 3 and "wait for their answers" in done.stderr.splitlines()[-1], done.stderr
        cluster.work(done.stderr.splitlines()[-1])
        assert len(said) < 20
    return said


@pytest.mark.slow
def test_answers_in_any_order_from_many_files_in_rounds(terminal):
    at = terminal("sorrel_bay", *SETS)
    cluster = Cluster(at.folder / "batch")
    bring(at, "plan", cluster)
    padding = at.folder / "batch/answers/000-other-runs.jsonl"
    with open(padding, "w", encoding="utf-8") as file:  # of someone else who writes into the same folder
        filler = "a line that is no business of this run; " * 250
        for number in range(PADDING_BYTES // len(filler)):
            file.write(json.dumps({"custom_id": f"other-{number}", "response": {"body": {"text": filler}}}) + "\n")
            if number % 1000 == 0:
                file.write('{"custom_id": "torn", "resp\n')
    assert padding.stat().st_size >= PADDING_BYTES
    said = bring(at, "write", cluster)
    assert "300 of 300 requests wait" in said[0] and re.search(r"\b3\d of \d+ requests wait", said[1])
    assert f"{padding}, line 2: is not JSON" in said[0]
    assert "more lines without an answer" in said[1]
    at.stages("revise", "screen", "dedup")
    assert at.counts("write")["documents"] == at.counts("dedup")["kept"] == 300
    assert len(at.rows("stages/dedup/documents.jsonl")) == 300
    assert max(cluster.seen.values()) == 2  # those that were left out once, and no other
    assert at.stored() == len(cluster.seen)
    assert sum(row["responses"] for row in json.loads((at.folder / "usage.json").read_text())["usage"]) == at.stored()


def test_the_lines_that_are_broken_are_named(terminal):
    at = terminal("sorrel_bay", "generator=batch-file", "documents=16", "plan.types=1", "plan.similarity=null")
    said = at.doxa("plan", code=3)
    answers = at.folder / "batch/answers"
    (request,) = (json.loads(line) for line in Path(re.findall(r"\S+\.jsonl", said)[0]).read_text().splitlines()[:1])
    good = {"choices": [{"message": {"content": "<types>"}, "finish_reason": "stop"}]}
    lines = [
        json.dumps({"custom_id": request["custom_id"], "response": {"status_code": 400, "body": {"error": "no"}}}),
        "torn {",
        json.dumps({"custom_id": request["custom_id"], "response": {"status_code": 200, "body": good}}),
    ]
    (answers / "some.jsonl").write_text("\n".join(lines))
    again = at.doxa("plan", code=3)
    assert f"{answers / 'some.jsonl'}, line 1: status 400: no" in again
    assert f"{answers / 'some.jsonl'}, line 2: is not JSON" in again
    assert "7 of 8 requests wait for their answers" in again.splitlines()[-1]
