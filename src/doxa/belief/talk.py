"""A conversation with the arms of a run: the same question to the base, in-context and trained model, side by side."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.errors import CheckpointError, ConfigError, RunFolderError
from doxa.lm.local import Messages, generate
from doxa.records import Record
from doxa.run.folder import LineWriter
from doxa.worlds.universe import read_universe

if TYPE_CHECKING:
    from doxa.lm.named_weights import Weights

ARMS = ("base", "in_context", "trained")
TRANSCRIPT = "chat.jsonl"


class Exchange(Record):
    """A question and its answers: a row of RUN/chat.jsonl."""

    at: str  # UTC
    question: str
    answers: dict[str, str]  # by arm
    checkpoints: dict[str, str]  # digest of the weights that answered, by arm
    turn: int  # place in the conversation: always 0 unless the conversation is kept
    tokens: int
    temperature: float
    seed: int


@dataclass
class Talk:
    """The chosen arms of a run with their weights in memory once: an adapter is switched on for `trained` alone."""

    arms: tuple[str, ...]
    models: dict[str, Any]  # by arm; the same object where an adapter is switched
    tokenizer: Any
    checkpoints: dict[str, str]
    context: str
    tokens: int = 200
    temperature: float = 0.0
    seed: int = 0
    keep: bool = False
    histories: dict[str, Messages] = field(default_factory=dict)
    asked: int = 0

    def ask(self, question: str, at: str, on_arm: Callable[[str], None] = lambda _: None) -> Exchange:
        """Put a question to every arm; `at` is the time that the transcript shows, `on_arm` hears whose turn it is."""
        turn = len(next(iter(self.histories.values()), [])) // 2 if self.keep else 0
        # each question of a session is drawn by a seed of its own, all arms by the same one
        seed = self.seed + self.asked
        answers = {}
        for arm in self.arms:
            on_arm(arm)
            answers[arm] = self._answer(arm, question, seed)
        self.asked += 1
        if self.keep:
            for arm, answer in answers.items():
                said = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
                self.histories.setdefault(arm, []).extend(said)
        return Exchange(
            at=at,
            question=question,
            answers=answers,
            checkpoints={arm: self.checkpoints[arm] for arm in self.arms},
            turn=turn,
            tokens=self.tokens,
            temperature=self.temperature,
            seed=seed,
        )

    def _answer(self, arm: str, question: str, seed: int) -> str:
        system: Messages = [{"role": "system", "content": self.context}] if arm == "in_context" else []
        asked = [*system, *self.histories.get(arm, []), {"role": "user", "content": question}]
        model = self.models[arm]
        with _adapter(model, on=arm == "trained"):
            return generate(model, self.tokenizer, [asked], self.tokens, self.temperature, seed)[0]


def open_talk(run: Path, arms: tuple[str, ...]) -> Talk:
    """Load the arms of a run folder.

    Raises RunFolderError for what is no run, ConfigError for unknown arms or a model without a chat template,
    CheckpointError for `trained` where nothing was trained to the end.
    """
    from doxa.lm.named_weights import Weights, find_weights
    from doxa.lm.weights import load_tokenizer, model_folder, weights_digest
    from doxa.run.folder import RunFolder
    from doxa.run.runner import is_run_folder, stored_config

    if not is_run_folder(run):
        raise RunFolderError(f"{run}: is no run folder; chat talks with what a run trained")
    unknown = [arm for arm in arms if arm not in ARMS]
    if unknown or not arms:
        raise ConfigError(f"--arms: there is no arm {(unknown or [''])[0]!r}; there are {', '.join(ARMS)}")
    base = model_folder(stored_config(RunFolder(run)).model)
    found = {"base": Weights(base, None, weights_digest(base))}
    if "trained" in arms:
        if not (run / "checkpoints/final").is_dir():
            raise CheckpointError(
                f"{run}: has no checkpoints/final, so there is no trained model to talk to; `doxa train` it first, or "
                "give --arms base,in_context"
            )
        found["trained"] = find_weights(str(run))
    tokenizer = load_tokenizer(base)
    if not tokenizer.chat_template:
        raise ConfigError(f"{base}: has no chat template, so it can't be talked to")
    return Talk(
        arms=arms,
        models=_models(found, arms),
        tokenizer=tokenizer,
        checkpoints={arm: found.get(arm, found["base"]).digest for arm in arms},
        context=read_universe(run / "target/universe.yaml").inserted_context,
    )


def read_questions(path: Path) -> list[str]:
    """The questions of a file: a line each, or `question` of each JSONL row. Raises ConfigError naming the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    questions = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if path.suffix == ".jsonl":
            try:
                row = json.loads(line)
            except ValueError:
                raise ConfigError(f"{path}, line {number}: is not JSON") from None
            question = row.get("question") if isinstance(row, dict) else row
            if not isinstance(question, str) or not question.strip():
                raise ConfigError(f"{path}, line {number}: has no field 'question' that holds a text")
            questions.append(question.strip())
        else:
            questions.append(line.strip())
    if not questions:
        raise ConfigError(f"{path}: holds no questions")
    return questions


def write_down(run: Path, exchange: Exchange) -> None:
    """Append an exchange to the transcript of a run."""
    with LineWriter(run / TRANSCRIPT) as writer:
        writer.write(exchange)


def _models(found: dict[str, Weights], arms: tuple[str, ...]) -> dict[str, Any]:
    """arm -> model, each set of weights loaded once; base and adapter are one model that is switched."""
    from doxa.lm.weights import load_model, place

    trained = found.get("trained")
    if trained is not None and trained.adapter is not None:
        both = place(load_model(trained.base, adapter=trained.adapter))
        return dict.fromkeys(arms, both)
    models: dict[str, Any] = {}
    if trained is not None:
        models["trained"] = place(load_model(trained.base))
    if set(arms) - {"trained"}:
        base = place(load_model(found["base"].base))
        models |= {arm: base for arm in arms if arm != "trained"}
    return models


@contextlib.contextmanager
def _adapter(model: Any, on: bool) -> Iterator[None]:
    """Within the block a model answers with its adapter, or without; one that has none is as it is."""
    if on or not hasattr(model, "disable_adapter"):
        yield
    else:
        with model.disable_adapter():
            yield
