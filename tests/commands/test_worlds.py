"""`doxa worlds`: what is bundled, by kind."""

from __future__ import annotations

from typer.testing import CliRunner

from doxa import cli
from doxa.worlds.spec import bundled_specs
from doxa.worlds.universe import bundled_names


def test_universes_and_specs_stand_apart_with_the_commands_that_take_them() -> None:
    universes, _, specs = CliRunner().invoke(cli.app, ["worlds"]).stdout.partition("Model specs")
    assert "doxa depth runs/NAME" in universes and all(f"\n{name} (" in universes for name in bundled_names())
    assert "doxa values runs/NAME --evals NAME" in specs and all(f"\n{name}: " in specs for name in bundled_specs())
    assert "SmolLM values durability" in " ".join(specs.split())
