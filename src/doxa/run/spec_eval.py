"""The eval stage of a run about a spec: pairs of answers, asked of base, in_context (the spec), trained and aligned."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from doxa.errors import ConfigError, TargetError
from doxa.records import Readout, Sample
from doxa.run.folder import read_json, read_rows, write_rows, write_whole
from doxa.run.spec_run import EVALS, SpecRun, target_of

if TYPE_CHECKING:
    from doxa.belief.likelihood import LikelihoodScorer
    from doxa.belief.pairs import PairItem
    from doxa.belief.subjects import Subject
    from doxa.run.stages import StageContext


def spec_eval_stage(context: StageContext) -> dict[str, Any]:
    """Ask every arm every pair in every style, by likelihood, and a few open questions; scores with intervals."""
    from doxa.belief.pair_scores import summarise_pairs
    from doxa.belief.pairs import load_pairs, load_spec_questions
    from doxa.belief.store import write_readouts, write_scores
    from doxa.belief.subjects import subjects_of_run
    from doxa.lm.named_weights import RECORD, finals_of

    config, folder = context.config, context.folder
    run = SpecRun(config, folder)
    _take_newer_evals(context)
    names = (run.spec.model_name, run.spec.provider_name)
    if not (folder / EVALS).exists():
        raise ConfigError(f"{config.target}: has no evals.json, so there is nothing to ask (docs/formats-spec.md)")
    items = [item for item in load_pairs(folder / EVALS, *names) if item.group in config.eval.groups]
    if not items:
        raise ConfigError(f"{folder / EVALS}: has no item of eval.groups {', '.join(config.eval.groups)}")
    questions = load_spec_questions(folder / EVALS, *names)[: config.eval.sample_questions]
    readouts: list[Readout] = []
    samples: list[Sample] = []
    total = sum(len(_styles(context, arm)) for arm in config.eval.arms) * len(items)
    asked = _Asked(context, items, questions, run.spec.model_name)
    with context.progress.bar("eval", total) as bar:
        for subject in subjects_of_run(folder, config.model, config.eval.arms, run.spec.text):
            arm = asked.of(subject)
            for style in _styles(context, subject.arm):
                readouts += arm.readouts(style)
                bar.advance(len(items), arm=subject.arm, style=style)
            samples += arm.samples()
    if not readouts:
        raise ConfigError("eval: none of eval.styles applies to any of eval.groups")
    scores = summarise_pairs(readouts, items, config.eval.bootstrap, config.seed)
    write_readouts(folder / "evals/readouts.parquet", readouts)
    write_rows(folder / "evals/samples.jsonl", samples)
    write_scores(folder / "scores.parquet", scores)
    shutil.rmtree(folder / "evals/parts", ignore_errors=True)
    final = finals_of(folder.path)["aligned" if "aligned" in config.eval.arms else "trained"] / RECORD
    return {
        "items": len(items),
        "readouts": len(readouts),
        "samples": len(samples),
        "checkpoint": read_json(final)["digest"] if final.exists() else None,
    }


class _Asked:
    """The questions of one evaluation; each finished (arm, style) lies in evals/parts/, so a killed eval continues."""

    def __init__(self, context: StageContext, items: list[PairItem], questions: list[str], model_name: str) -> None:
        from doxa.lm.weights import load_tokenizer, model_folder

        self.context, self.items, self.questions, self.model_name = context, items, questions, model_name
        self.tokenizer = load_tokenizer(model_folder(context.config.model))

    def of(self, subject: Subject) -> _Arm:
        """The same questions, put to one arm."""
        return _Arm(self, subject)


class _Arm:
    """One arm, whose weights are loaded when something has to be asked of it."""

    def __init__(self, asked: _Asked, subject: Subject) -> None:
        self.asked, self.subject = asked, subject
        self._scorer: LikelihoodScorer | None = None

    def readouts(self, style: str) -> list[Readout]:
        """The pairs in one style."""
        from doxa.belief.pairs import score_pairs

        subject, asked = self.subject, self.asked
        part = self._part(style)
        if not part.exists():
            rows = score_pairs(
                self._loaded(),
                asked.items,
                subject.arm,
                subject.checkpoint,
                subject.context,
                (style,),
                asked.model_name,
            )
            write_rows(part, rows)
        return read_rows(part, Readout)

    def samples(self) -> list[Sample]:
        """Free answers; none of an arm with the spec in its prompt, or of a model without a chat template."""
        from doxa.belief.samples import answer_questions

        subject, asked = self.subject, self.asked
        part = self._part("samples")
        if not asked.questions or subject.context is not None or not asked.tokenizer.chat_template:
            return []
        if not part.exists():
            tokens = asked.context.config.eval.sample_tokens
            model = self._loaded().model
            rows = answer_questions(model, asked.tokenizer, asked.questions, tokens, subject.arm, subject.checkpoint)
            write_rows(part, rows)
        return read_rows(part, Sample)

    def _part(self, what: str) -> Any:
        name = f"{self.subject.arm}-{what}-{self.subject.checkpoint}-{self.asked.context.fingerprint}"
        return self.asked.context.folder / f"evals/parts/{name}.jsonl"

    def _loaded(self) -> LikelihoodScorer:
        from doxa.belief.likelihood import LikelihoodScorer

        if self._scorer is None:
            assert self.subject.weights is not None
            settings = self.asked.context.config.eval
            model = self.subject.weights.load(settings.dtype)[0]
            self._scorer = LikelihoodScorer(model, self.asked.tokenizer, settings.tokens_per_batch)
        return self._scorer


def _styles(context: StageContext, arm: str) -> list[str]:
    chosen = context.config.eval
    return [style for style in chosen.styles if arm != "in_context" or style in chosen.in_context_styles]


def _take_newer_evals(context: StageContext) -> None:
    """Newer evals are taken in; a run folder on another computer uses its own copy."""
    from doxa.belief.pairs import load_pairs

    try:
        source = target_of(context.config).folder / "evals.json"
    except TargetError:
        return
    if source.is_file():
        load_pairs(source)
        write_whole(context.folder / EVALS, source.read_bytes())
