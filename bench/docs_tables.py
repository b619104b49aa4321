"""Tables that benches put into the docs, between markers that name them."""

from __future__ import annotations


def with_table(page: str, name: str, table: str) -> str:
    """The page with `table` between `<!-- name -->` and `<!-- end -->`; a page without them comes back as it is."""
    begin, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, found, rest = page.partition(begin)
    if not found:
        return page
    _, _, after = rest.partition(end)
    return f"{before}{begin}{table}\n{end}{after}"
