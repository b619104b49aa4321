"""A comparison as its page needs it: read from comparison.json and scores.parquet, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from doxa.errors import RunFolderError
from doxa.experiments.compare import Result
from doxa.experiments.config import Experiment
from doxa.experiments.tables import read_results
from doxa.run.folder import RunFolder, read_json

FORMS = "forms"
NEAR_CEILING = 0.85  # a share of the plain model's from which there is little room to rise
FEW_SEEDS = 5
SET_NAMES = {
    "unseen": "Unseen, all pairs",
    "contrast": "Contrast pairs",
    "pairs_seen": "Seen domains",
    "pairs_unseen": "Unseen domains",
    "knowledge": "Knowledge",
    "unrelated": "Unrelated",
}


@dataclass(frozen=True)
class CompareFacts:
    """Everything the page, the figures and the terminal say."""

    experiment: Experiment
    record: dict[str, Any]
    results: dict[tuple[str, str, str, str], Result]  # name, set, style, metric

    @property
    def style(self) -> str:
        """The style that leads: that of the primary question, else the mean over forms, else the first."""
        if self.experiment.primary:
            return self.experiment.primary[0].style
        styles = {style for _, _, style, _ in self.results}
        return FORMS if FORMS in styles else self.experiment.styles[0]

    @property
    def sets(self) -> list[str]:
        """The sets that were read, the experiment's own first."""
        asked = {key[1] for key in self.results}
        return [name for name in self.record["sets"] if name in asked]

    @property
    def styles(self) -> list[str]:
        """All styles, the leading one first."""
        found = list(dict.fromkeys(key[2] for key in self.results))
        return [self.style, *(style for style in found if style != self.style)]

    @property
    def arms(self) -> list[str]:
        """The arms that were read, in the order of the experiment."""
        read = {key[0] for key, result in self.results.items() if result.kind == "arm"}
        return [arm for arm in self.experiment.arms if arm in read]

    @property
    def contrasts(self) -> list[str]:
        """The contrasts whose arms were all read."""
        read = {key[0] for key, result in self.results.items() if result.kind == "contrast"}
        return [name for name in self.experiment.contrasts if name in read]

    def style_of(self, set_name: str) -> str:
        """The style in which a set leads: some styles do not fit some sets."""
        fits = {style for _, found, style, _ in self.results if found == set_name}
        return next((style for style in (self.style, FORMS, *self.experiment.styles) if style in fits), self.style)

    def get(self, name: str, set_name: str, style: str | None = None, metric: str = "margin") -> Result | None:
        """One result; without a style, in the style in which its set leads."""
        return self.results.get((name, set_name, style or self.style_of(set_name), metric))

    def heading(self, set_name: str) -> str:
        """A set's name, with its style where that is not the leading one."""
        style = self.style_of(set_name)
        return set_label(set_name) + ("" if style == self.style else f" ({style})")

    def label(self, arm: str) -> str:
        """What a reader calls an arm or a contrast."""
        one = self.experiment.arms.get(arm)
        return one.label if one is not None and one.label else arm.replace("_", " ")

    def kind(self, arm: str) -> str:
        """`base`, `in_context` or `trained`: how the figures draw it."""
        one = self.experiment.arms[arm]
        return "trained" if one.steps else "base" if one.prompt is None else "in_context"


def set_label(name: str) -> str:
    """A set's name for a reader."""
    return SET_NAMES.get(name, name.replace("_", " ").capitalize())


def gather_comparison(folder: RunFolder) -> CompareFacts:
    """Read a comparison's folder. Raises RunFolderError that names the file."""
    file = folder / "comparison.json"
    record = read_json(file)
    try:
        experiment = Experiment.model_validate(record["experiment"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(f"{file}: is not a comparison that this version can read ({error})") from None
    rows = read_results(folder / "scores.parquet")
    return CompareFacts(experiment, record, {(row.name, row.set, row.style, row.metric): row for row in rows})


def careful(facts: CompareFacts) -> list[str]:
    """What should make a reader careful, by fixed rules."""
    found = list(facts.record["warnings"])
    if facts.experiment.no_controls is not None:
        found.append(f"there are no control arms, because {facts.experiment.no_controls}")
    lacking = {arm: one["lacking"] for arm, one in facts.record["arms"].items() if one["lacking"]}
    if lacking:
        told = ", ".join(f"{facts.label(arm)} ({len(seeds)})" for arm, seeds in lacking.items())
        found.append(f"not finished: seeds are lacking in {told}; contrasts take the seeds that both sides have")
    if len(facts.experiment.seeds) < FEW_SEEDS:
        found.append(
            f"{len(facts.experiment.seeds)} training seeds: the spread between seeds is known badly, and intervals are "
            "wide for that reason"
        )
    base = next((arm for arm in facts.arms if facts.kind(arm) == "base"), None)
    for set_name in facts.sets if base is not None else []:
        share = facts.get(base or "", set_name, metric="preferred")
        if share is not None and share.value >= NEAR_CEILING:
            found.append(
                f"{set_label(set_name)}: the plain model prefers the aligned answer in {share.value:.0%} of items "
                "already, so shares have little room to rise; read the margins"
            )
    matched = {arm for names in facts.experiment.matched.values() for arm in names}
    trained = [arm for arm in facts.arms if facts.kind(arm) == "trained" and arm not in matched]
    if trained:
        found.append(
            f"not declared as matched in size, so differences to the others hold dose as well: "
            f"{', '.join(facts.label(arm) for arm in trained)}"
        )
    return found
