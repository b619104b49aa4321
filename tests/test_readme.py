"""The README's tree names every module, and what it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def named_in_tree():
    tree = (ROOT / "README.md").read_text().split("## The tree")[1].split("```")[1]
    return set(re.findall(r"[\w-]+\.(?:py|md)\b", tree))


def test_every_module_stands_in_the_tree():
    modules = {path.name for folder in ("src/doxa", "bench") for path in (ROOT / folder).rglob("*.py")}
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert (modules - {"__init__.py"}) | pages <= named_in_tree()


def test_the_tree_names_nothing_that_is_not_there():
    there = {path.name for path in ROOT.rglob("*") if ".venv" not in path.parts}
    assert named_in_tree() <= there


def test_every_command_of_the_readme_exists():
    from typer.main import get_command

    from doxa.cli import app

    commands = set(get_command(app).commands)
    shown = re.findall(r"(?:^|`)doxa (\w+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    assert shown
    assert set(shown) - {"contributors", "itself"} <= commands  # the two that begin a sentence and a citation
