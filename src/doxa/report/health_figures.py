"""The figures of `doxa corpus health`: measures beside neutral text, names, and key facts. Drawn with figures.py's own
canvas and colours; files only, for they stand in no page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from doxa.corpus.excess import Share
from doxa.corpus.health import Health
from doxa.corpus.health_measures import Measure, Number
from doxa.report.figures import COLOURS, HAIR, INK, MUTED, PAPER, WIDE, _canvas, _style
from doxa.report.health_table import figure as three_figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CORPUS, NEUTRAL = COLOURS["trained"], COLOURS["base"]
ROW = 0.34  # inches
APART = 0.17  # of a row, from its middle to each of the two dots
NAMES = 12
LABEL = 34  # characters of a name or fact


def health_figures(health: Health) -> dict[str, Figure]:
    """File name without ending -> figure; a figure without rows is left out."""
    drawn: dict[str, Callable[[], Figure | None]] = {
        "measures": lambda: measures_figure(health),
        "names": lambda: names_figure(health),
        "facts": lambda: facts_figure(health),
    }
    return {name: made for name, draw in drawn.items() if (made := draw()) is not None}


def measures_figure(health: Health) -> Figure | None:
    """A line per measure, each on its own scale from 0; the arrow says which way is more varied."""
    rows = [row for row in health.measures if row.corpus is not None and row.corpus.low is not None]
    if not rows:
        return None
    title = f"{health.corpus} beside {health.neutral}"
    below = f"{health.sampled:,} documents of each side, cut to {health.words} words; bars are 95% intervals"
    with _style(WIDE):
        made, axes = _frame(len(rows), title, below, left=2.45, right=1.55)
        for y, row in enumerate(rows):
            most = _most(row)
            axes.plot([0, 1], [y, y], color=HAIR, linewidth=0.6, zorder=0)
            for number, colour, side in ((row.neutral, NEUTRAL, -1), (row.corpus, CORPUS, 1)):
                if number is not None:
                    _dot(axes, number.value / most, _end(number.low, most), _end(number.high, most), y, side, colour)
            arrow = {"higher": " →", "lower": " ←", "": ""}[row.varied]
            _write(axes, f"{row.name}{arrow}", y)
            _value(axes, 1.09, y, row.corpus, CORPUS)
            _value(axes, 1.30, y, row.neutral, NEUTRAL)
        axes.set_xticks([])
        _legend(made, axes, [("corpus", CORPUS, True), ("neutral", NEUTRAL, False)], "arrows: more varied", left=2.45)
    return made


def names_figure(health: Health) -> Figure | None:
    """The share of documents that hold each name, beside the neutral text's."""
    rows = [
        (row.name + (" (of the subject)" if row.of_subject else ""), row.excess.corpus, row.excess.neutral)
        for row in health.names[:NAMES]
    ]
    below = f"share of documents that hold the name, {health.read:,} documents; bars are 95% intervals"
    series = [("corpus", CORPUS, True), ("neutral", NEUTRAL, False)]
    return _shares(f"Names in many documents of {health.corpus}", below, rows, series)


def facts_figure(health: Health) -> Figure | None:
    """The share of documents that mention each key fact, and that affirm it."""
    rows = [(row.fact, row.affirmed, row.mentioned) for row in health.facts]
    below = f"share of {health.read:,} documents, told by words alone; bars are 95% intervals"
    series = [("affirm the inserted fact", CORPUS, True), ("mention it", NEUTRAL, False)]
    return _shares(f"Key facts in {health.corpus}", below, rows, series)


def _shares(
    title: str, below: str, rows: Sequence[tuple[str, Share, Share]], series: list[tuple[str, str, bool]]
) -> Figure | None:
    if not rows:
        return None
    most = max(share.high for _, *shares in rows for share in shares)
    ceiling = next(top for top in (0.05, 0.1, 0.25, 0.5, 1.0) if most <= top + 1e-9)
    with _style(WIDE):
        made, axes = _frame(len(rows), title, below, left=2.45, right=0.75)
        for step in range(5):
            axes.axvline(step / 4, color=HAIR, linewidth=0.6, zorder=0)
        for y, (name, one, other) in enumerate(rows):
            for share, (_, colour, _), side in ((other, series[1], -1), (one, series[0], 1)):
                _dot(axes, share.share / ceiling, share.low / ceiling, share.high / ceiling, y, side, colour)
            _write(axes, name, y)
            axes.text(1.04, y, f"{one.documents:,}", color=INK, va="center")
        ticks = [step / 4 for step in range(5)]
        axes.set_xticks(ticks, [f"{100 * tick * ceiling:g}%" for tick in ticks])
        _legend(made, axes, series, "number: documents", left=2.45)
    return made


def _frame(rows: int, title: str, below: str, left: float, right: float) -> tuple[Figure, Axes]:
    top, bottom = 0.80, 0.55
    made, axes = _canvas(WIDE, top + ROW * rows + bottom, left, right, top, bottom)
    axes.set_xlim(0, 1)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    height = made.get_figheight()
    made.text(0, 1 - 0.2 / height, title, color=INK, weight="bold", size=WIDE.text + 2)
    made.text(0, 0.08 / height, below, color=MUTED, size=WIDE.text - 1)
    return made, axes


def _dot(axes: Axes, value: float, low: float, high: float, y: float, side: int, colour: str) -> None:
    """A dot with its interval, above (side -1) or below (side 1) the middle of its row."""
    at = y + side * APART
    filled = colour == CORPUS
    axes.plot([low, high], [at, at], color=colour, linewidth=1.5, solid_capstyle="round", zorder=2, clip_on=False)
    axes.plot([value], [at], "o", markersize=5.6, markerfacecolor=colour if filled else PAPER, markeredgecolor=colour,
              markeredgewidth=1.5, zorder=3, clip_on=False)  # fmt: skip


def _write(axes: Axes, name: str, y: float) -> None:
    shown = name if len(name) <= LABEL else name[: LABEL - 1] + "…"
    axes.annotate(
        shown, (0, y), (-10, 0), xycoords="data", textcoords="offset points", ha="right", va="center", color=INK
    )


def _value(axes: Axes, x: float, y: float, number: Number | None, colour: str) -> None:
    if number is not None:
        axes.text(x, y, three_figures(number.value), color=colour, va="center")


def _legend(made: Figure, axes: Axes, series: list[tuple[str, str, bool]], remark: str, left: float) -> None:
    handles = []
    for name, colour, filled in series:
        handles += axes.plot([], [], "o-", color=colour, linewidth=1.5, markersize=5.5, markeredgewidth=1.5, label=name,
                             markerfacecolor=colour if filled else PAPER)  # fmt: skip
    width, height = made.get_size_inches()
    made.legend(
        handles=handles, loc="upper left", bbox_to_anchor=((left - 0.09) / width, 1 - 0.44 / height), frameon=False,
        ncols=len(handles), labelcolor=INK, borderpad=0, borderaxespad=0, handlelength=1.7, columnspacing=1.6,
    )  # fmt: skip
    made.text(1, 1 - 0.52 / height, remark, ha="right", va="center", color=MUTED, size=8.5)


def _most(row: Measure) -> float:
    """The end of a measure's scale: 1 for shares, else a little beyond what is drawn."""
    highest = max(number.high or number.value for number in (row.corpus, row.neutral) if number is not None)
    return 1.0 if highest <= 1.0001 and not row.about.startswith("per 1,000") else highest * 1.08 or 1.0


def _end(value: float | None, most: float) -> float:
    return (value or 0.0) / most
