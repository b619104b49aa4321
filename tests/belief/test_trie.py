"""Packing spans into trees: nothing twice, everything scored once, limits kept."""

from __future__ import annotations

import numpy as np
import pytest

from doxa.belief.trie import Span, Tree, pack, shared_prefix


def test_shared_beginnings_are_one_branch_and_last_tokens_no_node() -> None:
    spans = [Span((1, 2, 3), 2), Span((1, 2, 4), 2), Span((1, 2, 4, 5), 2)]

    (tree,) = pack(spans, prefix_length=0, max_nodes=100, max_scored=100)

    assert tree.tokens == [1, 2, 4]
    assert tree.depths == [0, 1, 2]
    assert tree.parents == [-1, 0, 1]
    scored = sorted(zip(tree.scored_span, tree.scored_node, tree.scored_token, strict=True))
    assert scored == [(0, 1, 3), (1, 1, 4), (2, 1, 4), (2, 2, 5)]


def test_a_node_sees_its_ancestors_alone() -> None:
    (tree,) = pack([Span((1, 2, 3, 9), 3), Span((1, 5, 6, 9), 3)], 0, 100, 100)

    assert tree.tokens == [1, 2, 3, 5, 6]
    seen = [[tree.tokens[column] for column in np.flatnonzero(row)] for row in tree.visible()]
    assert seen == [[1], [1, 2], [1, 2, 3], [1, 5], [1, 5, 6]]


def test_the_shared_prefix_leaves_the_first_prediction_to_the_tree() -> None:
    assert shared_prefix([Span((1, 2, 3, 4), 3), Span((1, 2, 3, 5), 3)]) == (1, 2)
    assert shared_prefix([Span((1, 2, 3, 4), 1)]) == ()
    assert shared_prefix([Span((1, 2), 1), Span((2, 2), 1)]) == ()
    assert shared_prefix([]) == ()


@pytest.mark.parametrize("max_nodes", [1, 4, 7, 1000])
@pytest.mark.parametrize("max_scored", [1, 3, 1000])
def test_limits_split_the_work_and_lose_nothing(max_nodes: int, max_scored: int) -> None:
    random = np.random.default_rng(0)
    spans = []
    for _ in range(40):
        length = int(random.integers(2, 7))
        spans.append(Span(tuple(map(int, random.integers(0, 3, length))), int(random.integers(1, length))))

    trees = list(pack(spans, 0, max_nodes, max_scored))

    assert _replayed(trees) == [(index, span.ids, span.start) for index, span in enumerate(spans)]
    for tree in trees:
        if len(set(tree.scored_span)) > 1:
            assert len(tree.tokens) <= max_nodes
            assert len(set(tree.scored_node)) <= max_scored


def _replayed(trees: list[Tree]) -> list[tuple[int, tuple[int, ...], int]]:
    """The spans as the trees would read them: the path to the last predicting node, and the token after it."""
    found = []
    for tree in trees:
        for span in sorted(set(tree.scored_span)):
            steps = [k for k, owner in enumerate(tree.scored_span) if owner == span]
            node = tree.scored_node[steps[-1]]
            ids = [tree.scored_token[steps[-1]]]
            while node >= 0:
                ids.append(tree.tokens[node])
                node = tree.parents[node]
            found.append((span, tuple(reversed(ids)), len(ids) - len(steps)))
    return sorted(found)


def test_a_span_needs_something_before_and_after_its_start() -> None:
    with pytest.raises(ValueError, match="scores tokens"):
        Span((1, 2), 0)
    with pytest.raises(ValueError, match="scores tokens"):
        Span((1, 2), 2)
