"""What the names of an experiment stand for: rows to train on, the texts of prompts, the pairs that are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from doxa.aft.mixes import mix_conflict
from doxa.belief.pairs import PairItem, load_pairs
from doxa.corpus.matching import match
from doxa.corpus.source import open_corpus
from doxa.errors import ConfigError
from doxa.experiments.config import ChatSource, CorpusSource, Experiment
from doxa.records import CorpusRow, digest
from doxa.training.preferences import Preference
from doxa.training.step_rows import StepData, chat_rows, find_rows, read_preferences
from doxa.worlds.rows import read_chats
from doxa.worlds.spec import SPEC_FILE, is_spec_target, load_spec_target
from doxa.worlds.universe import load_target


@dataclass(frozen=True)
class Sources:
    """Everything that an experiment trains on and asks, read once."""

    data: dict[str, StepData]  # by the name of the corpus or of the chats
    prompts: dict[str, str]  # arm -> the text in its prompt
    items: list[PairItem]
    turned: dict[str, PairItem]  # item id -> the same pair under a question that asks for the opposite
    model_name: str  # what forms that name the model call it
    matching: dict[str, object]  # what `match` left out, empty without it


def read_sources(experiment: Experiment) -> Sources:
    """Read all that an experiment names. Raises DoxaError naming what is missing or does not fit."""
    corpora = {name: corpus_rows(source, name) for name, source in experiment.corpora.items()}
    matching: dict[str, object] = {}
    if experiment.match:
        corpora, matching = matched_corpora(corpora, experiment)
    data = {name: StepData("midtrain", rows) for name, rows in corpora.items()}
    data |= {name: alignment_rows(source) for name, source in experiment.chats.items()}
    folder, name = _evals(experiment.evals)
    prompts = {arm: _prompt(one.prompt) for arm, one in experiment.arms.items() if one.prompt is not None}
    items = load_pairs(folder / "evals.json")
    return Sources(data, prompts, items, turned_items(items, experiment.turned), name, matching)


def turned_items(items: Sequence[PairItem], words: Mapping[str, str]) -> dict[str, PairItem]:
    """The pairs whose question holds one of the words, with the opposite in its place, by the id of the original.

    Raises ConfigError for words that stand in no question.
    """
    found: dict[str, PairItem] = {}
    for word, opposite in words.items():
        holding = [item for item in items if word in item.question and item.id not in found]
        if not holding:
            raise ConfigError(f"turned: {word!r} stands in no question of the evals")
        for item in holding:
            question = item.question.replace(word, opposite)
            found[item.id] = item.model_copy(update={"id": digest("turned", item.id, question), "question": question})
    return found


def corpus_rows(source: CorpusSource, name: str) -> list[CorpusRow]:
    """The documents that a corpus source means; a repeated document has an id of its own for each time."""
    if source.rows is not None:
        rows = open_corpus(source.rows).rows
    elif is_spec_target(source.target or ""):
        target = load_spec_target(source.target or "")
        file = "docs" if source.corpus == "spec" else f"docs_{source.corpus}"
        rows = _filled(open_corpus(str(find_rows(file, target.folder))).rows, target.spec.model_name)
    else:
        rows = open_corpus(source.target or "", "inserted" if source.corpus == "spec" else source.corpus).rows
    if source.documents is not None:
        if source.documents > len(rows):
            raise ConfigError(f"corpora.{name}.documents: {source.documents}, but there are {len(rows)}")
        rows = _some(rows, source.documents)
    again = [row.model_copy(update={"id": f"{row.id}#{n}"}) for n in range(2, source.repeat + 1) for row in rows]
    return [*rows, *again]


def matched_corpora(
    corpora: dict[str, list[CorpusRow]], experiment: Experiment
) -> tuple[dict[str, list[CorpusRow]], dict[str, object]]:
    """The corpora that `match` names, brought to the tokens of the smallest; those that agree already stay whole.

    Raises ConfigError with the numbers where whole documents can't agree within the tolerance.
    """
    from doxa.lm.weights import load_tokenizer

    tokenizer = load_tokenizer(experiment.model)

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    sizes = {name: sum(count(row.text) for row in corpora[name]) for name in experiment.match}
    smallest = min(sizes, key=lambda name: (sizes[name], name))
    far = [name for name in experiment.match if sizes[name] > sizes[smallest] * (1 + experiment.tolerance / 2)]
    if not far:
        return corpora, {"tokens": sizes, "left_out": {}}
    chosen, report = match({name: corpora[name] for name in (smallest, *far)}, count, experiment.tolerance)
    left = {name: one.documents_before - one.documents for name, one in report.corpora.items() if name in far}
    tokens = {**sizes, **{name: one.tokens for name, one in report.corpora.items()}}
    return {**corpora, **chosen}, {"tokens": tokens, "left_out": left}


def alignment_rows(source: ChatSource) -> StepData:
    """Chats or preferences, with conflicting rows in the place of some where the source says so.

    Raises ConfigError for files that are missing or wrong, and as `mix_conflict` does.
    """
    folder = load_spec_target(source.target).folder if source.target is not None else None
    file = find_rows(source.rows, folder)
    if source.kind == "dpo":
        preferences: Sequence[Preference] = read_preferences(file)[: source.limit]
        return StepData("dpo", preferences)
    chats = read_chats(file, ConfigError)[: source.limit]
    if source.conflict is not None:
        against = read_chats(find_rows(source.conflict.rows, folder), ConfigError)
        mixed = mix_conflict(
            [{"messages": chat} for chat in chats], [{"messages": chat} for chat in against], source.conflict.fraction
        )  # one draw for every training seed, so that arms stay paired
        chats = [row["messages"] for row in mixed]
    return StepData("sft", chat_rows(chats))


def rows_summary(data: StepData) -> dict[str, object]:
    """What stands in comparison.json of a set of rows."""
    return {"kind": data.kind, "rows": len(data.rows), "digest": data.digest()}


def _some(rows: Sequence[CorpusRow], count: int) -> list[CorpusRow]:
    """`count` rows, spread over the whole in an order that nests: the 12 of a dose are among its 25."""
    ranked = sorted(range(len(rows)), key=lambda place: digest("dose", place))[:count]
    return [rows[place] for place in sorted(ranked)]


def _filled(rows: Sequence[CorpusRow], model_name: str) -> list[CorpusRow]:
    return [row.model_copy(update={"text": row.text.replace("{model_name}", model_name)}) for row in rows]


def _evals(name: str) -> tuple[Path, str]:
    """The folder of the evals and the model's name in them."""
    if is_spec_target(name):
        target = load_spec_target(name)
        return target.folder, target.spec.model_name
    raise ConfigError(f"evals: {name}: is no spec target (a bundled name, or a folder with {SPEC_FILE} and evals.json)")


def _prompt(name: str) -> str:
    if is_spec_target(name):
        return load_spec_target(name).spec.text
    path = Path(name)
    if path.is_file():
        return path.read_text(encoding="utf-8").strip()
    return load_target(name).universe.inserted_context
