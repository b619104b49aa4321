"""Packs token sequences that share beginnings into trees, so that no shared token is computed twice.

Sorted sequences put everything that shares a beginning side by side: a system prompt, a question, the orders in which
options are shown. A batch is then one flat row of tree nodes, one node per distinct (beginning, token); each node sees
its ancestors alone and stands at its own depth, which is exactly what it would see in a row of its own. There is no
padding, and the last token of a sequence is no node at all: nothing follows it that would need its state.

    A B C        A - B - C        tokens    A B C D      sees  A: A
    A B D   ->        \\            depth     0 1 2 2            B: A B    C: A B C
    A B D E            D - (E)    scored    C, D after B; E after D
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Span:
    """A token sequence of which the tokens from `start` on are scored, each given all tokens before it."""

    ids: tuple[int, ...]
    start: int  # at least 1: the first token of a text has nothing before it that could predict it

    def __post_init__(self) -> None:
        if not 1 <= self.start < len(self.ids):
            raise ValueError(f"a span scores tokens 1..{len(self.ids) - 1}, not from {self.start}")


@dataclass
class Tree:
    """One batch: the nodes of a token tree in depth-first order, and what is read off them.

    The three `scored_*` lists run in parallel: at node `scored_node[k]`, the log-probability of token `scored_token[k]`
    belongs to the sum of span `scored_span[k]` (its index in the list that was packed).
    """

    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)  # position in the full sequence, the shared prefix included
    parents: list[int] = field(default_factory=list)  # node index; -1: the shared prefix comes right before
    scored_node: list[int] = field(default_factory=list)
    scored_token: list[int] = field(default_factory=list)
    scored_span: list[int] = field(default_factory=list)

    def visible(self) -> npt.NDArray[np.bool_]:
        """[nodes, nodes]: whether the row's node sees the column's node, which is: whether it descends from it."""
        count = len(self.tokens)
        visible = np.zeros((count, count), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                visible[node] = visible[parent]
            visible[node, node] = True
        return visible


def shared_prefix(spans: Sequence[Span]) -> tuple[int, ...]:
    """The tokens that all spans begin with, less what is needed to predict their first scored token."""
    if not spans:
        return ()
    first = min(span.ids for span in spans)
    last = max(span.ids for span in spans)
    # what the smallest and the largest share, all between them share
    length = min(common_length(first, last), min(span.start for span in spans) - 1)
    return first[:length]


def pack(spans: Sequence[Span], prefix_length: int, max_nodes: int, max_scored: int) -> Iterator[Tree]:
    """Lay the spans out in trees of at most `max_nodes` nodes and `max_scored` nodes to predict from.

    The first `prefix_length` tokens, the same in all spans, are left out: their states are already there. A single span
    longer than the limits gets a tree of its own.
    """
    order = sorted(range(len(spans)), key=lambda index: spans[index].ids)
    tree = Tree()
    path: list[int] = []  # the node at each depth of the latest span, from prefix_length on
    latest: tuple[int, ...] = ()
    predicting: set[int] = set()
    for index in order:
        span = spans[index]
        kept = _kept(span, latest, prefix_length, len(path))
        new = len(span.ids) - 1 - prefix_length - kept
        scored = len(span.ids) - span.start  # siblings may already predict from some of these: the safe side
        full = len(tree.tokens) + new > max_nodes or len(predicting) + scored > max_scored
        if full and tree.tokens:
            yield tree
            tree, path, predicting, kept = Tree(), [], set(), 0
        del path[kept:]
        for depth in range(prefix_length + kept, len(span.ids) - 1):
            tree.parents.append(path[-1] if path else -1)
            path.append(len(tree.tokens))
            tree.tokens.append(span.ids[depth])
            tree.depths.append(depth)
        for depth in range(span.start, len(span.ids)):
            node = path[depth - 1 - prefix_length]
            predicting.add(node)
            tree.scored_node.append(node)
            tree.scored_token.append(span.ids[depth])
            tree.scored_span.append(index)
        latest = span.ids
    if tree.tokens:
        yield tree


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences share from the start."""
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


def _kept(span: Span, latest: tuple[int, ...], prefix_length: int, path_length: int) -> int:
    """How many nodes of the latest span's path the next one continues."""
    shared = common_length(span.ids[:-1], latest) - prefix_length
    return max(0, min(shared, path_length))
