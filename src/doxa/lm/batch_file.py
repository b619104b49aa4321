"""The `batch-file` provider: requests leave as files in OpenAI's batch form, answers come back as files.

For air-gapped clusters, batch uploads by hand and `vllm run-batch`. Answers are taken from every .jsonl file of the
answers folder, in any order, partly, several files, again and again: a line counts by its custom_id alone.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from doxa.errors import WaitingError
from doxa.lm.client import CallError
from doxa.lm.openai_format import batch_line, read_batch_line
from doxa.lm.request import Request, Response
from doxa.records import digest

NAME = "batch-file"
ANSWERS = "answers"  # where the answers to the files of a folder belong, in that folder
SHOWN = 5  # broken lines that are named one by one


def is_batch_file(model: str) -> bool:
    """Whether a model string names this provider: batch-file, or batch-file/MODEL."""
    return model == NAME or model.startswith(NAME + "/")


def exchange(
    requests: Iterable[Request],
    folder: Path,
    per_file: int,
    answered: Callable[[Request, Response], None],
    failed: Callable[[Request, CallError], None],
    warn: Callable[[str], None],
) -> None:
    """Take in what answers there are; write the requests that have none to files and raise WaitingError.

    Raises WaitingError as long as a request is unanswered, naming the files and where the answers belong.
    """
    open_requests = {request.key: request for request in requests}
    if not open_requests:
        return
    answers = folder / ANSWERS
    answers.mkdir(parents=True, exist_ok=True)
    own = set(open_requests)
    stage = next(iter(open_requests.values())).stage or "requests"
    unusable = take_in(answers, open_requests, answered, failed, warn)
    for old in folder.glob("*.jsonl"):
        if re.fullmatch(rf"{re.escape(stage)}-[0-9a-f]{{8}}\.jsonl", old.name):
            old.unlink()  # what is still open is written again
        elif not re.fullmatch(r"\w+-[0-9a-f]{8}\.jsonl", old.name):
            warn(f"{old}: is no file of requests; answers are read from {answers}/ alone")
    if not open_requests:
        return
    files = _write_requests(list(open_requests.values()), folder, per_file)
    raise WaitingError(
        f"batch-file: {len(open_requests):,} of {len(own):,} requests wait for their answers{unusable}. Run "
        f"{', '.join(str(file) for file in files)} (OpenAI batch form), put the answer files into {answers}/ "
        "and run the same command again"
    )


def take_in(
    answers: Path,
    open_requests: dict[str, Request],
    answered: Callable[[Request, Response], None],
    failed: Callable[[Request, CallError], None],
    warn: Callable[[str], None],
) -> str:
    """Store the answers of all files in `answers` to open requests, and take these out of `open_requests`.

    Requests that were turned down for good, and answered in no other line, are taken out too: asked again they would
    be turned down again, and the run would wait forever. Returns how many lines hold no answer, and what is wrong with
    the first of them, to be put into a sentence; "" when all is well.
    """
    problems = _Problems(warn)
    rejected: set[str] = set()
    for file in sorted(path for path in answers.rglob("*.jsonl") if path.is_file()):
        for number, line in _lines(file, problems):
            if "custom_id" not in line:
                problems.add(f"{file}, line {number}: has no custom_id, so it answers no request")
                continue
            request = open_requests.get(str(line["custom_id"]))
            if request is None:  # of another stage, or answered by an earlier line
                continue
            try:
                response = read_batch_line(request, line)
            except CallError as error:
                failed(request, error)
                if error.kind == "rejected":
                    rejected.add(request.key)
                problems.add(f"{file}, line {number}: {error}")
                continue
            answered(request, response)
            del open_requests[request.key]
    for key in rejected & set(open_requests):
        del open_requests[key]
    if problems.number > SHOWN:
        warn(f"{answers}: and {problems.number - SHOWN:,} more lines without an answer")
    return problems.told()


def find_answer(answers: Path, request: Request) -> str:
    """File and line that answer a request, as `FILE, line N`; "" when there is none."""
    for file in sorted(path for path in answers.rglob("*.jsonl") if path.is_file()):
        for number, line in _lines(file, _Problems(lambda _: None)):
            if str(line.get("custom_id")) == request.key:
                with contextlib.suppress(CallError):
                    read_batch_line(request, line)
                    return f"{file}, line {number}"
    return ""


class _Problems:
    """Tells the first few and counts the rest: a file of nothing but broken lines must not fill the memory."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.number = 0
        self.first = ""
        self._warn = warn

    def add(self, problem: str) -> None:
        """One more line that holds no answer."""
        self.number += 1
        self.first = self.first or problem
        if self.number <= SHOWN:
            self._warn(problem)

    def told(self) -> str:
        """All of them in half a sentence."""
        if not self.number:
            return ""
        lines = "1 line there holds" if self.number == 1 else f"{self.number:,} lines there hold"
        return f"; {lines} no answer that can be read, the first: {self.first}"


def _lines(file: Path, problems: _Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file, one at a time: a file of 50 MB is not held in memory."""
    with open(file, "rb") as handle:
        for number, raw in enumerate(handle, start=1):
            if not raw.strip():
                continue
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError) as error:
                problems.add(f"{file}, line {number}: is not JSON ({error})")
                continue
            if isinstance(line, dict):
                yield number, line
            else:
                problems.add(f"{file}, line {number}: is no JSON object")


def _write_requests(requests: list[Request], folder: Path, per_file: int) -> list[Path]:
    """Write the open requests, at most `per_file` to a file."""
    from doxa.run.folder import write_whole

    stage = requests[0].stage or "requests"
    files = []
    for start in range(0, len(requests), per_file):
        part = requests[start : start + per_file]
        file = folder / f"{stage}-{digest([request.key for request in part])[:8]}.jsonl"
        lines = (json.dumps(batch_line(request, _served(request.model)), ensure_ascii=False) for request in part)
        # half a surrogate pair, which YAML can hold as an escape, has no UTF-8 form
        write_whole(file, ("\n".join(lines) + "\n").encode("utf-8", "replace"))
        files.append(file)
    return files


def _served(model: str) -> str:
    """The model name that the file asks for: what follows batch-file/, "default" for who names none."""
    return model.removeprefix(NAME).removeprefix("/") or "default"
