"""Requests and answers as files that travel by hand: in any order, in part, several, broken, and very large."""

from __future__ import annotations

import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from doxa.errors import WaitingError
from doxa.lm.batch_file import exchange, find_answer, is_batch_file, take_in
from doxa.lm.client import CallError
from doxa.lm.request import Request, Response, ask


class Desk:
    """Everything that an exchange reports."""

    def __init__(self, folder: Path, per_file: int = 1000) -> None:
        self.folder, self.per_file = folder, per_file
        self.answers: dict[str, str] = {}
        self.failures: dict[str, str] = {}
        self.warnings: list[str] = []

    def exchange(self, requests: list[Request]) -> None:
        """As LanguageModels does: only what is not stored is asked."""
        self.warnings.clear()
        exchange(
            [request for request in requests if request.key not in self.answers],
            self.folder, self.per_file, self.answered, self.failed, self.warnings.append,
        )  # fmt: skip

    def answered(self, request: Request, response: Response) -> None:
        assert request.key not in self.answers
        self.answers[request.key] = response.text

    def failed(self, request: Request, error: CallError) -> None:
        self.failures[request.key] = error.kind

    def waiting(self, requests: list[Request]) -> str:
        with pytest.raises(WaitingError) as caught:
            self.exchange(requests)
        return str(caught.value)

    def put(self, name: str, lines: list[Any]) -> Path:
        file = self.folder / "answers" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in lines))
        return file

    def written(self) -> list[dict[str, Any]]:
        return [
            json.loads(row) for file in sorted(self.folder.glob("*.jsonl")) for row in file.read_text().splitlines()
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "batch")


def asked(count: int, **settings: Any) -> list[Request]:
    return [ask("batch-file/big", f"Idea {number}.", "In Velm.", stage="write", **settings) for number in range(count)]


def answer(request: Request, text: str | None = None, status: int = 200) -> dict[str, Any]:
    content = f"On {request.messages[-1].content}" if text is None else text
    body = {"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]}
    return {"custom_id": request.key, "response": {"status_code": status, "body": body}, "error": None}


def test_the_names_of_this_provider() -> None:
    assert is_batch_file("batch-file") and is_batch_file("batch-file/org/model")
    assert not is_batch_file("batch-files") and not is_batch_file("openai/batch-file")


def test_requests_leave_as_files_in_openais_form(desk: Desk) -> None:
    desk.per_file = 4
    requests = asked(10, max_tokens=50)
    said = desk.waiting(requests)
    assert "10 of 10 requests wait for their answers" in said and f"{desk.folder / 'answers'}/" in said
    files = sorted(desk.folder.glob("*.jsonl"))
    assert len(files) == 3 and all(str(file) in said and file.name.startswith("write-") for file in files)
    lines = desk.written()
    assert {line["custom_id"] for line in lines} == {request.key for request in requests}
    assert {line["body"]["model"] for line in lines} == {"big"}
    first = next(line for line in lines if line["custom_id"] == requests[0].key)
    assert first["body"]["messages"][1] == {"role": "user", "content": "Idea 0."}
    assert first["url"] == "/v1/chat/completions" and first["body"]["max_tokens"] == 50


def test_a_model_that_is_not_named_is_the_servers_default(desk: Desk) -> None:
    desk.waiting([ask("batch-file", "Hm?", stage="plan")])
    assert desk.written()[0]["body"]["model"] == "default"


def test_answers_may_come_in_any_order_and_from_several_files(desk: Desk) -> None:
    requests = asked(30)
    desk.waiting(requests)
    lines = [answer(request) for request in requests]
    random.Random(0).shuffle(lines)
    for part in range(3):
        desk.put(f"part{part}.jsonl", lines[part::3])
    desk.exchange(requests)
    assert desk.answers == {request.key: f"On {request.messages[-1].content}" for request in requests}
    assert desk.warnings == [] and desk.failures == {}


def test_what_is_missing_is_written_again_and_only_that(desk: Desk) -> None:
    requests = asked(10)
    desk.waiting(requests)
    desk.put("first.jsonl", [answer(request) for request in requests[:4]])
    assert "6 of 10 requests" in desk.waiting(requests)
    assert {line["custom_id"] for line in desk.written()} == {request.key for request in requests[4:]}
    desk.put("second.jsonl", [answer(request) for request in requests[4:]])
    desk.exchange(requests)
    assert len(desk.answers) == 10


def test_the_same_wait_writes_the_same_files(desk: Desk) -> None:
    requests = asked(10)
    assert desk.waiting(requests) == desk.waiting(requests)
    assert len(list(desk.folder.glob("*.jsonl"))) == 1


def test_files_of_another_stage_stay(desk: Desk) -> None:
    desk.waiting(asked(3))
    plan = [ask("batch-file/big", "Which kinds?", stage="plan")]
    desk.waiting(plan)
    assert sorted(file.name.split("-")[0] for file in desk.folder.glob("*.jsonl")) == ["plan", "write"]


def test_answers_to_others_are_left_alone(desk: Desk) -> None:
    """The answers of the plan still lie there when the documents are asked for."""
    requests, others = asked(3), asked(5, temperature=0.5)
    desk.put("plan.jsonl", [answer(request) for request in others])
    assert "3 of 3" in desk.waiting(requests) and desk.answers == {} and desk.warnings == []


def test_of_several_answers_the_first_good_one_counts(desk: Desk) -> None:
    requests = asked(2)
    desk.put("a.jsonl", [answer(requests[0], "first"), answer(requests[0], "second"), answer(requests[1], "", 500)])
    desk.put("b.jsonl", [answer(requests[0], "third"), answer(requests[1], "at last")])
    desk.exchange(requests)
    assert desk.answers == {requests[0].key: "first", requests[1].key: "at last"}


def test_broken_lines_are_named_and_the_others_count(desk: Desk) -> None:
    requests = asked(6)
    good = [json.dumps(answer(request)) for request in requests]
    file = desk.put(
        "torn.jsonl", [good[0], "not json", good[1], "", "[1, 2]", good[2], good[3][:-9], good[4], good[5][:40]]
    )
    file.write_text(file.read_text().rstrip("\n"))  # its last line was cut off
    assert "2 of 6 requests" in desk.waiting(requests)
    assert [warning.split(": ")[0] for warning in desk.warnings] == [f"{file}, line {at}" for at in (2, 5, 7, 9)]
    assert "is not JSON" in desk.warnings[0] and "is no JSON object" in desk.warnings[1]
    assert len(desk.answers) == 4


def test_many_broken_lines_are_counted_and_not_all_told(desk: Desk) -> None:
    desk.put("noise.jsonl", ["noise"] * 40)
    desk.waiting(asked(1))
    assert len(desk.warnings) == 6 and "and 35 more lines" in desk.warnings[-1]


def test_lines_that_hold_no_answer_are_told_from_answers_that_are_not_there(desk: Desk) -> None:
    requests = asked(4)
    nameless = {"id": requests[1].key, "response": answer(requests[1])["response"]}
    textual = {"custom_id": requests[2].key, "response": {"status_code": 200, "body": "On Velm."}}
    file = desk.put("out.jsonl", [answer(requests[0]), nameless, textual])
    said = desk.waiting(requests)
    assert "3 of 4 requests wait for their answers; 2 lines there hold no answer that can be read" in said
    assert f"the first: {file}, line 2: has no custom_id" in said
    assert [warning.split(": ")[1] for warning in desk.warnings][1].startswith("not a chat completion")
    desk.put("out.jsonl", [answer(requests[0])])
    assert "3 of 3 requests wait for their answers. Run" in desk.waiting(requests)


def test_the_line_of_an_answer_is_found(desk: Desk) -> None:
    requests = asked(3)
    torn = json.dumps(answer(requests[1]))[:30]
    desk.put("a.jsonl", [answer(requests[0]), torn, answer(requests[1], "", 500)])
    file = desk.put("b.jsonl", ["", answer(requests[1])])
    assert find_answer(desk.folder / "answers", requests[1]) == f"{file}, line 2"
    assert find_answer(desk.folder / "answers", requests[2]) == ""


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\xff\n", b"\x00\x01\n", b"\xef\xbb\xbf{}\n", b"[" * 100_000, b"1" * 9000 + b"\n"]
)
def test_whatever_lies_in_the_folder_is_survived(desk: Desk, content: bytes) -> None:
    requests = asked(1)
    desk.put("good.jsonl", [answer(requests[0])])
    (desk.folder / "answers" / "bad.jsonl").write_bytes(content)
    desk.exchange(requests)
    assert len(desk.answers) == 1


def test_files_of_windows_are_read(desk: Desk) -> None:
    requests = asked(3)
    rows = "\r\n".join(json.dumps(answer(request, "Größe, 鐘"), ensure_ascii=False) for request in requests)
    desk.put("x", [])
    (desk.folder / "answers" / "windows.jsonl").write_bytes(b"\xef\xbb\xbf" + rows.encode())
    desk.exchange(requests)
    assert set(desk.answers.values()) == {"Größe, 鐘"} and len(desk.answers) == 3


def test_failed_lines_are_named_and_their_requests_written_again(desk: Desk) -> None:
    requests = asked(3)
    expired = {"custom_id": requests[2].key, "response": None, "error": {"code": "batch_expired", "message": "expired"}}
    file = desk.put("out.jsonl", [answer(requests[0]), answer(requests[1], status=500), expired])
    assert "2 of 3 requests" in desk.waiting(requests)
    assert [warning.split(": ")[0] for warning in desk.warnings] == [f"{file}, line 2", f"{file}, line 3"]
    assert {line["custom_id"] for line in desk.written()} == {requests[1].key, requests[2].key}
    assert desk.failures == {requests[1].key: "transient", requests[2].key: "transient"}


def test_a_request_that_was_turned_down_for_good_is_not_waited_for(desk: Desk) -> None:
    """As with calls: who asked hears of the failure and deals with it; else the run would wait forever."""
    requests = asked(3)
    desk.put("out.jsonl", [answer(requests[0]), answer(requests[1], status=400), answer(requests[2])])
    desk.exchange(requests)
    assert len(desk.answers) == 2 and desk.failures == {requests[1].key: "rejected"}
    desk.exchange(requests)  # and not in the next run either
    desk.put("later.jsonl", [answer(requests[1])])
    desk.exchange(requests)  # but an answer that comes after all counts
    assert len(desk.answers) == 3


def test_half_a_character_is_written_as_what_can_be(desk: Desk) -> None:
    desk.waiting([ask("batch-file/big", "cut \ud83d", stage="write")])
    assert desk.written()[0]["body"]["messages"][0]["content"].startswith("cut ")


def test_an_answers_file_of_50_mb_with_broken_lines_needs_little_memory(desk: Desk) -> None:
    requests = asked(200)
    file = desk.folder / "answers" / "big.jsonl"
    file.parent.mkdir(parents=True)
    padding = "x" * 240_000
    with open(file, "w") as handle:
        for number, request in enumerate(requests):
            handle.write(json.dumps(answer(request, f"{number} {padding}")) + "\n")
            handle.write('{"custom_id": "torn\n' * 500)
    assert file.stat().st_size > 48_000_000
    open_requests = {request.key: request for request in requests}
    lengths: list[int] = []
    warnings: list[str] = []
    tracemalloc.start()
    try:
        take_in(
            file.parent, open_requests, lambda request, response: lengths.append(len(response.text)),
            lambda request, error: None, warnings.append,
        )  # fmt: skip
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert open_requests == {} and len(lengths) == 200 and min(lengths) > 240_000
    assert peak < 8_000_000
    assert "line 2: is not JSON" in warnings[0] and "and 99,995 more lines" in warnings[-1]
