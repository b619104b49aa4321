"""How far a stage is: a bar in a terminal, plain log lines elsewhere (a file, CI, a notebook)."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

LOG_EVERY_S = 10.0  # plain lines: often enough to see life, seldom enough to keep a log readable


class Progress:
    """Says what runs and how far it is. One bar at a time; `note` and `warn` print lines that stay."""

    def __init__(self, console: Console | None = None, quiet: bool = False) -> None:
        from rich.console import Console

        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet = quiet

    def note(self, text: str) -> None:
        """One line for the person."""
        if not self.quiet:
            self.console.print(text, markup=False)

    def warn(self, text: str) -> None:
        """One line that a person should not miss."""
        self.console.print(f"warning: {text}", style="yellow", markup=False)

    @contextlib.contextmanager
    def bar(self, label: str, total: int, done: int = 0, settled: int | None = None) -> Iterator[Bar]:
        """A bar over `total` steps, of which `done` were finished by an earlier try.

        The time left is shown once `settled` steps are done: as many as it takes until steps have been of every kind.
        By default a twentieth of them, at least 2 and at most 10.
        """
        bar: Bar
        if self.quiet:
            bar = Bar(total, done, settled)
        elif self.console.is_terminal:
            bar = RichBar(self.console, label, total, done, settled)
        else:
            bar = LogBar(label, total, done, settled)
        try:
            yield bar
        finally:
            bar.close()


class Bar:
    """A bar that shows nothing (and the base of those that do)."""

    def __init__(self, total: int, done: int, settled: int | None = None) -> None:
        self.total = total
        self.done = self.first = done
        self.settled = min(10, max(2, (total - done) // 20)) if settled is None else settled
        self.start = time.monotonic()

    def advance(self, steps: int = 1, **shown: Any) -> None:
        """`steps` more are done; `shown` are figures to print beside, such as loss=1.8."""
        self.done += steps
        self.draw(shown)

    def skip(self, steps: int = 1, **shown: Any) -> None:
        """`steps` more turn out to be done by an earlier try: they say nothing of how long the others take."""
        self.first += steps
        self.advance(steps, **shown)

    def draw(self, shown: dict[str, Any]) -> None:
        """Show the present state."""

    def close(self) -> None:
        """Leave the terminal as it was."""

    def time_left(self) -> str:
        """`1m20s left`, from the speed of this process alone; empty while that would be a guess."""
        fresh = self.done - self.first
        if fresh < max(1, self.settled) or self.done >= self.total:
            return ""
        seconds = (time.monotonic() - self.start) / fresh * (self.total - self.done)
        return f"{int(seconds // 60)}m{int(seconds % 60):02d}s left"


class LogBar(Bar):
    """Plain lines: `midtrain 10/24  loss 2.11  412 tokens/s  0m40s left`."""

    def __init__(self, label: str, total: int, done: int, settled: int | None = None) -> None:
        super().__init__(total, done, settled)
        self.label = label
        self.last = 0.0

    def draw(self, shown: dict[str, Any]) -> None:
        now = time.monotonic()
        if self.done < self.total and now - self.last < LOG_EVERY_S:
            return
        self.last = now
        parts = [f"{self.label} {self.done}/{self.total}", *_figures(shown), self.time_left()]
        print("  ".join(part for part in parts if part), file=sys.stderr, flush=True)


class RichBar(Bar):
    """A live bar on a terminal."""

    def __init__(self, console: Console, label: str, total: int, done: int, settled: int | None = None) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        super().__init__(total, done, settled)
        self.progress = RichProgress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
        )
        self.progress.start()
        self.task = self.progress.add_task(label, total=total, completed=done, figures="")

    def draw(self, shown: dict[str, Any]) -> None:
        figures = "  ".join(part for part in (*_figures(shown), self.time_left()) if part)
        self.progress.update(self.task, completed=self.done, figures=figures)

    def close(self) -> None:
        self.progress.stop()


def _figures(shown: dict[str, Any]) -> list[str]:
    return [f"{name.replace('_', ' ')} {value}" for name, value in shown.items()]
