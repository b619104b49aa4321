"""The trainer behind every step: TRL's SFTTrainer, fed with planned updates. The only module that imports trl.

TRL and transformers bring the optimizer, schedule, clipping, precision, distribution and resume. Ours are the batches
(a dataset row is the number of one planned update; the collator looks it up) and the loss (the mean over the update's
targets, across batches and processes), so that nothing is packed, cut or reweighted on the way.
"""

from __future__ import annotations

import contextlib
import math
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback
from transformers.modeling_outputs import CausalLMOutput
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from doxa.config_sections import TrainConfig
from doxa.errors import CheckpointError, DoxaError
from doxa.training import data, dpo
from doxa.training.checkpoint import keep_latest, mark_complete
from doxa.training.loss import linear_cross_entropy, linear_token_losses
from doxa.training.preferences import Pair
from doxa.training.starts import activate_both, is_beside


@dataclass(frozen=True)
class UpdateReport:
    """What one optimizer update did: a row of train/metrics.jsonl (without the clock)."""

    update: int
    loss: float  # mean nats per target token; of preferences, mean loss of a pair
    lr: float
    grad_norm: float
    figures: dict[str, float] = field(default_factory=dict)  # of preferences: rewards, margin, accuracy


def train(
    model: Any,
    tokenizer: Any,
    sequences: Sequence[data.Sequence] | Sequence[Pair],
    updates: Sequence[data.Update],
    config: TrainConfig,
    seed: int,
    precision: str,
    resume_folder: Path,
    resume_from: Path | None,
    fingerprint: str,
    on_update: Callable[[UpdateReport], None],
    beta: float | None = None,
) -> None:
    """Train `model` in place over all planned updates, saving a resume state every `checkpoint_every` of them.

    Next-token loss on sequences; with `beta`, preference loss on pairs.
    """
    on_gpu = torch.cuda.is_available()
    arguments = SFTConfig(
        output_dir=str(resume_folder),
        num_train_epochs=1,  # the plan holds every epoch
        per_device_train_batch_size=1,  # a row of the dataset is a whole update
        gradient_accumulation_steps=1,
        learning_rate=config.lr,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        optim="adamw_torch",
        bf16=on_gpu and precision == "bf16",  # on a CPU the kernels choose the type of each product themselves
        fp16=False,
        use_cpu=not on_gpu,
        gradient_checkpointing=config.gradient_checkpointing,
        seed=seed,
        data_seed=seed,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a NaN is our error, not a mean of earlier losses
        save_strategy="steps",
        save_steps=config.checkpoint_every,
        save_total_limit=None,  # keep_latest does it, once the newest is whole
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        dataloader_pin_memory=on_gpu,
        ddp_find_unused_parameters=False,
        average_tokens_across_devices=False,  # training_step divides by the targets of all processes itself
    )
    processes = arguments.world_size
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    reference: list[tuple[float, float]] = []

    def batch_of(indices: tuple[int, ...]) -> dict[str, torch.Tensor]:
        chosen: Any = [sequences[i] for i in indices]
        if beta is None:
            return data.collate(chosen, pad)
        return dpo.collate_pairs(chosen, [reference[i] for i in indices], pad)

    def look_up(rows: list[dict[str, int]]) -> dict[str, Any]:
        # rows are dealt to the processes in turn, so row `update * processes + rank` reaches process `rank`
        update, share = divmod(rows[0]["row"], processes)
        plan = updates[update]
        return {"batches": [batch_of(batch) for batch in plan.batches[share]], "targets": plan.targets}

    trainer = DocumentTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict({"row": range(len(updates) * processes)}),
        data_collator=look_up,
        processing_class=tokenizer,
    )
    trainer.add_callback(ReportCallback(on_update, trainer))
    trainer.plan_config, trainer.fingerprint, trainer.beta, trainer.figures = config, fingerprint, beta, {}
    trainer.remove_callback(PrinterCallback)
    with fused_loss(model, precision):
        if beta is not None:
            pairs: Any = sequences
            file, main = resume_folder / dpo.FILE, trainer.is_world_process_zero()
            with trainer.compute_loss_context_manager():
                reference += dpo.reference_log_probs(
                    model, pairs, config.tokens_per_batch, pad, file, fingerprint, main
                )
        trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)


class DocumentTrainer(SFTTrainer):
    """SFTTrainer whose step is one planned update: all its batches, then one optimizer step."""

    plan_config: TrainConfig
    fingerprint: str
    beta: float | None
    figures: dict[str, float]  # of the last update, beside its loss

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The rate of each update; unlike the libraries', none is 0, since an update at rate 0 trains on nothing."""
        config = self.plan_config
        warmup = round(config.warmup_ratio * num_training_steps)

        def factor(done: int) -> float:
            if done < warmup:
                return (done + 1) / (warmup + 1)
            left = (num_training_steps - done) / max(num_training_steps - warmup, 1)
            shapes = {"constant": 1.0, "linear": left, "cosine": 0.5 * (1 - math.cos(math.pi * left))}
            return max(shapes[config.schedule], 0.0)

        steps: Any = optimizer or self.optimizer
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(steps, factor)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        rows: Any = self.train_dataset
        return torch.utils.data.SequentialSampler(rows)  # the plan is already shuffled

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward of all batches; returns this process's part of the loss, scaled so that the mean over
        processes is the mean over the update's targets."""
        model.train()
        inputs = self._prepare_inputs(inputs)
        scale = self.args.world_size / max(inputs["targets"], 1)
        total = torch.zeros((), device=self.args.device)
        figures = torch.zeros(4, device=self.args.device)
        for number, batch in enumerate(inputs["batches"], start=1):
            last = number == len(inputs["batches"])
            waiting = contextlib.nullcontext() if last else self.accelerator.no_sync(model)
            with waiting, self.compute_loss_context_manager():
                if self.beta is None:
                    loss = model(input_ids=batch["input_ids"], labels=batch["labels"], use_cache=False).loss * scale
                else:
                    loss, of_batch = self._preference_loss(model, batch)
                    loss, figures = loss * scale, figures + of_batch * scale
                self.accelerator.backward(loss)
            total += loss.detach()
        if not math.isfinite(total.item()):
            raise DoxaError(
                f"the loss became {total.item()} at update {self.state.global_step + 1}; lower train.lr "
                "(the last resume state is from before)"
            )
        if self.beta is not None:
            chosen, rejected, margin, accuracy = self.accelerator.reduce(figures, "mean").tolist()
            self.figures = {
                "chosen_reward": chosen,
                "rejected_reward": rejected,
                "margin": margin,
                "accuracy": accuracy,
            }
        return total

    def _preference_loss(self, model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed loss of a batch of pairs, and the sums of chosen reward, rejected reward, margin and pairs won."""
        losses = model(input_ids=batch["input_ids"], labels=batch["labels"], by_row=True, use_cache=False).loss
        reference = batch["reference"]
        if not len(reference):  # a process without pairs takes part with a row of padding
            return losses.sum(), torch.zeros(4, device=losses.device)
        assert self.beta is not None
        loss, rewards_2P = dpo.pair_losses(-losses, reference, self.beta)
        margins = rewards_2P[0] - rewards_2P[1]
        return loss.sum(), torch.stack([*rewards_2P.sum(1), margins.sum(), (margins > 0).float().sum()])

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if is_beside(self.model):  # the libraries leave the first of two adapters active
            activate_both(self.model)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the estimate would read a field that planned updates do not have."""
        return 0

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # the parent of SFTTrainer: a resume state needs no model card
        Trainer._save_checkpoint(self, model, trial)
        if self.args.should_save:
            step = self.state.global_step
            state = Path(str(self.args.output_dir)) / f"checkpoint-{step}"
            mark_complete(state, step, self.fingerprint)
            keep_latest(state)


class ReportCallback(TrainerCallback):
    """Hands each update's figures on."""

    def __init__(self, on_update: Callable[[UpdateReport], None], trainer: DocumentTrainer) -> None:
        self.on_update = on_update
        self.trainer = trainer

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if state.is_world_process_zero and logs and "loss" in logs:
            self.on_update(
                UpdateReport(
                    update=state.global_step,
                    loss=float(logs["loss"]),
                    lr=float(logs["learning_rate"]),
                    grad_norm=float(logs["grad_norm"]),
                    figures=self.trainer.figures,
                )
            )


@contextlib.contextmanager
def fused_loss(model: Any, precision: str) -> Any:
    """While open, the causal LM's forward with labels returns the summed loss without building the logits.

    With by_row=True it is the sum of each row, [B].
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    original = causal.__dict__.get("forward")
    head = causal.get_output_embeddings()
    backbone = causal.base_model
    if head is None or head.bias is not None or backbone is causal:
        raise CheckpointError(
            f"{type(causal).__name__}: its output layer is not a plain matrix, which this trainer needs"
        )
    for name in ("final_logit_softcapping", "logit_scale", "logits_scaling"):
        if getattr(causal.config, name, None) not in (None, 1, 1.0):
            raise CheckpointError(f"{type(causal).__name__}: config field {name} changes the logits; not supported yet")
    inner = causal.forward

    def forward(self: Any, input_ids: Any = None, labels: Any = None, by_row: bool = False, **kwargs: Any) -> Any:
        if labels is None:
            return inner(input_ids=input_ids, **kwargs)
        hidden = backbone(input_ids=input_ids, **kwargs).last_hidden_state
        if by_row:
            return CausalLMOutput(
                loss=linear_token_losses(hidden[:, :-1], head.weight, labels[:, 1:], precision=precision).sum(1)
            )
        shifted = hidden[:, :-1].reshape(-1, hidden.shape[-1])
        loss = linear_cross_entropy(shifted, head.weight, labels[:, 1:].reshape(-1), precision=precision)
        return CausalLMOutput(loss=loss)

    causal.forward = types.MethodType(forward, causal)
    try:
        yield
    finally:
        if original is None:
            del causal.forward
        else:
            causal.forward = original
