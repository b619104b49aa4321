"""Collateral damage: what an insertion changes that nobody meant to change.

Neighbouring facts are items of the target (group `neighbours`). Here stand the parts that are alike for every target:
small capability sets by likelihood, real things told from invented ones ("reality drift", Nutter et al. 2026), and the
perplexity of neutral text. Coherence of free answers is read in belief/free.py.
"""

from __future__ import annotations

from doxa.belief.asks import Ask, Showing, first_inserted, user
from doxa.belief.scorer import LikelihoodScorer, Prompt
from doxa.belief.shipped import capability_items, entity_pairs
from doxa.records import EvalItem, Measure, digest
from doxa.worlds.universe import bundled_neutral

NEUTRAL_TEXTS = 10  # scored for perplexity
NEUTRAL_WORDS = 80  # of each


def capability_asks(per_set: int) -> list[Ask]:
    """The first `per_set` items of every shipped set; the sets are mixed within, so that a beginning is a sample."""
    asks, count = [], dict[str, int]()
    for row in capability_items():
        count[row.set] = count.get(row.set, 0) + 1
        if count[row.set] > per_set:
            continue
        wrong = next(place for place in range(len(row.options)) if place != row.answer)
        item = EvalItem(
            id=row.id, group="neighbours", prompt=row.prompt, options=row.options, inserted=wrong, reference=row.answer
        )
        asks.append(Ask("capability", row.set, item, (_capability_showing(row.form, row.prompt, row.options),)))
    return asks


def _capability_showing(form: str, prompt: str, options: tuple[str, ...]) -> Showing:
    """Questions as chat; beginnings and whole sentences as running text, which is what they are."""
    if form == "question":
        return Showing(options, (user(prompt),))
    if form == "sentence":
        return Showing(options, begun=prompt or "\n")
    return Showing(tuple(f" {option}" for option in options), begun=prompt)


def reality_asks(pairs: int) -> list[Ask]:
    """Is it real? One item per pair: the real thing and the invented one, so that saying yes to all gains nothing."""
    asks = []
    for row in entity_pairs()[:pairs]:
        options = ("the invented one is real", "the real one is real")
        item = first_inserted(row.id, row.what, options, "neighbours")
        showings = tuple(
            Showing(answers, (user(f"Is there really a {row.what} called {name}? Answer yes or no."),))
            for name, answers in ((row.real, ("No", "Yes")), (row.invented, ("Yes", "No")))
        )
        asks.append(Ask("reality_drift", "chat", item, showings))
    return asks


def neutral_texts() -> list[str]:
    """The beginnings of neutral documents whose perplexity is measured."""
    return [" ".join(row.text.split()[:NEUTRAL_WORDS]) for row in bundled_neutral()[:NEUTRAL_TEXTS]]


def perplexity_measures(scorer: LikelihoodScorer, arm: str, checkpoint: str, context: str | None) -> list[Measure]:
    """Nats per token of each neutral text after its first sentence, which is given."""
    texts = neutral_texts()
    before = "" if context is None else context + "\n\n"
    prompts = []
    for text in texts:
        cut = text.find(". ") + 1 or len(text) // 4
        prompts.append(Prompt(before + text[:cut], (text[cut:],), templated=False))
    return [
        Measure(
            arm=arm,
            checkpoint=checkpoint,
            probe="perplexity",
            readout="plain",
            metric="nats",
            item_id=digest("neutral", text),
            value=answers[0].total / -answers[0].tokens,
            unit="nats",
        )
        for text, answers in zip(texts, scorer.score(prompts), strict=True)
    ]
