"""What checkpoints answer, kept per checkpoint: the digest of the weights names the file, so that no two share answers.

A file holds the readouts of one checkpoint to one list of items in one list of styles, with or without a text in the
prompt. It is written whole; what is there is not asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from doxa.belief.pair_forms import form_of, form_table
from doxa.belief.pairs import PairItem, score_pairs
from doxa.belief.store import read_readouts, write_readouts
from doxa.errors import RunFolderError
from doxa.records import Readout, digest

if TYPE_CHECKING:
    from doxa.run.progress import Progress

Asked = tuple[Sequence[PairItem], Sequence[str]]  # items and the styles that they are asked in

VERSION = 1  # goes up when the same question would be put or read in another way


def reading_file(
    folder: Path, checkpoint: str, items: Sequence[PairItem], style: str, model_name: str, prompt: str | None
) -> Path:
    """Where the answers of a checkpoint to these items in one style are kept."""
    form = form_of(style)
    named = model_name if "{model_name}" in form.turn + form.begun else ""
    asked = digest(
        "reading", VERSION, form_table().version, [item.id for item in items], form.model_dump(), named, prompt
    )
    return folder / checkpoint / f"{style}-{asked}.parquet"


def read_or_ask(
    folder: Path,
    checkpoint: str,
    weights: str,
    asked: Sequence[Asked],
    model_name: str,
    prompt: str | None,
    progress: Progress,
    name: str,
) -> list[Readout]:
    """The readouts of a checkpoint, asked where they are not kept yet. `weights` is a name that find_weights takes.

    Raises RunFolderError when kept readouts are of another checkpoint than their folder says, or the weights on disk
    are no longer those that the digest names.
    """
    files = [
        (reading_file(folder, checkpoint, items, style, model_name, prompt), items, style)
        for items, styles in asked
        for style in styles
    ]
    lacking = [(file, items, style) for file, items, style in files if not file.exists()]
    if lacking:
        from doxa.belief.scorer import LikelihoodScorer
        from doxa.lm.named_weights import find_weights

        found = find_weights(weights)
        if found.digest != checkpoint:
            raise RunFolderError(
                f"{weights}: holds weights {found.digest}, not {checkpoint}, which were trained there; remove the "
                "folder of that cell and run again"
            )
        progress.note(f"asking {name}")
        model, tokenizer = found.load()
        scorer = LikelihoodScorer(model, tokenizer)
        for file, items, style in lacking:
            write_readouts(file, score_pairs(scorer, items, checkpoint, checkpoint, prompt, (style,), model_name))
    readouts = [row for file, _, _ in files for row in read_readouts(file)]
    if any(row.checkpoint != checkpoint for row in readouts):
        raise RunFolderError(f"{folder / checkpoint}: holds answers of another checkpoint; remove it and run again")
    return readouts
