"""`doxa chat`: talk to the arms of a run. `doxa forecast`: how hard an insertion will be, before it is paid for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doxa.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from doxa.belief.forecast import Forecast, Rank
    from doxa.belief.talk import Exchange

NARROWEST = 32  # characters of a column below which answers stand one above the other


def register(app: typer.Typer, speaking: Callable[[Callable[..., None]], Callable[..., None]]) -> None:
    """Add the commands."""
    app.command("chat")(speaking(chat))
    app.command("forecast")(speaking(forecast))


def chat(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    ask: Annotated[list[str] | None, typer.Option("--ask", help="Ask this and leave. Repeatable.")] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="A file of questions: a line each, or JSONL with `question`.")
    ] = None,
    arms: Annotated[
        str | None, typer.Option("--arms", help="Which arms answer: base,trained. Default: all that the run has.")
    ] = None,
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="The longest answer.")] = 200,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, max=2.0, help="0: the likeliest words.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides what is drawn at a temperature.")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Each arm remembers the conversation.")] = False,
) -> None:
    """Ask base, in-context, trained (and aligned) model the same thing, side by side. It is kept in RUN/chat.jsonl."""
    from dataclasses import replace
    from datetime import UTC, datetime

    from rich.console import Console

    from doxa.belief.talk import open_talk, read_questions, write_down

    console = Console(highlight=False)
    asked = [_not_blank(question) for question in ask or []]
    given = [*asked, *(read_questions(questions) if questions is not None else [])]
    with Console(stderr=True).status("loading"):
        chosen = None
        if arms is not None:
            chosen = tuple(dict.fromkeys(part.strip() for part in arms.split(",") if part.strip()))
        talk = replace(open_talk(run, chosen), tokens=tokens, temperature=temperature, seed=seed, keep=keep)
    try:
        for question in given or _typed(console):
            if given or not sys.stdin.isatty():
                console.print(f"> {question}", markup=False, style="bold", soft_wrap=True)
            with Console(stderr=True).status("answering") as status:
                at = datetime.now(UTC).isoformat(timespec="seconds")
                exchange = talk.ask(question, at, lambda arm: status.update(f"answering: {arm}"))
            write_down(run, exchange)
            show_exchange(exchange, console)
    except KeyboardInterrupt:  # leaving is how a conversation ends
        console.print()


def forecast(
    target: Annotated[str, typer.Argument(help="A bundled world or a target folder.")],
    model: Annotated[
        str, typer.Option("--model", help="The model to be trained: a name, a folder, a Hugging Face id.")
    ] = "",
    rank: Annotated[bool, typer.Option(help="Compare with the bundled worlds on the same model.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all numbers to this file.")] = None,
) -> None:
    """Before spending: how likely an untrained model finds the inserted answers, so how hard the insertion will be."""
    import json
    from dataclasses import asdict

    from rich.console import Console

    from doxa.belief.forecast import forecast as look_ahead
    from doxa.belief.forecast import rank as rank_among
    from doxa.belief.items import load_items
    from doxa.belief.scorer import LikelihoodScorer
    from doxa.config import DEFAULT_MODEL
    from doxa.lm.named_weights import find_weights
    from doxa.run.folder import write_whole
    from doxa.worlds.universe import bundled_names, load_target

    name = (model or DEFAULT_MODEL).removeprefix("local/")
    world = load_target(target)
    items = load_items(world.folder / "evals.json")
    weights = find_weights(name)
    with Console(stderr=True).status("loading") as status:
        scorer = LikelihoodScorer(*weights.load())
        status.update("scoring")
        own = look_ahead(scorer, world.universe, items, world.name)
        others = []
        for other in bundled_names() if rank else []:
            if other != world.name:
                status.update(f"scoring {other}")
                bundled = load_target(other)
                own_style = (own.figures[0].style,)
                others.append(
                    look_ahead(
                        scorer, bundled.universe, load_items(bundled.folder / "evals.json"), other, styles=own_style
                    )
                )
    place_among = rank_among(own, others) if others else None
    show_forecast(own, place_among, name, Console(highlight=False, soft_wrap=True))
    if json_file is not None:
        found = {"model": name, "forecast": asdict(own), "rank": asdict(place_among) if place_among else None}
        write_whole(json_file, json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def show_exchange(exchange: Exchange, console: Console) -> None:
    """A column to an arm on a terminal that is wide enough, else one above the other; plain text off a terminal."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    answers = exchange.answers
    if not console.is_terminal:
        for arm, answer in answers.items():
            print(f"[{arm}] {answer}", file=console.file)
        print(file=console.file, flush=True)
        return
    if console.width // len(answers) < NARROWEST:
        for arm, answer in answers.items():
            console.print(Panel(Text(answer or "(nothing)"), title=arm, title_align="left"))
        return
    table = Table(expand=True)
    for arm in answers:
        table.add_column(arm, ratio=1, overflow="fold")
    table.add_row(*(Text(answer or "(nothing)") for answer in answers.values()))
    console.print(table)


def show_forecast(own: Forecast, among: Rank | None, model: str, console: Console) -> None:
    """A forecast as text: the verdict first, then every number with its interval and n."""
    from doxa.belief.forecast import CAVEAT

    def line(text: str, style: str | None = None) -> None:
        console.print(text, markup=False, style=style)

    line(f"{own.target} on {model}, untrained: {own.verdict}", "bold")
    line(f"log-probabilities in nats, {own.n} distinguish items, 95% intervals over items")
    for figure in own.figures:
        value = f"{figure.interval.value:7.2f} [{figure.interval.low:.2f}, {figure.interval.high:.2f}]"
        line(f"  {figure.style:<8} {figure.metric:<20} {value}  n {figure.n}")
    line("margin per token by key fact (items sorted to facts by their words, roughly)")
    for fact in own.by_fact:
        # an interval over one item has no width, and over two hardly a meaning
        spread = f" [{fact.margin.low:.2f}, {fact.margin.high:.2f}]" if fact.n > 1 else ""
        line(f"  {fact.fact or '(no single fact)':<28} {fact.margin.value:6.2f}{spread}  n {fact.n}")
    if among is not None:
        line(f"place {among.place} of {among.of} on this model, the easiest first (inserted answers, per token)")
        for name, figure in among.order:
            value = f"{figure.interval.value:6.2f} [{figure.interval.low:.2f}, {figure.interval.high:.2f}]"
            line(f"  {name:<28} {value}  n {figure.n}")
    line(CAVEAT)


def _not_blank(question: str) -> str:
    if not question.strip():
        raise ConfigError(f"--ask: the question is empty (got {question!r}); write one, or leave --ask out to type it")
    return question.strip()


def _typed(console: Console) -> Iterator[str]:
    """Questions as they are typed, or the lines of a pipe, until the end or an empty Ctrl-D."""
    waiting = sys.stdin.isatty()
    if waiting:
        console.print("Ask anything; Ctrl-D leaves.", style="dim")
    while True:
        try:
            line = console.input("[bold]> [/bold]") if waiting else sys.stdin.readline()
        except EOFError:
            console.print()
            return
        if not waiting and not line:
            return
        if line.strip():
            yield line.strip()
