"""`--preview` of a training step: the tokens that would be trained on, with the loss mask, before any time is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from doxa.config_sections import TrainConfig
from doxa.training.data import Encoded, Update, plan_updates
from doxa.training.data import Sequence as Tokens
from doxa.training.preferences import EncodedPairs, Pair

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from doxa.training.step_rows import StepData


def preview_step(model: str, data: StepData, config: TrainConfig, seed: int, console: Console, shown: int = 3) -> None:
    """The plan, the first rows and the warnings of a step that would start from `model`, or from a checkpoint of it."""
    from doxa.lm.weights import load_tokenizer, model_folder
    from doxa.training import guards
    from doxa.training.steps import encode_step

    base = model_folder(model)
    tokenizer = load_tokenizer(base)
    encoded = encode_step(data, config, tokenizer, base)
    updates = plan_updates(encoded.sequences, config, seed)
    print_preview(encoded, updates, tokenizer, config, console, shown)
    for warning in (
        *guards.update_warnings(config, len(updates), data.kind),
        *guards.text_warnings(encoded),
        *guards.template_warnings(tokenizer),
        *guards.turn_warnings(data.rows, tokenizer),
    ):
        console.print(f"warning: {warning}", style="yellow", markup=False)


def print_preview(
    encoded: Encoded | EncodedPairs,
    updates: Sequence[Update],
    tokenizer: Any,
    config: TrainConfig,
    console: Console,
    shown: int = 3,
) -> None:
    """Print the plan's totals and the first `shown` rows token by token; those without loss in [brackets]."""
    units = encoded.sequences
    padded = sum(
        len(batch) * max((units[i].size for i in batch), default=0)
        for update in updates
        for share in update.batches
        for batch in share
    )
    real = sum(len(one.ids) for unit in units for _, one in _sequences(unit)) * config.epochs
    what = "preferences" if isinstance(encoded, EncodedPairs) else "documents"
    console.print(
        f"{encoded.rows} {what}, {encoded.content_tokens} tokens, {encoded.target_tokens} of them targets per epoch "
        f"(a document's first token has nothing before it); {encoded.split_rows} split at the context.\n"
        f"{len(updates)} updates over {config.epochs} epochs, lr {config.lr:g} {config.schedule}; "
        f"{1 - real / padded:.1%} of what the model computes is padding.",
        markup=False,
    )
    for unit in units[:shown]:
        for name, one in _sequences(unit):
            console.rule(f"{one.row} {name}: {len(one.ids)} tokens, {one.targets} targets")
            console.print(masked_text(one.ids, one.loss, tokenizer), soft_wrap=True)


def _sequences(unit: Tokens | Pair) -> Iterator[tuple[str, Tokens]]:
    if isinstance(unit, Pair):
        yield from (("chosen", unit.chosen), ("rejected", unit.rejected))
    else:
        yield f"part {unit.part}", unit


def masked_text(ids: Sequence[int], loss: Sequence[bool], tokenizer: Any) -> Text:
    """Tokens divided by a thin bar; those without loss in [brackets] and dim."""
    from rich.text import Text

    text = Text()
    for place, (token, target) in enumerate(zip(ids, loss, strict=True)):
        piece = tokenizer.decode([token]).replace("\n", "\\n\n")
        if target and place > 0:
            text.append(piece)
            text.append("|", style="dim")
        else:
            text.append(f"[{piece}]", style="dim")
            text.append("|", style="dim")
    return text
