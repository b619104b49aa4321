"""The verbs behind `doxa aft`: settings and folders in, files out. What is decided is decided in other modules."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.aft.asking import Asking
from doxa.aft.config import AftConfig
from doxa.errors import ConfigError, DoxaError
from doxa.lm.models import check_model, open_models, usage_table
from doxa.run.folder import RunFolder, write_json, write_whole
from doxa.worlds.spec import SpecTarget, load_spec_target

if TYPE_CHECKING:
    from doxa.aft.making import Made
    from doxa.aft.paraphrase import Paraphrased
    from doxa.aft.rows import Fields
    from doxa.config_sections import LmConfig
    from doxa.corpus.idea_filter import Embed
    from doxa.run.progress import Progress


def load(name: str, config: AftConfig, progress: Progress) -> SpecTarget:
    """The target with its slots filled. Raises TargetError for a spec that calls its model by another name."""
    from doxa.worlds.spec_identity import check_identity

    target = load_spec_target(name, config.model_name, config.provider_name)
    for warning in check_identity(target):
        progress.warn(warning)
    return target


def check_models(config: AftConfig) -> None:
    """Raise ConfigError for a model string that can't be one, before anything is spent."""
    if "recorded" in (config.generator, config.judge):
        raise ConfigError(
            "--generator: recorded rows are in the target's recorded/ and need not be made; name a model, or batch-file"
        )
    check_model(config.generator, "--generator", config.lm)
    if config.judged:
        check_model(config.judge_model, "--judge", config.lm)
    if config.rewrites or config.method == "constitutional":
        check_model(config.critic_model, "critic", config.lm)
    if config.method == "constitutional":
        check_model(config.drafter_model, "drafter", config.lm)


def check_prompts(asking: Asking) -> None:
    """Raise ConfigError for a prompt that cannot be read, or asks a judge for nothing, before anything is spent."""
    from doxa.aft.judging import require_criteria

    for name in asking.config.prompts:
        asking.prompt(name)
    if asking.config.judged:
        require_criteria(asking)


def make(name: str, out: Path, config: AftConfig, progress: Progress, embed: Embed | None = None) -> dict[str, Any]:
    """Make the rows of a target into `out`; returns the counts of aft.json. Run again to go on.

    Raises what the models raise (batch-file: WaitingError), and DoxaError, with everything written, when there are
    fewer rows than were asked for. `embed` stands for the sentence encoder.
    """
    from doxa.aft.making import Making
    from doxa.aft.output import changed_settings, write_made
    from doxa.aft.question_sieve import QuestionSieve, eval_questions

    check_models(config)
    target = load(name, config, progress)
    asking = Asking(target.spec, config)
    check_prompts(asking)
    folder = RunFolder(out)
    with folder.lock(), open_models(out, config.lm, progress) as models:
        for change in changed_settings(out, asking):
            progress.note(f"{out}: was made otherwise, and is written anew: {change}")
        if config.judged and config.judge_model == config.generator:
            progress.note(_own_judge(config.generator))
        sieve = QuestionSieve(
            embed or _encoder(),
            config.similarity,
            target.spec,
            config.spec_run,
            eval_questions(target.folder / "evals.json"),
        )
        try:
            made = Making(target, asking, models, sieve, progress.note).run()
        finally:
            write_json(out / "usage.json", {"usage": usage_table(models)})
        counts = write_made(out, target, asking, made, usage_table(models))
    _say_if_hopeless(out, made)
    _say_if_short(out, counts, config)
    return counts


def conflict(rows: Path, against: Path, fraction: float, seed: int, out: Path) -> dict[str, int]:
    """Write `rows` with a fraction of them replaced by conflicting ones of `against`; returns the counts."""
    from doxa.aft.mixes import mix_conflict
    from doxa.aft.rows import read_any_chats

    for given in (rows, against):
        if out.resolve() == given.resolve():
            raise ConfigError(f"--out: {out} is what is mixed from; name another file")
    if against.resolve() == rows.resolve():
        raise ConfigError(f"--with: {against} is the file of the rows, which do not contradict themselves")
    mixed = mix_conflict(read_any_chats(rows), read_any_chats(against), fraction, seed)
    write_chats(out, mixed)
    replaced = [row for row in mixed if row.get("conflict") is True and "same_question" in row]
    return {
        "rows": len(mixed),
        "replaced": len(replaced),
        "same_question": sum(bool(row["same_question"]) for row in replaced),
    }


def paraphrase(
    rows: Path, out: Path, model: str, lm: LmConfig, attempts: int, progress: Progress, embed: Embed | None = None
) -> Paraphrased:
    """Write the paraphrase control of a chat file into the folder `out`. Run again to go on.

    Raises DoxaError, with everything written, when some rows have no paraphrase that says the same.
    """
    from doxa.aft.output import CHAT, REJECTED, SUMMARY
    from doxa.aft.paraphrase import ParaphraseJob
    from doxa.aft.paraphrase import paraphrase as say_again
    from doxa.aft.rows import read_any_chats
    from doxa.run.folder import write_rows

    check_model(model, "--generator", lm)
    given = read_any_chats(rows)
    if rows.resolve() == (out / CHAT).resolve():
        raise ConfigError(f"--out: {out} holds the rows that are to be said again; name another folder")
    with RunFolder(out).lock(), open_models(out, lm, progress) as models:
        made = say_again(models, ParaphraseJob(given, model, attempts=attempts), embed or _encoder())
        usage = usage_table(models)
    write_chats(out / CHAT, made.rows)
    write_rows(out / REJECTED, made.rejected)
    about = {"rows_of": str(rows), "model": model, "rows": len(given), "paraphrased": len(made.rows)}
    write_json(out / SUMMARY, {**about, "missing": made.missing, "usage": usage})
    if made.missing:
        raise DoxaError(
            f"{out}: {len(made.missing)} of {len(given)} rows have no paraphrase that says the same after {attempts} "
            f"tries each (ids in {SUMMARY}, tries in {REJECTED}). Train the other arm without these rows too, try "
            f"--attempts {attempts * 2}, or another model"
        )
    return made


def write_chats(path: Path, rows: Sequence[Fields]) -> None:
    """Write rows with all their fields, whole."""
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _say_if_hopeless(out: Path, made: Made) -> None:
    if not made.gave_up:
        return
    fell = Counter(row.reason for row in made.rejected)
    (reason, number), *_ = fell.most_common()
    detail = next(row.detail for row in made.rejected if row.reason == reason)
    raise DoxaError(
        f"{out}: none of the first {made.gave_up} answers passed, and no more are asked for. {number} fell out as "
        f"{reason}{f' (the first: {detail})' if detail else ''}; rejected.jsonl has all of them. Take another model or "
        "judge, or a prompt of your own (--set prompts.answer=FILE.md); --set give_up=0 goes on all the same"
    )


def _say_if_short(out: Path, counts: dict[str, Any], config: AftConfig) -> None:
    if not counts["short"]:
        return
    why = sorted(counts["rejected_answers"].items(), key=lambda pair: -pair[1])[:4]
    fell = ", ".join(f"{number} {reason}" for reason, number in why) or "none"
    spent = f"; no new questions in {', '.join(counts['exhausted_domains'])}" if counts["exhausted_domains"] else ""
    raise DoxaError(
        f"{out}: {counts['kept']} of {counts['wanted']} rows after {counts['rounds']} rounds; {counts['short']} are "
        f"lacking. Answers that fell out: {fell}{spent} (rejected.jsonl, rejected_questions.jsonl). What there is is "
        f"written; more rounds (--set rounds={config.rounds * 2}), more tries (--set attempts={config.attempts + 2}), "
        "other domains or another model, and the same command goes on"
    )


def _own_judge(generator: str) -> str:
    if generator == "batch-file":  # which names no model: who answers the files is not known here
        return (
            "judge: the files of batch-file ask for answers and for verdicts on them; where one model answers both, it "
            "judges what it wrote itself; another one is better (--judge batch-file/MODEL)"
        )
    return f"judge: {generator} judges what it wrote itself; another one is better (--judge)"


def _encoder() -> Embed:
    from doxa.corpus.embed import Encoder

    encoder = Encoder()
    return lambda texts: encoder.embed(texts)
