"""report.html: one file that a person understands in a minute, made from a run folder's files alone.

Nothing in it depends on where the folder lies or when it was written, so the same run gives the same bytes anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import doxa
from doxa.report import figures
from doxa.report.examples import pick_documents, side_by_side
from doxa.report.facts import STAGES, RunFacts, gather
from doxa.report.readouts import letter_habits, moves
from doxa.report.reproduce import doxa_yaml
from doxa.report.summary import print_summary
from doxa.report.table import ARM_NAMES, GROUP_MEANINGS, Line, direction, interval, number, percent
from doxa.report.verdict import verdict, warnings
from doxa.run.folder import RunFolder, write_whole

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    # a width, and whether the figure stands alone and needs a title -> the figure and what it shows in words
    Draw = Callable[[figures.Width, bool], tuple[Figure, str]]

__all__ = ["print_summary", "render", "write_report"]


@dataclass(frozen=True)
class Drawing:
    """A figure for the page: both widths as inline SVG."""

    wide: str
    narrow: str


def write_report(folder: RunFolder) -> Path:
    """Write report.html and figures/*.png, *.svg into the run folder; returns the path of report.html.

    Raises DoxaError that names the file when config.json or the universe is missing, or when any file is broken.
    """
    facts = gather(folder)
    drawings = draw_figures(folder, _figures(facts))
    path = folder / "report.html"
    write_whole(path, render(facts, drawings))
    return path


def draw_figures(folder: RunFolder, draws: Mapping[str, Draw], prefix: str = "") -> dict[str, Drawing]:
    """Each figure by its name: for the page, and with a title of its own as figures/PREFIX+NAME.png and .svg."""
    drawings: dict[str, Drawing] = {}
    for name, draw in draws.items():
        standing, description = draw(figures.WIDE, True)
        write_whole(folder / f"figures/{prefix}{name}.png", figures.png(standing))
        write_whole(folder / f"figures/{prefix}{name}.svg", figures.svg(standing))
        wide, narrow = (
            figures.inline_svg(draw(width, False)[0], f"{name}-{width.name}", description)
            for width in (figures.WIDE, figures.NARROW)
        )
        drawings[name] = Drawing(wide, narrow)
    return drawings


def render(facts: RunFacts, drawings: dict[str, Drawing]) -> str:
    """The page as HTML. Everything that comes from documents, models or configs is escaped."""
    return fill_page("report.html.j2", _context(facts, drawings))


def fill_page(template: str, values: dict[str, Any]) -> str:
    """A page of templates/ as HTML, with everything escaped that does not say it is safe."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("doxa.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, interval=interval, direction=direction, number=number, label=label, amount=amount,
        unbroken=unbroken,
    )  # fmt: skip
    return environment.get_template(template).render(values)


def label(key: str) -> str:
    """A field name as a person would write it: "type_entropy" -> "Type entropy"."""
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def amount(value: Any) -> str:
    """A count or measure for a table: thousands grouped, at most two decimals."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.2f}"
    return str(value)


def unbroken(sentence: str, name: str) -> Markup:
    """Escape a sentence and keep a model's name in it on one line: its hyphens are no places to break."""
    from markupsafe import Markup

    before, found, after = sentence.partition(name)
    if not found:
        return Markup("{}").format(sentence)
    return Markup('{}<span class="unbroken">{}</span>{}').format(before, name, after)


def _context(facts: RunFacts, drawings: dict[str, Drawing]) -> dict[str, Any]:
    belief, neighbours = facts.scores.belief_lines(), facts.scores.neighbour_lines()
    mix, midtrain = facts.counts("mix"), facts.counts("midtrain")
    finished = max((done.finished for done in facts.stages.values()), default="")
    return {
        "facts": facts,
        "drawings": drawings,
        "verdict": verdict(facts),
        "warnings": warnings(facts),
        "arm_names": ARM_NAMES,
        "tables": [table for table in (("belief", belief), ("collateral", neighbours)) if table[1]],
        "meanings": [(name, GROUP_MEANINGS[group]) for group, name in _groups(belief)],
        "all_lines": facts.scores.all_lines(),
        "arms": facts.scores.arms(),
        "moves": moves(facts.readouts),
        "habits": letter_habits(facts.readouts),
        "answers": side_by_side(facts.samples),
        "examples": pick_documents(facts.documents),
        "reasons": _reasons(facts),
        "corpus": {
            key: value for key, value in mix.items() if not isinstance(value, dict | list) and value is not None
        },
        "corpus_parts": {key: value for key, value in mix.items() if isinstance(value, dict) and value},
        "training": {key: value for key, value in midtrain.items() if key not in ("warnings", "checkpoint")},
        "stages": [facts.stages[name] for name in STAGES if name in facts.stages],
        "config_yaml": yaml.safe_dump(facts.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        "doxa_yaml": doxa_yaml(facts.config),
        "digests": _digests(facts),
        "version": doxa.__version__,
        "date": finished[:10],
    }


def _figures(facts: RunFacts) -> dict[str, Draw]:
    """What can be drawn of a run, by the names of the figures."""
    belief, neighbours = facts.scores.belief_lines(), facts.scores.neighbour_lines()
    title = facts.universe.title

    def draw_belief(width: figures.Width, titled: bool) -> tuple[Figure, str]:
        words = "Share of items in which the planted answer is preferred. " + in_words(belief)
        return figures.score_figure(belief, width, f"{title}: planted answer preferred" if titled else ""), words

    def draw_collateral(width: figures.Width, titled: bool) -> tuple[Figure, str]:
        words = "Share of neighbouring true facts answered correctly. " + in_words(neighbours)
        return figures.score_figure(neighbours, width, "Neighbouring true facts: correct" if titled else ""), words

    def draw_loss(width: figures.Width, titled: bool) -> tuple[Figure, str]:
        first, last = facts.training[0], facts.training[-1]
        words = (
            f"Training loss over {last.update} updates: {first.loss:.2f} nats per token at first, {last.loss:.2f} last."
        )
        return figures.loss_figure(facts.training, width, "Midtraining loss" if titled else ""), words

    wanted: dict[str, tuple[Sequence[object], Draw]] = {
        "belief": (belief, draw_belief),
        "collateral": (neighbours, draw_collateral),
        "loss": (facts.training, draw_loss),
    }
    return {name: draw for name, (rows, draw) in wanted.items() if rows}


def in_words(lines: Sequence[Line]) -> str:
    """What a figure of scores shows, for those who cannot see it."""
    parts = []
    for line in lines:
        shares = ", ".join(f"{ARM_NAMES.get(arm, arm)} {percent(score.value)}" for arm, score in line.arms.items())
        parts.append(f"{line.name} ({line.style}): {shares}.")
    return " ".join(parts)


def _groups(lines: list[Line]) -> list[tuple[str, str]]:
    return [item for item in dict.fromkeys((line.group, line.name) for line in lines) if item[0] in GROUP_MEANINGS]


def _reasons(facts: RunFacts) -> dict[str, int]:
    """Why documents were dropped: reason -> how many."""
    counts: dict[str, int] = {}
    for row in facts.rejected:
        reason = f"{row.verdict.filter}: {row.verdict.reason}"
        counts[reason] = counts.get(reason, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _digests(facts: RunFacts) -> list[tuple[str, str]]:
    config = facts.config.model_dump(mode="json")
    rows = [(label(key), value) for key, value in config.items() if key.endswith("_digest")]
    base = {score.checkpoint for score in facts.scores.rows.values() if score.arm == "base"}
    if facts.checkpoint is not None and facts.checkpoint.base_digest:
        base.add(facts.checkpoint.base_digest)
    rows += [("Base model weights", digest) for digest in sorted(base)]
    if facts.corpus_sha256:
        rows.append(("corpus.parquet (SHA-256)", facts.corpus_sha256))
    elif "mix" in facts.stages:
        rows.append(("Corpus (fingerprint of mix)", facts.stages["mix"].fingerprint))
    if facts.checkpoint is not None:
        rows.append(("Trained checkpoint", facts.checkpoint.digest))
    return rows
