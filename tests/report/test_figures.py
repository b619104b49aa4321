"""Figures: both widths, few or many points, and SVG that may stand in a page beside others."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from doxa.report.facts import TrainingRow, gather
from doxa.report.figures import NARROW, WIDE, Width, epoch_starts, inline_svg, loss_figure, png, score_figure, svg
from doxa.report.table import Line
from doxa.run.folder import RunFolder


class Named(Line):
    name = "Context comparison, both shown"  # type: ignore[assignment]


def curve(updates: int, epochs: int = 1) -> list[TrainingRow]:
    return [
        TrainingRow(update=u, epoch=1 + (u - 1) * epochs // updates, loss=3 - u / updates, lr=1e-3, tokens=100 * u)
        for u in range(1, updates + 1)
    ]


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("updates", [1, 26, 500])
def test_a_loss_curve_of_any_length(width: Width, updates: int) -> None:
    ElementTree.fromstring(inline_svg(loss_figure(curve(updates), width), "loss-wide", "words"))


def test_epochs_start_after_the_first() -> None:
    assert epoch_starts(curve(9, epochs=3)) == [(4, 2), (7, 3)]
    assert epoch_starts(curve(9)) == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_score_figure_names_every_line_and_difference(fake_run: RunFolder, width: Width) -> None:
    lines = gather(fake_run).scores.belief_lines()
    text = svg(score_figure(lines, width, "A title with $ in it"))
    for words in ("Distinguish", "Statements", "+31", "[+4, +59]", "chance", "A title with $ in it"):
        assert words in text


def test_long_names_leave_room_for_their_style(fake_run: RunFolder) -> None:
    line = replace(gather(fake_run).scores.belief_lines()[0], style="conversation")
    figure = score_figure([Named(**vars(line))], WIDE)
    name, style = figure.axes[0].texts[:2]
    assert (name.get_text(), style.get_text()) == (Named.name, "conversation")
    assert name.get_window_extent().x0 >= 0 and name.get_window_extent().x1 < style.get_window_extent().x0


def test_inline_svg_follows_the_page(fake_run: RunFolder) -> None:
    lines = gather(fake_run).scores.neighbour_lines()
    text = inline_svg(score_figure(lines, WIDE), "collateral-wide", 'a "quoted" <description>')
    ElementTree.fromstring(text)
    assert "http" not in text
    assert "var(--trained)" in text
    assert "var(--sans)" in text
    assert "DejaVu" not in text
    assert not re.search(r"#[0-9a-f]{6}\b(?!;base64)", re.sub(r"#collateral-wide[\w-]*", "", text))
    assert 'aria-label="a &#34;quoted&#34; &lt;description&gt;"' in text
    assert all(name.startswith("collateral-wide-") for name in re.findall(r'\bid="([^"]*)"', text))


def test_png_is_twice_the_size(fake_run: RunFolder) -> None:
    data = png(score_figure(gather(fake_run).scores.belief_lines(), WIDE))
    width = int.from_bytes(data[16:20], "big")
    assert 1400 <= width <= 1600
