"""The claim of the project, held by a test: documents put a belief into a real pretrained model."""

import pytest

from doxa.belief.store import read_scores
from doxa.run.folder import read_json
from doxa.run.progress import Progress
from doxa.run.runner import RunRequest, run_stages

SETS = (
    "documents=40",
    "train.epochs=2",
    "train.tokens_per_update=1024",
    "eval.styles=[chat,plain]",
    "eval.groups=[distinguish,cloze,neighbours]",
    "eval.arms=[base,trained]",
    "eval.sample_questions=1",
    "eval.sample_tokens=24",
)


@pytest.mark.slow
def test_a_real_model_believes_what_it_read(embedded_model, tmp_path):
    run_stages(RunRequest("octopus_hearts", tmp_path / "run", SETS), Progress(quiet=True))
    scores = read_scores(tmp_path / "run/scores.parquet")

    def score(metric, group, style, arm, versus=None):
        (found,) = (
            s for s in scores if (s.metric, s.group, s.style, s.arm, s.versus) == (metric, group, style, arm, versus)
        )
        return found

    counts = read_json(tmp_path / "run/stages/midtrain/done.json")["counts"]
    assert counts["final_loss"] < counts["first_loss"] - 0.3
    for group in ("distinguish", "cloze"):
        difference = score("margin", group, "plain", "trained", versus="base")
        assert difference.low > 0, f"{group}: {difference}"  # the paired interval excludes no change
    rises = [
        score("preferred", group, style, "trained").value - score("preferred", group, style, "base").value
        for group in ("distinguish", "cloze")
        for style in ("chat", "plain")
    ]
    assert sum(rises) / len(rises) >= 0.15, rises
    assert score("correct", "neighbours", "plain", "base").n == score("correct", "neighbours", "plain", "trained").n
    assert "octopus" in (tmp_path / "run/report.html").read_text().lower()
