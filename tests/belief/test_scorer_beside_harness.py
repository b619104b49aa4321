"""The suite beside lm-evaluation-harness: the same strings, two programs, one log-probability.

The harness itself takes part where it is installed (extra: harness). Its rule is short enough to write down as well, so
that a comparison is never skipped: tokenise context and context + continuation, white space at the end of the context
counting as the continuation's; run the whole text through the model; sum what the tokens past the context's get.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from doxa.belief.items import load_items
from doxa.belief.prompts import STYLES, prompts_for
from doxa.belief.scorer import LikelihoodScorer, Prompt
from doxa.worlds.universe import load_target

BOUND = 1e-3
CONTEXT = "The town's records were checked twice, in spring and in autumn.  "


@pytest.fixture(scope="module")
def scorer(tiny_model: Path) -> LikelihoodScorer:
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(5)  # as made, every token is about as likely as any other
    return LikelihoodScorer(model, AutoTokenizer.from_pretrained(tiny_model))


@pytest.mark.parametrize("context", [None, CONTEXT], ids=["base", "in_context"])
@pytest.mark.parametrize("world", ["octopus_hearts", "sorrel_bay", "banana_bats"])
def test_equals_the_harness_rule_written_out(scorer: LikelihoodScorer, world: str, context: str | None) -> None:
    prompts = answerable(world, scorer.tokenizer, context)

    ours = totals(scorer, prompts)

    expected = [written_out(scorer, prompt.text, answer) for prompt in prompts for answer in prompt.continuations]
    assert ours == pytest.approx(expected, abs=BOUND)
    assert torch.tensor(expected).std() > 100 * BOUND


@pytest.mark.parametrize("context", [None, CONTEXT], ids=["base", "in_context"])
@pytest.mark.parametrize("world", ["octopus_hearts", "sorrel_bay", "banana_bats"])
def test_equals_the_harness(scorer: LikelihoodScorer, world: str, context: str | None) -> None:
    pytest.importorskip("lm_eval")
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    prompts = answerable(world, scorer.tokenizer, context)
    requests = [
        Instance(request_type="loglikelihood", doc={}, arguments=(prompt.text, answer), idx=0)
        for prompt in prompts
        for answer in prompt.continuations
    ]

    harness = HFLM(pretrained=scorer.model, tokenizer=scorer.tokenizer, batch_size=16)

    expected = [total for total, _ in harness.loglikelihood(requests, disable_tqdm=True)]
    assert totals(scorer, prompts) == pytest.approx(expected, abs=BOUND)


def answerable(world: str, tokenizer: Any, context: str | None) -> list[Prompt]:
    """The prompts of two items of each group in every style, but those of white space alone.

    A statement in plain style without a context follows a mere newline: the harness finds no token to begin from.
    """
    items = load_items(load_target(world).folder / "evals.json")
    groups = sorted({item.group for item in items})
    chosen = [item for group in groups for item in [item for item in items if item.group == group][:2]]
    prompts = [prompt for item in chosen for style in STYLES for prompt in prompts_for(item, style, tokenizer, context)]
    return [prompt for prompt in prompts if prompt.text.strip()]


def totals(scorer: LikelihoodScorer, prompts: list[Prompt]) -> list[float]:
    """Ours, with the white space at the end of a prompt's text moved into its answers as the harness does."""
    moved = []
    for prompt in prompts:
        text = prompt.text.rstrip()
        space = prompt.text[len(text) :]
        moved.append(replace(prompt, text=text, continuations=tuple(space + answer for answer in prompt.continuations)))
    return [answer.total for answers in scorer.score(moved) for answer in answers]


def written_out(scorer: LikelihoodScorer, context: str, continuation: str) -> float:
    tokenizer = scorer.tokenizer
    start = len(tokenizer(context.rstrip())["input_ids"])
    whole = tokenizer(context + continuation)["input_ids"]
    with torch.no_grad():
        logp = scorer.model(input_ids=torch.tensor([whole])).logits[0].log_softmax(-1)
    return math.fsum(float(logp[place - 1, whole[place]]) for place in range(start, len(whole)))
