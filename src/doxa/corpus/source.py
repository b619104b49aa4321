"""Opening a corpus wherever it lies: a run folder old or new, a target's recorded documents, a JSONL or parquet file.

Whatever is opened comes back as `CorpusRow`s with what is known of where they came from. Nothing here decides what the
rows are for; health and export both start here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from doxa.config import explain
from doxa.corpus.conditions import CONDITIONS, framed
from doxa.corpus.mix import document_row
from doxa.errors import ConfigError, DoxaError, RunFolderError
from doxa.records import CorpusRow, Source, digest
from doxa.run.folder import read_json, read_rows
from doxa.worlds.rows import read_jsonl, render_chat
from doxa.worlds.spec import Spec, bundled_specs, is_spec_target, load_spec_target, read_spec
from doxa.worlds.universe import Universe, bundled_names, load_target, read_universe

STAGES = ("dedup", "screen", "revise", "write")  # the latest stage first: what it holds is nearest to the corpus


class Lineage(BaseModel):
    """What a run folder still knows of a document beside its text; fields of other versions are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    text: str
    parent_id: str = ""
    target: str = ""
    fact_ids: tuple[str, ...] = ()
    doc_type: str = ""
    idea: str = ""
    stage: str = ""
    model: str = ""
    prompt_digest: str = ""
    messages: str | None = None
    domain: str = ""
    subdomain: str = ""


class AnyRow(BaseModel):
    """A row of somebody's corpus file: `text`, or `content` as false-facts writes it, or `messages` alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = ""
    text: str = ""
    source: Source = "synthetic"
    doctag: bool = True
    doc_type: str = ""
    fact_ids: tuple[str, ...] = ()
    messages: str | None = None
    domain: str = ""
    subdomain: str = ""
    idea: str = ""
    model: str = ""
    prompt_digest: str = ""

    @model_validator(mode="before")
    @classmethod
    def _common_names(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        row = {key: value for key, value in raw.items() if value is not None}
        if not row.get("text") and isinstance(row.get("content"), str):
            row["text"] = row["content"]
        if row.get("source") not in ("synthetic", "neutral", "chat", "self_distilled"):
            row.pop("source", None)  # other people's `source` says something else
        for name in ("idea", "model", "prompt_digest"):
            if not isinstance(row.get(name, ""), str):
                del row[name]  # and so may these
        if isinstance(row.get("id"), int):
            row["id"] = str(row["id"])
        messages = _messages(row.get("messages"))
        if messages is not None:
            row["messages"] = json.dumps(messages, ensure_ascii=False)
            row["text"] = row.get("text") or render_chat(messages)
        return row

    @model_validator(mode="after")
    def _has_text(self) -> AnyRow:
        if not self.text.strip():
            raise ValueError("has neither a text nor messages")
        for name in ("text", "messages", "id", "doc_type", "idea", "model", "prompt_digest"):
            try:
                (getattr(self, name) or "").encode()
            except UnicodeEncodeError as error:
                raise ValueError(f"{name}: is not Unicode text (half a surrogate pair at {error.start})") from None
        return self

    def as_row(self) -> CorpusRow:
        """The same as a corpus row, named by its content when it has no id."""
        fields = self.model_dump()
        fields["doctag"] = self.doctag and self.messages is None and self.source == "synthetic"
        return CorpusRow(**{**fields, "id": self.id or digest(self.source, self.text)})


def _messages(value: Any) -> list[dict[str, str]] | None:
    """A chat's turns, from a list or its JSON; ValueError names the field."""
    if value is None or value == "":
        return None
    try:
        turns = json.loads(value) if isinstance(value, str) else value
        return [{"role": turn["role"], "content": str(turn["content"])} for turn in turns]
    except (ValueError, TypeError, KeyError):
        raise ValueError("messages: must be a list of {role, content}, or its JSON") from None


@dataclass(frozen=True)
class Corpus:
    """An opened corpus. `config` is a run's config.json as it lies there, empty for anything that is not a run."""

    name: str
    rows: list[CorpusRow]
    universe: Universe | None = None
    config: dict[str, Any] = field(default_factory=dict)
    run: Path | None = None
    lineage: dict[str, Lineage] = field(default_factory=dict)  # by document id; of a run alone
    spec: Spec | None = None  # where the corpus is about a model spec

    @property
    def about(self) -> str:
        """The id of the universe or spec; empty where it is not known."""
        told = self.universe or self.spec
        return told.id if told else ""

    @property
    def kind(self) -> str:
        """Which corpus of its target it is: inserted, reference and so on; of a spec spec, comention and so on."""
        spec = self.config.get("spec")
        return str(spec.get("corpus", "")) if isinstance(spec, dict) else str(self.config.get("corpus", ""))

    def documents(self) -> list[CorpusRow]:
        """The synthetic rows, which is what a corpus is about; all rows when none is marked as synthetic."""
        return [row for row in self.rows if row.source == "synthetic"] or self.rows


def open_corpus(name: str, world: str = "inserted") -> Corpus:
    """Open a run folder, a target (its recorded `world`), or a .jsonl or .parquet file.

    Raises DoxaError naming what is wrong: no such place, a run without documents, a row without text.
    """
    path = Path(name).expanduser()
    if name in bundled_names() or (path / "universe.yaml").exists():
        return _open_target(name, world)
    if is_spec_target(name):
        return _open_spec(name, "spec" if world == "inserted" else world)
    if path.is_dir():
        return _open_run(path)
    if not path.exists():
        names = ", ".join([*bundled_names(), *bundled_specs()])
        raise ConfigError(f"{name}: there is no such run folder, file or target (bundled targets: {names})")
    if path.suffix == ".parquet":
        return Corpus(path.stem, _read_parquet(path))
    if path.suffix in (".jsonl", ".json", ".ndjson"):
        return Corpus(path.stem, [row.as_row() for row in read_jsonl(path, AnyRow, ConfigError)])
    raise ConfigError(f"{name}: a corpus file ends in .jsonl or .parquet")


def _open_target(name: str, world: str) -> Corpus:
    from doxa.lm.recorded import recorded_rows

    target = load_target(name)
    rows = [
        CorpusRow(
            id=digest(target.universe.id, world, row.id),
            source="synthetic",
            text=row.text,
            doctag=row.messages is None,
            doc_type=row.doc_type,
            fact_ids=row.fact_ids,
            messages=row.messages,
        )
        for row in recorded_rows(target, world)
    ]
    return Corpus(target.name, rows, target.universe, {"target": target.name, "corpus": world, "generator": "recorded"})


def _open_spec(name: str, corpus: str) -> Corpus:
    from doxa.worlds.spec_recorded import recorded_spec_rows

    target = load_spec_target(name)
    rows = [
        CorpusRow(
            id=digest(target.spec.id, corpus, row.id),
            source="synthetic",
            text=row.text,
            doctag=True,
            doc_type=row.doc_type,
            fact_ids=row.assertions,
            domain=row.domain,
            subdomain=row.subdomain,
        )
        for row in recorded_spec_rows(target, corpus)
    ]
    config = {"target": target.name, "spec": {"corpus": corpus}, "generator": "recorded"}
    return Corpus(target.name, rows, config=config, spec=target.spec)


def _open_run(path: Path) -> Corpus:
    stages = [path / "stages" / stage / "documents.jsonl" for stage in STAGES]
    corpus_file = path / "corpus.parquet"
    mixed = corpus_file.exists()
    if not mixed and not any(stage.exists() for stage in stages):
        raise RunFolderError(f"{path}: holds no corpus.parquet and no stages/*/documents.jsonl; is it a run folder?")
    config = read_json(path / "config.json") if (path / "config.json").exists() else {}
    if not isinstance(config, dict):
        raise RunFolderError(f"{path / 'config.json'}: must hold a JSON object")
    lineage: dict[str, Lineage] = {}
    for stage in stages:
        for row in read_rows(stage, Lineage):
            lineage.setdefault(row.id, row)
        if lineage and not mixed:  # the documents of the last stage alone
            break
    trained_on = _framed(lineage, config)
    if mixed:
        rows = _read_parquet(corpus_file)
        lineage = {**lineage, **trained_on}
    else:
        tagged = bool(config.get("train", {}).get("doctag"))
        rows = [document_row(row, tagged) for row in trained_on.values()]
        lineage = trained_on
    universe, spec = path / "target/universe.yaml", path / "target/spec.md"
    named = config["spec"] if isinstance(config.get("spec"), dict) else {}
    return Corpus(
        name=path.resolve().name,
        rows=rows,
        universe=read_universe(universe) if universe.exists() else None,
        config=config,
        run=path,
        lineage=lineage,
        spec=read_spec(spec, named.get("model_name"), named.get("provider_name")) if spec.exists() else None,
    )


def _framed(lineage: dict[str, Lineage], config: dict[str, Any]) -> dict[str, Lineage]:
    """The documents as they are trained on: `mix` puts a frame around each in some corpora, which renames them."""
    corpus = config.get("corpus", "inserted")
    if corpus not in CONDITIONS:  # of another version
        return lineage
    return {row.id: row for row in framed(lineage.values(), corpus)}


def _read_parquet(path: Path) -> list[CorpusRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[CorpusRow] = []
    try:
        file = pq.ParquetFile(path)
        for batch in file.iter_batches(batch_size=1024):
            for raw in batch.to_pylist():
                rows.append(_validated(raw, path, len(rows)).as_row())
    except (OSError, pa.ArrowInvalid) as error:
        raise RunFolderError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    if not rows:
        raise RunFolderError(f"{path}: holds no rows")
    return rows


def _validated(raw: Any, path: Path, number: int) -> AnyRow:
    try:
        return AnyRow.model_validate(raw)
    except ValidationError as error:
        raise _row_error(path, number, explain(error, AnyRow)) from None


def _row_error(path: Path, number: int, problem: str) -> DoxaError:
    return RunFolderError(f"{path}, row {number}: {problem}")
