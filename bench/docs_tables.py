"""Tables that benches put into the docs, between markers that name them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from doxa.run.folder import write_whole


def put_tables(tables: Mapping[str, str], page: Path) -> str:
    """Put tables into a page, each between the markers of its name. Returns the page."""
    text = page.read_text()
    for name, table in tables.items():
        text = with_table(text, name, table)
    write_whole(page, text)
    return text


def with_table(page: str, name: str, table: str) -> str:
    """The page with `table` between `<!-- name -->` and `<!-- end -->`; a page without them comes back as it is."""
    begin, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, found, rest = page.partition(begin)
    if not found:
        return page
    _, _, after = rest.partition(end)
    return f"{before}{begin}{table}\n{end}{after}"
