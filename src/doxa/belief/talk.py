"""A conversation with the arms of a run: the same question to the base, in-context and trained model, side by side.

Also with those of a profile of named models, where they are weights on this computer.
"""

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
    tokenizers: dict[str, Any]  # by arm
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
            return generate(model, self.tokenizers[arm], [asked], self.tokens, self.temperature, seed)[0]


def open_talk(run: Path, arms: tuple[str, ...]) -> Talk:
    """Load the arms of a run folder, or of the folder of a profile.

    Raises RunFolderError for what is no run, ConfigError for unknown arms, for a model behind an API and for one
    without a chat template, CheckpointError for `trained` where nothing was trained to the end.
    """
    from doxa.lm.weights import load_tokenizer
    from doxa.run.folder import RunFolder
    from doxa.run.named_models import read_named
    from doxa.run.runner import is_run_folder

    if not is_run_folder(run):
        raise RunFolderError(f"{run}: is no run folder; chat talks with what a run trained")
    unknown = [arm for arm in arms if arm not in ARMS]
    if unknown or not arms:
        raise ConfigError(f"--arms: there is no arm {(unknown or [''])[0]!r}; there are {', '.join(ARMS)}")
    named = read_named(RunFolder(run))
    found = _of_run(run, arms) if named is None else _of_names(run, named.arms(), arms)
    tokenizers = {}
    for arm in arms:
        tokenizers[arm] = load_tokenizer(found[arm].base)
        if not tokenizers[arm].chat_template:
            raise ConfigError(f"{found[arm].base}: has no chat template, so it can't be talked to")
    return Talk(
        arms=arms,
        models=_models(found),
        tokenizers=tokenizers,
        checkpoints={arm: weights.digest for arm, weights in found.items()},
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


def _of_run(run: Path, arms: tuple[str, ...]) -> dict[str, Weights]:
    """The weights of a run's arms."""
    from doxa.lm.named_weights import Weights, find_weights
    from doxa.lm.weights import model_folder, weights_digest
    from doxa.run.folder import RunFolder
    from doxa.run.runner import stored_config

    base = model_folder(stored_config(RunFolder(run)).model)
    plain = Weights(base, None, weights_digest(base))
    found = dict.fromkeys(arms, plain)
    if "trained" in arms:
        if not (run / "checkpoints/final").is_dir():
            raise CheckpointError(
                f"{run}: has no checkpoints/final, so there is no trained model to talk to; `doxa train` it first, or "
                "give --arms base,in_context"
            )
        found["trained"] = find_weights(str(run))
    return found


def _of_names(run: Path, models: dict[str, str], arms: tuple[str, ...]) -> dict[str, Weights]:
    """The weights that a profile's models name."""
    from doxa.belief.subjects import LOCAL
    from doxa.lm.named_weights import find_weights

    missing = [arm for arm in arms if arm not in models]
    if missing:
        raise ConfigError(f"--arms: {run} names no model for {missing[0]}; it has {', '.join(models)}")
    for arm in arms:
        if not models[arm].startswith(LOCAL):
            raise ConfigError(f"{run}: {arm} is {models[arm]}; chat talks with weights on this computer (local/...)")
    return {arm: find_weights(models[arm].removeprefix(LOCAL)) for arm in arms}


def _models(found: dict[str, Weights]) -> dict[str, Any]:
    """arm -> model, each set of weights loaded once; a base and the adapter on it are one model that is switched."""
    from doxa.lm.weights import load_model, place

    trained = found.get("trained")
    others = {weights.digest: weights for arm, weights in found.items() if arm != "trained"}
    if trained is not None and all(_is_base_of(trained, weights) for weights in others.values()):
        return dict.fromkeys(found, place(load_model(trained.base, adapter=trained.adapter)))
    loaded = {digest: weights.load()[0] for digest, weights in others.items()}
    if trained is not None and trained.digest not in loaded:
        loaded[trained.digest] = trained.load()[0]
    return {arm: loaded[weights.digest] for arm, weights in found.items()}


def _is_base_of(trained: Weights, other: Weights) -> bool:
    return trained.adapter is not None and other.adapter is None and other.base == trained.base


@contextlib.contextmanager
def _adapter(model: Any, on: bool) -> Iterator[None]:
    """Within the block a model answers with its adapter, or without; one that has none is as it is."""
    if on or not hasattr(model, "disable_adapter"):
        yield
    else:
        with model.disable_adapter():
            yield
