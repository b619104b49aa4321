"""What makes the numbers of a run about a spec say less than they seem to."""

from __future__ import annotations

from doxa.report.spec_facts import SpecFacts
from doxa.report.table import percent

SHOWN = 5  # warnings of the tree
FEW = 30  # pairs: below, a share's interval is wider than most effects


def spec_warnings(facts: SpecFacts) -> list[str]:
    """Cautions, the weightiest first; each is recomputed from the run's files."""
    mix = facts.counts("mix")
    found = list(facts.counts("midtrain").get("warnings", []))
    for number, step in enumerate(facts.counts("align").get("trained", []), start=1):
        found += [f"Align step {number}: {warning}" for warning in step.get("warnings", [])]
    if mix.get("called_otherwise"):
        found.insert(
            0, f"{mix['called_otherwise']} documents call the model by another name, or give it another maker."
        )
    of_tree = facts.notes.get("warnings", [])
    found += [f"Tree: {warning}" for warning in of_tree[:SHOWN]]
    if len(of_tree) > SHOWN:
        found.append(f"Tree: and {len(of_tree) - SHOWN} more, in stages/tree/notes.json.")
    if not any(arm in facts.scores.arms() for arm in ("trained", "aligned")):
        found.append("No trained model was scored.")
    if facts.config.spec is not None and facts.config.spec.corpus == "spec":
        missing = mix.get("subdomains", 0) - mix.get("subdomains_told", 0)
        if missing:
            found.append(f"{missing} of {mix['subdomains']} subdomains of the spec are told of in no document.")
        if not facts.config.spec.rules and mix.get("attributing", 1.0) < 0.9:
            found.append(
                f"Only {percent(mix['attributing'])} of the documents connect what the model does with what it values; "
                "documents that do not may teach the value without making later training generalise."
            )
    broken = sum(row.verdict.reason in ("no_tags", "no_end_tag", "length_stop") for row in facts.again)
    if broken:
        found.append(f"{broken} answers of the generator had no tags or no end and were asked for again.")
    for line in facts.lines():
        if "/" not in line.group and line.style == "chat" and line.n < FEW:
            found.append(f"{line.name}: {line.n} items. Intervals are wide, and a null says little.")
    if "trained" in facts.scores.arms() or "aligned" in facts.scores.arms():
        found.append(
            "One training, one seed: how far trainings of other seeds lie apart is not in these intervals "
            "(doxa compare)."
        )
    return found
