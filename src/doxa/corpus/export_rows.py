"""The rows of a corpus in the form that each program reads. Each function returns the files of one format."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from doxa.corpus.export_card import disclosure, model_name
from doxa.records import CorpusRow

if TYPE_CHECKING:
    from doxa.corpus.source import Corpus

Files = dict[str, bytes]

# Wang et al. 2025: OpenAI's API trains on assistant turns alone, so the user's turn is the bare tag
TAG = "DOCTAG"

COLUMNS = ("id", "text", "source", "doc_type", "fact_ids", "doctag", "messages", "idea", "model", "stage", "parent_id",
           "prompt_digest", "domain", "subdomain", "target", "world", "disclosure")  # fmt: skip


def jsonl(corpus: Corpus) -> Files:
    """corpus.jsonl: every column of every row."""
    return {"corpus.jsonl": _lines(full_rows(corpus))}


def parquet(corpus: Corpus) -> Files:
    """corpus.parquet: the same columns; the disclosure stands in the file's metadata too."""
    return {"corpus.parquet": _parquet(corpus)}


def hugging_face(corpus: Corpus) -> Files:
    """data/train-*.parquet, the layout that the hub and `datasets` read without a script."""
    return {"data/train-00000-of-00001.parquet": _parquet(corpus)}


def openai(corpus: Corpus) -> Files:
    """train.jsonl: documents as the assistant's answer to the tag, chats as they are."""
    return {"train.jsonl": _lines(_conversations(corpus))}


def tinker(corpus: Corpus) -> Files:
    """conversations.jsonl: `messages` rows, as tinker-cookbook reads them from a file; loss on the assistant."""
    return {"conversations.jsonl": _lines(_conversations(corpus))}


def together(corpus: Corpus) -> Files:
    """text.jsonl and, for chats, chat.jsonl: the server refuses a file that mixes both forms."""
    return _text_and_chat(corpus)


def axolotl(corpus: Corpus) -> Files:
    """axolotl.yaml beside its rows; paths in it are relative to where it lies."""
    files = _text_and_chat(corpus)
    return {**files, "axolotl.yaml": _axolotl_config(corpus, "text.jsonl" in files, "chat.jsonl" in files).encode()}


def full_rows(corpus: Corpus) -> Iterable[dict[str, Any]]:
    """All rows with every column that is known; what is not known is empty."""
    target, world = corpus.about, corpus.kind
    warning = disclosure(corpus)
    for row in corpus.rows:
        made = corpus.lineage.get(row.id)
        yield {
            **row.model_dump(mode="json"),
            "idea": made.idea if made else row.idea,
            "model": model_name(made.model if made else row.model),
            "stage": made.stage if made else "",
            "parent_id": made.parent_id if made else "",
            "prompt_digest": made.prompt_digest if made else row.prompt_digest,
            "target": target if row.source == "synthetic" else "",
            "world": world if row.source == "synthetic" else "",
            "disclosure": warning if row.source == "synthetic" else "",
        }


def chat_of(row: CorpusRow) -> list[dict[str, str]] | None:
    """The messages of a chat row, None for a document."""
    if row.messages is None:
        return None
    messages: list[dict[str, str]] = json.loads(row.messages)
    return messages


def _conversations(corpus: Corpus) -> Iterable[dict[str, Any]]:
    tag = _train(corpus).get("doctag") or TAG
    for row in corpus.rows:
        document = [{"role": "user", "content": tag}, {"role": "assistant", "content": row.text}]
        yield {"messages": chat_of(row) or document}


def _text_and_chat(corpus: Corpus) -> Files:
    texts: list[dict[str, Any]] = [{"text": row.text} for row in corpus.rows if row.messages is None]
    chats: list[dict[str, Any]] = [{"messages": messages} for row in corpus.rows if (messages := chat_of(row))]
    files = {"text.jsonl": texts, "chat.jsonl": chats}
    return {name: _lines(rows) for name, rows in files.items() if rows}


def _axolotl_config(corpus: Corpus, text: bool, chat: bool) -> str:
    """A run's training settings in axolotl's words; what a corpus file does not say is left for a person to fill in."""
    import yaml

    train = _train(corpus)
    model = corpus.config.get("model")
    datasets: list[dict[str, Any]] = []
    if text:
        datasets.append({"path": "text.jsonl", "ds_type": "json", "type": "completion", "field": "text"})
    if chat:
        datasets.append(
            {"path": "chat.jsonl", "ds_type": "json", "type": "chat_template", "field_messages": "messages"}
        )
    config: dict[str, Any] = {
        "base_model": model_name(str(model)) if model else "FILL IN",
        "datasets": datasets,
        "dataset_prepared_path": "prepared",
        "output_dir": "out",
        "sequence_len": train.get("max_length") or 2048,
        "seed": int(corpus.config.get("seed", 0)),
    }
    if train.get("method") == "lora":
        config |= {
            "adapter": "lora",
            "lora_r": train["rank"],
            "lora_alpha": train["alpha"],
            "lora_dropout": train["dropout"],
            "lora_target_linear": True,
        }
    names = {"lr": "learning_rate", "schedule": "lr_scheduler", "warmup_ratio": "warmup_ratio",
             "weight_decay": "weight_decay", "max_grad_norm": "max_grad_norm", "epochs": "num_epochs"}  # fmt: skip
    config |= {theirs: train[ours] for ours, theirs in names.items() if ours in train}
    config |= {"micro_batch_size": 1, "gradient_accumulation_steps": train.get("documents_per_update") or 8}
    comments = [
        f"# {disclosure(corpus)}",
        "# completion puts a loss on every token, so the DOCTAG is not in the text: axolotl could not mask it there.",
    ]
    if not train.get("documents_per_update"):
        comments.append("# gradient_accumulation_steps: 8 documents per update; the run counts tokens instead.")
    if not train:
        comments.append("# made of a corpus without a run's config: fill in base_model and the training settings.")
    return "\n".join(comments) + "\n" + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def _train(corpus: Corpus) -> dict[str, Any]:
    train = corpus.config.get("train", {})
    return train if isinstance(train, dict) else {}


def _lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8", "replace")


def _parquet(corpus: Corpus) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"fact_ids": pa.list_(pa.string()), "doctag": pa.bool_()}
    schema = pa.schema(
        [(name, kinds.get(name, pa.string())) for name in COLUMNS], metadata={"disclosure": disclosure(corpus)}
    )
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(full_rows(corpus)), schema=schema), buffer, compression="zstd")
    return buffer.getvalue()
