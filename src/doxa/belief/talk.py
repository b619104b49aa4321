"""A conversation with the arms of a run: the same question to the base, in-context and trained model, side by side.

Of a run about a spec, `in_context` has the whole spec in its prompt, and `aligned` is what its align steps made. Also
with the arms of a profile of named models, where they are weights on this computer.
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
    from doxa.run.folder import RunFolder

ARMS = ("base", "in_context", "trained")  # that every run has
STAGES = {"trained": "train", "aligned": "align"}  # arm -> the command that makes its weights
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
    """The chosen arms of a run with their weights in memory once: an adapter is switched on for those `adapted`."""

    arms: tuple[str, ...]
    models: dict[str, Any]  # by arm; the same object where an adapter is switched
    tokenizers: dict[str, Any]  # by arm
    checkpoints: dict[str, str]
    adapted: frozenset[str]  # arms whose weights are a base with an adapter on it
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
        with _adapter(model, on=arm in self.adapted):
            return generate(model, self.tokenizers[arm], [asked], self.tokens, self.temperature, seed)[0]


def open_talk(run: Path, arms: tuple[str, ...] | None = None) -> Talk:
    """Load the arms of a run folder, or of the folder of a profile; without `arms` all that it has.

    Raises RunFolderError for what is no run, ConfigError for unknown arms, for a model behind an API and for one
    without a chat template, CheckpointError for `trained` and `aligned` where nothing was trained to the end.
    """
    from doxa.lm.named_weights import finals_of
    from doxa.run.folder import RunFolder
    from doxa.run.named_models import read_named
    from doxa.run.runner import is_run_folder

    if not is_run_folder(run):
        raise RunFolderError(f"{run}: is no run folder; chat talks with what a run trained")
    folder = RunFolder(run)
    named = read_named(folder)
    there = ("base", "in_context", *finals_of(run)) if named is None else tuple(named.arms())
    chosen = arms if arms is not None else _usual(run, there)
    unknown = [arm for arm in chosen if arm not in (*ARMS, *there)]
    if unknown or not chosen:
        raise ConfigError(f"--arms: there is no arm {(unknown or [''])[0]!r}; there are {', '.join(there)}")
    found = _of_run(folder, chosen) if named is None else _of_names(run, named.arms(), chosen)
    tokenizers = _tokenizers(found)
    return Talk(
        arms=chosen,
        models=_models(found),
        tokenizers=tokenizers,
        checkpoints={arm: weights.digest for arm, weights in found.items()},
        adapted=frozenset(arm for arm, weights in found.items() if weights.adapter is not None),
        context=_context(folder),
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


def _usual(run: Path, there: tuple[str, ...]) -> tuple[str, ...]:
    """The arms that answer where none are named: all of them, the aligned one once it has been trained."""
    from doxa.lm.named_weights import finals_of

    return tuple(arm for arm in there if arm != "aligned" or finals_of(run)[arm].is_dir())


def _context(folder: RunFolder) -> str:
    """What stands in the prompt of the arm in_context: the universe, or the whole spec."""
    from doxa.run.runner import stored_config
    from doxa.run.spec_run import SpecRun

    config = stored_config(folder)
    if config.spec is not None:
        return SpecRun(config, folder).spec.text
    return read_universe(folder / "target/universe.yaml").inserted_context


def _of_run(folder: RunFolder, arms: tuple[str, ...]) -> dict[str, Weights]:
    """The weights of a run's arms."""
    from doxa.lm.named_weights import Weights, finals_of, find_weights
    from doxa.lm.weights import model_folder, weights_digest
    from doxa.run.runner import stored_config

    base = model_folder(stored_config(folder).model)
    found = dict.fromkeys(arms, Weights(base, None, weights_digest(base)))
    finals = finals_of(folder.path)
    for arm in arms:
        if arm not in finals:
            continue
        if not finals[arm].is_dir():
            others = ",".join(one for one in arms if one not in finals or finals[one].is_dir())
            raise CheckpointError(
                f"{folder.path}: has no {finals[arm].relative_to(folder.path)}, so there is no {arm} model to talk to; "
                f"`doxa {STAGES[arm]}` it first, or give --arms {others or 'base'}"
            )
        found[arm] = find_weights(str(finals[arm]))
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


def _tokenizers(found: dict[str, Weights]) -> dict[str, Any]:
    """arm -> tokenizer. Raises ConfigError for a model without a chat template."""
    from doxa.lm.weights import load_tokenizer

    tokenizers = {arm: load_tokenizer(weights.base) for arm, weights in found.items()}
    for arm, tokenizer in tokenizers.items():
        if not tokenizer.chat_template:
            raise ConfigError(f"{found[arm].base}: has no chat template, so it can't be talked to")
    return tokenizers


def _models(found: dict[str, Weights]) -> dict[str, Any]:
    """arm -> model, each set of weights loaded once; a base and the first adapter on it are one model that is switched.

    Another adapter is folded into a model of its own.
    """
    from doxa.lm.weights import load_model, place

    loaded: dict[str, Any] = {}
    first = next((weights for weights in found.values() if weights.adapter is not None), None)
    if first is not None:
        switched = place(load_model(first.base, adapter=first.adapter))
        plain = [one.digest for one in found.values() if one.adapter is None and one.base == first.base]
        loaded |= dict.fromkeys([first.digest, *plain], switched)
    for weights in found.values():
        if weights.digest not in loaded:
            loaded[weights.digest] = weights.load()[0]
    return {arm: loaded[weights.digest] for arm, weights in found.items()}


@contextlib.contextmanager
def _adapter(model: Any, on: bool) -> Iterator[None]:
    """Within the block a model answers with its adapter, or without; one that has none is as it is."""
    if on or not hasattr(model, "disable_adapter"):
        yield
    else:
        with model.disable_adapter():
            yield
