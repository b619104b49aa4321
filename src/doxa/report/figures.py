"""The figures of a report: dots with 95% intervals per group, and the loss curve.

Every figure is drawn in two widths, because text in a scaled-down drawing can't be read on a phone. Colours are fixed
names that the page swaps for its own (light and dark); the files under figures/ keep them. Drawing the same numbers
twice gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from doxa.report.facts import TrainingRow
from doxa.report.table import ARM_NAMES, ARMS, Line, interval, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

# of Okabe & Ito, with a grey: told apart by every common kind of colour vision, and by shape besides
COLOURS = {"base": "#6b7280", "in_context": "#0072b2", "trained": "#d55e00", "aligned": "#009e73"}
INK, MUTED, HAIR, PAPER = "#16181d", "#5c6370", "#d4d7dd", "#fdfdfb"
MARKERS = {"base": "o", "in_context": "D", "trained": "o", "aligned": "s"}
VARIABLES = {
    COLOURS["base"]: "var(--base)",
    COLOURS["in_context"]: "var(--in-context)",
    COLOURS["trained"]: "var(--trained)",
    COLOURS["aligned"]: "var(--aligned)",
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    HAIR: "var(--hair)",
    PAPER: "var(--paper)",
}
DPI = 100
MARGIN = 0.2  # inches around a figure that stands alone
STEP = 0.115  # inches between two arms of a line
LABEL = 0.23  # inches for the names above a line, on the narrow drawing
SMOOTH_FROM = 60  # updates; below this the raw curve is readable as it is


@dataclass(frozen=True)
class Width:
    """One of the two drawings of a figure. Inches at 100 dpi; text sizes in points."""

    name: str
    inches: float
    text: float


WIDE = Width("wide", 7.1, 9.6)
NARROW = Width("narrow", 3.8, 9.0)


def score_figure(lines: list[Line], width: Width, title: str = "") -> Figure:
    """Shares of the arms per line as dots with their 95% intervals, the chance level, and the paired difference.

    On the wide drawing names stand left of the axis and differences right of it; on the narrow one above each line.
    """
    narrow = width is NARROW
    arms = [arm for arm in ARMS if any(arm in line.arms for line in lines)]
    row = 0.13 + STEP * len(arms) + (LABEL if narrow else 0.0)  # inches
    gap = 0.12  # inches between two groups
    starts = _starts(lines, row, gap)
    body = starts[-1] + row
    top, bottom = 0.42 + (0.34 if title else 0.0), 0.36
    left, right = (0.12, 0.12) if narrow else _sides(lines, width)
    inch = 1 / (width.inches - left - right)  # in axis units
    with _style(width):
        figure, axes = _canvas(width, top + body + bottom, left, right, top, bottom)
        axes.set_ylim(body, 0)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
        axes.set_yticks([])
        if narrow:  # the outer tick labels must not leave the drawing
            axes.get_xticklabels()[0].set_horizontalalignment("left")
            axes.get_xticklabels()[-1].set_horizontalalignment("right")
        for x in (0, 0.25, 0.5, 0.75, 1):
            axes.axvline(x, color=HAIR, linewidth=0.6, zorder=0)
        previous = ""
        for line, start in zip(lines, starts, strict=True):
            if previous and previous != line.group and not narrow:
                axes.plot(
                    [-left * inch, 1 + right * inch],
                    [start - gap / 2] * 2,
                    color=HAIR,
                    linewidth=0.6,
                    clip_on=False,
                    zorder=0,
                )
            _draw_line(axes, line, start + (LABEL if narrow else 0), start + row, arms)
            if narrow:
                _write_above(axes, line, start)
            else:
                _write_beside(axes, line, start + row / 2, inch, left, named=previous != line.group)
            previous = line.group
        _legend(figure, arms, top, narrow)
        if title:
            figure.text(0, 1 - 0.2 / figure.get_figheight(), title, color=INK, weight="bold", size=width.text + 2)
    return figure


def loss_figure(rows: list[TrainingRow], width: Width, title: str = "") -> Figure:
    """Training loss per optimizer update, epoch boundaries, and a running median on long runs."""
    top, bottom, left, right = 0.30 + (0.34 if title else 0.0), 0.52, 0.55, 0.15
    height = 2.5 if width is WIDE else 2.2
    updates = [row.update for row in rows]
    losses = [row.loss for row in rows]
    with _style(width):
        figure, axes = _canvas(width, height + (0.34 if title else 0.0), left, right, top, bottom)
        long = len(rows) >= SMOOTH_FROM
        axes.plot(updates, losses, color=COLOURS["trained"], linewidth=0.8 if long else 1.6, alpha=0.35 if long else 1)
        if long:
            axes.plot(updates, _running_median(losses), color=COLOURS["trained"], linewidth=1.8)
        elif len(rows) <= 40:
            axes.plot(updates, losses, "o", color=COLOURS["trained"], markersize=3)
        axes.set_xlabel("update", color=MUTED)
        axes.set_xlim(min(updates) - 0.5, max(updates) + 0.5)
        axes.margins(y=0.12)
        axes.yaxis.set_major_locator(_few_ticks())
        axes.xaxis.set_major_locator(_few_ticks(whole=True))
        axes.grid(axis="y", color=HAIR, linewidth=0.6)
        for at, epoch in epoch_starts(rows):
            axes.axvline(at - 0.5, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
            axes.annotate(
                f"epoch {epoch}", (at - 0.5, 1), (4, -2), xycoords=("data", "axes fraction"),
                textcoords="offset points", va="top", color=MUTED, size=width.text - 1,
            )  # fmt: skip
        axes.set_title("loss, nats per token", loc="left", color=MUTED, size=width.text)
        if title:
            figure.text(0, 1 - 0.2 / figure.get_figheight(), title, color=INK, weight="bold", size=width.text + 2)
    return figure


def epoch_starts(rows: list[TrainingRow]) -> list[tuple[int, int]]:
    """(first update, number) of every epoch after the first."""
    return [(row.update, row.epoch) for before, row in pairwise(rows) if row.epoch > before.epoch]


def png(figure: Figure) -> bytes:
    """The figure at twice its size in pixels, on white."""
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", dpi=2 * DPI, facecolor="white", bbox_inches="tight", pad_inches=MARGIN,
        metadata={"Software": None},
    )  # fmt: skip
    return buffer.getvalue()


def svg(figure: Figure) -> str:
    """The figure as a file of its own, on white."""
    return _svg(figure, facecolor="white", bbox_inches="tight", pad_inches=MARGIN)


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """The figure to stand inside a page: its ids start with `name`, its colours and font are the page's.

    `description` is what a screen reader says in its place.
    """
    from markupsafe import escape

    text = _svg(figure, facecolor="none")
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r"<style type=\"text/css\">.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "var(--sans)", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    return text.replace(
        "<svg ", f'<svg role="img" aria-label="{escape(description)}" class="{name.split("-")[-1]}" ', 1
    )


def _draw_line(axes: Axes, line: Line, start: float, end: float, arms: list[str]) -> None:
    if line.chance is not None:
        axes.plot([line.chance] * 2, [start, end], color=MUTED, linewidth=0.9, linestyle=(0, (2, 1.6)), zorder=1)
    for place, arm in enumerate(arms):
        score = line.arms.get(arm)
        if score is None:
            continue
        y = (start + end) / 2 + (place - (len(arms) - 1) / 2) * STEP
        colour = COLOURS[arm]
        axes.plot([score.low, score.high], [y, y], color=colour, linewidth=1.5, solid_capstyle="round", zorder=2,
                  clip_on=False)  # fmt: skip
        axes.plot([score.value], [y], MARKERS[arm], markersize=5.2 if arm == "in_context" else 6.2,
                  markerfacecolor=PAPER if arm == "base" else colour, markeredgecolor=colour, markeredgewidth=1.5,
                  zorder=3, clip_on=False)  # fmt: skip


def _write_beside(axes: Axes, line: Line, y: float, inch: float, left: float, named: bool) -> None:
    if named:
        axes.text(-left * inch, y, line.name, color=INK, weight="bold", va="center")
    axes.text(-0.18 * inch, y, line.style, color=MUTED, va="center", ha="right")
    if line.change is not None:
        axes.text(1 + 0.52 * inch, y, number(line.change), color=INK, va="center", ha="right", weight=_weight(line))
        axes.text(1 + 0.62 * inch, y, interval(line.change), color=MUTED, va="center")


def _write_above(axes: Axes, line: Line, start: float) -> None:
    y = start + 0.11
    axes.text(0, y, line.name, color=INK, weight="bold", va="center")
    axes.text(0.5, y, line.style, color=MUTED, va="center", ha="center")
    if line.change is not None:
        words = f"{number(line.change)} {interval(line.change)}"
        axes.text(1, y, words, color=INK, va="center", ha="right", weight=_weight(line))


def _sides(lines: list[Line], width: Width) -> tuple[float, float]:
    """Inches beside the axis of the wide drawing: for names with styles, and for differences with intervals."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    def inches(text: str, weight: str) -> float:
        font = FontProperties(family="DejaVu Sans", weight=weight)
        return TextPath((0, 0), text, size=width.text, prop=font).get_extents().x1 / 72 if text else 0.0

    names = [inches(line.name, "bold") + 0.12 + inches(line.style, "normal") + 0.18 for line in lines]
    intervals = [0.62 + inches(interval(line.change), "normal") for line in lines if line.change is not None]
    return max(1.95, *names), max([1.4, *intervals])


def _weight(line: Line) -> str:
    """Bold marks a difference whose interval leaves out 0."""
    return "bold" if line.direction in ("rose", "fell") else "normal"


def _legend(figure: Figure, arms: list[str], top: float, narrow: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLOURS[arm], marker=MARKERS[arm], linewidth=1.5, markersize=5.5,
               markerfacecolor=PAPER if arm == "base" else COLOURS[arm], markeredgewidth=1.5,
               label=ARM_NAMES[arm])
        for arm in arms
    ]  # fmt: skip
    handles.append(Line2D([], [], color=MUTED, linewidth=0.9, linestyle=(0, (2, 1.6)), label="chance"))
    width, height = figure.get_size_inches()
    at = ((0.06 if narrow else 0.0) / width, 1 - (top - 0.36) / height)
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=at, ncols=len(handles), frameon=False, labelcolor=INK,
        borderpad=0, borderaxespad=0, handlelength=1.3 if narrow else 1.7, handletextpad=0.5,
        columnspacing=1.0 if narrow else 1.6, fontsize=8.5 if narrow else None,
    )  # fmt: skip
    if not narrow:
        figure.text(1, 1 - (top - 0.36 + 0.075) / height, "trained − base, points", ha="right", va="center",
                    color=MUTED, size=8)  # fmt: skip


def _starts(lines: list[Line], row: float, gap: float) -> list[float]:
    starts, at, previous = [], 0.0, lines[0].group
    for line in lines:
        at += gap if line.group != previous else 0.0
        starts.append(at)
        at += row
        previous = line.group
    return starts


def _running_median(values: list[float]) -> list[float]:
    reach = max(2, len(values) // 40)
    return [median(values[max(0, at - reach) : at + reach + 1]) for at in range(len(values))]


def _few_ticks(whole: bool = False) -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=6 if whole else 4, integer=whole)


def _canvas(width: Width, height: float, left: float, right: float, top: float, bottom: float) -> tuple[Figure, Axes]:
    """A figure with one axes, its margins in inches."""
    figure = blank(width.inches, height)
    box = (left / width.inches, bottom / height, (width.inches - left - right) / width.inches,
           (height - top - bottom) / height)  # fmt: skip
    return figure, bare_axes(figure, box, width)


def blank(inches: float, height: float) -> Figure:
    """An empty figure of a size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(inches, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def bare_axes(figure: Figure, box: tuple[float, float, float, float], width: Width) -> Axes:
    """Axes without a frame, `box` (left, bottom, width, height) in shares of the figure."""
    axes = figure.add_axes(box)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, colors=MUTED, labelsize=width.text - 1)
    axes.patch.set_visible(False)
    return axes


@contextmanager
def _style(width: Width) -> Iterator[None]:
    import matplotlib

    fixed: Any = {"font.family": "DejaVu Sans", "font.size": width.text, "text.parse_math": False}
    with matplotlib.rc_context(fixed):
        yield


def _svg(figure: Figure, **how: Any) -> str:
    import matplotlib

    buffer = io.StringIO()
    # text stays text, so that the page's own font is used and the words can be found and read aloud
    with matplotlib.rc_context({"svg.hashsalt": "doxa", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", **how, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
