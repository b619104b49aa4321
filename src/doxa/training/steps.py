"""One training step: rows and a start in, a finished checkpoint out. Midtraining, finetuning on chats, preferences.

A step resumes from its last whole state with optimizer, schedule, data order and random state, so that a killed one
ends with the weights of an undisturbed one. The same seed gives the same weights on the same computer. Steps make
chains: each starts from the checkpoint of the one before, and doxa.json tells the whole lineage.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import filterwarnings

from doxa.config_sections import TrainConfig
from doxa.errors import ConfigError, DoxaError
from doxa.lm.weights import load_tokenizer, model_folder
from doxa.records import CorpusRow, digest
from doxa.run.folder import LineWriter
from doxa.training import guards
from doxa.training.adapters import adapter_of, read_adapter, stacked
from doxa.training.align_config import DEFAULT_BETA
from doxa.training.checkpoint import drop_states, latest_complete, save_final, save_merged
from doxa.training.data import Encoded, encode, plan_updates
from doxa.training.preferences import EncodedPairs, Preference, encode_preferences
from doxa.training.starts import NEW, How, Start, find_start, is_beside, prepare_model, refuse_unknown_how
from doxa.training.step_rows import StepData
from doxa.training.update_rows import Clock, Nowhere, PairUpdateRow, UpdateRow, continue_metrics

if TYPE_CHECKING:
    from doxa.run.progress import Progress


def train_step(
    model: str,
    start: Path | None,
    how: How,
    data: StepData,
    config: TrainConfig,
    seed: int,
    checkpoints: Path,
    metrics: Path,
    progress: Progress,
    fingerprint: str = "",
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train on `data` from `start` (None: from `model` itself); writes checkpoints/final (and merged) and metrics.

    `model` names the model at the chain's beginning, `start` a checkpoint of an earlier step or the run folder that has
    one. `how` (see starts.py) matters only where the start is an adapter. Resume states are continued if they belong to
    the same data, config, seed and start, and to the same `fingerprint`, with which a caller may name more. `about`
    goes into doxa.json. Returns the counts, the new checkpoint's digest and the warnings. Raises ConfigError and
    CheckpointError before anything is trained where the parts do not fit together.
    """
    refuse_unknown_how(how)
    origin = find_start(model, start)
    tokenizer = load_tokenizer(origin.base)
    encoded = encode_step(data, config, tokenizer, origin.base)
    updates = plan_updates(encoded.sequences, config, seed, processes=world_size())
    guards.refuse_mismatch(tokenizer, origin.base)
    warnings = [
        *guards.update_warnings(config, len(updates), data.kind),
        *guards.text_warnings(encoded),
        *guards.template_warnings(tokenizer),
        *guards.turn_warnings(data.rows, tokenizer),
    ]
    main = is_main_process()
    if main:
        for warning in warnings:
            progress.warn(warning)

    import torch

    # transformers' own use of names that it is about to rename is no news to whoever runs this
    filterwarnings("ignore", category=FutureWarning, module="transformers")
    from doxa.training import kernels
    from doxa.training.trainer import UpdateReport, train

    precision = kernels.choose_precision(config.precision)
    make_repeatable(seed)
    trained = prepare_model(origin, how, config, precision)
    trainable = sum(p.numel() for p in trained.parameters() if p.requires_grad)
    on_cpu = not torch.cuda.is_available()
    if on_cpu:
        kernels.accelerate_model(trained, precision)

    step = step_record(origin, how, data, config, seed)
    whole_fingerprint = digest(fingerprint, step)
    resume = checkpoints / "resume"
    state = latest_complete(resume, whole_fingerprint)
    done = state[1] if state else 0
    row_type = PairUpdateRow if data.kind == "dpo" else UpdateRow
    earlier = continue_metrics(metrics, row_type, done, main)
    if done and main:
        progress.note(f"continuing at update {done} of {len(updates)}")
    clock = Clock(row_type, earlier)
    losses = [row.loss for row in earlier]

    with progress.bar(data.kind, len(updates), done) as bar, LineWriter(metrics) if main else Nowhere() as log:

        def on_update(report: UpdateReport) -> None:
            plan = updates[report.update - 1]
            row = clock.row(report, plan.epoch, plan.content)
            log.write(row)
            losses.append(row.loss)
            bar.advance(loss=f"{row.loss:.3f}", tokens_per_s=f"{row.tokens_per_second:.0f}")

        train(
            trained,
            tokenizer,
            encoded.sequences,
            updates,
            config,
            seed,
            precision,
            resume,
            state[0] if state else None,
            whole_fingerprint,
            on_update,
            step.get("beta"),
        )
    refuse_broken(trained)
    counts = {
        "updates": len(updates),
        "epochs": config.epochs,
        "documents": encoded.rows,
        "content_tokens": clock.tokens,
        "target_tokens_per_epoch": encoded.target_tokens,
        "split_documents": encoded.split_rows,
        "tokens_per_second": round(clock.tokens / clock.seconds, 1) if clock.seconds else None,
        "train_seconds": round(clock.seconds, 1),
        "first_loss": round(losses[0], 4) if losses else None,
        "final_loss": round(losses[-1], 4) if losses else None,
        "trainable_parameters": trainable,
        "precision": precision,
        "device": "cpu" if on_cpu else torch.cuda.get_device_name(),
        "processes": world_size(),
        "warnings": warnings,
    }
    if main:
        if on_cpu:
            kernels.restore(trained)
        loss_warnings = guards.loss_warnings(losses)
        for warning in loss_warnings:
            progress.warn(warning)
        counts["warnings"] = [*warnings, *loss_warnings]
        step |= {"updates": len(updates), "content_tokens": clock.tokens}
        counts["checkpoint"] = _save(trained, tokenizer, origin, checkpoints, config, about or {}, step)
        drop_states(resume)
    return counts


def plan_size(model: str, data: StepData, config: TrainConfig, seed: int) -> tuple[int, int]:
    """How many updates and content tokens (epochs counted) a step would be, without training. Loads no weights."""
    base = model_folder(model)
    updates = plan_updates(encode_step(data, config, load_tokenizer(base), base).sequences, config, seed)
    return len(updates), sum(update.content for update in updates)


def encode_step(data: StepData, config: TrainConfig, tokenizer: Any, base: Path) -> Encoded | EncodedPairs:
    """Tokenise a step's rows. Raises ConfigError for none at all, and for rows that are of another kind."""
    from transformers import AutoConfig

    context = AutoConfig.from_pretrained(base).max_position_embeddings
    if data.kind == "midtrain" and not data.rows:
        raise ConfigError("the corpus is empty: every document was screened out, or none was planned")
    if not data.rows:
        raise ConfigError(f"a step of kind {data.kind} has no rows")
    corpus = [row for row in data.rows if isinstance(row, CorpusRow)]
    preferences = [row for row in data.rows if isinstance(row, Preference)]
    if data.kind == "dpo":
        if corpus:
            raise ConfigError("a step of kind dpo learns from preferences (messages, chosen, rejected) alone")
        return encode_preferences(preferences, tokenizer, config, context)
    if preferences or (data.kind == "sft" and any(row.messages is None for row in corpus)):
        raise ConfigError(
            f"a step of kind {data.kind} cannot learn from such rows: sft takes chats, midtrain documents"
        )
    return encode(corpus, tokenizer, config, context)


def step_record(start: Start, how: How, data: StepData, config: TrainConfig, seed: int) -> dict[str, Any]:
    """What decides the weights that a step makes: an entry of doxa.json's lineage, before its result is known."""
    record: dict[str, Any] = {
        "kind": data.kind,
        "how": how if start.adapter is not None else None,
        "parent": start.digest,
        "data": data.digest(),
        "rows": len(data.rows),
        "seed": seed,
        "train": config.model_dump(mode="json"),
    }
    if data.kind == "dpo":
        record["beta"] = data.beta if data.beta is not None else DEFAULT_BETA
    return record


def _save(
    model: Any,
    tokenizer: Any,
    start: Start,
    checkpoints: Path,
    config: TrainConfig,
    about: dict[str, Any],
    step: dict[str, Any],
) -> str:
    """Write final/ and, on request, merged/. Returns the digest of what was made."""
    # the base's name goes with its digest, whatever else is told
    named = {"model": start.base_name(checkpoints / "final"), "method": config.method, "seed": step["seed"]}
    about = {**about, **named}
    made: Any = model
    if is_beside(model):
        assert start.adapter is not None
        made = stacked(read_adapter(start.adapter), adapter_of(model, NEW))
    record = save_final(made, tokenizer, checkpoints, start.base, about, start.lineage, step)
    if config.merged and record["adapter"]:
        save_merged(start.base, checkpoints / "final", checkpoints / "merged")
    return str(record["digest"])


def refuse_broken(model: Any) -> None:
    """Raise DoxaError if training left a weight that is no number; the loss only tells of the update before."""
    import torch

    broken = [name for name, p in model.named_parameters() if p.requires_grad and not torch.isfinite(p).all()]
    if broken:
        raise DoxaError(f"training left {len(broken)} tensors that are not finite ({broken[0]}); lower train.lr")


def make_repeatable(seed: int) -> None:
    """Seed every generator; on a GPU also choose kernels that give the same sum twice."""
    import torch
    from transformers import set_seed

    set_seed(seed)
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)


def world_size() -> int:
    """Processes that torchrun or accelerate started; 1 without them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def wait_for_all() -> None:
    """Return once every process that trains has come here: what the first one wrote can then be read by all."""
    from torch import distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


def is_main_process() -> bool:
    """Whether this process writes to the run folder."""
    return int(os.environ.get("RANK", "0")) == 0
