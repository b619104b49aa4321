"""What a run's own evaluation was asked, word for word, so that a depth profile does not score the same items again.

A readout names its item by id only. evals/asked.json says beside the readouts which items, universe text and type of
weights they belong to; readouts of an item that was edited since are not taken for readouts of the new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from doxa.belief.store import read_readouts
from doxa.config_sections import Arm
from doxa.errors import RunFolderError
from doxa.records import EvalItem, Readout, digest
from doxa.run.folder import read_json, write_json

FILE = "asked.json"
READOUTS = "readouts.parquet"


class KnownReadouts:
    """Readouts by all that decides them: weights and their type, context, style and the item itself."""

    def __init__(self) -> None:
        self._rows: dict[str, Readout] = {}

    def get(
        self, arm: str, checkpoint: str, context: str | None, dtype: str, style: str, item: EvalItem
    ) -> Readout | None:
        """The readout of an item in a style, for an arm of these weights; None when there is none."""
        row = self._rows.get(_key(checkpoint, context, dtype, style, item))
        return None if row is None else row.model_copy(update={"arm": arm})

    def add(self, row: Readout, context: str | None, dtype: str, item: EvalItem) -> None:
        """Remember what an item of this text was answered."""
        self._rows[_key(row.checkpoint, context, dtype, row.style, item)] = row


def _key(checkpoint: str, context: str | None, dtype: str, style: str, item: EvalItem) -> str:
    return digest(checkpoint, context, dtype, style, item.model_dump())


def write_asked(evals: Path, items: Sequence[EvalItem], contexts: Mapping[Arm, str | None], dtype: str) -> None:
    """Write evals/asked.json for the readouts that lie beside it. `contexts`: arm -> universe text in its prompt."""
    write_json(
        evals / FILE,
        {
            "readouts": _sha256(evals / READOUTS),
            "dtype": dtype,
            "contexts": contexts,
            "items": [item.model_dump(mode="json") for item in items],
        },
    )


def read_known(evals: Path) -> KnownReadouts:
    """The readouts of a run's evaluation; none of a run without one, or one that no longer fits its readouts.

    Raises RunFolderError for a file that says something else than `write_asked` did.
    """
    known = KnownReadouts()
    if not (evals / FILE).exists() or not (evals / READOUTS).exists():
        return known
    asked = read_json(evals / FILE)
    try:
        if asked["readouts"] != _sha256(evals / READOUTS):
            return known  # made anew, and cut off before the file was
        items = {item.id: item for item in map(EvalItem.model_validate, asked["items"])}
        for row in read_readouts(evals / READOUTS):
            known.add(row, asked["contexts"][row.arm], asked["dtype"], items[row.item_id])
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(f"{evals / FILE}: {type(error).__name__}: {error}; delete the file to go on") from None
    return known


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
