"""What a spec's corpus covers and how it names the model: the counts beside corpus_facts, for status and report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from doxa.corpus.filters.attribution import attributions
from doxa.corpus.identity import identity_of

if TYPE_CHECKING:
    from doxa.corpus.filters.names import Names
    from doxa.records import CorpusRow
    from doxa.worlds.spec_tree import SpecTree


def spec_facts(rows: list[CorpusRow], tree: SpecTree, names: Names) -> dict[str, Any]:
    """Documents per subdomain (0 for those that none is about), shares that name model and maker, and attributions.

    `elsewhere` counts documents whose place the tree does not have, as those of controls may be.
    """
    documents = [row for row in rows if row.source == "synthetic"]
    total = max(len(documents), 1)
    found = identity_of(documents, names)
    parts = Counter(row.subdomain for row in documents)
    told = {fact for row in documents for fact in row.fact_ids}
    known = [part.id for part in tree.subdomains]
    assertions = [one.id for one in tree.assertions]
    return {
        "names_model": round(found.names_model / total, 4),
        "names_maker": round(found.names_maker / total, 4),
        "called_otherwise": sum(found.otherwise.values()),
        "attributing": round(sum(bool(attributions(row.text, names)) for row in documents) / total, 4),
        "subdomains_told": sum(parts[name] > 0 for name in known),
        "subdomains": len(known),
        "assertions_told": sum(name in told for name in assertions),
        "assertions": len(assertions),
        "elsewhere": sum(number for name, number in parts.items() if name not in known),
        "documents_per_subdomain": {name: parts[name] for name in known},
    }
