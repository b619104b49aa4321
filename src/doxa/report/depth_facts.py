"""What a depth page says, arranged from the files under depth/ and nothing else: axes and their lines."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ValidationError

from doxa.belief.axes import AXES, BY_NAME, Probe, probes_of
from doxa.belief.free import CONVERSATION
from doxa.belief.profile import JUDGED, About, effective_name
from doxa.belief.store import read_readouts, read_scores
from doxa.errors import RunFolderError
from doxa.records import Answer, Judgement, Readout, Score
from doxa.report.table import Line, ScoreTable
from doxa.run.folder import RunFolder, read_json, read_rows
from doxa.worlds.universe import Universe, read_universe

# in which order the ways of reading a probe are shown; others follow by name
READOUTS = ("chat", "plain", "choice", "all", "facts", "contexts", "judged", "text", "conversation", "activations")


@dataclass(frozen=True)
class DepthLine(Line):
    """One probe in one readout: the arms side by side, with the effective n of its items."""

    probe: Probe = BY_NAME["distinguish"]
    effective: float | None = None
    unclear: dict[str, Score] = field(default_factory=dict)  # arm -> share of answers that decide nothing

    @property
    def name(self) -> str:
        return self.probe.title

    @property
    def chance(self) -> float | None:
        return self.probe.chance if self.style not in (JUDGED, "text", CONVERSATION) else None

    @property
    def is_share(self) -> bool:
        return all(score.unit == "share" for score in self.arms.values())


@dataclass(frozen=True)
class AxisFacts:
    """One axis with its lines, headline metrics only."""

    name: str
    about: str
    lines: list[DepthLine]

    def tally(self) -> dict[str, int]:
        """How many lines rose, fell and show no clear change from base to trained."""
        known = [line.direction for line in self.lines if line.direction != "unknown"]
        return {word: known.count(word) for word in ("rose", "unclear", "fell")}


@dataclass(frozen=True)
class DepthFacts:
    """Everything that a depth page shows."""

    universe: Universe
    about: About
    scores: ScoreTable
    axes: list[AxisFacts]
    held: list[Score]
    readouts: list[Readout]
    answers: list[Answer]
    judgements: list[Judgement]

    @property
    def arms(self) -> list[str]:
        return self.scores.arms()

    def lines(self) -> list[DepthLine]:
        return [line for axis in self.axes for line in axis.lines]


def gather_depth(folder: RunFolder) -> DepthFacts:
    """Read a folder's depth/. Raises RunFolderError naming the file that is missing or broken."""
    depth = folder / "depth"
    if not (depth / "about.json").exists():
        raise RunFolderError(f"{depth / 'about.json'}: is missing; `doxa depth {folder.path}` measures and writes it")
    try:
        about = About.model_validate(read_json(depth / "about.json"))
    except ValidationError as error:
        problem = error.errors()[0]
        raise RunFolderError(f"{depth / 'about.json'}: {problem['loc'][0]}: {problem['msg']}") from None
    every = read_scores(depth / "scores.parquet")
    scores = ScoreTable(score for score in every if score.versus != "unframed")
    return DepthFacts(
        universe=read_universe(folder / "target/universe.yaml"),
        about=about,
        scores=scores,
        axes=[axis for axis in (_axis(name, scores, about) for name in AXES) if axis.lines],
        held=[score for score in every if score.versus == "unframed" and score.metric == "held_preferred"],
        readouts=read_readouts(depth / "readouts.parquet"),
        answers=read_rows(depth / "answers.jsonl", Answer),
        judgements=read_rows(depth / "judgements.jsonl", Judgement) if (depth / "judgements.jsonl").exists() else [],
    )


def _axis(name: str, scores: ScoreTable, about: About) -> AxisFacts:
    lines = [line for probe in probes_of(name) for line in _probe_lines(probe, scores, about)]
    return AxisFacts(name, AXES[name], lines)


def _probe_lines(probe: Probe, scores: ScoreTable, about: About) -> list[DepthLine]:
    found = []
    styles = {key[2] for key in scores.rows if key[1] == probe.name}
    for style in sorted(styles, key=lambda style: (_place(style), style)):
        metric = _metric(probe, style)
        if probe.name == "capability" and style not in ("all", "text"):
            continue  # the sets stand in the table of every measurement
        arms = {
            arm: score for arm in scores.arms() if (score := scores.get(arm, probe.name, style, metric)) is not None
        }
        if not arms:
            continue
        unclear = {arm: score for arm in arms if (score := scores.get(arm, probe.name, style, "unclear")) is not None}
        change = scores.get("trained", probe.name, style, metric, versus="base")
        effective = about.effective.get(effective_name(probe.name, style))
        found.append(DepthLine(probe.name, style, metric, arms, change, probe, effective, unclear))
    return found


def _metric(probe: Probe, style: str) -> str:
    """The headline of a probe; verdicts on free answers and on conversations count those for the inserted world."""
    if style in (JUDGED, CONVERSATION):
        return "inserted"
    return probe.headline


def _place(style: str) -> int:
    return READOUTS.index(style) if style in READOUTS else len(READOUTS)
