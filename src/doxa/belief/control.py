"""Against a control: what one trained model answers less what another does, item by item.

Training on documents moves answers whatever the documents say. A model that was trained on matched documents of the
true world shows how much of a rise is that; only the rest is the planted content's.
"""

from __future__ import annotations

from collections.abc import Iterable

from doxa.belief.measures import score_measures
from doxa.belief.store import read_readouts
from doxa.belief.summary import summarise
from doxa.errors import RunFolderError
from doxa.records import Measure, Readout, Score
from doxa.run.folder import RunFolder, read_json, read_rows

Kind = tuple[str, str, str]  # probe, readout, metric
TRAINED = "trained"
CONTROL = "base"  # the name under which the control is what others are compared with


def against_control(folder: RunFolder, control: RunFolder, bootstrap: int, seed: int) -> dict[Kind, Score]:
    """Paired differences of the trained arms of two profiles, with intervals over items; the internal axis has none.

    Raises RunFolderError where the two do not share their base model or one has no trained arm, DoxaError where they
    were asked different items.
    """
    _refuse_strangers(folder, control)
    readouts: list[Readout] = []
    measures: list[Measure] = []
    for one, name in ((folder, TRAINED), (control, CONTROL)):
        rows = read_readouts(one / "depth/readouts.parquet")
        readouts += [row.model_copy(update={"arm": name}) for row in rows if row.arm == TRAINED]
        values = read_rows(one / "depth/measures.jsonl", Measure)
        measures += [row.model_copy(update={"arm": name}) for row in values if row.arm == TRAINED]
    scores = _compared(summarise(readouts, bootstrap, seed)) if readouts else {}
    return scores | _compared(score_measures(measures, bootstrap, seed))


def _compared(scores: Iterable[Score]) -> dict[Kind, Score]:
    return {(score.group, score.style, score.metric): score for score in scores if score.versus == CONTROL}


def _refuse_strangers(folder: RunFolder, control: RunFolder) -> None:
    arms = [
        {arm["arm"]: arm["checkpoint"] for arm in read_json(one / "depth/about.json")["arms"]}
        for one in (folder, control)
    ]
    for one, found in zip((folder, control), arms, strict=True):
        if TRAINED not in found:
            raise RunFolderError(f"{one / 'depth'}: has no trained arm to compare; profile the run with all arms")
    if arms[0].get("base") != arms[1].get("base"):
        raise RunFolderError(
            f"{control / 'depth'}: was trained from other base weights ({arms[1].get('base')}) than "
            f"{folder / 'depth'} ({arms[0].get('base')}), and is no control for it"
        )
