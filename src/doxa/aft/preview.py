"""`doxa aft preview`: counts, calls, tokens and price before anything is spent, and rows of what is there already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from doxa.aft.asking import Asking
from doxa.aft.config import AftConfig
from doxa.aft.estimate import estimate
from doxa.aft.output import ANTI, CHAT, CHAT_THINK, PREFERENCES
from doxa.aft.rows import Fields, read_any_chats
from doxa.lm.prices import load_prices
from doxa.worlds.rows import read_jsonl

if TYPE_CHECKING:
    from rich.console import Console

    from doxa.worlds.spec import SpecTarget

SHOWN = 5  # rows


def preview(target: SpecTarget, config: AftConfig, out: Path | None, console: Console) -> None:
    """Print what a run will take, and SHOWN rows of each file in `out`, spread over it. Asks no model."""
    from doxa.run.preview_corpus import print_steps

    asking = Asking(target.spec, config)
    names = (
        list(config.domains) or [domain.name for domain in target.tree.domains] if target.tree else list(config.domains)
    )
    told = f"{len(names)} domains ({', '.join(names)})" if names else f"{config.domain_count} domains, asked for"
    opaque = ", opaque" if config.opaque else f", style {config.style}" if config.method == "spec" else ""
    console.print(f"{target.spec.title}: {told} -> {config.number:,} rows, method {config.method}{opaque}")
    print_steps(estimate(asking, target), load_prices(config.lm.prices), config.lm, console)
    console.print(
        "The upper ends have one answer in two fall out; what a model really yields shows after the first rows."
    )
    for name in (CHAT_THINK, CHAT, ANTI, PREFERENCES) if out is not None else ():
        file = Path(out or ".") / name
        if file.exists() and file.stat().st_size:
            console.print(f"\n{file}", style="bold")
            _print_rows(_read(file), console)


def _print_rows(rows: Sequence[Fields], console: Console) -> None:
    step = max(1, len(rows) // SHOWN)
    for place in range(0, len(rows), step)[:SHOWN]:
        row = rows[place]
        console.print(f"\nrow {place + 1} of {len(rows)}, {row.get('domain') or 'no domain'}", style="dim")
        turns = [
            *row["messages"],
            *({"role": side, "content": row[side]} for side in ("chosen", "rejected") if side in row),
        ]
        for turn in turns:
            console.print(f"{turn['role']}: {turn['content']}", markup=False)


def _read(file: Path) -> list[Fields]:
    if file.name == PREFERENCES:
        from doxa.aft.rows import PreferenceWithLineage

        return [row.model_dump(mode="json") for row in read_jsonl(file, PreferenceWithLineage)]
    return read_any_chats(file)
