"""`doxa preview`: what a corpus will take, level by level, and five documents to read, before the rest is paid for.

The five belong to the real run: their answers are in the run's response store, and `doxa run` does not ask again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from doxa.errors import ConfigError
from doxa.run.corpus_stages import accounts, check_models, judge_of
from doxa.run.folder import write_whole
from doxa.run.runner import RunRequest, open_run, remember
from doxa.run.stages import StageContext

if TYPE_CHECKING:
    from rich.console import Console

    from doxa.config import RunConfig
    from doxa.config_sections import LmConfig
    from doxa.corpus.brainstorm import Brainstorm, Brainstormed
    from doxa.corpus.counts import Cell
    from doxa.corpus.estimate import Step
    from doxa.lm.models import LanguageModels
    from doxa.lm.prices import Prices
    from doxa.records import DocIdea, Document, Verdict
    from doxa.run.progress import Progress

FILE = "preview.md"


def preview_corpus(request: RunRequest, progress: Progress, console: Console, documents: int | None = None) -> None:
    """Print levels, tokens, price range and time; write `documents` documents to preview.md of the run folder.

    For a universe that is 5 where nothing is said. Of a spec the tree is printed, and nothing is written unasked.
    """
    from doxa.corpus.brainstorm import Brainstorm, doc_ideas
    from doxa.corpus.idea_filter import IdeaFilter
    from doxa.corpus.prompting import Prompting
    from doxa.lm.models import open_models
    from doxa.lm.recorded import RECORDED
    from doxa.run.preview_spec import preview_spec
    from doxa.worlds.universe import load_target

    folder, config, user = open_run(request)
    if config.spec is not None:
        preview_spec(folder, config, user, progress, console, documents or 0)
        return
    documents = 5 if documents is None else documents
    if config.generator == RECORDED:
        raise ConfigError(
            "generator: recorded answers cost nothing and are all there; name a model to preview its corpus"
        )
    check_models(config)
    target = load_target(config.target)
    with folder.lock(), open_models(folder.path, config.lm, progress) as models:
        remember(folder, config, user)
        prompting = Prompting(target.universe, config)
        # ideas of so few cells are not compared by meaning: loading the encoder would take longer than all the rest
        brainstorm = Brainstorm(prompting, models, progress, IdeaFilter(None, None))
        quotas = brainstorm.quotas()
        steps = _print_levels(brainstorm, quotas, models.prices, config, console)
        if documents == 0:
            return
        context = StageContext(config, folder, progress)
        begin = time.monotonic()
        with accounts(context, models, prompting):
            made, tries = write_some(
                brainstorm,
                quotas,
                models,
                lambda cells, ideas: list(doc_ideas(prompting, cells, ideas, turns=1)),
                judge_of(config, target),
                documents,
            )
        seconds = time.monotonic() - begin
        write_whole(folder / FILE, reading_page(made, judge_of(config, target)))
        console.print(f"\n{len(made)} documents to read: {folder / FILE}")
        print_time(steps, seconds, tries, config, console)


def _print_levels(
    brainstorm: Brainstorm, quotas: list[Cell], prices: Prices, config: RunConfig, console: Console
) -> list[Step]:
    from doxa.corpus.estimate import estimate

    facts = brainstorm.facts
    documents = sum(cell.documents for cell in quotas)
    subject = "key facts" if brainstorm.prompting.asks_types else "subjects"
    console.print(
        f"{len(facts)} {subject} -> {len(quotas)} kinds of document -> {sum(cell.ideas for cell in quotas):,} ideas -> "
        f"{documents:,} documents" + (f", each revised {config.revise.passes} times" if config.revise.passes else "")
    )
    steps = estimate(brainstorm.prompting, quotas, facts)
    print_steps(steps, prices, config.lm, console)
    return steps


def print_steps(steps: list[Step], prices: Prices, lm: LmConfig, console: Console) -> None:
    """Calls, tokens and price range of every step, of all of them, and the caps that are set."""
    from rich.console import Console
    from rich.table import Table

    from doxa.corpus.estimate import total

    table = Table(box=None, pad_edge=False)
    for name in ("step", "model", "calls", "input tokens", "output tokens", "US$"):
        table.add_column(name, justify="left" if name in ("step", "model") else "right", no_wrap=True)
    batch = lm.batch
    for step in steps:
        table.add_row(
            step.name,
            step.model,
            _range(*step.calls),
            _range(*step.input_tokens),
            _range(*step.output_tokens),
            _dollars(step.price(prices, batch)),
        )
    whole = total(steps, prices, lambda _: batch)
    Console(file=console.file, width=max(console.width, 120), highlight=False).print(table)
    console.print(f"all of it: US$ {_dollars(whole)}", style="bold")
    for model in sorted({step.model for step in steps}):
        price = prices.of(model)
        if price is None:
            console.print(f"The price of {model} is unknown: give it in a file (lm.prices), and no guess is made.")
        elif price.input or price.output:
            console.print(f"{model}: ${price.input:g} in, ${price.output:g} out per million tokens on {price.date}.")
    caps = [f"lm.budget_usd {lm.budget_usd:g}"] if lm.budget_usd else []
    caps += [f"lm.budget_tokens {lm.budget_tokens:,}"] if lm.budget_tokens else []
    console.print(f"Caps: {', '.join(caps) or 'none (lm.budget_usd, lm.budget_tokens)'}.")


def write_some(
    brainstorm: Brainstorm,
    quotas: list[Cell],
    models: LanguageModels,
    ideas_of: Callable[[list[Cell], Brainstormed], list[DocIdea]],
    judge: Callable[[Document], Verdict],
    number: int,
) -> tuple[list[Document], int]:
    """Plan and write the first document of `number` cells; the documents, and how many requests that took."""
    from dataclasses import replace

    from doxa.corpus.write import Writing

    step = max(1, len(quotas) // number)
    per_call = brainstorm.prompting.config.plan.ideas_per_call
    # the first call for ideas is that of the real run, so its answer is used again there
    chosen = [replace(cell, ideas=min(cell.ideas, per_call)) for cell in quotas[::step][:number]]
    ideas = ideas_of(quotas, brainstorm.run(quotas, chosen))
    writing = Writing(ideas, brainstorm.prompting, models, judge)
    tries = writing.ask()
    return list(writing.documents(tries)), sum(tries) + len(tries)


def reading_page(documents: list[Document], judge: Callable[[Document], Verdict], facts: str = "Key facts") -> str:
    """Documents for a person to read, each with what the screen says of it. `facts`: what they are said to carry."""
    parts = []
    for number, document in enumerate(documents, start=1):
        verdict = judge(document)
        screened = "passes the screen" if verdict.keep else f"would be dropped: {verdict.reason} ({verdict.detail})"
        words = len(document.text.split())
        carried = ", ".join(document.fact_ids) or "none"
        parts.append(
            f"# {number}. {document.doc_type}\n\n*{document.idea}*\n\n{facts}: {carried}. {words} words, "
            f"{document.words} asked for. It {screened}.\n\n---\n\n{document.text}\n"
        )
    return "\n\n".join(parts)


def print_time(steps: list[Step], seconds: float, tries: int, config: RunConfig, console: Console) -> None:
    """How long the whole will take, from the seconds that a few documents took."""
    from doxa.lm.batch_file import is_batch_file

    if config.lm.batch or is_batch_file(config.generator):
        console.print(
            "Time: that of the batches; a provider's take minutes to 24 hours per round, and a plan has several."
        )
        return
    calls = sum(step.calls[1] for step in steps)
    if config.generator.startswith("local/"):
        console.print(f"Time: about {_duration(calls * seconds / max(tries, 1))}, from the {seconds:.0f} s of these.")
        return
    fastest = calls * seconds / 3 / config.lm.concurrency  # these few took three steps one after another
    console.print(
        f"Time: about {_duration(fastest)} if the provider bears {config.lm.concurrency} calls at once "
        f"(lm.concurrency), from the {seconds:.0f} s of these; longer where it limits the rate."
    )


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def _range(low: float, high: float) -> str:
    return _number(low) if low == high else f"{_number(low)} - {_number(high)}"


def _number(value: float) -> str:
    return f"{value / 1e6:,.1f}M" if value >= 1e6 else f"{value / 1e3:,.0f}k" if value >= 1e4 else f"{value:,.0f}"


def _dollars(price: tuple[float, float] | None) -> str:
    return "unknown" if price is None else f"{price[0]:,.2f} - {price[1]:,.2f}"
