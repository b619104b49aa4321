"""compare.html: a comparison on one page, made from its folder's files alone, with its figures as PNG and SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import doxa
from doxa.experiments.compare import power_table
from doxa.report import compare_figures, figures
from doxa.report.compare_facts import CompareFacts, careful, gather_comparison, set_label
from doxa.report.compare_table import nats, primary_sentences, print_comparison_table
from doxa.report.page import Drawing, fill_page
from doxa.run.folder import RunFolder, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

SHOWN_SETS = 6  # panels of the figures; every set stands in the tables


def write_compare_page(folder: RunFolder) -> Path:
    """Write compare.html and figures/*.png, *.svg; returns the path of the page.

    Raises RunFolderError that names the file when one is missing or broken.
    """
    facts = gather_comparison(folder)
    drawings: dict[str, Drawing] = {}
    for name, (draw, words) in _figures(facts).items():
        standing = draw(figures.WIDE, True)
        write_whole(folder / f"figures/{name}.png", figures.png(standing))
        write_whole(folder / f"figures/{name}.svg", figures.svg(standing))
        wide, narrow = (
            figures.inline_svg(draw(width, False), f"{name}-{width.name}", words)
            for width in (figures.WIDE, figures.NARROW)
        )
        drawings[name] = Drawing(wide, narrow)
    path = folder / "compare.html"
    write_whole(path, render_comparison(facts, drawings))
    return path


def print_comparison(folder: RunFolder, console: Console) -> None:
    """The comparison in the terminal."""
    print_comparison_table(gather_comparison(folder), console)


def render_comparison(facts: CompareFacts, drawings: dict[str, Drawing]) -> str:
    """The page as HTML. Everything that comes from files of a person is escaped."""
    return fill_page(
        "compare.html.j2",
        {
            "facts": facts,
            "drawings": drawings,
            "sentences": primary_sentences(facts),
            "warnings": careful(facts),
            "set_label": set_label,
            "nats": nats,
            "arm_rows": _arm_rows(facts),
            "shares": _shares(facts),
            "powers": _powers(facts),
            "config_yaml": yaml.safe_dump(facts.record["experiment"], sort_keys=False, allow_unicode=True, width=110),
            "version": doxa.__version__,
        },
    )


def _figures(facts: CompareFacts) -> dict[str, tuple[Any, str]]:
    """Figure name -> (function of width and titled, what it shows in words)."""
    sets = facts.sets[:SHOWN_SETS]
    name = facts.experiment.name
    found: dict[str, tuple[Any, str]] = {}

    def draw_arms(width: figures.Width, titled: bool) -> Figure:
        return compare_figures.arms_figure(facts, sets, width, f"{name}: arms" if titled else "")

    def draw_contrasts(width: figures.Width, titled: bool) -> Figure:
        return compare_figures.contrasts_figure(facts, sets, width, f"{name}: contrasts" if titled else "")

    if sets and facts.arms:
        found["arms"] = (draw_arms, "Mean margin per arm and set. " + _in_words(facts, facts.arms, sets))
    if sets and facts.contrasts:
        found["contrasts"] = (draw_contrasts, "Contrasts per set. " + _in_words(facts, facts.contrasts, sets))
    for curve_name, curve in facts.experiment.curves.items():
        if any(facts.get(arm, one) for one in curve.sets for line in curve.lines for arm in line.points.values()):

            def draw_curve(width: figures.Width, titled: bool, name: str = curve_name) -> Figure:
                title = f"{facts.experiment.name}: {name}" if titled else ""
                return compare_figures.curve_figure(facts, facts.experiment.curves[name], width, title)

            names = [arm for line in curve.lines for arm in line.points.values()]
            found[f"curve_{curve_name}"] = (draw_curve, f"Curves. {_in_words(facts, names, list(curve.sets))}")
    return found


def _in_words(facts: CompareFacts, names: list[str], sets: list[str]) -> str:
    parts = []
    for set_name in sets:
        values = [(facts.label(name), facts.get(name, set_name)) for name in names]
        told = ", ".join(f"{label} {result.value:.2f}" for label, result in values if result is not None)
        parts.append(f"{set_label(set_name)}: {told}.")
    return " ".join(parts)


def _arm_rows(facts: CompareFacts) -> list[dict[str, Any]]:
    rows = []
    for arm, record in facts.record["arms"].items():
        steps = " → ".join(record["steps"]) or ("text in the prompt" if record["prompt"] else "the plain model")
        rows.append(
            {
                "arm": facts.label(arm),
                "steps": steps,
                "updates": record["updates"],
                "tokens": record["content_tokens"],
                "seeds": len(record["seeds"]) if record["steps"] else 0,
                "checkpoints": [one["checkpoint"] for one in record["seeds"].values()],
            }
        )
    return rows


def _shares(facts: CompareFacts) -> list[tuple[str, list[str]]]:
    """Arm -> share of items that go the aligned way per set, in words."""
    rows = []
    for arm in facts.arms:
        cells = []
        for set_name in facts.sets:
            result = facts.get(arm, set_name, metric="preferred")
            cells.append("–" if result is None else f"{result.value:.0%} [{result.low:.0%}, {result.high:.0%}]")
        rows.append((facts.label(arm), cells))
    return rows


def _powers(facts: CompareFacts) -> list[dict[str, Any]]:
    """What each contrast could have seen on the set of the first primary question, or the first set."""
    set_name = facts.experiment.primary[0].set if facts.experiment.primary else facts.sets[0] if facts.sets else ""
    rows = []
    for name in facts.contrasts:
        result = facts.get(name, set_name)
        if result is not None and result.seeds > 1:
            rows.append(
                {
                    "name": facts.label(name),
                    "set": set_label(set_name),
                    "between_seeds": result.between_seeds**0.5,
                    "between_items": result.between_items**0.5,
                    "rest": result.rest**0.5,
                    "items": result.items,
                    "seeds": result.seeds,
                    "table": power_table(result),
                }
            )
    return rows
