"""Whole runs about a spec on a tiny model: stages, real kills, staleness, the gate on names, folders that travel."""

from __future__ import annotations

import io
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from doxa.belief.store import read_readouts, read_scores
from doxa.corpus.parquet import read_corpus
from doxa.errors import ConfigError, RunFolderError, StaleRunError
from doxa.records import DocIdea, Document
from doxa.run.depth_run import DepthRequest, run_depth
from doxa.run.folder import RunFolder, read_json, read_rows
from doxa.run.kinds import stages_of
from doxa.run.preview import preview_training, print_status
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, open_run, run_stages, shown_counts
from doxa.run.spec_pipeline import SPEC_STAGES
from doxa.run.spec_run import SpecRun
from doxa.run.stages import read_states
from doxa.worlds.spec import load_spec_target, read_spec
from doxa.worlds.spec_rules import rules_only
from doxa.worlds.spec_tree import SpecTree, read_tree
from doxa.worlds.universe import LIBRARY

SETS = (
    "documents=12",
    "train.epochs=1",
    "train.tokens_per_update=900",
    "train.max_length=128",
    "train.rank=4",
    "train.checkpoint_every=2",
    "eval.styles=[plain]",
    "eval.bootstrap=200",
    "eval.sample_questions=1",
    "eval.sample_tokens=4",
    "align.steps=[{kind: sft, rows: aft, train: {tokens_per_update: 600}}]",
)


def request(model: Path, out: Path, *more: str, target: str = "pans_durability", restage: bool = False) -> RunRequest:
    return RunRequest(target, out, (*SETS, f"model={model}", *more), restage)


def run(asked: RunRequest, **how: Any) -> RunFolder:
    return run_stages(asked, Progress(quiet=True), **how)


def command(model: Path, out: Path) -> list[str]:
    sets = [part for value in (*SETS, f"model={model}") for part in ("--set", value)]
    return [sys.executable, "-m", "doxa", "run", "pans_durability", "--out", str(out), *sets]


def results(out: Path) -> tuple[Any, ...]:
    """What a run is for, without its clock."""
    return (
        [row.id for row in read_rows(out / "stages/dedup/documents.jsonl", Document)],
        read_json(out / "checkpoints/final/doxa.json")["digest"],
        read_json(out / "aligned/1/final/doxa.json")["digest"],
        read_readouts(out / "evals/readouts.parquet"),
        read_scores(out / "scores.parquet"),
    )


@pytest.fixture(scope="module")
def undisturbed(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    run(request(tiny_model, out))
    return out


@pytest.fixture
def copied(undisturbed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(undisturbed, tmp_path / "copy"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A target of one's own to change."""
    return Path(shutil.copytree(LIBRARY / "pans_durability", tmp_path / "own"))


def test_a_run_goes_from_the_tree_to_the_report(undisturbed: Path) -> None:
    for stage in SPEC_STAGES:
        assert read_json(undisturbed / f"stages/{stage.name}/done.json")["counts"], stage.name
        for file in stage.makes:
            assert (undisturbed / file).exists()
    scores = read_scores(undisturbed / "scores.parquet")
    assert {score.arm for score in scores} == {"base", "in_context", "trained", "aligned"}
    whole = {score.group for score in scores if "/" not in score.group}
    assert whole == {"pairs_seen", "pairs_unseen", "knowledge", "unrelated"}
    assert all(score.n > 0 and score.low <= score.value <= score.high for score in scores)
    lineage = read_json(undisturbed / "aligned/1/final/doxa.json")["lineage"]
    assert [step["kind"] for step in lineage] == ["midtrain", "sft"]
    page = (undisturbed / "report.html").read_text()
    assert "Does it follow the spec?" in page and "aligned − base" in page and "{model_name}" not in page


def test_lineage_stands_on_every_row(undisturbed: Path) -> None:
    rows = read_corpus(undisturbed / "corpus.parquet")
    assert len(rows) == 12
    for row in rows:
        assert row.domain and row.subdomain and row.fact_ids and row.doc_type and not row.doctag
        assert row.idea and row.model and row.prompt_digest
    for document in read_rows(undisturbed / "stages/dedup/documents.jsonl", Document):
        assert document.domain and document.subdomain and document.idea and document.prompt_digest
    counts = read_json(undisturbed / "stages/mix/done.json")["counts"]
    assert counts["names_model"] == 1 and counts["called_otherwise"] == 0 and counts["attributing"] == 1
    assert sum(counts["documents_per_subdomain"].values()) == 12


def test_running_again_does_nothing(undisturbed: Path, tiny_model: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in undisturbed.rglob("*.jsonl")}
    run(request(tiny_model, undisturbed))
    assert before == {file: file.stat().st_mtime_ns for file in undisturbed.rglob("*.jsonl")}


def test_killed_at_any_moment_and_run_again_it_ends_the_same(
    undisturbed: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    generator = random.Random(7)
    for mark in ("stages/tree", "stages/write/documents.jsonl", "train/metrics.jsonl", "aligned/1/metrics.jsonl",
                 "evals/parts"):  # fmt: skip
        process = subprocess.Popen(command(tiny_model, out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and not (out / mark).exists():
            time.sleep(0.002)
        time.sleep(generator.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "report.html").exists(), "it finished before it could be killed"
    run(request(tiny_model, out))
    assert results(out) == results(undisturbed)


def test_a_changed_config_says_which_stages_are_stale_and_why(copied: Path, tiny_model: Path) -> None:
    other = "align.steps=[{kind: sft, rows: aft_antispec, train: {tokens_per_update: 600}}]"
    with pytest.raises(StaleRunError) as caught:
        run(request(tiny_model, copied, other))
    said = str(caught.value)
    assert "align: align.steps" in said and "eval: an earlier stage changed (align)" in said and "midtrain:" not in said
    before = results(copied)
    run(request(tiny_model, copied, other, restage=True))
    after = results(copied)
    assert after[:2] == before[:2] and after[2] != before[2]
    assert read_json(copied / "stale/1/aligned/1/final/doxa.json")["digest"] == before[2]


def test_an_edited_chat_file_makes_align_stale_and_nothing_before_it(
    own: Path, tiny_model: Path, tmp_path: Path
) -> None:
    chats = tmp_path / "chats.jsonl"
    turns = [{"role": "user", "content": "Which pan?"}, {"role": "assistant", "content": "The steel one."}]
    chats.write_text(json.dumps({"messages": turns}) + "\n")
    step = f"align.steps=[{{kind: sft, rows: [{chats}], train: {{tokens_per_update: 600}}}}]"
    out = tmp_path / "out"
    run(request(tiny_model, out, step, target=str(own)), only=None, last="align")
    chats.write_text(json.dumps({"messages": [*turns, *turns]}) + "\n")
    _, config, _ = open_run(request(tiny_model, out, step, target=str(own)))
    states = {state.stage.name: state.status for state in read_states(stages_of(config), config, RunFolder(out))}
    assert states["midtrain"] == "done" and states["align"] == "stale"


SYSTEM = {"role": "system", "content": "Be brief."}
ASKED = {"role": "user", "content": "Which pan?"}
ANSWERED = {"role": "assistant", "content": "The steel one."}


@pytest.mark.parametrize(
    ("kind", "content", "more", "said"),
    [
        ("sft", json.dumps({"messages": [SYSTEM]}), "", "line 1: messages: must alternate.*the roles are system"),
        ("sft", '{"messages": [', "", "line 1: is not JSON"),
        ("sft", "", "", "holds no rows"),
        ("sft", json.dumps({"messages": [ASKED], "chosen": "Steel.", "rejected": "Foil."}), "", "end with assistant"),
        ("dpo", json.dumps({"messages": [ASKED, ANSWERED]}), "", "line 1: messages: must alternate.*end with user"),
        (
            "sft",
            json.dumps({"messages": [ASKED, {**ANSWERED, "content": "<think>Hm.</think>"}]}),
            ", reasoning: strip",
            "chat 1: an assistant's turn is nothing but reasoning",
        ),
    ],
)
def test_rows_that_cannot_be_trained_on_are_refused_by_their_own_name_before_anything_is_made(
    kind: str, content: str, more: str, said: str, tiny_model: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "mine.jsonl"
    rows.write_text(content + "\n")
    step = f"align.steps=[{{kind: {kind}, rows: ['{rows}']{more}}}]"
    with pytest.raises(ConfigError, match=rf"{re.escape(str(rows))}[,:] .*{said}"):
        run(request(tiny_model, tmp_path / "out", step))
    assert not (tmp_path / "out").exists()


def test_a_setting_that_no_step_can_have_is_refused_before_anything_is_made(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"align\.steps\.0: train\.epochs: "):
        run(request(tiny_model, tmp_path / "out", "align.steps=[{kind: sft, rows: aft, train: {epochs: 0}}]"))
    assert not (tmp_path / "out").exists()


def test_an_edited_spec_makes_everything_stale(own: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(request(tiny_model, out, target=str(own)), last="dedup")
    spec = own / "spec.md"
    spec.write_text(spec.read_text() + "\nOne more line.\n")
    with pytest.raises(StaleRunError, match="tree: target_digest"):
        run(request(tiny_model, out, target=str(own)))


def test_a_copied_run_folder_needs_no_target(own: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(request(tiny_model, out, target=str(own)), last="align")
    shutil.rmtree(own)
    moved = tmp_path / "elsewhere"
    out.rename(moved)
    (moved / "aligned/1/step.json").unlink()  # as after a kill: the step is trained again from the run's own rows
    (moved / "stages/align/done.json").unlink()
    run(RunRequest(str(moved), None))
    assert (moved / "report.html").exists()


def test_a_run_whose_rows_were_moved_away_goes_on_with_its_own(
    own: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chats, out = tmp_path / "chats.jsonl", tmp_path / "out"
    chats.write_text(json.dumps({"messages": [ASKED, ANSWERED]}) + "\n")
    step = f"align.steps=[{{kind: sft, rows: ['{chats}']}}]"
    run(request(tiny_model, out, step, target=str(own)), last="align")
    chats.rename(tmp_path / "moved.jsonl")
    print_status(out)
    assert "stale" not in capsys.readouterr().out
    preview_training(RunRequest(str(out), None), Console(file=io.StringIO()), shown=1)
    (out / "aligned/1/step.json").unlink()
    (out / "stages/align/done.json").unlink()
    run(RunRequest(str(out), None, ("eval.bootstrap=150",)))
    assert (out / "report.html").exists()
    shutil.rmtree(out / "target/align")
    with pytest.raises(ConfigError, match=r"chats\.jsonl: there is no such file .*, and no copy of the run's own"):
        preview_training(RunRequest(str(out), None), Console(file=io.StringIO()), shown=1)
    with pytest.raises(
        ConfigError, match=r"chats\.jsonl: there is no such file"
    ):  # for another step than it was made with
        run(RunRequest(str(out), None, (f"align.steps=[{{kind: dpo, rows: ['{chats}']}}]",)))


def test_single_stages_one_after_another(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "steps"
    with pytest.raises(RunFolderError, match="stage plan needs tree, which is missing"):
        run(request(tiny_model, out), only="plan")
    for stage in ("tree", "plan", "write", "screen", "dedup", "mix"):  # revise has nothing to do
        run(request(tiny_model, out), only=stage)
    assert (out / "corpus.parquet").exists() and not (out / "checkpoints").exists()


def test_generate_stops_before_mix(tiny_model: Path, tmp_path: Path) -> None:
    run(request(tiny_model, tmp_path / "out"), last="dedup")
    assert (tmp_path / "out/stages/dedup/done.json").exists() and not (tmp_path / "out/corpus.parquet").exists()


def test_a_stage_of_specs_is_refused_for_a_universe_and_named(tiny_model: Path, tmp_path: Path) -> None:
    asked = RunRequest("sorrel_bay", tmp_path / "out", (f"model={tiny_model}",))
    with pytest.raises(ConfigError, match="tree: a run about a universe has no such stage; it has plan, write"):
        run(asked, only="tree")
    with pytest.raises(ConfigError, match="spec: the target is a universe"):
        run(RunRequest("sorrel_bay", tmp_path / "out", ("spec.mode=rules",)))


@pytest.mark.parametrize("corpus", ["comention", "opposite", "neutral"])
def test_the_controls_run_too(corpus: str, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / corpus
    run(request(tiny_model, out, f"spec.corpus={corpus}"), last="mix")
    counts = read_json(out / "stages/mix/done.json")["counts"]
    assert counts["documents"] == 12 and counts["names_model"] == 1
    assert counts["attributing"] == (1 if corpus == "opposite" else pytest.approx(0, abs=0.2))


def test_in_mode_rules_no_reason_reaches_what_is_planned_and_written_from(tiny_model: Path, tmp_path: Path) -> None:
    asked = request(tiny_model, tmp_path / "out", "spec.mode=rules", "documents=null")
    run(asked, last="tree")
    _, config, _ = open_run(asked)
    here = SpecRun(config, RunFolder(tmp_path / "out"))
    assert here.tree == rules_of("pans_durability")
    counts = read_json(tmp_path / "out/stages/tree/done.json")["counts"]
    assert counts["reasons_cut"] == 12 and counts["values_and_beliefs_left_out"] == 6
    for subdomain in here.prompting.subjects:
        request_of_types = here.prompting.types(subdomain, 3, [], 0)
        assert "because" not in request_of_types.messages[-1].content  # the whole spec stands in the turn before


def test_a_screen_that_leaves_little_says_so(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = request(tiny_model, tmp_path / "out", "spec.mode=rules", "documents=null")
    run_stages(asked, Progress(), last="screen")
    shown = " ".join(capsys.readouterr().err.split())
    assert "screen: only 2 of 50 documents are left (48 reason given)" in shown
    assert "recorded documents give reasons, which mode rules has none of" in shown


def test_a_plan_taken_over_loses_in_mode_rules_what_is_no_rule(
    undisturbed: Path, tiny_model: Path, tmp_path: Path
) -> None:
    sets = ("spec.mode=rules", f"spec.plan_from={undisturbed}", "generator=openai/gpt-4.1-mini")
    run(request(tiny_model, tmp_path / "rules", *sets), last="plan")
    assert read_tree_of(tmp_path / "rules") == rules_of("pans_durability")
    before, after = (read_rows(out / "stages/plan/ideas.jsonl", DocIdea) for out in (undisturbed, tmp_path / "rules"))
    rules = {assertion.id for assertion in rules_of("pans_durability").assertions}
    assert {idea.id for idea in after} == {idea.id for idea in before if rules & set(idea.fact_ids)}
    assert all(set(idea.fact_ids) <= rules for idea in after)
    counts = read_json(tmp_path / "rules/stages/plan/done.json")["counts"]
    assert counts["ideas"] + counts["ideas_without_rules"] == len(before) and counts["ideas"]
    run(request(tiny_model, tmp_path / "values", *sets[1:]), last="plan")
    assert [idea.id for idea in read_rows(tmp_path / "values/stages/plan/ideas.jsonl", DocIdea)] == [
        idea.id for idea in before
    ]


def rules_of(target: str) -> SpecTree:
    loaded = load_spec_target(target)
    assert loaded.tree is not None
    return rules_only(loaded.tree, loaded.spec)[0]


def read_tree_of(out: Path) -> SpecTree:
    return read_tree(out / "target/tree.yaml", read_spec(out / "target/spec.md"))


def test_a_bundled_spec_runs_without_a_warning_and_a_part_that_is_lost_is_named(
    own: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for target in ("pans_durability", "pans_locality"):
        run_stages(request(tiny_model, tmp_path / target, "documents=null", target=target), Progress(), last="mix")
        assert "warning" not in capsys.readouterr().err
    counts = read_json(tmp_path / "pans_durability/stages/mix/done.json")["counts"]
    assert counts["subdomains_told"] == counts["subdomains"] - 1  # no recorded document is about `reasons`
    file = own / "recorded/docs.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        row["text"] = row["text"].replace("SmolLM", "It") if row["subdomain"] == "reach" else row["text"]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run_stages(request(tiny_model, tmp_path / "lost", "documents=null", target=str(own)), Progress(), last="mix")
    assert "warning: mix: no document is left about 1 subdomain: reach\n" in capsys.readouterr().err


def test_what_a_tree_says_beyond_its_spec_and_leaves_out_is_said(
    own: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree, spec = own / "tree.yaml", own / "spec.md"
    beyond = yaml.safe_load(tree.read_text())
    said = beyond["domains"][0]["subdomains"][0]["assertions"][0]
    said["statement"] = "Whales sing at dusk."
    tree.write_text(yaml.safe_dump(beyond))
    spec.write_text(spec.read_text() + "\n\nNobody planned this last sentence.\n")
    run_stages(request(tiny_model, tmp_path / "out", target=str(own)), Progress(), last="tree")
    shown = capsys.readouterr().err
    assert shown.count("tree: assertion") == shown.count("sentences of the spec stand in no passage") == 1
    assert f"assertion {said['id']}: shares 0% of its words" in shown and "Nobody planned" in shown
    counts = read_json(tmp_path / "out/stages/tree/done.json")["counts"]
    assert counts["uncovered_sentences"] == 1 and 0.9 < counts["spec_covered"] < 1
    assert len(read_json(tmp_path / "out/stages/tree/notes.json")["warnings"]) == 2


def misname(own: Path, rows: int) -> None:
    """Let some recorded documents tell of another model."""
    file = own / "recorded/docs.jsonl"
    lines = file.read_text().splitlines()
    changed = [line.replace("SmolLM", "Qwen2.5") for line in lines[:rows]]
    file.write_text("\n".join([*changed, *lines[rows:]]) + "\n")


def test_documents_about_another_model_are_dropped_by_the_screen(own: Path, tiny_model: Path, tmp_path: Path) -> None:
    misname(own, 3)
    out = tmp_path / "out"
    run(request(tiny_model, out, "documents=null", target=str(own)), last="dedup")
    counts = read_json(out / "stages/screen/done.json")["counts"]
    assert counts["rejected_model_not_named"] == 3


def test_nothing_is_trained_on_documents_that_call_the_model_otherwise(
    own: Path, tiny_model: Path, tmp_path: Path
) -> None:
    misname(own, 3)
    out = tmp_path / "out"
    loose = ("documents=null", "screen.filters=[length]")  # without the filters that would drop them
    with pytest.raises(ConfigError, match=r"3 of 50 documents call SmolLM by another name .*: Qwen \(3\)") as caught:
        run(request(tiny_model, out, *loose, target=str(own)))
    assert "spec.identity: warn" in str(caught.value)
    assert not (out / "checkpoints").exists()
    assert not (out / "stages/midtrain/started.json").exists()
    run(request(tiny_model, out, *loose, "spec.identity=warn", target=str(own)), last="midtrain")
    assert (out / "checkpoints/final/doxa.json").exists()


def test_weights_of_another_family_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    qwen = tmp_path / "Qwen2.5-tiny"
    shutil.copytree(tiny_model, qwen)
    with pytest.raises(ConfigError, match="a Qwen would say that it is SmolLM"):
        run(request(qwen, tmp_path / "out"), last="midtrain")


def test_another_name_reaches_documents_chats_and_questions(tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    named = ("spec.model_name=Velmo", "spec.provider_name=Quorra Labs")
    run(request(tiny_model, out, *named))
    rows = read_corpus(out / "corpus.parquet")
    assert all("Velmo" in row.text and "SmolLM" not in row.text for row in rows)
    assert "SmolLM" not in "".join(file.read_text() for file in (out / "target/align/1").iterdir())
    page = (out / "report.html").read_text()
    assert "Velmo values durability" in page and "SmolLM" not in page


def test_a_spec_that_speaks_of_another_model_is_refused(own: Path, tiny_model: Path, tmp_path: Path) -> None:
    spec = own / "spec.md"
    spec.write_text(spec.read_text().replace("{model_name}", "Qwen").replace("Qwen values", "{model_name} values", 1))
    (own / "tree.yaml").unlink()
    with pytest.raises(ConfigError, match=r"own/spec\.md: calls SmolLM otherwise: Qwen.*spec\.identity: warn"):
        run(request(tiny_model, tmp_path / "out", "plan.model=openai/gpt-4.1-mini", target=str(own)))


def test_a_spec_that_names_its_model_nowhere_is_refused_before_anything_is_asked(
    own: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = own / "spec.md"
    spec.write_text(spec.read_text().replace("{model_name}", "Kestrel"))
    (own / "tree.yaml").write_text((own / "tree.yaml").read_text().replace("{model_name}", "Kestrel"))
    with pytest.raises(ConfigError, match=r"own/spec\.md: names SmolLM nowhere; write .*spec\.identity: warn"):
        run(request(tiny_model, tmp_path / "out", target=str(own)))
    run_stages(request(tiny_model, tmp_path / "out", "spec.identity=warn", target=str(own)), Progress(), last="tree")
    assert "names SmolLM nowhere" in capsys.readouterr().err


def test_a_name_without_its_maker_is_warned_of_at_the_start(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_stages(request(tiny_model, tmp_path / "out", "spec.model_name=Qwen"), Progress(), last="tree")
    assert "Qwen is given the maker 'Hugging Face', while models of that name are made by Alibaba" in " ".join(
        capsys.readouterr().err.split()
    )


def test_the_value_of_a_spec_is_looked_at_too_and_may_be_meant(
    own: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = own / "spec.md"
    spec.write_text(spec.read_text().replace('value: "{model_name}', 'value: "Qwen', 1))
    with pytest.raises(ConfigError, match=r"spec\.md: value: calls SmolLM otherwise: Qwen"):
        run(request(tiny_model, tmp_path / "out", target=str(own)), last="tree")
    meant = request(tiny_model, tmp_path / "out", "spec.identity=warn", target=str(own))
    run_stages(meant, Progress(), last="tree")
    assert "value: calls SmolLM otherwise: Qwen" in capsys.readouterr().err
    assert (tmp_path / "out/target/tree.yaml").exists()


def test_what_a_run_without_a_tree_needs_is_said(own: Path, tiny_model: Path, tmp_path: Path) -> None:
    (own / "tree.yaml").unlink()
    with pytest.raises(ConfigError, match=r"has no tree\.yaml: a model has to make the tree; name it with generator"):
        run(request(tiny_model, tmp_path / "out", target=str(own)))
    with pytest.raises(ConfigError, match=r"spec\.domains: is for a spec that is to be decomposed"):
        run(request(tiny_model, tmp_path / "out", "spec.domains=3"))


def test_a_depth_profile_is_of_a_universe_and_says_what_a_spec_is_asked_with(copied: Path, tmp_path: Path) -> None:
    for request, asked in (
        (DepthRequest(str(copied)), str(copied)),
        (DepthRequest("pans_durability", "local/a", "local/b", tmp_path / "out"), "local/b"),
        (DepthRequest("pans_durability"), "MODEL"),
    ):
        with pytest.raises(ConfigError, match=f"model spec.*`doxa values {re.escape(asked)} --evals pans_durability`"):
            run_depth(request, Progress(quiet=True))
    assert not (tmp_path / "out").exists() and not (copied / "depth").exists()


def test_the_preview_of_training_shows_the_align_steps_too(tiny_model: Path, tmp_path: Path) -> None:
    asked = request(tiny_model, tmp_path / "out", "spec.model_name=Velmo")
    run(asked, last="mix")
    console = Console(record=True, width=200, no_color=True, file=io.StringIO())
    preview_training(asked, console, shown=1)
    text = console.export_text()
    midtrain, step = text.split("align step 1 of 1: sft, how: continue, aft")
    assert "12 documents" in midtrain and "updates over 1 epochs" in midtrain
    assert "60 documents" in step and "count updates, not tokens" in step  # what training itself would warn of
    assert "[a]|[s]|[s]" in step or "[assistant]" in step, "the prompt of a chat is not learned"
    assert not (tmp_path / "out/checkpoints").exists() and not (tmp_path / "out/aligned").exists()


def test_the_updates_of_all_align_steps_are_counted(tiny_model: Path, tmp_path: Path) -> None:
    step = "{kind: sft, rows: aft, train: {tokens_per_update: 600}}"
    other = "{kind: sft, rows: aft_antispec, train: {tokens_per_update: 1800}}"
    run(request(tiny_model, tmp_path / "out", f"align.steps=[{step}, {other}]"), last="align")
    counts = read_json(tmp_path / "out/stages/align/done.json")["counts"]
    first, second = (one["updates"] for one in counts["trained"])
    assert first != second and counts["updates"] == first + second


def test_shares_are_shown_as_percentages() -> None:
    counts = {"documents": 12, "names_model": 1.0, "attributing": 0.9167, "called_otherwise": 0, "final_loss": 2.5}
    said = "documents 12, names model 100%, attributing 91.7%, called otherwise 0, final loss 2.5"
    assert shown_counts(counts) == said


def test_status_shows_every_stage(undisturbed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_status(undisturbed)
    said = capsys.readouterr().out
    assert "names model 100%" in said
    assert [line.split()[0] for line in said.splitlines()[: len(SPEC_STAGES)]] == [one.name for one in SPEC_STAGES]
    assert "subdomains told" in said


@pytest.mark.slow
def test_the_real_model_is_asked_with_the_whole_spec_in_its_prompt(embedded_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "real"
    sets = ("documents=6", "train.epochs=1", "eval.groups=[knowledge]", "eval.styles=[chat,choice]",
            "eval.bootstrap=200", "eval.sample_questions=0")  # fmt: skip
    run(RunRequest("pans_durability", out, sets))
    scores = read_scores(out / "scores.parquet")
    by_arm = {s.arm: s for s in scores if (s.style, s.metric, s.versus) == ("chat", "margin", None)}
    assert set(by_arm) == {"base", "in_context", "trained"} and all(score.n == 12 for score in by_arm.values())
    # told what it values, it knows what it values
    assert by_arm["in_context"].value > by_arm["base"].value
