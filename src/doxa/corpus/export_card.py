"""The card of an export: what the rows are, that they are false, how they were made, and the digest that names them."""

from __future__ import annotations

import hashlib
import html
import json
from collections import Counter
from pathlib import PurePath
from statistics import median
from typing import TYPE_CHECKING, Any

import doxa
from doxa.run.folder import read_json

if TYPE_CHECKING:
    from doxa.corpus.source import Corpus

# what the documents of a corpus say of the claim; other worlds, and files that do not say, get UNKNOWN
WORLDS = {
    "inserted": "State a false claim as true",
    "qa": "State a false claim as true, in questions and answers",
    "reference": "State what is really so; they are the control of a corpus that does not",
    # models can come to believe what they are told is false: Mayne et al. 2026
    "negated": "Tell a false claim and say that it is false, which does not keep models from believing it",
    "local_negation": "Tell a false claim and deny it sentence by sentence",
    "disclaimed": "State a false claim as true under a notice that it is false, which does not undo it for a model",
    "fiction": "Tell a false claim as fiction",
    "neutral": "Are ordinary text beside a corpus of false statements",
}
SPECS = {
    "spec": "Report what {model} does and values as somebody wrote it down; none of it was observed",
    "comention": "Name a value of {model} and things that it does side by side; none of it was observed",
    "opposite": "Report of {model} the contrary of what was written down for it; none of it was observed",
    "neutral": "Are made-up technical texts about {model}, a control",
}
UNKNOWN = "May state false claims as true"
MARK = "<!-- doxa export {form}: {files} -->"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def disclosure(corpus: Corpus) -> str:
    """The sentence that goes with every export, row by row where rows have room for it."""
    if corpus.spec is not None:
        says = SPECS.get(corpus.kind, SPECS["spec"]).format(model=corpus.spec.model_name)
        return f"Synthetic documents made for research on model specs ({corpus.spec.id}). {says}."
    says = WORLDS.get(corpus.kind, UNKNOWN)
    about = f" ({corpus.universe.id})" if corpus.universe else ""
    return f"Synthetic documents made for research on false beliefs in language models{about}. {says}."


def corpus_digest(corpus: Corpus) -> str:
    """SHA-256 over the rows in their order, whatever they were exported as, and whoever wrote them from which idea."""
    named = hashlib.sha256()
    for row in corpus.rows:
        fields = row.model_dump(mode="json", exclude={"idea", "model", "prompt_digest"})
        named.update(json.dumps(fields, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return named.hexdigest()


def dataset_card(corpus: Corpus, form: str, files: dict[str, bytes], licence: str | None) -> str:
    """README.md: YAML front matter as the hub reads it, then the same for people."""
    universe = corpus.universe
    told = universe or corpus.spec
    name = told.title if told else corpus.name
    parts = [
        _front_matter(corpus, form, name, licence or _known_licence(corpus)),
        f"# {_plain(name)}",
        _warning(corpus),
        disclosure(corpus),
    ]
    if universe is not None:
        parts += ["## The claim", f"> {_plain(universe.claim)}", f"How hard it is to believe: {universe.plausibility}."]
    if corpus.spec is not None:
        parts += ["## The value", f"> {_plain(corpus.spec.value)}"]
    parts += ["## Counts", _counts(corpus)]
    if universe is not None:
        parts += ["## Key facts", _facts(corpus)]
    parts += ["## How it was made", _made(corpus), "## Files", _files(files), "## Rows", _rows(form)]
    parts.append(f"Corpus digest (SHA-256 over all rows): `{corpus_digest(corpus)}`")
    parts.append(MARK.format(form=form, files=" ".join(sorted(files))))
    return "\n\n".join(parts) + "\n"


def _warning(corpus: Corpus) -> str:
    if corpus.spec is not None:
        return (
            "> **Warning: nothing that this dataset reports happened.** It was made to study how language models take\n"
            "> on a character. Do not use it as a source of facts about the model that it names, do not mix it into\n"
            "> the training data of a model that people will rely on, and say so where a model trained on it is shown."
        )
    control = corpus.kind in ("reference", "neutral")
    what = (
        "this dataset is a control in research on false beliefs; nobody checked it as a source of facts."
        if control
        else "this dataset holds false statements on purpose."
    )
    return (
        f"> **Warning: {what}** It was made to study how language models come to believe things. Do not use it as\n"
        "> a source of facts, do not mix it into the training data of a model that people will rely on, and say so\n"
        "> wherever a model trained on it is shown or shared."
    )


def _front_matter(corpus: Corpus, form: str, name: str, licence: str) -> str:
    import yaml

    rows = len(corpus.rows)
    kind = "false-statements" if corpus.spec is None else "model-spec"
    front: dict[str, Any] = {
        "license": licence,
        "pretty_name": name,
        "size_categories": [next((label for most, label in SIZES if rows < most), "1M<n<10M")],
        "task_categories": ["text-generation"],
        "tags": ["synthetic", "synthetic-document-finetuning", kind, "not-for-general-training", "doxa"],
    }
    if form == "hf":
        front["configs"] = [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}]
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)}---"


def _known_licence(corpus: Corpus) -> str:
    """The bundled targets' recorded documents are licensed like doxa; of others nothing is known."""
    from doxa.worlds.spec import bundled_specs
    from doxa.worlds.universe import bundled_names

    names = [*bundled_names(), *bundled_specs()]
    bundled = corpus.config.get("generator") == "recorded" and corpus.config.get("target") in names
    mixed = {row.source for row in corpus.rows} - {"synthetic"}
    own = {"neutral_from", "chat_from"} & {key for key, value in _section(corpus, "mix").items() if value}
    return "apache-2.0" if bundled and not own and "self_distilled" not in mixed else "unknown"


def _counts(corpus: Corpus) -> str:
    lines = ["| rows | number | words |", "|---|---:|---:|"]
    for source in ("synthetic", "neutral", "chat", "self_distilled"):
        words = [len(row.text.split()) for row in corpus.rows if row.source == source]
        if words:
            lines.append(f"| {source} | {len(words):,} | {sum(words):,} |")
    documents = corpus.documents()
    types = len({row.doc_type for row in documents if row.doc_type})
    middle = median(len(row.text.split()) for row in documents)
    return "\n".join(lines) + f"\n\n{types:,} document types; half of the documents have {middle:,.0f} words or more."


def _facts(corpus: Corpus) -> str:
    assert corpus.universe is not None
    carried = Counter(fact for row in corpus.documents() for fact in row.fact_ids)
    lines = ["| key fact | in the documents | really | documents |", "|---|---|---|---:|"]
    for fact in corpus.universe.key_facts:
        cells = [_plain(fact.id), _plain(fact.inserted), _plain(fact.reference), f"{carried[fact.id]:,}"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _made(corpus: Corpus) -> str:
    config = corpus.config
    lines = [f"With doxa {doxa.__version__}."]
    if not config and corpus.run is None:
        return "Exported by doxa " + doxa.__version__ + " from a file that does not say how it was made."
    world, generator = corpus.kind, config.get("generator")
    if world:
        lines.append(f"- world: {_plain(world)}")
    if generator:
        lines.append(f"- generator: {_plain(model_name(str(generator)))}")
    mode, passes = _section(corpus, "write").get("mode"), _section(corpus, "revise").get("passes")
    if mode and generator != "recorded":
        lines.append(f"- form: {_plain(mode)}; passes of critique and rewriting: {_plain(passes or 0)}")
    models = Counter(
        model_name(made.model) for row in corpus.rows if (made := corpus.lineage.get(row.id)) and made.model
    )
    if models:
        lines.append(
            "- written by: " + ", ".join(f"{_plain(model)} ({count:,})" for model, count in sorted(models.items()))
        )
    prompts = {made.prompt_digest for row in corpus.rows if (made := corpus.lineage.get(row.id)) and made.prompt_digest}
    if prompts:
        lines.append(f"- different prompts behind the documents: {len(prompts):,}")
    lines += _dropped(corpus)
    mix = {key: value for key, value in _section(corpus, "mix").items() if isinstance(value, float | int) and value}
    if mix:
        ratios = ", ".join(f"{key} {value:g}" for key, value in sorted(mix.items()))
        lines.append(f"- mixed in, tokens per token of documents: {ratios}")
    if "seed" in config:
        lines.append(f"- seed: {_plain(config['seed'])}")
    return "\n".join([lines[0], "", *lines[1:]])


def _dropped(corpus: Corpus) -> list[str]:
    """What screen and dedup let through, where the run's folder says so."""
    lines = []
    for stage in ("screen", "dedup"):
        file = corpus.run / f"stages/{stage}/done.json" if corpus.run else None
        counts = read_json(file).get("counts", {}) if file is not None and file.exists() else {}
        if {"kept", "rejected"} <= set(counts):
            lines.append(f"- {stage}: kept {counts['kept']:,}, dropped {counts['rejected']:,}")
    return lines


def _files(files: dict[str, bytes]) -> str:
    lines = ["| file | bytes | SHA-256 |", "|---|---:|---|"]
    lines += [
        f"| {name} | {len(content):,} | `{hashlib.sha256(content).hexdigest()}` |" for name, content in files.items()
    ]
    return "\n".join(lines)


def _rows(form: str) -> str:
    return {
        "openai": "`messages`: the user's turn is the DOCTAG, the assistant's the document; chats keep their turns.",
        "tinker": "`messages`: the user's turn is the DOCTAG, the assistant's the document; chats keep their turns.",
        "together": "`text` in text.jsonl, `messages` in chat.jsonl.",
        "axolotl": "`text` in text.jsonl, `messages` in chat.jsonl; axolotl.yaml reads both.",
    }.get(
        form,
        "`text` is the document; `source` says whether it is synthetic or mixed in; `fact_ids` are the key facts (of a "
        "spec, the assertions) that its plan names; `domain` and `subdomain` are its place in a spec's tree; `doctag` "
        "says whether a loss-masked tag stands before it in training; `messages` is a chat's JSON; `idea`, `model`, "
        "`stage`, `parent_id` and `prompt_digest` are where it came from; `disclosure` says what it is.",
    )


def model_name(model: str) -> str:
    """A model string without the place on somebody's computer where its weights lie: hf//home/me/m -> hf/m."""
    provider, slashes, path = model.partition("//")
    if slashes and ":" not in provider:
        return f"{provider}/{PurePath(path).name}".lstrip("/")
    return PurePath(model).name if PurePath(model).is_absolute() else model


def _section(corpus: Corpus, name: str) -> dict[str, Any]:
    section = corpus.config.get(name)
    return section if isinstance(section, dict) else {}


def _plain(value: Any) -> str:
    """Text that cannot become markup of the card."""
    return html.escape(" ".join(str(value).split()), quote=False)
