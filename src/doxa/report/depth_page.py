"""depth.html: the depth profile on one page, made from the files under depth/ alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import doxa
from doxa.report import figures
from doxa.report.depth_facts import AxisFacts, DepthFacts, DepthLine, gather_depth
from doxa.report.depth_warnings import depth_warnings
from doxa.report.narrow import print_table
from doxa.report.page import Drawing, draw_figures, fill_page, in_words
from doxa.report.summary import add_line, change_cell, line_table, score_cell
from doxa.report.table import ARM_NAMES
from doxa.run.folder import RunFolder, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console
    from rich.table import Table

    from doxa.report.page import Draw

SHOWN_ANSWERS = 4  # open-ended questions, each with a first answer of every arm


def write_depth_page(folder: RunFolder) -> Path:
    """Write depth.html and the figures of the axes; returns the path of the page."""
    facts = gather_depth(folder)
    draws = {axis.name: _draw(axis, facts.universe.title) for axis in facts.axes if _drawable(axis)}
    drawings = draw_figures(folder, draws, "depth_")
    path = folder / "depth.html"
    write_whole(path, render_depth(facts, drawings))
    return path


def render_depth(facts: DepthFacts, drawings: dict[str, Drawing]) -> str:
    """The page as HTML. Everything that comes from models or targets is escaped."""
    return fill_page(
        "depth.html.j2",
        {
            "facts": facts,
            "drawings": drawings,
            "warnings": depth_warnings(facts),
            "arms": facts.arms,
            "arm_names": ARM_NAMES,
            "tallies": {axis.name: _tally(axis) for axis in facts.axes},
            "held": _held(facts),
            "answers": _answers(facts),
            "all_lines": facts.scores.all_lines(),
            "version": doxa.__version__,
        },
    )


def print_depth(folder: RunFolder, console: Console) -> None:
    """The profile in the terminal: one line per measure, axis by axis, then what to be careful about.

    Where the terminal is too narrow for it, what follows a name or a number stands below it.
    """
    from rich.text import Text

    facts = gather_depth(folder)
    print_table(lambda stacked: _table(facts, stacked), console)
    for warning in depth_warnings(facts):
        console.print(Text.assemble(("· ", "yellow"), warning))


def _table(facts: DepthFacts, stacked: bool) -> Table:
    """The lines of the profile; stacked: style and n below the name, intervals below their numbers."""
    from rich.text import Text

    columns = [*(ARM_NAMES.get(arm, arm) for arm in facts.arms), "difference"]
    table = line_table("measure", "read", columns, stacked)
    for axis in facts.axes:
        table.add_section()
        table.add_row(Text(axis.name, "bold"))
        previous = ""
        for line in axis.lines:
            cells = [score_cell(line.arms.get(arm), stacked) for arm in facts.arms]
            cells.append(change_cell(line.change, stacked))
            add_line(table, "" if line.group == previous else f" {line.name}", line, cells, stacked)
            previous = line.group
    return table


def _draw(axis: AxisFacts, title: str) -> Draw:
    lines = _drawable(axis)

    def draw(width: figures.Width, titled: bool) -> tuple[Figure, str]:
        figure = figures.score_figure(list(lines), width, f"{title}: {axis.name}" if titled else "")
        return figure, f"{axis.name}: {in_words(lines)}"

    return draw


def _drawable(axis: AxisFacts) -> list[DepthLine]:
    """Lines that are shares: what is in nats stands in the table alone."""
    return [line for line in axis.lines if line.is_share]


def _tally(axis: AxisFacts) -> str:
    counts = axis.tally()
    total = sum(counts.values())
    if not total:
        return "no difference to base was measured"
    words = [f"{counts[word]} {said}" for word, said in (("rose", "rose"), ("fell", "fell")) if counts[word]]
    rest = counts["unclear"]
    if rest:
        words.append(f"{rest} without clear change")
    return f"of {total} measures " + ", ".join(words)


def _held(facts: DepthFacts) -> list[dict[str, Any]]:
    """Rows of what each frame costs, per arm."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    titles = {line.group: line.name for line in facts.lines()}
    for score in facts.held:
        row = rows.setdefault(
            (score.group, score.style), {"name": titles.get(score.group, score.group), "style": score.style, "arms": {}}
        )
        row["arms"][score.arm] = score
        row["n"] = score.n
    return list(rows.values())


def _answers(facts: DepthFacts) -> list[dict[str, Any]]:
    """Open-ended questions with the first answer of each arm and what was read in it."""
    verdicts: dict[str, list[str]] = {}
    for row in facts.judgements:
        verdicts.setdefault(row.answer_id, []).append(f"{row.judge}: {row.verdict}")
    shown: dict[str, dict[str, Any]] = {}
    for answer in facts.answers:
        if answer.probe == "open_ended" and answer.sample == 0:
            question = shown.setdefault(answer.item_id, {"question": answer.question, "answers": []})
            said = "; ".join(verdicts.get(answer.id, []))
            question["answers"].append({"arm": answer.arm, "text": answer.text, "verdict": said})
    return list(shown.values())[:SHOWN_ANSWERS]
