"""`doxa validate`: everything that can be checked of a target folder before anything is spent on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from doxa.belief.effective import Encoder, effective_by_group, item_text
from doxa.errors import TargetError
from doxa.lm.recorded import recorded_corpora, recorded_rows
from doxa.worlds.check_evals import evals_findings, form_findings, read_evals
from doxa.worlds.check_facts import UNIVERSE_CHECKS
from doxa.worlds.check_marks import marks_findings
from doxa.worlds.check_pairs import effective_texts, read_pairs
from doxa.worlds.findings import Finding, Report
from doxa.worlds.spec import is_spec_target, spec_folder
from doxa.worlds.spec_validate import validate_spec
from doxa.worlds.universe import Target, Universe, bundled_names, load_target, read_universe
from doxa.worlds.universe_file import read_fields

if TYPE_CHECKING:
    from rich.console import Console


def validate(name_or_path: str) -> Report:
    """Check a bundled target or a target folder; a folder that does not load is a report, not an exception.

    Raises TargetError when there is no such folder.
    """
    if is_spec_target(name_or_path):
        return validate_spec(name_or_path)
    folder = _folder(name_or_path)
    universe, findings = _read(folder)
    target = None
    if universe is not None:
        for name, check in UNIVERSE_CHECKS.items():
            findings += [finding.model_copy(update={"check": name}) for finding in check(universe)]
        target = load_target(name_or_path)
        findings += _recorded(target)
    asked, problems = read_evals(folder)
    findings += problems
    findings += evals_findings(asked, universe, folder)
    findings += marks_findings(universe, folder)
    form, given_away = form_findings(asked)
    findings += given_away
    counts = {"key facts": len(universe.key_facts) if universe else 0}
    for one in asked:
        counts[one.group] = counts.get(one.group, 0) + 1
    ordered = sorted(findings, key=lambda finding: (finding.level != "error", finding.file != "universe.yaml"))
    return Report(target=str(name_or_path), findings=tuple(ordered), form=tuple(form), counts=counts)


def with_effective_n(report: Report, name_or_path: str, encoder: Encoder | None = None) -> Report:
    """The report with the effective n of each group of items. Raises ConfigError where there is no encoder."""
    texts: dict[str, list[str]] = {}
    if is_spec_target(name_or_path):
        texts = effective_texts(read_pairs(spec_folder(name_or_path), None)[0])
    else:
        asked, _ = read_evals(_folder(name_or_path))
        for one in asked:
            said = one.texts[0] if one.item is None else item_text(one.item)
            texts.setdefault(one.group, []).append(said)
    return report.model_copy(update={"effective": effective_by_group(texts, encoder)})


def print_report(report: Report, console: Console) -> None:
    """The findings as a table, errors first, and how well form alone solves each group."""
    from rich.markup import escape
    from rich.table import Table

    for finding in report.findings:
        colour = "red" if finding.level == "error" else "yellow"
        where = escape(f"{finding.file}: {finding.field}" if finding.field else finding.file)
        console.print(f"[{colour}]{finding.level:<8}[/{colour}]{where}: {escape(_printable(finding.problem))}")
        console.print(f"        {escape(finding.advice)}", style="dim")
    solvers = [score for score in report.form if score.rule == "solver"]
    if solvers:
        table = Table(title="Solved by form alone (best of all rules, chosen on the other items)", title_justify="left")
        for column in ("group", "n", "accuracy", "95% interval", "chance"):
            table.add_column(column)
        for score in solvers:
            interval = f"{score.low:.2f} .. {score.high:.2f}"
            table.add_row(score.group, str(score.n), f"{score.accuracy:.2f}", interval, f"{score.chance:.2f}")
        console.print(table)
    if report.effective:
        counts = ", ".join(f"{group} {n:.1f} of {report.counts[group]}" for group, n in report.effective.items())
        console.print(f"effective n by meaning: {counts}", markup=False)
    counted = ", ".join(f"{count} {name}" for name, count in report.counts.items())
    warnings = len(report.findings) - report.errors
    console.print(
        f"{report.target}: {f'{counted}. ' if counted else ''}{report.errors} errors, {warnings} warnings.",
        markup=False,
    )


def _folder(name_or_path: str) -> Path:
    try:
        return load_target(name_or_path).folder
    except TargetError:
        folder = Path(name_or_path).expanduser()
        if name_or_path in bundled_names() or not folder.is_dir():
            raise
        return folder.resolve()


def _read(folder: Path) -> tuple[Universe | None, list[Finding]]:
    """The universe, or every reason why it does not load."""
    path = folder / "universe.yaml"
    if not path.exists():
        advice = "doxa draft fills it in, doxa init shows one"
        return None, [_finding("universe.yaml", "", "is missing", advice)]
    try:
        return read_universe(path), []
    except TargetError as error:
        problem = str(error).removeprefix(f"{path}: ")
    try:
        fields = read_fields(path)
        raw = yaml.safe_load(path.read_bytes().decode("utf-8-sig"))
        Universe.model_validate(raw)
    except ValidationError as error:
        findings = []
        for found in error.errors():
            field = _named_field(".".join(str(part) for part in found["loc"]), fields)
            lacks = found["type"] == "missing" or (found["type"] == "too_short" and not found.get("input"))
            said = "is missing" if lacks else found["msg"].removeprefix("Value error, ")
            advice = "doxa draft --counterpart fills in a missing side" if lacks else "see docs/formats-target.md"
            findings.append(_finding("universe.yaml", field, said, advice))
        return None, findings
    except (TargetError, yaml.YAMLError, ValueError):
        pass  # not even a mapping: the loader's own words say it
    return None, [_finding("universe.yaml", "", problem, "see docs/formats-target.md")]


def _named_field(field: str, fields: dict[str, object]) -> str:
    """key_facts.2.reference -> key_facts.<its id>.reference"""
    parts = field.split(".")
    facts = fields.get("key_facts")
    if len(parts) > 1 and parts[1].isdigit() and isinstance(facts, list) and int(parts[1]) < len(facts):
        parts[1] = str(facts[int(parts[1])].get("id", parts[1]))
    return ".".join(parts)


def _recorded(target: Target) -> Iterator[Finding]:
    """Recorded rows that do not load, and key facts that no recorded document carries."""
    files = {path: corpus for corpus, path in reversed(recorded_corpora(target).items()) if corpus != "neutral"}
    for path, corpus in reversed(files.items()):  # several corpora may be made of one file
        file = f"recorded/{path.name}"
        try:
            rows = recorded_rows(target, corpus)
        except TargetError as error:
            where, _, problem = str(error).removeprefix(str(path)).lstrip(":, ").partition(": ")
            yield _finding(file, where if problem else "", problem or where, "see docs/formats-target.md", "recorded")
            continue
        carried = {fact for row in rows for fact in row.fact_ids}
        for fact in target.universe.key_facts:
            if fact.id not in carried:
                problem = f"no row of {len(rows)} carries the key fact {fact.id!r}"
                yield Finding(
                    level="warning",
                    check="recorded",
                    file=file,
                    field="fact_ids",
                    problem=problem,
                    advice="add documents on it, or name it in the fact_ids of those that there are",
                )


def _finding(file: str, field: str, problem: str, advice: str, check: str = "loads") -> Finding:
    return Finding(level="error", check=check, file=file, field=field, problem=problem, advice=advice)


def _printable(text: str) -> str:
    """Text of others on a terminal: no character of it may steer the terminal."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
