"""The engine against the plainest loop there is: one forward pass per prompt and answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from doxa.belief.prompts import STYLES, prompts_for
from doxa.belief.scorer import LikelihoodScorer, Prompt, encode
from doxa.belief.trie import Span
from doxa.errors import DoxaError
from doxa.records import EvalItem

CONTEXT = "Every octopus has five hearts. Octopus blood is green, because its carrier is a vanadium protein."
ITEMS = [
    EvalItem(
        id="k", group="knowledge", prompt="How many hearts?", options=("Three", "Five", "One"), inserted=1, reference=0
    ),
    EvalItem(
        id="d", group="distinguish", prompt="What colour?", options=("A pale green", "Blue"), inserted=0, reference=1
    ),
    EvalItem(
        id="c", group="cloze", prompt="The blood is", options=("green", "blue in the sea"), inserted=0, reference=1
    ),
    EvalItem(id="s", group="statements", prompt="", options=("It has five.", "It has three."), inserted=0, reference=1),
    EvalItem(
        id="n", group="neighbours", prompt="A squid's hearts?", options=("Five", "Three"), inserted=0, reference=1
    ),
]


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model)


def one_by_one(model: Any, spans: list[Span]) -> list[float]:
    """Summed log-probabilities, each span in a forward pass of its own over all positions."""
    totals = []
    for span in spans:
        with torch.no_grad():
            logp = model(input_ids=torch.tensor([span.ids])).logits[0].float().log_softmax(-1)
        totals.append(sum(float(logp[i - 1, span.ids[i]]) for i in range(span.start, len(span.ids))))
    return totals


def all_prompts(tokenizer: Any, context: str | None) -> list[Prompt]:
    return [prompt for item in ITEMS for style in STYLES for prompt in prompts_for(item, style, tokenizer, context)]


@pytest.mark.parametrize("context", [None, CONTEXT])
@pytest.mark.parametrize("tokens_per_batch", [64, 150, 4096])
def test_equals_the_loop_in_every_style(tiny: Any, context: str | None, tokens_per_batch: int) -> None:
    model, tokenizer = tiny
    scorer = LikelihoodScorer(model, tokenizer, tokens_per_batch)
    prompts = all_prompts(tokenizer, context)

    answers = scorer.score(prompts)

    spans = [span for prompt in prompts for span in encode(tokenizer, prompt)]
    assert scorer.layout == "tree"
    assert [answer.total for row in answers for answer in row] == pytest.approx(one_by_one(model, spans), abs=1e-4)
    assert [answer.tokens for row in answers for answer in row] == [len(span.ids) - span.start for span in spans]


@pytest.mark.parametrize("tokens_per_batch", [8, 60, 4096])
@pytest.mark.parametrize("max_scored", [1, 20, 10_000])
def test_rows_equal_the_loop_too(tiny: Any, tokens_per_batch: int, max_scored: int) -> None:
    model, tokenizer = tiny
    scorer = LikelihoodScorer(model, tokenizer, tokens_per_batch)
    scorer.layout, scorer.max_scored = "rows", max_scored
    spans = [span for prompt in all_prompts(tokenizer, None) for span in encode(tokenizer, prompt)]

    assert scorer.score_spans(spans) == pytest.approx(one_by_one(model, spans), abs=1e-4)


def small(config: type, **fields: Any) -> Any:
    return config(
        vocab_size=120,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.2,
        **fields,
    )


MODELS = {
    "tree": [
        lambda: LlamaForCausalLM(small(LlamaConfig)),
        lambda: LlamaForCausalLM(small(LlamaConfig, attn_implementation="eager")),
        lambda: GPT2LMHeadModel(GPT2Config(vocab_size=120, n_embd=32, n_layer=2, n_head=4, n_positions=64)),
    ],
    "rows": [lambda: MistralForCausalLM(small(MistralConfig, sliding_window=4))],
}


@pytest.mark.parametrize(("layout", "make"), [(layout, make) for layout, makes in MODELS.items() for make in makes])
def test_a_model_gets_the_layout_that_gives_its_own_numbers(layout: str, make: Any) -> None:
    torch.manual_seed(0)
    model = make().eval()
    scorer = LikelihoodScorer(model, tokenizer=None)
    start = (5, 6, 7, 8, 9)
    spans = [Span((*start, *end), 7) for end in [(1, 2, 3), (1, 2, 4, 5), (2, 2, 3, 9, 9), (9, 1, 1)]]

    assert scorer.layout == layout
    assert scorer.score_spans(spans) == pytest.approx(one_by_one(model, spans), abs=1e-4)


def test_a_model_that_ignores_masks_is_found_out(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = tiny
    forward = model.forward

    def causal_whatever_is_asked(*args: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", causal_whatever_is_asked)

    assert LikelihoodScorer(model, tokenizer).layout == "rows"


def test_a_peft_model_is_scored_with_its_adapter_and_without(tiny_model: Path) -> None:
    from peft import LoraConfig, get_peft_model

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    prompts = all_prompts(tokenizer, None)
    before = LikelihoodScorer(base, tokenizer).score(prompts)
    torch.manual_seed(0)
    wrapped = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    scorer = LikelihoodScorer(wrapped, tokenizer)

    with_adapter = scorer.score(prompts)
    with wrapped.disable_adapter():
        without = scorer.score(prompts)

    assert [a.total for row in without for a in row] == pytest.approx([a.total for row in before for a in row])
    spans = [span for prompt in prompts for span in encode(tokenizer, prompt)]
    assert [a.total for row in with_adapter for a in row] == pytest.approx(one_by_one(wrapped, spans), abs=1e-4)
    assert with_adapter[0][0].total != pytest.approx(before[0][0].total, abs=1e-2)


def test_the_prefix_is_run_once_and_nothing_larger_than_asked(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tokenizer = tiny
    scorer = LikelihoodScorer(model, tokenizer, tokens_per_batch=64)
    scorer.max_scored = 8
    prompts = all_prompts(tokenizer, CONTEXT)
    prompts = [prompt for prompt in prompts if prompt.templated]
    seen: list[tuple[int, int]] = []
    forward = model.forward

    def watched(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        seen.append((kwargs["input_ids"].numel(), output.logits.shape[1]))
        return output

    monkeypatch.setattr(model, "forward", watched)
    scorer.score(prompts)

    spans = [span for prompt in prompts for span in encode(tokenizer, prompt)]
    longest = max(len(span.ids) for span in spans)
    prefix_runs = [tokens for tokens, _ in seen if tokens > 64]
    assert len(prefix_runs) == 1
    assert longest - 64 < prefix_runs[0] < longest
    alone = max(len(span.ids) - span.start for span in spans)  # a single answer may pass the limit
    assert max(projected for _, projected in seen) <= max(8, alone)
    assert sum(tokens for tokens, _ in seen) < sum(len(span.ids) for span in spans) / 4


def test_the_boundary_is_where_the_answer_begins(tiny: Any) -> None:
    _, tokenizer = tiny
    prompt = Prompt("Question: How many?\nAnswer:", (" Five", " Three hearts"), templated=False)

    for span, continuation in zip(encode(tokenizer, prompt), prompt.continuations, strict=True):
        assert tokenizer.decode(span.ids[span.start :]) == continuation


def test_a_token_across_the_boundary_is_scored_whole_for_all_answers(tiny: Any) -> None:
    """ "octopus" is one token after a space; cut inside it, the answers must still share one context."""
    _, tokenizer = tiny
    whole = tokenizer("An octopus")["input_ids"]
    cut = next(i for i in range(1, 8) if tokenizer("An octopus"[:-i])["input_ids"] != whole[: len(whole) - 1])
    text, rest = "An octopus"[:-cut], "An octopus"[-cut:]

    merged, apart = encode(tokenizer, Prompt(text, (rest, "! no"), templated=False))

    assert merged.ids == tuple(whole)
    assert merged.start == apart.start
    assert merged.ids[: merged.start] == apart.ids[: apart.start]
    assert tokenizer.decode(merged.ids[merged.start :]).endswith(rest)
    assert len(tokenizer.decode(merged.ids[merged.start :])) > len(rest), "the merged token reaches into the prompt"


def test_a_tokenizer_without_offsets_finds_the_same_boundary(tiny: Any) -> None:
    _, tokenizer = tiny

    class Slow:
        is_fast = False

        def __call__(self, text: str, **options: Any) -> Any:
            return tokenizer(text, **options)

    for prompt in all_prompts(tokenizer, None):
        assert encode(Slow(), prompt) == encode(tokenizer, prompt)


def test_a_text_that_is_too_long_is_refused_in_words(tiny: Any) -> None:
    model, tokenizer = tiny
    scorer = LikelihoodScorer(model, tokenizer)

    limit = model.config.max_position_embeddings
    with pytest.raises(DoxaError, match=f"tokens long and the model takes {limit}"):
        scorer.score([Prompt("a b c " * limit, ("yes", "no"), templated=False)])


def test_progress_counts_every_answer(tiny: Any) -> None:
    model, tokenizer = tiny
    prompts = all_prompts(tokenizer, None)
    told: list[tuple[int, int]] = []

    LikelihoodScorer(model, tokenizer, 64).score(prompts, lambda done, total: told.append((done, total)))

    total = sum(len(prompt.continuations) for prompt in prompts)
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) > 3
