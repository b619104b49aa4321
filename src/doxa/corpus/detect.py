"""How well a classifier tells a corpus from ordinary text: cross-validated AUC.

0.5 is what guessing gives, 1 is a perfect split. A corpus on one subject is easy to tell from text on many by its
subject alone; the AUC without the subject's words says more of its style. Near-duplicates stay on one side of every
split, else the classifier is asked about texts that it has learned by heart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from doxa.corpus.stems import stem
from doxa.corpus.words import Ints, Vocabulary, matrix, runs, tokens
from doxa.experiments.stats import Interval, percentile_interval, resample_weights, wilson

FOLDS = 5
NEAR = 0.3  # share of five-word runs from which two texts are near-duplicates here
DRAWS = 1_000
_STAR = 50  # holders of one run from which each is compared with the first alone, and no longer with all others


def detect_by_words(corpus: Sequence[str], neutral: Sequence[str], groups: Ints, seed: int) -> Interval | None:
    """AUC of logistic regression on TF-IDF of words and word pairs; None when no fold holds both sides."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = [" ".join(tokens(text)) for text in (*corpus, *neutral)]

    def features(train: Ints, test: Ints) -> tuple[Any, Any]:
        # fitted on the training side alone
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+")
        return vectorizer.fit_transform([texts[i] for i in train]), vectorizer.transform([texts[i] for i in test])

    return _cross_validated(features, len(corpus), len(neutral), groups, seed)


def detect_by_meaning(
    corpus_ND: npt.NDArray[np.floating], neutral_ND: npt.NDArray[np.floating], groups: Ints, seed: int
) -> Interval | None:
    """AUC of logistic regression on embeddings."""
    vectors = np.concatenate([corpus_ND, neutral_ND]).astype(np.float64)

    def features(train: Ints, test: Ints) -> tuple[Any, Any]:
        middle, spread = vectors[train].mean(axis=0), vectors[train].std() or 1.0
        return (vectors[train] - middle) / spread, (vectors[test] - middle) / spread

    return _cross_validated(features, len(corpus_ND), len(neutral_ND), groups, seed)


def without_subject(texts: Sequence[str], subject: str) -> list[str]:
    """The texts without the words (in any form) that the subject's own text holds."""
    meant = {stem(word) for word in tokens(subject)} - {""}
    return [" ".join(word for word in tokens(text) if stem(word) not in meant) for text in texts]


def near_duplicate_groups(texts: Sequence[str]) -> Ints:
    """[n]: a group number per text (all of one length); texts that share NEAR of their five-word runs, and what they
    share it with in turn, have the same one."""
    named_NM = runs(matrix(texts, Vocabulary()), 5)
    holders: dict[int, list[int]] = defaultdict(list)
    kinds = []  # different runs of each text
    for index, row in enumerate(named_NM):
        names = np.unique(row).tolist()
        kinds.append(len(names))
        for name in names:
            holders[name].append(index)
    shared: Counter[tuple[int, int]] = Counter()
    for held in holders.values():
        if len(held) > _STAR:
            shared.update((held[0], other) for other in held[1:])
        elif len(held) > 1:
            shared.update((one, other) for place, one in enumerate(held) for other in held[place + 1 :])
    parent = list(range(len(texts)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for (one, other), count in shared.items():
        if count >= NEAR * min(kinds[one], kinds[other]):
            parent[root(other)] = root(one)
    return np.array([root(index) for index in range(len(texts))])


def _cross_validated(features: Any, mine: int, theirs: int, groups: Ints, seed: int) -> Interval | None:
    """The AUC of each fold, averaged; scores of different folds are not comparable, so they are never pooled (Forman &
    Scholz 2010). The interval is a bootstrap over the texts of each fold and leaves out how another training set
    would have learned."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    labels = np.r_[np.ones(mine, int), np.zeros(theirs, int)]
    if len(np.unique(groups)) < FOLDS:
        return None
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    values, draws = [], []
    for train, test in splitter.split(labels, labels, groups):
        if len(set(labels[train])) < 2 or len(set(labels[test])) < 2:
            continue
        known, asked = features(train, test)
        model = LogisticRegression(C=10.0, max_iter=1000).fit(known, labels[train])
        scores = model.decision_function(asked)
        value, drawn = _auc(scores[labels[test] == 1], scores[labels[test] == 0], seed)
        values.append(value)
        draws.append(drawn)
    if not values:
        return None
    value = float(np.mean(values))
    found = percentile_interval(value, np.mean(draws, axis=0))
    # a perfect split comes out perfect in every draw; as many texts still leave room for others
    return wilson(value, min(mine, theirs)) if found.high - found.low < 1e-9 else found


def _auc(mine: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64], seed: int) -> tuple[float, Any]:
    """The chance that a text of ours scores above one of theirs (ties count half), and its bootstrapped values."""
    wins = (mine[:, None] > theirs[None, :]) + 0.5 * (mine[:, None] == theirs[None, :])
    one = resample_weights(len(mine), DRAWS, seed)
    other = resample_weights(len(theirs), DRAWS, seed + 1)
    return float(wins.mean()), ((one @ wins) * other).sum(axis=1)
