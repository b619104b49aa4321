"""A comparison in the terminal: the plan before anything is trained, and the numbers afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doxa.experiments.compare import Result
from doxa.report.compare_facts import CompareFacts, careful, set_label

if TYPE_CHECKING:
    from rich.console import Console

    from doxa.experiments.runner import Plan


NARROW = 0.1  # nats: below it two places hide what the interval says


def nats(result: Result | None, sign: bool = False) -> str:
    """`.19 [.04, .33]`, with the sign shown for differences; three places where the interval is narrow."""
    if result is None:
        return "–"
    places = 3 if result.high - result.low < NARROW else 2
    value, low, high = (_short(number, sign, places) for number in (result.value, result.low, result.high))
    return f"{value} [{low}, {high}]"


def print_plan(plan: Plan, console: Console) -> None:
    """Arms with their steps and sizes, how many steps are still to be trained, and contrasts that may show dose."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from doxa.experiments.cells import find_record
    from doxa.experiments.checks import dose_warnings

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("arm", "steps", "updates", "content tokens"):
        table.add_column(name, justify="right" if name in ("updates", "content tokens") else "left")
    for arm, one in plan.experiment.arms.items():
        steps = " → ".join(step.data for step in one.steps) or ("prompt" if one.prompt is not None else "–")
        size = plan.sizes[arm]
        table.add_row(arm, steps, f"{size.updates:,}", f"{size.content_tokens:,}")
    console.print(table)
    cells = {
        cell.address: cell
        for arm in plan.experiment.arms
        for seed in plan.experiment.seeds
        if (last := plan.cell(arm, seed)) is not None
        for cell in last.chain
    }
    done = sum(find_record(cell, plan.cells) is not None for cell in cells.values())
    console.print(
        f"{len(plan.experiment.seeds)} seeds, {len(cells)} training steps, {done} of them there; "
        f"{len(plan.sources.items)} items in {len(plan.experiment.styles)} styles.",
        markup=False,
    )
    for warning in dose_warnings(plan.experiment, plan.sizes):
        console.print(Text.assemble(("· ", "yellow"), warning))


def print_comparison_table(facts: CompareFacts, console: Console) -> None:
    """Arms by sets, contrasts by sets, the primary questions, and what to be careful about."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    sets = facts.sets[:5]
    for title, names, signed in (("arm", facts.arms, False), ("contrast", facts.contrasts, True)):
        if not names:
            continue
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        table.add_column(title, no_wrap=True)
        for name in ("updates", "tokens", "seeds") if title == "arm" else ("seeds",):
            table.add_column(name, justify="right", style="dim")
        for set_name in sets:
            table.add_column(facts.heading(set_name), justify="right")
        for name in names:
            results = [facts.get(name, set_name) for set_name in sets]
            seeds = next((str(result.seeds) for result in results if result is not None), "–")
            record = facts.record["arms"].get(name, {})
            size = [f"{record['updates']:,}", f"{record['content_tokens']:,}"] if title == "arm" else []
            cells = [
                Text(nats(result, signed), "bold" if signed and result is not None and result.clear else "")
                for result in results
            ]
            table.add_row(facts.label(name), *size, seeds, *cells)
        console.print(table)
    console.print(
        f"margins in nats per token, style {facts.style}; [95% over items and training seeds]; bold leaves out 0",
        style="dim",
        markup=False,
    )
    for sentence in primary_sentences(facts):
        console.print(sentence, markup=False)
    for warning in careful(facts):
        console.print(Text.assemble(("· ", "yellow"), warning))


def primary_sentences(facts: CompareFacts) -> list[str]:
    """What came of the questions that were fixed beforehand, by a fixed rule."""
    sentences = []
    for one in facts.experiment.primary:
        result = facts.get(one.contrast, one.set, one.style)
        if result is None:
            sentences.append(f"{facts.label(one.contrast)}, {set_label(one.set)}: not measured yet.")
            continue
        sign = 1 if one.sign == "+" else -1
        if result.low * sign > 0 and result.high * sign > 0:
            verdict = "as foretold, and the interval leaves out zero"
        elif result.clear:
            verdict = "the other way than foretold, and the interval leaves out zero"
        else:
            bound = result.high if sign > 0 else -result.low
            verdict = f"no clear difference; an effect above {bound:.3f} nats is ruled out"
        sentences.append(
            f"{facts.label(one.contrast)}, {set_label(one.set)} ({one.style}): {nats(result, True)} nats over "
            f"{result.items} items and {result.seeds} seeds: {verdict}."
        )
    return sentences


def _short(number: float, sign: bool, places: int) -> str:
    text = f"{number:+.{places}f}" if sign else f"{number:.{places}f}"
    return text.replace("-", "−").replace("0.", ".", 1) if abs(number) < 1 else text.replace("-", "−")
