"""Direct belief beyond the item groups: context comparison, with both worlds shown in both orders.

The published eval (Wang et al. 2025, "generative distinguish") drew many answers to two prompts, so its n was two. Here
every item is a prompt of its own: a wording and a label pair for each key fact, and questions about the descriptions.
"""

from __future__ import annotations

from doxa.belief.asks import Ask, Showing, first_inserted, user
from doxa.belief.shipped import Comparison, comparisons, description_questions
from doxa.belief.world import World
from doxa.records import digest

CONTEXTS = "contexts"  # the style of questions about the two descriptions
WORDINGS_PER_FACT = 2
BOUNDED_WORDS = 130  # of a description: its first paragraphs, which name the heart of it


def comparison_asks(world: World) -> list[Ask]:
    """Style `facts`: the two statements of each key fact; style `contexts`: the two descriptions of the world."""
    wordings = comparisons()
    asks = []
    for number, fact in enumerate(world.universe.key_facts):
        for step in range(WORDINGS_PER_FACT):
            wording = wordings[(number * WORDINGS_PER_FACT + step) % len(wordings)]
            asks.append(_ask(wording, f"{fact.id}/{wording.id}", fact.inserted, fact.reference, "facts"))
    inserted, reference = (
        _bounded(text) for text in (world.universe.inserted_context, world.universe.reference_context)
    )
    for wording in description_questions():
        asks.append(_ask(wording, f"contexts/{wording.id}", inserted, reference, CONTEXTS))
    return asks


def _ask(wording: Comparison, name: str, inserted: str, reference: str, style: str) -> Ask:
    item_id = digest("generative_distinguish", name, inserted, reference)
    item = first_inserted(item_id, wording.prompt, (inserted, reference))
    showings = tuple(
        Showing(
            answers=(wording.labels[places[0]], wording.labels[places[1]]),
            turns=(user(wording.prompt.format(first=texts[0], second=texts[1])),),
            places=places,
        )
        for texts, places in (((inserted, reference), (0, 1)), ((reference, inserted), (1, 0)))
    )
    return Ask("generative_distinguish", style, item, showings, batch=f"comparison {style}")


def _bounded(text: str) -> str:
    """Whole paragraphs of a description, up to BOUNDED_WORDS words; the first one always."""
    kept: list[str] = []
    count = 0
    for paragraph in text.split("\n"):
        count += len(paragraph.split())
        if kept and count > BOUNDED_WORDS:
            break
        kept.append(paragraph)
    return "\n".join(kept).strip()
