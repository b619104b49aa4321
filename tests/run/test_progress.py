"""What a bar says of the time that is left, and when it says nothing."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from doxa.run.progress import Bar, Progress


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("doxa.run.progress.time", made)
    return made


def steps(bar: Bar, clock: Clock, *seconds: float) -> list[str]:
    """What is left after each step that took so long."""
    said = []
    for took in seconds:
        clock.now += took
        bar.advance()
        said.append(bar.time_left())
    return said


def test_no_time_is_told_before_there_were_a_few_steps(clock: Clock) -> None:
    assert steps(Bar(30, 0), clock, 60, 2, 2)[:2] == ["", "14m28s left"]
    assert steps(Bar(100, 0), clock, *[3] * 5)[3:] == ["", "4m45s left"]
    assert steps(Bar(10_000, 0), clock, *[3] * 10)[8:] == ["", "499m30s left"]  # ten are enough of however many
    assert steps(Bar(1, 0), clock, 3) == [""]


def test_unequal_steps_are_all_waited_for(clock: Clock) -> None:
    said = steps(Bar(6, 0, settled=3), clock, 60, 1, 1, 60)
    assert said == ["", "", "1m02s left", "1m01s left"]


def test_steps_of_an_earlier_try_say_nothing_of_the_others(clock: Clock) -> None:
    bar = Bar(12, 0)
    bar.skip(2)
    assert steps(bar, clock, 10, 10) == ["", "1m20s left"]
    bar.skip()
    assert bar.done == 5 and bar.time_left() == "1m10s left"
    assert steps(Bar(12, 8), clock, 10, 10) == ["", "0m20s left"]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_is_shown_with_the_time_once_it_is_known(
    terminal: bool, clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("doxa.run.progress.LOG_EVERY_S", 0.0)
    shown = io.StringIO()
    progress = Progress(Console(file=shown, force_terminal=terminal, width=120))
    with progress.bar("depth", 6, settled=2) as bar:
        for _ in range(3):
            clock.now += 10
            bar.advance(part="items")
    text = shown.getvalue() + capsys.readouterr().err
    assert "part items" in text
    assert "0m50s left" not in text and "0m30s left" in text
