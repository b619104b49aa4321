"""The tables of `doxa corpus health`, for a terminal and as Markdown. Both are made of the same cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from doxa.corpus.excess import Excess, Share
from doxa.corpus.health import Health
from doxa.corpus.health_measures import Number

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 15  # names and phrases; health.json has all that were kept


@dataclass(frozen=True)
class Table:
    """A table as text: `right` are the columns that hold numbers."""

    title: str
    columns: tuple[str, ...]
    right: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    below: str = ""


def health_tables(health: Health) -> list[Table]:
    """Measures, names, phrases and key facts, in this order; empty ones are left out."""
    tables = [_measures(health), _names(health), _phrases(health), _facts(health)]
    return [table for table in tables if table is not None and table.rows]


def heading(health: Health) -> str:
    """What was compared with what, and how the sizes were made equal."""
    return (
        f"{health.corpus}: {health.documents:,} documents, beside {health.neutral}: {health.neutral_documents:,}. "
        f"Measures over {health.sampled:,} documents of each side, cut to {health.words} words "
        f"({health.left_out[0]:,} and {health.left_out[1]:,} shorter ones left out), seed {health.seed}; "
        "[ ] are 95% intervals."
    )


def print_health(health: Health, console: Console) -> None:
    """All tables to a terminal."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table as RichTable

    console.print(escape(heading(health)), soft_wrap=False)
    for table in health_tables(health):
        drawn = RichTable(
            title=table.title,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        for place, column in enumerate(table.columns):
            whole = place in table.right or column in ("measure", "corpus", "share", "mention", "affirm")
            drawn.add_column(
                column, justify="right" if place in table.right else "left", overflow="fold", no_wrap=whole
            )
        for row in table.rows:
            drawn.add_row(*(escape(cell) for cell in row))
        console.print(drawn)
        if table.below:
            console.print(escape(table.below), style="dim")
    for note in health.notes:
        console.print(escape(f"note: {note}"), style="dim")


def health_markdown(health: Health) -> str:
    """All tables as one Markdown text, with what each measure is and its source."""
    lines = [f"# Health of {health.corpus}", "", heading(health), ""]
    for table in health_tables(health):
        lines += [f"## {table.title}", "", _markdown_row(table.columns)]
        lines.append(_markdown_row(["---:" if place in table.right else "---" for place in range(len(table.columns))]))
        lines += [_markdown_row(row) for row in table.rows]
        lines += ["", table.below, ""] if table.below else [""]
    lines += ["## What the measures are", ""]
    for row in health.measures:
        cited = f" Source: {row.source}." if row.source else ""
        lines.append(f"- **{row.name}**: {row.about}.{cited}")
    lines += ["", *(f"Note: {note}." for note in health.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _measures(health: Health) -> Table:
    columns = ("measure", "corpus", "neutral", "n", "varied")
    rows = tuple(
        (row.name, _cell(row.corpus) or "not measured", _cell(row.neutral), f"{row.n:,}", row.varied)
        for row in health.measures
    )
    below = "varied: which direction is the more varied text. detected by: AUC, 0.5 is guessing."
    return Table("Variety and detectability", columns, (3,), rows, below)


def _names(health: Health) -> Table:
    below = "^ is in the target's own universe. * stands out against the neutral text (signed root of G2 at least 3)."
    rows = []
    for row in health.names[:SHOWN]:
        mark = ("^" if row.of_subject else "") + ("*" if row.over else "")
        given = " (given name)" if row.kind == "given name" else ""
        forms = ", ".join(f"{form} {count:,}" for form, count in row.forms)
        rows.append((f"{row.name}{given} {mark}".strip(), *_excess(row.excess), forms))
    columns = ("name", "docs", "share", "neutral", "log-odds", "forms")
    return Table("Names in many documents", columns, (1, 3, 4), tuple(rows), below)


def _phrases(health: Health) -> Table:
    aside = health.phrases.of_subject
    below = f"{aside:,} runs made of the target's own words are set aside." if aside else ""
    rows = tuple((row.phrase, *_excess(row.excess), "; ".join(row.forms[:2])) for row in health.phrases.rows[:SHOWN])
    return Table(
        "Over-represented phrases", ("phrase", "docs", "share", "neutral", "log-odds", "also"), (1, 3, 4), rows, below
    )


def _facts(health: Health) -> Table:
    rows = tuple(
        (
            row.fact,
            f"{row.planned:,}",
            _share(row.mentioned),
            _share(row.affirmed),
            f"{row.reference.share:.0%}",
            f"{row.evidence:,}",
            f"{row.neutral_mentioned.share:.0%}, {row.neutral_affirmed.share:.0%}",
        )
        for row in health.facts
    )
    columns = ("key fact", "plan", "mention", "affirm", "ref.", "evidence", "neutral")
    below = (
        f"Shares of {health.read:,} whole documents, told by words alone. plan: documents whose plan names the fact. "
        f"ref.: affirm the reference side. evidence: {health.evidence_unit} of the sentences that affirm the fact, all "
        "documents together. neutral: mention, affirm."
    )
    return Table("Key facts", columns, (1, 4, 5, 6), rows, below)


def _cell(number: Number | None) -> str:
    if number is None:
        return ""
    if number.low is None or number.high is None:
        return f"{number.value:,.0f}"
    return f"{figure(number.value)} [{figure(number.low)}, {figure(number.high)}]"


def _excess(found: Excess) -> tuple[str, str, str, str]:
    """Documents, their share, the neutral share, the log-odds ratio."""
    return f"{found.corpus.documents:,}", _share(found.corpus), f"{found.neutral.share:.0%}", f"{found.log_odds:+.1f}"


def figure(value: float) -> str:
    """Three figures: 0.185, 2.36, 76.4."""
    return f"{value:.3f}" if abs(value) < 1.0005 else f"{value:.2f}" if abs(value) < 10 else f"{value:,.1f}"


def _share(share: Share) -> str:
    return f"{share.share:.0%} [{share.low:.0%}, {share.high:.0%}]"


def _markdown_row(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
