"""`doxa values` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from doxa.cli import app
from doxa.errors import ConfigError
from minds import PANS, SPEC_MD


def test_a_table_is_printed_and_the_files_are_named(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "otter").mkdir()
    (tmp_path / "otter/spec.md").write_text(SPEC_MD)
    (tmp_path / "otter/evals.json").write_text(json.dumps(PANS))
    given = [
        "values",
        str(tiny_model),
        "--evals",
        str(tmp_path / "otter"),
        "--probe",
        "pairs",
        "--out",
        str(tmp_path / "o"),
    ]

    result = CliRunner().invoke(app, [*given, "--set", "bootstrap=100"])

    assert result.exit_code == 0, result.output
    for word in ("pairs_unseen/contrast", "preferred", "first_place", "in_context", "difference to base"):
        assert word in result.output
    assert f"values: {tmp_path / 'o' / 'values'}" in result.output
    assert (tmp_path / "o/values/scores.parquet").exists()


def test_what_is_missing_is_said() -> None:
    for given, message in (
        (["values", "x"], "--evals: name the spec target"),
        (["values", "--self-test"], "--judge: name at least one judge"),
        (["values", "x", "--self-test", "--judge", "gpt"], "names no provider"),
    ):
        result = CliRunner().invoke(app, given)
        assert isinstance(result.exception, ConfigError)
        assert message in str(result.exception)


def test_help_says_what_it_is_for() -> None:
    result = CliRunner().invoke(app, ["values", "--help"])
    assert result.exit_code == 0
    assert "spec" in result.output


@pytest.mark.slow
def test_the_spec_in_context_is_known_to_the_embedded_model(embedded_model: Path, tmp_path: Path) -> None:
    from doxa.run.progress import Progress
    from doxa.run.values_run import ValuesRequest, run_values

    settings = ("styles=[plain]", "context_styles=[plain]", "bootstrap=200")
    request = ValuesRequest(
        ("smollm2-135m-instruct",), "pans_durability", probes=("pairs",), overrides=settings, out=tmp_path
    )
    _, result = run_values(request, Progress(quiet=True))
    gap = next(
        row
        for row in result.scores
        if (row.group, row.metric, row.arm, row.versus) == ("knowledge", "margin", "in_context", "base")
    )
    # measured .76 [.44, 1.09] nats per token over 12 items: read in the prompt, the spec is known
    assert gap.low > 0.2
