"""The figures of a comparison: arms side by side per set, contrasts against zero, and curves along a dose.

A dot is a mean over items and training seeds, its bar the 95% interval over both; small dots are the seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from doxa.experiments.compare import Result
from doxa.experiments.config import Curve
from doxa.report.compare_facts import CompareFacts
from doxa.report.figures import COLOURS, HAIR, INK, MUTED, PAPER, WIDE, Width, _style, bare_axes, blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.21  # inches of an arm
TOP, BOTTOM, TITLE = 0.34, 0.34, 0.34
LINES = (COLOURS["trained"], COLOURS["in_context"], COLOURS["base"])
MARKS = ("o", "D", "s")


def arms_figure(facts: CompareFacts, sets: Sequence[str], width: Width, title: str = "") -> Figure:
    """A panel per set, an arm per row: margins in the leading style."""
    rows = [(facts.label(arm), facts.kind(arm), arm) for arm in facts.arms]
    return _panels(facts, sets, rows, width, title)


def contrasts_figure(facts: CompareFacts, sets: Sequence[str], width: Width, title: str = "") -> Figure:
    """A panel per set, a contrast per row: differences of margins in the leading style, against zero."""
    rows = [(facts.label(name), "trained", name) for name in facts.contrasts]
    return _panels(facts, sets, rows, width, title)


def curve_figure(facts: CompareFacts, curve: Curve, width: Width, title: str = "") -> Figure:
    """A panel per set: a line per series along the dose, with intervals."""
    across = min(len(curve.sets), 2 if width is WIDE else 1)
    with _style(width):
        figure, grid = _grid(width, len(curve.sets), across, 1.9, 0.5, 0.75, title)
        doses = sorted({x for one in curve.lines for x in one.points})
        for place, set_name in enumerate(curve.sets):
            axes = grid[place]
            for number, line in enumerate(curve.lines):
                colour, mark = LINES[number % len(LINES)], MARKS[number % len(MARKS)]
                found = [(x, facts.get(name, set_name)) for x, name in sorted(line.points.items())]
                points = [(x, result) for x, result in found if result is not None]
                if not points:
                    continue
                aside = (number - (len(curve.lines) - 1) / 2) * 0.08
                apart = [doses.index(x) + aside for x, _ in points]
                axes.plot(apart, [result.value for _, result in points], color=colour, linewidth=1.4, marker=mark,
                          markersize=5, label=line.label, zorder=3)  # fmt: skip
                for at, (_, result) in zip(apart, points, strict=True):
                    axes.plot([at, at], [result.low, result.high], color=colour, linewidth=1.1, zorder=2)
            axes.set_xticks(range(len(doses)), [f"{dose:g}" for dose in doses])  # evenly, so that small doses are seen
            axes.set_xlabel(curve.axis, color=MUTED)
            axes.axhline(0, color=MUTED, linewidth=0.8, linestyle=(0, (2, 1.6)), zorder=1)
            axes.grid(axis="y", color=HAIR, linewidth=0.6)
            axes.set_title(f"{facts.heading(set_name)}, nats", loc="left", color=INK, size=width.text, weight="bold")
        handles, labels = grid[0].get_legend_handles_labels()
        height = figure.get_figheight()
        figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0, 1 - (TITLE if title else 0.02) / height),
                      ncols=len(handles), frameon=False, labelcolor=INK, borderaxespad=0)  # fmt: skip
    return figure


def _panels(
    facts: CompareFacts, sets: Sequence[str], rows: list[tuple[str, str, str]], width: Width, title: str
) -> Figure:
    across = min(len(sets), 3 if width is WIDE else 1)
    with _style(width):
        figure, grid = _grid(width, len(sets), across, ROW * len(rows), 1.75 if width is WIDE else 1.55, 0.0, title)
        for place, set_name in enumerate(sets):
            axes = grid[place]
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.axvline(0, color=MUTED, linewidth=0.8, linestyle=(0, (2, 1.6)), zorder=1)
            axes.grid(axis="x", color=HAIR, linewidth=0.6)
            for y, (_, kind, name) in enumerate(rows):
                result = facts.get(name, set_name)
                if result is not None:
                    _dot(axes, result, y, kind)
            first = place % across == 0
            axes.set_yticks(range(len(rows)), [label for label, _, _ in rows] if first else [])
            axes.tick_params(axis="y", colors=INK)
            axes.set_title(facts.heading(set_name), loc="left", color=INK, size=width.text, weight="bold")
            axes.locator_params(axis="x", nbins=4)
        figure.text(1 - 0.1 / width.inches, 0.07 / figure.get_figheight(), "margin, nats per token", ha="right",
                    color=MUTED, size=width.text - 1)  # fmt: skip
    return figure


def _dot(axes: Axes, result: Result, y: float, kind: str) -> None:
    colour = COLOURS[kind]
    axes.plot(result.by_seed, [y + 0.24] * len(result.by_seed), "o", color=colour, markersize=2, alpha=0.5, zorder=2)
    axes.plot([result.low, result.high], [y, y], color=colour, linewidth=1.5, solid_capstyle="round", zorder=2)
    axes.plot([result.value], [y], "D" if kind == "in_context" else "o", markersize=5.4, markeredgewidth=1.4,
              markerfacecolor=PAPER if kind == "base" else colour, markeredgecolor=colour, zorder=3)  # fmt: skip


def _grid(
    width: Width, panels: int, across: int, body: float, left: float, extra: float, title: str
) -> tuple[Figure, list[Axes]]:
    """A figure with axes of one size, so many in a row, its margins in inches: a row shares the labels on the left."""
    down = -(-panels // across)
    head = (TITLE if title else 0.0) + (0.28 if extra else 0.0)
    between, gap = TOP + BOTTOM + (0.2 if extra else 0.0), 0.45 if extra else 0.22
    height = head + down * (body + between) + 0.18
    figure = blank(width.inches, height)
    each = (width.inches - left - 0.15 - gap * (across - 1)) / across
    grid = []
    for place in range(panels):
        row, column = divmod(place, across)
        box = (
            (left + column * (each + gap)) / width.inches,
            1 - (head + TOP + row * (body + between) + body) / height,
            each / width.inches,
            body / height,
        )
        axes = bare_axes(figure, box, width)
        grid.append(axes)
    if title:
        figure.text(0, 1 - 0.2 / height, title, color=INK, weight="bold", size=width.text + 2)
    return figure, grid
