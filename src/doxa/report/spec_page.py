"""report.html of a run about a spec: what was taught, what the corpus covers, and how far the model follows it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import doxa
from doxa.report import figures
from doxa.report.examples import pick_documents, side_by_side
from doxa.report.page import Drawing, fill_page, label
from doxa.report.reproduce import doxa_yaml
from doxa.report.spec_facts import GROUPS, MEANINGS, SpecFacts, SpecLine, gather_spec
from doxa.report.spec_warnings import spec_warnings
from doxa.report.table import ARM_NAMES, HEADLINE_STYLES, percent
from doxa.run.folder import RunFolder, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_CHECKS = ("names_model", "names_maker", "attributing")  # shares; the other counts of mix are whole numbers


def write_spec_report(folder: RunFolder) -> Path:
    """Write report.html and figures/*.png, *.svg into the run folder; returns the path of report.html.

    Raises DoxaError that names the file when the config, spec or tree is missing, or when any file is broken.
    """
    facts = gather_spec(folder)
    drawings: dict[str, Drawing] = {}
    for name, draw in _figures(facts).items():
        standing, description = draw(figures.WIDE, True)
        write_whole(folder / f"figures/{name}.png", figures.png(standing))
        write_whole(folder / f"figures/{name}.svg", figures.svg(standing))
        wide, narrow = (
            figures.inline_svg(draw(width, False)[0], f"{name}-{width.name}", description)
            for width in (figures.WIDE, figures.NARROW)
        )
        drawings[name] = Drawing(wide, narrow)
    path = folder / "report.html"
    write_whole(path, render_spec(facts, drawings))
    return path


def render_spec(facts: SpecFacts, drawings: dict[str, Drawing]) -> str:
    """The page as HTML. Everything that comes from documents, models, specs or configs is escaped."""
    mix, midtrain = facts.counts("mix"), facts.counts("midtrain")
    finished = max((done.finished for done in facts.stages.values()), default="")
    return fill_page(
        "spec.html.j2",
        {
            "facts": facts,
            "about": facts.config.spec,
            "drawings": drawings,
            "warnings": spec_warnings(facts),
            "arms": facts.scores.arms(),
            "arm_names": ARM_NAMES,
            "lines": headline(facts.lines()),
            "margins": headline(facts.lines(margins=True)),
            "subsets": [line for line in (*facts.lines(), *facts.lines(margins=True)) if "/" in line.group],
            "meanings": [
                (GROUPS[group], MEANINGS[group])
                for group in MEANINGS
                if any(group == line.group for line in facts.lines())
            ],
            "told": Counter(document.subdomain for document in facts.documents),
            "told_facts": Counter(fact for document in facts.documents for fact in document.fact_ids),
            "checks": {key: percent(mix[key]) for key in SHOWN_CHECKS if key in mix},
            "corpus": {key: mix[key] for key in WHOLE if key in mix},
            "tokens": mix.get("tokens", {}),
            "reasons": _reasons(facts),
            "again": _again(facts),
            "training": {key: value for key, value in midtrain.items() if key not in ("warnings", "checkpoint")},
            "aligned": facts.counts("align").get("trained", []),
            "answers": side_by_side(facts.samples),
            "examples": pick_documents(facts.documents),
            "stages": list(facts.stages.values()),
            "doxa_yaml": doxa_yaml(facts.config),
            "config_yaml": yaml.safe_dump(facts.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
            "digests": _digests(facts),
            "version": doxa.__version__,
            "date": finished[:10],
        },
    )


WHOLE = ("documents", "types", "median_words", "subdomains_told", "subdomains", "assertions_told", "assertions",
         "elsewhere", "called_otherwise")  # fmt: skip


def headline(lines: list[SpecLine]) -> list[SpecLine]:
    """Whole groups in the styles that show no answers; in whatever styles there are, where none of these is."""
    whole = [line for line in lines if "/" not in line.group]
    return [line for line in whole if line.style in HEADLINE_STYLES] or whole


def _figures(facts: SpecFacts) -> dict[str, Any]:
    """Figure name -> function of (width, titled) that draws it and describes it in words."""
    lines = headline(facts.lines())

    def draw_scores(width: figures.Width, titled: bool) -> tuple[Figure, str]:
        told = "; ".join(
            f"{line.name} ({line.style}): "
            + ", ".join(f"{ARM_NAMES.get(arm, arm)} {percent(score.value)}" for arm, score in line.arms.items())
            for line in lines
        )
        words = f"Share of pairs answered as the spec has it. {told}."
        return figures.score_figure(
            list(lines), width, f"{facts.spec.title}: as the spec has it" if titled else ""
        ), words

    def draw_loss(width: figures.Width, titled: bool) -> tuple[Figure, str]:
        first, last = facts.training[0], facts.training[-1]
        words = (
            f"Training loss over {last.update} updates: {first.loss:.2f} nats per token at first, {last.loss:.2f} last."
        )
        return figures.loss_figure(facts.training, width, "Midtraining loss" if titled else ""), words

    wanted: dict[str, tuple[list[Any], Any]] = {"pairs": (list(lines), draw_scores)}
    wanted["loss"] = (list(facts.training), draw_loss)
    return {name: draw for name, (rows, draw) in wanted.items() if rows}


def _reasons(facts: SpecFacts) -> dict[str, int]:
    """Why documents were dropped: reason -> how many."""
    counts = Counter(f"{row.verdict.filter}: {row.verdict.reason}" for row in facts.rejected)
    return dict(counts.most_common())


def _again(facts: SpecFacts) -> dict[str, int]:
    """Why answers were asked for again while writing: reason -> how many tries."""
    counts = Counter(f"{row.verdict.filter}: {row.verdict.reason}" for row in facts.again)
    return dict(counts.most_common())


def _digests(facts: SpecFacts) -> list[tuple[str, str]]:
    config = facts.config.model_dump(mode="json")
    rows = [(label(key), value) for key, value in config.items() if key.endswith("_digest") and value]
    if facts.corpus_sha256:
        rows.append(("corpus.parquet (SHA-256)", facts.corpus_sha256))
    if facts.checkpoint is not None:
        rows += [
            ("Base model weights", facts.checkpoint.base_digest or ""),
            ("After midtraining", facts.checkpoint.digest),
        ]
    rows += [(f"After align step {place}", step["checkpoint"]) for place, step in _steps(facts)]
    return [(name, value) for name, value in rows if value]


def _steps(facts: SpecFacts) -> list[tuple[int, dict[str, Any]]]:
    return list(enumerate(facts.counts("align").get("trained", []), start=1))
