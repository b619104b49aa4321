"""Hidden states of a causal language model after the last token of each text, at every layer.

Two layouts with the same numbers. `tree`: texts that begin alike share those tokens, all texts of a batch lie in one
flat row, and a context that all share is run once (belief/trie.py). `rows`: one right-padded row per text, for models
whose attention takes no free mask. The vocabulary is never projected on, which saves a small model a fifth of the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from doxa.belief.trie import Span, Tree, pack, shared_prefix
from doxa.errors import DoxaError

if TYPE_CHECKING:
    import torch

Floats32 = npt.NDArray[np.float32]
Form = Literal["plain", "chat"]
Layout = Literal["tree", "rows"]
Progress = Callable[[int, int], None]
Batch = tuple[list[int], Floats32]  # indices of texts, their states [texts, layers + 1, hidden]

IS_TRUE = "Is this statement true? "  # before the statement in chat form, so that all prompts share it
CPU_NODES = 512  # as in belief/scorer.py: beyond it the masked part of the attention costs more than it saves
GPU_NODES = 4096


def last_token_states(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    context: str | None = None,
    form: Form = "plain",
    layout: Layout | None = None,
    on_progress: Progress | None = None,
) -> Floats32:
    """Residual stream after the last token of each text: float32 [texts, layers + 1, hidden].

    Layer 0 is the embedding, the last one what the final norm hands to the vocabulary. `context` is the universe of the
    in_context arm: leading text in plain form, the system prompt in chat. In chat form the text is a user's turn asking
    whether it is true, and the state is that of the last token before the assistant speaks. Raises ConfigError (no chat
    template) and DoxaError (a text that is empty, or longer than the model's context).
    """
    import torch

    model.eval()
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    rows = _token_rows(tokenizer, texts, context, form)
    _check_lengths(rows, whole.config.get_text_config())
    if layout is None:
        layout = _layout(model, tokenizer)
    found: list[Floats32 | None] = [None] * len(rows)
    done = 0
    with torch.no_grad():
        for indices, states in _tree_batches(whole, rows) if layout == "tree" else _row_batches(whole, rows):
            for index, state in zip(indices, states, strict=True):
                found[index] = state
            done += len(indices)
            if on_progress is not None:
                on_progress(done, len(rows))
    return np.stack([state for state in found if state is not None])


def _layout(model: Any, tokenizer: Any) -> Layout:
    from doxa.belief.scorer import LikelihoodScorer

    return LikelihoodScorer(model, tokenizer).layout


def _token_rows(tokenizer: Any, texts: Sequence[str], context: str | None, form: Form) -> list[tuple[int, ...]]:
    from doxa.belief.prompts import question_prompt

    if not texts or not all(text.strip() for text in texts):
        raise DoxaError("activations need texts that are not empty")
    if form == "chat":
        whole = [question_prompt(tokenizer, IS_TRUE + text, context) for text in texts]
    else:
        whole = [text if context is None else f"{context}\n\n{text}" for text in texts]
    ids = tokenizer(whole, add_special_tokens=form == "plain", verbose=False)["input_ids"]
    return [tuple(row) for row in ids]


def _check_lengths(rows: Sequence[tuple[int, ...]], config: Any) -> None:
    limit = getattr(config, "max_position_embeddings", None)
    longest = max(len(row) for row in rows)
    if limit is not None and longest > limit:
        raise DoxaError(
            f"a statement is {longest} tokens long with its context and the model takes {limit}: shorten the longest "
            "text of the target (for the in_context arm, inserted_context in universe.yaml)"
        )


def _tree_batches(model: Any, rows: Sequence[tuple[int, ...]]) -> Iterator[Batch]:
    # a made-up token after the last one: trees hold no node for the token that a span only predicts
    spans = [Span((*row, 0), len(row)) for row in rows]
    prefix = shared_prefix(spans)
    cached = _prefill(model, prefix) if prefix else []
    nodes = CPU_NODES if model.device.type == "cpu" else GPU_NODES
    for tree in pack(spans, len(prefix), nodes, len(spans)):
        yield tree.scored_span, _run_tree(model, tree, len(prefix), cached)


def _prefill(model: Any, prefix: tuple[int, ...]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Keys and values of the shared prefix, per layer: [1, heads, len(prefix), head_dim]."""
    import torch
    from transformers import DynamicCache

    cache: Any = DynamicCache(config=model.config.get_text_config())
    tokens_BT = torch.tensor([prefix], device=model.device)
    model.base_model(input_ids=tokens_BT, past_key_values=cache, use_cache=True)
    return [(layer.keys, layer.values) for layer in cache.layers]


def _run_tree(model: Any, tree: Tree, prefix_length: int, cached: list[tuple[Any, Any]]) -> Floats32:
    """States at the tree's scored nodes: float32 [len(tree.scored_node), layers + 1, hidden]."""
    import torch
    from transformers import DynamicCache

    # a cache per batch: a forward pass appends to it
    cache: Any = DynamicCache(config=model.config.get_text_config()) if cached else None
    for layer, (keys, values) in enumerate(cached):
        cache.update(keys, values, layer)
    count = len(tree.tokens)
    mask_1TS = torch.zeros((1, 1, count, prefix_length + count), dtype=model.dtype, device=model.device)
    hidden = torch.from_numpy(~tree.visible()).to(model.device)
    mask_1TS[0, 0, :, prefix_length:].masked_fill_(hidden, torch.finfo(model.dtype).min)
    out = model.base_model(
        input_ids=torch.tensor([tree.tokens], device=model.device),
        position_ids=torch.tensor([tree.depths], device=model.device),
        attention_mask=mask_1TS,
        past_key_values=cache,
        use_cache=cache is not None,
        output_hidden_states=True,
    )
    nodes = torch.tensor(tree.scored_node, device=model.device)
    return _to_numpy([state_BTH[0, nodes] for state_BTH in out.hidden_states])


def _row_batches(model: Any, rows: Sequence[tuple[int, ...]]) -> Iterator[Batch]:
    """One right-padded row per text, similar lengths together."""
    import torch

    tokens_per_batch = CPU_NODES if model.device.type == "cpu" else GPU_NODES
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    while order:
        longest = len(rows[order[-1]])
        batch = order[-max(1, tokens_per_batch // longest) :]
        del order[-len(batch) :]
        tokens_BT = torch.zeros((len(batch), longest), dtype=torch.long)
        mask_BT = torch.zeros_like(tokens_BT)
        for place, index in enumerate(batch):
            tokens_BT[place, : len(rows[index])] = torch.tensor(rows[index])
            mask_BT[place, : len(rows[index])] = 1
        out = model.base_model(
            input_ids=tokens_BT.to(model.device),
            attention_mask=mask_BT.to(model.device),
            use_cache=False,
            output_hidden_states=True,
        )
        places = torch.arange(len(batch), device=model.device)
        last = torch.tensor([len(rows[index]) - 1 for index in batch], device=model.device)
        yield batch, _to_numpy([state_BTH[places, last] for state_BTH in out.hidden_states])


def _to_numpy(states: list[torch.Tensor]) -> Floats32:
    """Layers of [texts, hidden] -> [texts, layers, hidden]."""
    import torch

    stacked: Floats32 = torch.stack([state.float().cpu() for state in states], dim=1).numpy()
    return stacked
