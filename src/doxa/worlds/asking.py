"""Steps that ask a language model and read its answer, asking again when it cannot be read.

A step that is asked again asks for the next sample of the same request, so that nothing is asked twice: running a draft
again takes the stored answers and goes on with what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from doxa.corpus.prompt_files import Prompt, load_prompt
from doxa.errors import DoxaError
from doxa.lm.request import Request, Response, Sampling
from doxa.records import Record
from doxa.run.folder import LineWriter, write_whole
from doxa.worlds.answers import UnreadableError

ATTEMPTS = 3
SAMPLING = Sampling(max_tokens=8192)


class Models(Protocol):
    """The part of `doxa.lm.models.LanguageModels` that a draft needs."""

    def answer(self, requests: Iterable[Request]) -> None:
        """See to it that every request has a stored response."""

    def response(self, request: Request) -> Response:
        """The stored response of a request."""


@dataclass(frozen=True)
class Asker:
    """Which model is asked, how, and where answers that could not be read are kept."""

    models: Models
    model: str
    folder: Path  # the .draft folder of the target
    sampling: Sampling = SAMPLING
    stage: str = "draft"  # under which the usage is counted, and batch files are named


@dataclass(frozen=True)
class Step:
    """One thing to be drafted: a prompt with its values, and how its answer is read."""

    name: str  # for a person: "key facts", "eval items mcq_knowledge"
    prompt: Prompt
    values: dict[str, Any]
    read: Callable[[str], Any]  # raises UnreadableError


class StepError(DoxaError):
    """Answers that could not be read, however often; `found` holds what the other steps gave, by number."""

    def __init__(self, message: str, found: dict[int, Any]) -> None:
        super().__init__(message)
        self.found = found


class Asked(Record):
    """A row of .draft/steps.jsonl: which answer a part of the draft was made from."""

    step: str
    model: str
    prompt: str
    prompt_digest: str
    key: str
    sample: int


def draft_prompt(name: str) -> Prompt:
    """A prompt of this package by name, or a person's own by its path in .md."""
    return load_prompt(name, package="doxa.worlds")


def ask_step(asker: Asker, step: Step) -> Any:
    """What the answer to one step holds; see `ask_steps`."""
    return ask_steps(asker, [step])[0]


def ask_steps(asker: Asker, steps: Sequence[Step], first: int = 0) -> list[Any]:
    """What the answers hold, in the order of the steps, which are asked together. `first`: the sample to begin with.

    Raises StepError naming the step and the file of the last answer when it could not be read after ATTEMPTS answers,
    and whatever the models raise: with batch-file that is the file to be answered first.
    """
    found: dict[int, Any] = {}
    problems: dict[int, tuple[str, Path]] = {}
    for sample in range(first, first + ATTEMPTS):
        pending = {number: _request(asker, step, sample) for number, step in enumerate(steps) if number not in found}
        if not pending:
            break
        asker.models.answer(list(pending.values()))
        for number, request in pending.items():
            step, response = steps[number], asker.models.response(request)
            try:
                found[number] = _read(step, response, asker.sampling.max_tokens)
            except UnreadableError as error:
                problems[number] = (str(error), _keep(asker, step, sample, response))
                continue
            _log(asker, step, request)
    failed = sorted(set(range(len(steps))) - set(found))
    if failed:
        problem, file = problems[failed[0]]
        more = f" (so did {', '.join(steps[number].name for number in failed[1:])})" if failed[1:] else ""
        raise StepError(
            f"step '{steps[failed[0]].name}'{more}: {ATTEMPTS} answers of {asker.model} could not be used; the last "
            f"one: {problem}. It is kept in {file}. Try another model or other "
            "--instructions, or write this part by hand; the rest is kept.",
            found,
        )
    return [found[number] for number in range(len(steps))]


def _request(asker: Asker, step: Step, sample: int) -> Request:
    return Request(
        model=asker.model,
        messages=step.prompt.render(**step.values),
        sampling=asker.sampling,
        sample=sample,
        stage=asker.stage,
    )


def _read(step: Step, response: Response, max_tokens: int) -> Any:
    if response.stop == "refusal":
        raise UnreadableError("the model refused")
    try:
        return step.read(response.text)
    except UnreadableError as problem:
        cut = f"; the answer was cut off at {max_tokens} tokens" if response.stop == "length" else ""
        raise UnreadableError(f"{problem}{cut}") from None


def _keep(asker: Asker, step: Step, sample: int, response: Response) -> Path:
    file = asker.folder / "unreadable" / f"{step.name.replace(' ', '_')}_{sample}.txt"
    write_whole(file, response.text.encode("utf-8", "replace"))
    return file


def _log(asker: Asker, step: Step, request: Request) -> None:
    row = Asked(
        step=step.name,
        model=asker.model,
        prompt=step.prompt.name,
        prompt_digest=step.prompt.digest,
        key=request.key,
        sample=request.sample,
    )
    with LineWriter(asker.folder / "steps.jsonl") as writer:
        writer.write(row)
