"""What a plan will take before anything is spent: calls and tokens per step, and from them a range of prices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doxa.corpus.answers import Text
from doxa.corpus.pools import load_pools
from doxa.corpus.prompting import Prompting
from doxa.lm.client import thinking_room
from doxa.records import DocIdea, Document, Usage

if TYPE_CHECKING:
    from doxa.corpus.asks import Asks
    from doxa.corpus.counts import Cell
    from doxa.lm.prices import Prices
    from doxa.lm.request import Request

# UTF-8 bytes per token of English prose: 4.4 to 4.9 with the tokenizers at hand, and less in other languages
BYTES_PER_TOKEN = (5.0, 3.5)
TOKENS_PER_WORD = (1.25, 1.6)
KIND_TOKENS, IDEA_TOKENS, CRITIQUE_TOKENS = (10, 30), (25, 60), (60, 400)
EXTRACT_TOKENS = (8, 40)  # per key fact
TRIES = (1.0, 1.3)  # answers per document: 1.02 to 1.05 against the test server's faults; models differ
WORDS_TAKEN = (0.7, 1.4)  # length of a document to the length asked for


@dataclass(frozen=True)
class Step:
    """What one step asks of one model: low and high estimates."""

    name: str
    model: str
    calls: tuple[int, int]
    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]

    def price(self, prices: Prices, batch: bool) -> tuple[float, float] | None:
        """Dollars, low and high; None when the model's price is unknown."""
        price = prices.of(self.model)
        if price is None:
            return None
        low, high = (
            price.cost(Usage(input_tokens=self.input_tokens[end], output_tokens=self.output_tokens[end]), batch)
            for end in (0, 1)
        )
        return low, high


def estimate(prompting: Asks, quotas: list[Cell], facts: list[str]) -> list[Step]:
    """The steps of a run from its quotas. Prompts are rendered and measured, answers estimated from their lengths."""
    config = prompting.config
    documents = sum(cell.documents for cell in quotas)
    words = _words(prompting)
    steps = []
    if not config.plan.document_types and prompting.asks_types:
        kinds = [sum(cell.fact == fact for cell in quotas) for fact in range(len(facts))]
        request = prompting.types(facts[0], max(kinds), [], 0)
        steps.append(step_of("plan: kinds", request, (len(facts),) * 2, _times(KIND_TOKENS, sum(kinds) / len(kinds))))
    ideas = sum(cell.ideas for cell in quotas)
    calls = sum(-(-cell.ideas // config.plan.ideas_per_call) for cell in quotas)
    request = prompting.ideas(facts[0], "newspaper report", min(ideas, config.plan.ideas_per_call), [], 0)
    steps.append(step_of("plan: ideas", request, (calls, round(calls * 1.2) + 1), _times(IDEA_TOKENS, ideas / calls)))
    written = _times(TOKENS_PER_WORD, 1, (words[0], words[1]))
    request = prompting.write(_typical_idea(prompting), 0)
    steps.append(step_of("write", request, (documents, round(documents * TRIES[1])), written))
    draft = _typical_draft(prompting, round(sum(words) / 2))
    turns = config.revise.passes * documents
    if config.revise.passes and config.revise.critic:
        steps.append(step_of("revise: criticise", prompting.critique(draft, 0), (turns, turns), CRITIQUE_TOKENS))
        request = prompting.rewrite(draft, "x " * 80, 0)
        steps.append(step_of("revise: rewrite", request, (turns // 2, round(turns * TRIES[1])), written))
    elif config.revise.passes:
        both = (written[0] + CRITIQUE_TOKENS[0], written[1] + CRITIQUE_TOKENS[1])
        steps.append(step_of("revise", prompting.revise(draft, 0), (turns, round(turns * TRIES[1])), both))
    if config.screen.extract_model and isinstance(prompting, Prompting):  # key facts are a universe's
        from doxa.corpus.extract import Extractor

        extractor = Extractor(
            prompting.universe, config.screen.extract_model, config.corpus, config.screen.extract_prompt
        )
        answer = _times(EXTRACT_TOKENS, max(1, len(prompting.universe.key_facts)))
        steps.append(step_of("screen: extract", extractor.request(draft), (documents, documents), answer))
    return steps


def step_of(name: str, request: Request, calls: tuple[int, int], answer: tuple[float, float]) -> Step:
    """A step that asks `request`, or others of its length, so many times; `answer` is the tokens of one answer."""
    size = sum(len(message.content.encode()) for message in request.messages)
    thinking = thinking_room(request)
    return Step(
        name,
        request.model,
        calls,
        (round(calls[0] * size / BYTES_PER_TOKEN[0]), round(calls[1] * size / BYTES_PER_TOKEN[1])),
        (round(calls[0] * answer[0]), round(calls[1] * (answer[1] + thinking))),
    )


def _times(per: tuple[float, float], number: float, words: tuple[float, float] = (1, 1)) -> tuple[float, float]:
    return per[0] * number * words[0], per[1] * number * words[1]


def _words(prompting: Asks) -> tuple[float, float]:
    """Mean length of a document, low and high."""
    kinds = load_pools(prompting.config.plan.pools).document_types
    ranges = [prompting.config.write.words or kind.words for kind in kinds]
    mean = sum((low + high) / 2 for low, high in ranges) / len(ranges)
    return mean * WORDS_TAKEN[0], mean * WORDS_TAKEN[1]


def _typical_idea(prompting: Asks) -> DocIdea:
    seeds = ("people: " + "x" * 50, "place: " + "x" * 10, "date: " + "x" * 14, "manner: " + "x" * 25)
    return DocIdea(
        id="",
        target="",
        **prompting.typical(),
        doc_type="newspaper report",
        idea="x" * 160,
        model="",
        prompt_digest="",
        words=400,
        seeds=seeds,
    )


def _typical_draft(prompting: Asks, words: int) -> Document:
    idea = _typical_idea(prompting)
    text = Text("words " * words, "whole").text
    fields = idea.model_dump(exclude={"id", "model", "prompt_digest", "recorded_id", "seeds", "sample"})
    return Document(**fields, id="", parent_id="", text=text, stage="write", model="", prompt_digest="")


def total(steps: list[Step], prices: Prices, batch: Callable[[str], bool]) -> tuple[float, float] | None:
    """Dollars of all steps, low and high; None as soon as one price is unknown."""
    known = [step.price(prices, batch(step.model)) for step in steps]
    if any(price is None for price in known):
        return None
    return sum(price[0] for price in known if price), sum(price[1] for price in known if price)
