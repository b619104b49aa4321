"""The true and false statements that truth probes are trained on: plain facts that no bundled world touches.

Statements come in facts (one true version, one false, of one form) and facts in blocks of two. The facts of a block
lend each other their ends: "Paris is a city in France" and "Tokyo is a city in Japan" are true, the same sentences with
the countries exchanged are false. (A false size is the true one turned round.) So within every block each word stands
in true sentences as often as in false ones, and no word tells a label. Blocks are what folds keep together and what
intervals resample: otherwise a fold would know of "Japan" how its other sentence ended.
"""

from __future__ import annotations

import json
from pathlib import Path

from doxa.records import Record, digest

FOLDER = Path(__file__).with_name("statements")
STATEMENTS = FOLDER / "statements.jsonl"
NEGATED = FOLDER / "negated.jsonl"


class TrueOrFalse(Record):
    """A statement about the world that is beyond doubt true (`label`) or false."""

    topic: str
    block: str  # the facts that share their words; never split between folds
    fact: str
    text: str
    label: bool


def load_statements() -> list[TrueOrFalse]:
    """All affirmative statements: 9 topics of 30 facts, each once true and once false."""
    return _read(STATEMENTS)


def load_negated() -> list[TrueOrFalse]:
    """One topic's facts again with a "not" in them: the truth of a sentence without its affirmative form."""
    return _read(NEGATED)


def statements_digest() -> str:
    """Names the wording of all shipped statements; probes of other wordings are not comparable."""
    return digest([row.model_dump() for row in (*load_statements(), *load_negated())])


def _read(path: Path) -> list[TrueOrFalse]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [TrueOrFalse.model_validate(json.loads(line)) for line in lines]
