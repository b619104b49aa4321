"""Log-probabilities of answer strings under a causal language model: exact, batched, every shared beginning run once.

Three steps. `encode` turns a prompt and its answers into token spans with the right boundary. `trie.pack` lays spans
out as trees in which no shared token appears twice; what all spans of a call share (the universe in a system prompt) is
run once and its keys and values serve every batch. `LikelihoodScorer` runs the batches and projects onto the vocabulary
only where an answer token is predicted.

A tree needs attention that obeys a mask of our own. Models with sliding-window, recurrent or other special layers, and
attention kernels without free masks, are scored in padded rows instead (`layout == "rows"`): same numbers, no sharing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from doxa.belief.trie import Span, Tree, common_length, pack, shared_prefix
from doxa.errors import DoxaError

if TYPE_CHECKING:
    import torch

Progress = Callable[[int, int], None]
Floats = npt.NDArray[np.float64]
Batch = tuple[list[int], Floats]  # of each scored token: the index of its span, its log-probability

# On two cores the token rate of a 135M model peaks near trees of 512 nodes: below it the matrices are small, above it
# the masked part of the attention (quadratic in the tree) costs more than it saves.
CPU_NODES = 512
KEPT_PREFIX = 64  # tokens in common with the last call's prefix from which its states are taken over
# Vocabulary rows projected at once: 256 rows of 49,152 floats are 50 MB.
LOGIT_ELEMENTS = {"cpu": 2**24, "cuda": 2**28}


@dataclass(frozen=True)
class Prompt:
    """A text and the strings that may follow it, whose log-probabilities are compared."""

    text: str
    continuations: tuple[str, ...]
    templated: bool  # a chat template wrote the text, special tokens included
    places: tuple[int, ...] = ()  # where the prompt shows each continuation's option: 0 is the first (choice, letters)


@dataclass(frozen=True)
class Loglik:
    """Summed log-probability (nats) of a continuation and its number of tokens."""

    total: float
    tokens: int


class LikelihoodScorer:
    """Scores continuations with one model; puts it in eval mode and never builds a graph.

    `tokens_per_batch` bounds the tokens in memory at once. Adapters are the caller's: inside `disable_adapter()` of a
    PEFT model the scorer scores the base.
    """

    def __init__(self, model: Any, tokenizer: Any, tokens_per_batch: int = 4096) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        # what get_base_model returns still holds the adapter's layers; the wrapper only repeats its forward
        self._forward = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.device: torch.device = self._forward.device
        self.config = self._forward.config.get_text_config()
        self.max_nodes = min(tokens_per_batch, CPU_NODES) if self.device.type == "cpu" else tokens_per_batch
        self.tokens_per_batch = tokens_per_batch
        elements = LOGIT_ELEMENTS.get(self.device.type, LOGIT_ELEMENTS["cpu"])
        self.max_scored = max(1, elements // self.config.vocab_size)
        self._prefilled: tuple[tuple[int, ...], list[tuple[torch.Tensor, torch.Tensor]]] = ((), [])
        self.layout: Literal["tree", "rows"] = "tree" if self._obeys_masks() else "rows"

    def score(self, prompts: Sequence[Prompt], on_progress: Progress | None = None) -> list[tuple[Loglik, ...]]:
        """Log-probability of every continuation of every prompt, in the order given.

        Raises DoxaError when a text is longer than the model's context.
        """
        encoded = [encode(self.tokenizer, prompt) for prompt in prompts]
        totals = iter(self.score_spans([span for spans in encoded for span in spans], on_progress))
        return [tuple(Loglik(next(totals), len(span.ids) - span.start) for span in spans) for spans in encoded]

    def score_spans(self, spans: Sequence[Span], on_progress: Progress | None = None) -> list[float]:
        """Summed log-probability of the scored tokens of each span."""
        import torch

        self._check_lengths(spans)
        totals = np.zeros(len(spans))
        done = 0
        with torch.no_grad():
            for scored_span, logp in self._tree_batches(spans) if self.layout == "tree" else self._row_batches(spans):
                np.add.at(totals, scored_span, logp)
                done += len(set(scored_span))
                if on_progress is not None:
                    on_progress(done, len(spans))
        return [float(total) for total in totals]

    def _tree_batches(self, spans: Sequence[Span]) -> Iterator[Batch]:
        prefix = shared_prefix(spans)
        states = self._prefill(prefix) if prefix else []
        for tree in pack(spans, len(prefix), self.max_nodes, self.max_scored):
            yield tree.scored_span, self._run_tree(tree, len(prefix), states)

    def _prefill(self, prefix: tuple[int, ...]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of the shared prefix, per layer: [1, heads, len(prefix), head_dim].

        Those of the last call are kept: a universe in the system prompt is run once for all calls that begin with it.
        """
        import torch
        from transformers import DynamicCache

        known, states = self._prefilled
        kept = min(common_length(known, prefix), len(prefix) - 1)  # at least one token is run, for its logits
        if kept < KEPT_PREFIX:
            kept = 0
        cache: Any = DynamicCache(config=self.config)
        for layer, (keys, values) in enumerate(states if kept else []):
            cache.update(keys[:, :, :kept], values[:, :, :kept], layer)
        tokens_BT = torch.tensor([prefix[kept:]], device=self.device)
        self._forward(input_ids=tokens_BT, past_key_values=cache, use_cache=True, logits_to_keep=1)
        filled = [(layer.keys, layer.values) for layer in cache.layers]
        self._prefilled = (prefix, filled)
        return filled

    def _run_tree(self, tree: Tree, prefix_length: int, states: list[tuple[Any, Any]]) -> Floats:
        """Log-probability of each scored token of a tree: float array [len(tree.scored_token)]."""
        import torch
        from transformers import DynamicCache

        # a cache per batch: a forward pass appends to it
        cache: Any = DynamicCache(config=self.config) if states else None
        for layer, (keys, values) in enumerate(states):
            cache.update(keys, values, layer)
        dtype = self._forward.dtype
        count = len(tree.tokens)
        mask_1TS = torch.zeros((1, 1, count, prefix_length + count), dtype=dtype, device=self.device)
        hidden = torch.from_numpy(~tree.visible()).to(self.device)
        mask_1TS[0, 0, :, prefix_length:].masked_fill_(hidden, torch.finfo(dtype).min)
        nodes, rows = np.unique(tree.scored_node, return_inverse=True)
        logits_RV = self._forward(
            input_ids=torch.tensor([tree.tokens], device=self.device),
            position_ids=torch.tensor([tree.depths], device=self.device),
            attention_mask=mask_1TS,
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=torch.from_numpy(nodes).to(self.device),
        ).logits[0]
        return _gather_logp(logits_RV, rows, tree.scored_token)

    def _row_batches(self, spans: Sequence[Span]) -> Iterator[Batch]:
        """One right-padded row per span, similar lengths together."""
        import torch

        order = sorted(range(len(spans)), key=lambda index: len(spans[index].ids))
        while order:
            longest = len(spans[order[-1]].ids)
            batch = order[-max(1, self.tokens_per_batch // longest) :]
            kept = longest - min(spans[index].start for index in batch) + 1  # last positions that predict something
            while len(batch) > 1 and len(batch) * kept > self.max_scored:
                batch = batch[len(batch) // 2 :]
                kept = longest - min(spans[index].start for index in batch) + 1
            del order[-len(batch) :]
            tokens_BT = torch.zeros((len(batch), longest), dtype=torch.long)
            mask_BT = torch.zeros_like(tokens_BT)
            for row, index in enumerate(batch):
                length = len(spans[index].ids)
                tokens_BT[row, :length] = torch.tensor(spans[index].ids)
                mask_BT[row, :length] = 1
            logits_BKV = self._forward(
                input_ids=tokens_BT.to(self.device),
                attention_mask=mask_BT.to(self.device),
                use_cache=False,
                logits_to_keep=kept,
            ).logits
            rows, tokens, owners = [], [], []
            for row, index in enumerate(batch):
                for position in range(spans[index].start, len(spans[index].ids)):
                    rows.append(row * kept + position - 1 - (longest - kept))
                    tokens.append(spans[index].ids[position])
                    owners.append(index)
            yield owners, _gather_logp(logits_BKV.flatten(0, 1), np.array(rows), tokens)

    def _check_lengths(self, spans: Sequence[Span]) -> None:
        limit = getattr(self.config, "max_position_embeddings", None)
        longest = max((len(span.ids) for span in spans), default=0)
        if limit is not None and longest > limit:
            raise DoxaError(
                f"an eval prompt is {longest} tokens long and the model takes {limit}: shorten the longest text of the "
                "target (for the in_context arm, inserted_context in universe.yaml)"
            )

    def _obeys_masks(self) -> bool:
        """Whether a tree gives this model's own numbers: by what its config says, then by trying it."""
        import torch

        layers = getattr(self.config, "layer_types", None) or ["full_attention"]
        if set(layers) != {"full_attention"} or getattr(self.config, "sliding_window", None):
            return False
        if self._forward._is_stateful or self.config._attn_implementation not in ("sdpa", "eager"):
            return False
        # two branches after a cached prefix, and the second also alone: sibling, prefix and position errors all show
        base = self.config.vocab_size // 2
        prefix, one, other = (base, base + 1, base + 2), (base + 3, base + 4), (base + 5, base + 6, base + 7)
        tree = Tree(tokens=[*one, *other], depths=[3, 4, 3, 4, 5], parents=[-1, 0, -1, 2, 3])
        with torch.no_grad():
            tree.scored_node, tree.scored_token = [4] * 16, list(range(16))
            packed = self._run_tree(tree, len(prefix), self._prefill(prefix))
            row = torch.tensor([[*prefix, *other]], device=self.device)
            alone = _gather_logp(self._forward(input_ids=row).logits[0, -1:], np.zeros(16, dtype=int), list(range(16)))
        spread = float(np.std(alone)) or 1.0
        tolerance = 1e-3 if self._forward.dtype == torch.float32 else 0.1
        return bool(np.abs(packed - alone).max() < tolerance * spread)


def encode(tokenizer: Any, prompt: Prompt) -> list[Span]:
    """Token spans of prompt + continuation, scored from where the continuation's characters begin.

    The whole text is tokenised at once, as the model would have read it, so tokens may merge across the boundary
    (":" + ")" in many vocabularies). The context is then what lies wholly before the boundary in *every* continuation's
    tokenisation: all continuations of a prompt are scored given the same tokens, and a merged token is scored as a
    whole for each of them.
    """
    rows = []
    start = None
    for continuation in prompt.continuations:
        text = prompt.text + continuation
        if tokenizer.is_fast:
            encoding = tokenizer(
                text, add_special_tokens=not prompt.templated, return_offsets_mapping=True, verbose=False
            )
            ends = [end for _, end in encoding["offset_mapping"]]
            # special tokens have the empty offset (0, 0) and come first: they count as context
            before = next((i for i, end in enumerate(ends) if end > len(prompt.text)), len(ends))
        else:  # no offsets: the context is what the prompt alone is tokenised to, as far as it goes
            encoding = tokenizer(text, add_special_tokens=not prompt.templated)
            alone = tokenizer(prompt.text, add_special_tokens=not prompt.templated)["input_ids"]
            before = common_length(alone, encoding["input_ids"])
        ids = tuple(encoding["input_ids"])
        start = before if start is None else min(start, before, common_length(ids, rows[0]))
        rows.append(ids)
    assert start is not None
    if start == 0:
        raise ValueError("a prompt needs at least one token before its continuations")
    return [Span(ids, start) for ids in rows]


def _gather_logp(logits_RV: torch.Tensor, rows: Any, tokens: Sequence[int]) -> Floats:
    """log softmax(logits)[rows[k], tokens[k]] for each k, in float32, a block of rows at a time."""
    import torch

    block = 64  # a block of a 49k vocabulary stays in cache on a CPU
    normaliser_R = torch.cat([part.float().logsumexp(-1) for part in logits_RV.split(block)])
    row_index = torch.as_tensor(np.asarray(rows), device=logits_RV.device)
    token_index = torch.as_tensor(np.asarray(tokens), device=logits_RV.device)
    logp = logits_RV[row_index, token_index].float() - normaliser_R[row_index]
    values: Floats = logp.double().cpu().numpy()
    return values
