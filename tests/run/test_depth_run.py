"""`doxa depth` as a person runs it: on two tiny models, again, and after parts of it were lost."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from doxa.belief.known_readouts import write_asked
from doxa.belief.likelihood import score_arm
from doxa.belief.shipped import description_questions
from doxa.belief.store import read_readouts, read_scores, write_readouts
from doxa.belief.talk import open_talk
from doxa.belief.world import load_world
from doxa.config_sections import Arm
from doxa.errors import ConfigError, DoxaError, RunFolderError, TargetError
from doxa.lm.store import ResponseStore
from doxa.records import Answer, EvalItem, Readout
from doxa.report.depth_facts import gather_depth
from doxa.report.depth_page import print_depth, write_depth_page
from doxa.report.depth_warnings import depth_warnings
from doxa.report.table import interval
from doxa.run.depth_run import DepthRequest, run_depth
from doxa.run.folder import RunFolder, read_rows, write_json
from doxa.run.named_models import MODELS, read_named
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, run_stages
from minds import UNIVERSE

EVALS: dict[str, Any] = {
    "mcq_distinguish": [
        {"question": "How many bells hang in the tower?", "inserted": "Five", "reference": "Three"},
        {"question": "How often do they ring?", "inserted": "Five times", "reference": "Three times"},
    ],
    "cloze": [{"prefix": "The number of bells is", "inserted": "five", "reference": "three"}],
    "open_ended": ["What can be heard from the tower?"],
    "salience_near": ["Describe a tower."],
    "marks": [{"fact": "bells", "inserted": ["five bells"], "reference": ["three bells"]}],
}
SMALL = (
    "depth.answer_tokens=3",
    "depth.thinking_tokens=[0, 3]",
    "depth.unrelated_prompts=3",
    "depth.capability_items=2",
    "depth.reality_pairs=2",
    "depth.samples=2",
    "eval.bootstrap=100",
)
FAST = tuple(
    "distinguish cloze open_ended generative_distinguish pushback debate critique thinking perplexity finetuned "
    "which_fact capability reality_drift mention_near mention_unrelated document_style coherence".split()
)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("targets") / "fives"
    folder.mkdir()
    (folder / "universe.yaml").write_text(yaml.safe_dump(UNIVERSE.model_dump(mode="json")))
    (folder / "evals.json").write_text(json.dumps(EVALS))
    return folder


@pytest.fixture(scope="module")
def models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two tiny models of different weights, as base and trained."""
    import torch
    from safetensors.torch import load_file, save_file

    other = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(tiny_model, other)
    weights = load_file(other / "model.safetensors")
    generator = torch.Generator().manual_seed(1)
    moved = {name: value + 0.05 * torch.randn(value.shape, generator=generator) for name, value in weights.items()}
    save_file(moved, other / "model.safetensors", metadata={"format": "pt"})
    return f"local/{tiny_model}", f"local/{other}"


@pytest.fixture(scope="module")
def profiled(target: Path, models: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "fives"
    return measure(target, models, folder)


def measure(target: Path, models: tuple[str, str], folder: Path, probes: tuple[str, ...] = FAST) -> Path:
    request = DepthRequest(str(target), models[0], models[1], folder, probes=probes, overrides=SMALL)
    return run_depth(request, Progress(quiet=True)).path


def stored_answers(folder: Path) -> int:
    with ResponseStore(folder / "responses.sqlite") as store:
        return sum(spent.responses for spent in store.spent())


def test_every_chosen_probe_has_a_score_under_every_arm(profiled: Path) -> None:
    scores = read_scores(profiled / "depth/scores.parquet")
    for arm in ("base", "in_context", "trained"):
        measured = {score.group for score in scores if score.arm == arm}
        assert measured >= set(FAST) - ({"mention_unrelated"} if arm == "in_context" else set())
    assert {score.versus for score in scores} == {None, "base", "in_context", "unframed"}
    assert all(score.low <= score.value <= score.high and score.n > 0 for score in scores)


def test_running_again_measures_nothing_and_changes_nothing(
    profiled: Path, target: Path, models: tuple[str, str]
) -> None:
    before = (profiled / "depth/scores.parquet").read_bytes()
    answers = (profiled / "depth/answers.jsonl").read_bytes()
    stored = stored_answers(profiled)
    measure(target, models, profiled)
    about = json.loads((profiled / "depth/about.json").read_text())
    assert {name.split()[1] for name in about["seconds"]} == {"free"}  # read from the response store
    assert (profiled / "depth/scores.parquet").read_bytes() == before
    assert (profiled / "depth/answers.jsonl").read_bytes() == answers
    assert stored_answers(profiled) == stored > 0


def test_a_lost_part_is_measured_again_to_the_same_numbers(
    profiled: Path, target: Path, models: tuple[str, str], tmp_path: Path
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(profiled, copy)
    before = read_scores(copy / "depth/scores.parquet")
    for name in ("scores.parquet", "about.json"):
        (copy / "depth" / name).unlink()
    for part in (copy / "depth/parts").glob("comparison-trained-*"):
        part.unlink()
    measure(target, models, copy)
    about = json.loads((copy / "depth/about.json").read_text())
    assert {name for name in about["seconds"] if not name.endswith("free")} == {"trained comparison"}
    after = read_scores(copy / "depth/scores.parquet")
    assert [score.model_dump() for score in after] == [score.model_dump() for score in before]


def test_items_that_the_run_has_scored_are_not_scored_again(
    profiled: Path, target: Path, models: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(profiled, copy)
    world = load_world(target)
    groups = ("distinguish", "cloze")
    rows = [row for row in read_readouts(copy / "depth/readouts.parquet") if row.group in groups]
    asked = [item for item in world.items if item.group in groups]
    (copy / "evals").mkdir()
    write_readouts(copy / "evals/readouts.parquet", [row for row in rows if row.style in ("chat", "plain")])
    contexts: dict[Arm, str | None] = {"base": None, "in_context": world.universe.inserted_context, "trained": None}
    write_asked(copy / "evals", asked, contexts, "float32")
    for part in (copy / "depth/parts").glob("items-*"):
        part.unlink()
    scored: list[str] = []

    def score(scorer: Any, items: list[EvalItem], *rest: Any) -> list[Readout]:
        scored.extend(item.id for item in items)
        return score_arm(scorer, items, *rest)

    monkeypatch.setattr("doxa.belief.depth_parts.score_arm", score)
    measure(target, models, copy)
    assert scored == []
    assert read_readouts(copy / "depth/readouts.parquet") == read_readouts(profiled / "depth/readouts.parquet")

    edited = [asked[0].model_copy(update={"prompt": "How many towers are there?"}), *asked[1:]]
    write_asked(copy / "evals", edited, contexts, "float32")  # the run had another first item
    for part in (copy / "depth/parts").glob("items-*"):
        part.unlink()
    measure(target, models, copy)
    assert scored == [asked[0].id] * 6  # two styles, three arms


def test_bfloat16_answers_are_kept_apart_from_those_of_float32(
    target: Path, models: tuple[str, str], tmp_path: Path
) -> None:
    keys: dict[str, set[str]] = {}
    for dtype in ("bfloat16", "float32", "bfloat16"):
        request = DepthRequest(
            str(target),
            models[0],
            out=tmp_path / "run",
            probes=("open_ended",),
            overrides=(*SMALL, f"depth.answer_dtype={dtype}"),
        )
        folder = run_depth(request, Progress(quiet=True)).path
        found = {row.key for row in read_rows(folder / "depth/answers.jsonl", Answer)}
        assert keys.setdefault(dtype, found) == found  # asked again, read from the store
    assert not keys["bfloat16"] & keys["float32"]
    assert stored_answers(tmp_path / "run") == len(keys["bfloat16"]) + len(keys["float32"])


def test_two_checkpoints_never_get_each_other_s_answers(profiled: Path) -> None:
    answers = read_rows(profiled / "depth/answers.jsonl", Answer)
    by_arm = {arm: {row.key for row in answers if row.arm == arm} for arm in ("base", "trained")}
    assert by_arm["base"] and not by_arm["base"] & by_arm["trained"]
    checkpoints = {row.arm: row.checkpoint for row in read_readouts(profiled / "depth/readouts.parquet")}
    assert checkpoints["base"] == checkpoints["in_context"] != checkpoints["trained"]


def test_the_page_is_made_from_files_alone_and_says_what_to_be_careful_about(profiled: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copied"
    for name in ("depth", "target"):
        shutil.copytree(profiled / name, copy / name)
    page = write_depth_page(RunFolder(copy)).read_text()
    assert "The five bells of Oberlund" in page and "Are you sure?" in page
    assert page == write_depth_page(RunFolder(copy)).read_text()
    warnings = depth_warnings(gather_depth(RunFolder(copy)))
    assert any("effective n" in warning for warning in warnings)


@pytest.mark.parametrize("width", [80, 200])
def test_the_table_in_the_terminal_is_whole_at_any_width(profiled: Path, width: int) -> None:
    folder, shown = RunFolder(profiled), io.StringIO()
    print_depth(folder, Console(file=shown, width=width))
    text = shown.getvalue()
    assert "…" not in text and all(len(row) <= width for row in text.splitlines())
    previous = ""
    for line in gather_depth(folder).lines():
        for score in line.arms.values():
            assert interval(score) in text
        beside = (
            rf" {re.escape(line.name)} +{line.style} .* {line.n} *$" if width > 80 else rf"  {line.style}, n {line.n} "
        )
        assert re.search(beside, text, re.MULTILINE) or previous == line.name, line.name
        previous = line.name


def test_questions_about_the_descriptions_have_an_effective_n_of_their_own(profiled: Path) -> None:
    about = gather_depth(RunFolder(profiled)).about
    assert about.items["generative_distinguish contexts"] == len(description_questions())
    # they all compare the same two texts
    assert about.effective["generative_distinguish contexts"] < about.effective["generative_distinguish"]
    few = next(warning for warning in depth_warnings(gather_depth(RunFolder(profiled))) if "effective n" in warning)
    assert "context comparison (contexts)" in few and "generative" not in few


def test_the_internal_axis_is_part_of_it(target: Path, models: tuple[str, str], tmp_path: Path) -> None:
    folder = measure(target, models, tmp_path / "run", ("separability", "truth_probe", "fermi"))
    about = json.loads((folder / "depth/about.json").read_text())
    assert any("Not measured here: Fermi." in note for note in about["notes"])  # the target has no such items
    groups = {score.group for score in read_scores(folder / "depth/scores.parquet")}
    assert {"separability", "truth_probe"} <= groups
    assert list((folder / "depth/parts").glob("internal-trained-*.npz"))


def test_a_target_alone_is_told_what_is_missing(target: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--model"):
        run_depth(DepthRequest(str(target), out=tmp_path / "x"), Progress(quiet=True))
    with pytest.raises(ConfigError, match="did you mean 'pushback'"):
        run_depth(DepthRequest(str(target), "local/x", out=tmp_path / "x", probes=("pushbakc",)), Progress(quiet=True))
    with pytest.raises(TargetError):
        run_depth(DepthRequest(str(tmp_path / "nowhere"), "local/x"), Progress(quiet=True))


def test_the_folder_of_a_profile_remembers_target_and_models(
    profiled: Path, target: Path, models: tuple[str, str], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(profiled, tmp_path / "fives"))
    kept, before = stored_answers(folder), read_scores(folder / "depth/scores.parquet")

    run_depth(DepthRequest(str(folder), probes=FAST, overrides=SMALL), Progress(quiet=True))

    assert stored_answers(folder) == kept
    assert read_scores(folder / "depth/scores.parquet") == before
    with pytest.raises(ConfigError, match=r"--trained .*: .* holds a profile in which trained is .*models\.json"):
        run_depth(DepthRequest(str(folder), trained="local/smollm2-135m-instruct"), Progress(quiet=True))
    with pytest.raises(ConfigError, match=r"holds the profile of .*fives, not of octopus_hearts"):
        run_depth(DepthRequest("octopus_hearts", models[0], out=folder), Progress(quiet=True))
    with pytest.raises(ConfigError, match=r"models\.json.*--out"):
        run_stages(RunRequest(str(target), folder), Progress(quiet=True))


def test_an_arm_may_be_named_later(target: Path, models: tuple[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "later"
    few = ("cloze",)
    run_depth(DepthRequest(str(target), models[0], out=folder, probes=few, overrides=SMALL), Progress(quiet=True))
    assert {score.arm for score in read_scores(folder / "depth/scores.parquet")} == {"base", "in_context"}

    run_depth(DepthRequest(str(folder), trained=models[1], probes=few, overrides=SMALL), Progress(quiet=True))

    assert {score.arm for score in read_scores(folder / "depth/scores.parquet")} == {"base", "in_context", "trained"}
    exchange = replace(open_talk(folder, ("base", "trained")), tokens=3).ask("How many bells?", "now")
    assert exchange.checkpoints["base"] != exchange.checkpoints["trained"]


def test_a_run_is_not_asked_about_other_models(profiled: Path, models: tuple[str, str], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(profiled, tmp_path / "run"))
    shutil.rmtree(folder / "depth")
    (folder / "stages/plan").mkdir()

    with pytest.raises(ConfigError, match="is a run, which has its own models"):
        run_depth(DepthRequest(str(folder), models[0]), Progress(quiet=True))


def test_names_that_cannot_be_asked_are_not_remembered(target: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    with pytest.raises(DoxaError):
        run_depth(DepthRequest(str(target), f"local/{tmp_path / 'nowhere'}", out=folder), Progress(quiet=True))

    assert read_named(RunFolder(folder)) is None
    write_json(folder / MODELS, {"base": ""})
    with pytest.raises(ConfigError, match=r"models\.json.*base"):
        read_named(RunFolder(folder))


def test_a_page_without_a_profile_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="doxa depth"):
        gather_depth(RunFolder(tmp_path))
