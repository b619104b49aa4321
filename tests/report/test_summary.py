"""The table in the terminal."""

from __future__ import annotations

import io
import re

from rich.console import Console

from doxa.report.page import print_summary
from doxa.run.folder import RunFolder


def printed(folder: RunFolder, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_summary(folder, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_holds_all_headline_numbers(finished_run: RunFolder) -> None:
    text = printed(finished_run)
    rows = [re.split(r"\s{2,}", line.strip()) for line in text[text.index("group ") :].splitlines()]
    assert ["Distinguish", "chat", "44% [19–68]", "88% [71–100]", "75% [54–96]", "+31 [+4, +59]", "16"] in rows
    assert ["Neighbours", "chat", "69% [46–91]", "56% [32–81]", "50% [26–75]", "−19 [−42, +4]", "16"] in rows
    groups = [row[0] for row in rows if len(row) > 1 and row[1] == "chat"]
    assert groups == ["Distinguish", "Knowledge", "Causal", "Neighbours", "near", "far"]


def test_verdict_warnings_and_path_stand_around_it(finished_run: RunFolder, fake_run: RunFolder) -> None:
    assert "report:" not in printed(fake_run)  # no report was written there
    text = printed(finished_run, width=300)
    assert "smollm2-135m-instruct prefers the planted answer to the true one in 75% of questions" in text
    assert "Training: 26 updates are few" in text
    assert text.rstrip().endswith(str(finished_run / "report.html"))


def test_it_fits_eighty_columns(finished_run: RunFolder) -> None:
    lines = printed(finished_run).splitlines()
    assert max(len(line) for line in lines if not line.startswith("report:")) <= 80


def test_nothing_is_cut_where_the_terminal_is_narrow(finished_run: RunFolder) -> None:
    lines = printed(finished_run, width=60).splitlines()
    text = "\n".join(lines)
    assert "…" not in text and max(len(line) for line in lines if not line.startswith("report:")) <= 60
    numbers, intervals = (re.split(r"\s{2,}", line.strip()) for line in _two_lines(lines, "Distinguish"))
    assert numbers == ["Distinguish", "44%", "88%", "75%", "+31"]
    assert intervals == ["chat, n 16", "[19–68]", "[71–100]", "[54–96]", "[+4, +59]"]


def _two_lines(lines: list[str], beginning: str) -> list[str]:
    at = next(number for number, line in enumerate(lines) if line.startswith(f"{beginning} "))
    return lines[at : at + 2]


def test_without_scores_it_says_so(fake_run: RunFolder) -> None:
    (fake_run / "scores.parquet").unlink()
    text = printed(fake_run, width=200)
    assert "no belief scores yet" in text
    assert "Distinguish" not in text
