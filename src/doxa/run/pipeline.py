"""The stages of a run about a universe: which files each reads and writes. What they do is in corpus/ and so on."""

from __future__ import annotations

import hashlib
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.config import RunConfig, UserConfig, for_universe, resolve
from doxa.errors import ConfigError, TargetError
from doxa.records import EvalItem, Readout, Sample, digest
from doxa.run.corpus_stages import (
    dedup_stage,
    mix_stage,
    plan_stage,
    revise_stage,
    screen_stage,
    write_stage,
)
from doxa.run.folder import RunFolder, read_rows, write_rows, write_whole
from doxa.run.stages import Stage, StageContext

if TYPE_CHECKING:
    from doxa.lm.named_weights import Weights
    from doxa.lm.weights import Dtype


def resolve_universe(user: UserConfig) -> RunConfig:
    """The complete config of a run: recipe expanded, target found and named by digest."""
    from doxa.worlds.universe import load_target

    target = load_target(user.target)
    user = for_universe(user)
    bundled = target.name == user.target
    name = target.name if bundled else str(target.folder.resolve())
    return resolve(user, name, target.digest, target.evals_digest, mix_digest(user), *_generation_digests(user))


def _generation_digests(user: UserConfig) -> tuple[str, str, str]:
    """Names the prompts and pools that a corpus is planned and written with, those that revise, and that extract.

    Each is empty where no model does that; a change to another prompt leaves a run as it is.
    """
    from doxa.corpus.conditions import CONDITIONS, write_prompt
    from doxa.corpus.pools import load_pools
    from doxa.corpus.prompt_files import load_prompt, prompt_names
    from doxa.lm.recorded import RECORDED

    names = [name for name in prompt_names() if not name.startswith("spec_")]
    unknown = sorted(set(user.plan.prompts) - (set(names) - {"extract"}))
    if unknown:
        raise ConfigError(f"plan.prompts.{unknown[0]}: there is no such prompt; there are {', '.join(names)}")
    own = {**user.plan.prompts, **({"revise": user.revise.prompt} if user.revise.prompt else {})}

    def digests(names: list[str]) -> dict[str, str]:
        return {name: load_prompt(own.get(name, name)).digest for name in names}

    neutral = CONDITIONS[user.corpus].world == "neutral"
    planned = ["ideas_neutral" if neutral else "ideas", "types", write_prompt(user.corpus, user.write)]
    pools = load_pools(user.plan.pools).model_dump(mode="json")
    generated = digest(digests(planned), pools) if user.generator != RECORDED else ""
    revised = digest(digests(["critique", "rewrite", "revise"])) if user.revise.passes else ""
    extracted = load_prompt(user.screen.extract_prompt or "extract").digest if user.screen.extract_model else ""
    return generated, revised, extracted


def mix_digest(user: UserConfig) -> str:
    """Names the bytes of a person's own mix-in files, so that an edit makes the corpus stale."""
    named = [Path(path) for path in (user.mix.neutral_from, user.mix.chat_from) if path]
    try:
        return digest([hashlib.sha256(path.read_bytes()).hexdigest() for path in named]) if named else ""
    except OSError as error:
        raise TargetError(f"mix: {error.filename}: cannot be read ({error.strerror})") from None


def midtrain_stage(context: StageContext) -> dict[str, Any]:
    from doxa.corpus.parquet import read_corpus
    from doxa.training.midtrain import midtrain

    folder = context.folder
    rows = read_corpus(folder / "corpus.parquet")
    checkpoints, metrics = folder / "checkpoints", folder / "train/metrics.jsonl"
    return midtrain(context.config, rows, checkpoints, metrics, context.progress, context.fingerprint)


def _eval(context: StageContext) -> dict[str, Any]:
    from doxa.belief.items import load_items, load_open_ended
    from doxa.belief.known_readouts import write_asked
    from doxa.belief.store import write_readouts, write_scores
    from doxa.belief.subjects import context_of
    from doxa.belief.summary import summarise
    from doxa.run.folder import read_json

    config, folder = context.config, context.folder
    evals = folder / "target/evals.json"
    source = _evals_source(config)
    if (
        source is not None and source.is_file()
    ):  # newer evals are taken in; a run folder on another computer uses its own copy
        load_items(source)
        write_whole(evals, source.read_bytes())
    items = [item for item in load_items(evals) if item.group in config.eval.groups]
    if not items:
        raise ConfigError(f"{evals}: has no item of eval.groups {', '.join(config.eval.groups)}")
    questions = load_open_ended(evals)[: config.eval.sample_questions]
    context_text = _inserted_context(folder)
    readouts, samples = _ask_arms(context, items, questions, context_text)
    if not readouts:
        raise ConfigError("eval: none of eval.styles applies to any of eval.groups; see docs/belief-suite.md")
    scores = summarise(readouts, config.eval.bootstrap, config.seed)
    write_readouts(folder / "evals/readouts.parquet", readouts)
    contexts = {arm: context_of(arm, context_text) for arm in config.eval.arms}
    write_asked(folder / "evals", items, contexts, config.eval.dtype)
    write_rows(folder / "evals/samples.jsonl", samples)
    write_scores(folder / "scores.parquet", scores)
    shutil.rmtree(folder / "evals/parts", ignore_errors=True)
    final = folder / "checkpoints/final/doxa.json"
    return {
        "items": len(items),
        "readouts": len(readouts),
        "samples": len(samples),
        "checkpoint": read_json(final)["digest"] if final.exists() else None,
    }


def _ask_arms(
    context: StageContext, items: list[EvalItem], questions: list[str], universe: str
) -> tuple[list[Readout], list[Sample]]:
    """Ask every arm every item in every style; each finished (arm, style) is kept, so a killed eval continues."""
    from doxa.belief.likelihood import LikelihoodScorer, score_arm
    from doxa.belief.samples import answer_questions
    from doxa.belief.subjects import subjects_of_run
    from doxa.lm.weights import load_tokenizer, model_folder

    config, folder = context.config, context.folder
    tokenizer = load_tokenizer(model_folder(config.model))
    readouts: list[Readout] = []
    samples: list[Sample] = []
    styles: dict[str, list[str]] = {
        arm: [s for s in config.eval.styles if arm != "in_context" or s in config.eval.in_context_styles]
        for arm in config.eval.arms
    }
    total = sum(len(asked) for asked in styles.values()) * len(items)
    with context.progress.bar("eval", total) as bar:
        for subject in subjects_of_run(folder, config.model, config.eval.arms, universe):
            arm, name = subject.arm, subject.checkpoint
            assert subject.weights is not None
            load = partial(_model_of, subject.weights, config.eval.dtype)
            scorer: LikelihoodScorer | None = None
            for style in styles[arm]:
                part = folder / f"evals/parts/{arm}-{style}-{name}-{context.fingerprint}.jsonl"
                if not part.exists():
                    if scorer is None:
                        scorer = LikelihoodScorer(load(), tokenizer, config.eval.tokens_per_batch)
                    rows = score_arm(scorer, items, (style,), arm, name, subject.context)
                    write_rows(part, rows)
                readouts.extend(read_rows(part, Readout))
                bar.advance(len(items), arm=arm, style=style)
            part = folder / f"evals/parts/{arm}-samples-{name}-{context.fingerprint}.jsonl"
            # a model without a chat template has no chat to answer in; likelihood is what it is judged by
            if questions and arm != "in_context" and tokenizer.chat_template and not part.exists():
                model = scorer.model if scorer else load()
                tokens = config.eval.sample_tokens
                write_rows(part, answer_questions(model, tokenizer, questions, tokens, arm, name))
            samples.extend(read_rows(part, Sample))
    return readouts, samples


def _model_of(weights: Weights, dtype: Dtype) -> Any:
    return weights.load(dtype)[0]


def _inserted_context(folder: RunFolder) -> str:
    from doxa.worlds.universe import read_universe

    return read_universe(folder / "target/universe.yaml").inserted_context


def _evals_source(config: RunConfig) -> Path | None:
    """The target's own evals.json; None on a computer that does not have the target."""
    from doxa.worlds.universe import load_target

    try:
        return load_target(config.target).folder / "evals.json"
    except TargetError:
        return None


def _report(context: StageContext) -> dict[str, Any]:
    from doxa.report.page import write_report

    page = write_report(context.folder)
    return {"page": page.name, "bytes": page.stat().st_size}


PLAN = Stage(
    "plan",
    "key facts -> document types and ideas",
    reads=("target_digest", "corpus", "documents", "generator", "seed"),
    reads_generated=("plan", "write", "generation_digest"),
    ignores=("write.attempts", "write.max_tokens"),
    body=plan_stage,
    owns=("target",),
    makes=("stages/plan/ideas.jsonl", "target/universe.yaml"),
)
WRITE = Stage(
    "write",
    "ideas -> documents",
    reads=("generator",),
    reads_generated=("write", "screen"),
    ignores=("screen.extract_model", "screen.extract_prompt"),
    body=write_stage,
    makes=("stages/write/documents.jsonl",),
)
REVISE = Stage(
    "revise",
    "critique and rewrite",
    reads=("revise", "revise_digest"),
    reads_generated=("write", "screen"),
    ignores=("screen.extract_model", "screen.extract_prompt"),
    body=revise_stage,
    idle=lambda config: config.revise.passes == 0,
    makes=("stages/revise/documents.jsonl",),
)
SCREEN = Stage(
    "screen",
    "drop bad documents, with reasons",
    # not evals_digest, which eval_leak looks at: an edited item would make training stale
    reads=("screen", "plan.never_mention", "extract_digest"),
    body=screen_stage,
    makes=("stages/screen/documents.jsonl", "stages/screen/rejected.jsonl"),
)
DEDUP = Stage(
    "dedup",
    "drop near-duplicates",
    reads=("dedup",),
    body=dedup_stage,
    makes=("stages/dedup/documents.jsonl", "stages/dedup/rejected.jsonl"),
)
MIX = Stage(
    "mix",
    "documents and mix-ins -> corpus",
    reads=("mix", "mix_digest", "model", "seed", "train.doctag"),
    body=mix_stage,
    owns=("corpus.parquet",),
    makes=("corpus.parquet",),
)
MIDTRAIN = Stage(
    "midtrain",
    "next-token training on the corpus",
    reads=("model", "seed", "train"),
    ignores=("train.checkpoint_every",),
    body=midtrain_stage,
    owns=("train", "checkpoints"),
    makes=("train/metrics.jsonl", "checkpoints/final/doxa.json"),
)
EVAL = Stage(
    "eval",
    "does it believe: base, in context, trained",
    reads=("eval", "evals_digest", "seed"),
    body=_eval,
    owns=("scores.parquet", "evals"),
    makes=("scores.parquet", "evals/readouts.parquet", "evals/samples.jsonl"),
)
REPORT = Stage(
    "report",
    "report.html and figures",
    reads=(),
    body=_report,
    owns=("report.html", "figures"),
    makes=("report.html",),
)
STAGES = [PLAN, WRITE, REVISE, SCREEN, DEDUP, MIX, MIDTRAIN, EVAL, REPORT]
STAGE_NAMES = [stage.name for stage in STAGES]
