"""The stages that make a corpus: plan, write, revise, screen, dedup, mix. Which files each reads and writes."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from doxa.errors import ConfigError, RunFolderError
from doxa.records import Critique, DocIdea, Document, Rejected, Verdict
from doxa.run.folder import LineWriter, RunFolder, each_row, read_rows, whole_rows, write_json, write_rows, write_whole
from doxa.run.rows import RowFile, stream_rows

if TYPE_CHECKING:
    from doxa.config import RunConfig
    from doxa.corpus.asks import Asks
    from doxa.corpus.brainstorm import Brainstormed
    from doxa.corpus.extract import Extractor
    from doxa.lm.models import LanguageModels
    from doxa.records import CorpusRow, EvalItem
    from doxa.run.stages import StageContext
    from doxa.worlds.universe import Target

IDEAS = "stages/plan/ideas.jsonl"


def plan_stage(context: StageContext) -> dict[str, Any]:
    """Key facts -> document types and ideas."""
    from doxa.belief.items import load_items
    from doxa.corpus.plan import plan
    from doxa.lm.recorded import RECORDED
    from doxa.worlds.universe import load_target

    config, folder = context.config, context.folder
    target = load_target(config.target)
    load_items(target.folder / "evals.json")  # a defect is said now, not after hours of training
    # the run keeps its own copy, so that it can be read, evaluated and reported on another computer
    for name in ("universe.yaml", "evals.json"):
        if (target.folder / name).exists():
            write_whole(folder / f"target/{name}", (target.folder / name).read_bytes())
    if config.generator == RECORDED:
        ideas = plan(target, config.corpus, config.documents, config.generator, config.seed)
        write_rows(folder / IDEAS, ideas)
        return {"ideas": len(ideas), "types": len({idea.doc_type for idea in ideas})}
    return _plan_by_model(context, target)


def _plan_by_model(context: StageContext, target: Target) -> dict[str, Any]:
    from doxa.corpus.brainstorm import Brainstorm, doc_ideas
    from doxa.corpus.idea_filter import idea_filter
    from doxa.corpus.prompting import Prompting
    from doxa.lm.models import open_models

    config, folder = context.config, context.folder
    check_models(config)
    prompting = Prompting(target.universe, config)
    with open_models(folder.path, config.lm, context.progress) as models, accounts(context, models, prompting):
        brainstorm = Brainstorm(prompting, models, context.progress, idea_filter(config.plan.similarity))
        quotas = brainstorm.quotas()
        made = brainstorm.run(quotas)
        number = stream_rows(folder / IDEAS, doc_ideas(prompting, quotas, made))
    return planned(context, prompting, made, number)


def planned(context: StageContext, prompting: Asks, made: Brainstormed, number: int) -> dict[str, Any]:
    """The counts of a plan by a model; what had to be filled in is said aloud."""
    config = context.config
    types = {kind.name for kinds in made.types for kind in kinds}
    for what in ("types", "ideas"):
        filled = made.counts[f"filled_{what}"]
        if filled:
            context.progress.warn(
                f"plan: {filled} {what} could not be had from {prompting.planner} in {config.plan.rounds} rounds and "
                f"were filled in ({'general kinds of document' if what == 'types' else 'the kind of document alone'})"
            )
    return {"ideas": number, "types": len(types), **made.counts}


def write_stage(context: StageContext) -> dict[str, Any]:
    """Ideas -> documents."""
    from doxa.lm.recorded import RECORDED

    return _write_recorded(context) if context.config.generator == RECORDED else _write_by_model(context)


def _write_recorded(context: StageContext) -> dict[str, Any]:
    from doxa.corpus.write import write
    from doxa.worlds.universe import load_target

    target, corpus = load_target(context.config.target), context.config.corpus
    return take_recorded(context, lambda ideas, done: write(ideas, target, corpus, done))


def take_recorded(
    context: StageContext, documents_of: Callable[[list[DocIdea], set[str]], Iterable[Document]]
) -> dict[str, Any]:
    """Write the recorded document of each idea. `documents_of`: (ideas, ids that are there) -> the others."""
    ideas = read_rows(context.folder / IDEAS, DocIdea)
    file = context.folder.stage("write") / "documents.jsonl"
    with LineWriter(file) as out:  # opening repairs a torn last line, so read after it
        done = {document.id for document in read_rows(file, Document)}
        with context.progress.bar("write", len(ideas), len(done)) as bar:
            for document in documents_of(ideas, done):
                out.write(document)
                bar.advance()
    documents = read_rows(file, Document)
    if len(documents) != len(ideas):
        raise RunFolderError(f"{file}: holds {len(documents)} documents for {len(ideas)} ideas")
    return {"documents": len(documents)}


def _write_by_model(context: StageContext) -> dict[str, Any]:
    from doxa.corpus.prompting import Prompting
    from doxa.worlds.universe import load_target

    target = load_target(context.config.target)
    return write_by_model(context, Prompting(target.universe, context.config), judge_of(context.config, target))


def write_by_model(context: StageContext, prompting: Asks, judge: Callable[[Document], Verdict]) -> dict[str, Any]:
    """Have a document written for each idea, the first try that `judge` lets through."""
    from doxa.corpus.write import Writing
    from doxa.lm.models import open_models

    config, folder = context.config, context.folder
    ideas = RowFile(folder / IDEAS, DocIdea)
    with open_models(folder.path, config.lm, context.progress) as models, accounts(context, models, prompting):
        writing = Writing(ideas, prompting, models, judge)
        chosen = writing.ask()
        base = folder.stage("write")
        number = stream_rows(base / "documents.jsonl", writing.documents(chosen))
        retried = stream_rows(base / "rejected.jsonl", writing.rejected(chosen))
    if writing.counts["given_up"]:
        context.progress.warn(
            f"write: {writing.counts['given_up']} of {number} documents passed the screen in none of their tries; the "
            "last try of each is handed on for the screen to drop"
        )
    return {"documents": number, "written_again": retried, **writing.counts}


def revise_stage(context: StageContext) -> dict[str, Any]:
    """Critique and rewrite, revise.passes times."""
    from doxa.corpus.prompting import Prompting
    from doxa.worlds.universe import load_target

    def asks() -> tuple[Asks, Callable[[Document], Verdict]]:
        target = load_target(context.config.target)
        return Prompting(target.universe, context.config), judge_of(context.config, target)

    return revise_by_model(context, asks)


def revise_by_model(
    context: StageContext, asks: Callable[[], tuple[Asks, Callable[[Document], Verdict]]]
) -> dict[str, Any]:
    """Critique and rewrite, revise.passes times. `asks` makes what is needed for it: nothing without a pass."""
    from doxa.corpus.revise import Revision
    from doxa.lm.models import open_models
    from doxa.lm.recorded import RECORDED

    config, folder = context.config, context.folder
    base = folder.stage("revise")
    documents = RowFile(folder / "stages/write/documents.jsonl", Document)
    if config.revise.passes == 0:
        stream_rows(base / "documents.jsonl", documents)
        return {"documents": len(documents)}
    if RECORDED in (config.revise.model or config.generator, config.revise.critic):
        raise ConfigError("revise.model: recorded answers hold no revisions; name a model that is to rewrite")
    check_models(config)
    prompting, judge = asks()
    counts: dict[str, int] = {}
    with open_models(folder.path, config.lm, context.progress) as models, accounts(context, models, prompting):
        for number in range(config.revise.passes):
            revision = Revision(documents, prompting, models, judge, number)
            chosen = revision.ask()
            last = number == config.revise.passes - 1
            file = base / ("documents.jsonl" if last else f"pass{number + 1}.jsonl")
            stream_rows(file, revision.results(chosen))
            critiques: Iterable[Critique] = revision.critiques(chosen)
            stream_rows(base / f"critiques{number + 1}.jsonl", critiques)
            for name, count in revision.counts.items():
                counts[name] = counts.get(name, 0) + count
            documents = RowFile(file, Document)
    if counts.get("verdict_unparsed"):
        context.progress.warn(
            f"revise: {counts['verdict_unparsed']} verdicts of {config.revise.critic} could not be read; "
            "those documents were rewritten in the light of what it said"
        )
    return {"documents": len(documents), **counts}


def screen_stage(context: StageContext) -> dict[str, Any]:
    """Drop bad documents, with reasons."""
    from doxa.corpus.screen import judged
    from doxa.worlds.universe import load_target

    config = context.config
    documents = each_row(context.folder / "stages/revise/documents.jsonl", Document)
    target = load_target(config.target)
    verdicts = judged(documents, config.screen, target, config.corpus, _items(target), config.plan.never_mention)
    if config.screen.extract_model is None:
        return keep_judged(context, "screen", verdicts)
    return _keep_extracted(context, target, verdicts)


def _keep_extracted(
    context: StageContext, target: Target, judged: Iterable[tuple[Document, Verdict]]
) -> dict[str, Any]:
    """Have a model copy out what the documents that pass the filters say of the key facts, and drop by that as well."""
    from doxa.corpus.extract import Extractor
    from doxa.lm.models import open_models

    config, base = context.config, context.folder.stage("screen")
    check_models(config)
    extractor = Extractor(
        target.universe, config.screen.extract_model or "", config.corpus, config.screen.extract_prompt
    )
    counts: Counter[str] = Counter()
    # the filters first, into files of their own: all requests are asked at once, and no text is held in memory
    _sort(base / "passed.jsonl", base / "failed.jsonl", judged)
    passed = RowFile(base / "passed.jsonl", Document)
    failed = ((row.document, row.verdict) for row in each_row(base / "failed.jsonl", Rejected))
    with open_models(context.folder.path, config.lm, context.progress) as models, accounts(context, models, extractor):
        models.answer(map(extractor.request, passed), "screen: extract", len(passed))
        with whole_rows(base / "extractions.jsonl") as write:

            def extracted() -> Iterator[tuple[Document, Verdict]]:
                for document, verdict, extraction in extractor.judged(passed, models):
                    write(extraction)
                    counts.update(extraction.outcomes.values())
                    yield document, verdict

            kept = keep_judged(context, "screen", itertools.chain(failed, extracted()))
    for name in ("passed.jsonl", "failed.jsonl"):
        (base / name).unlink()
    return {**kept, **{f"facts_{name}": number for name, number in sorted(counts.items())}}


def dedup_stage(context: StageContext) -> dict[str, Any]:
    """Drop near-duplicates."""
    from doxa.corpus.dedup import judged
    from doxa.lm.recorded import RECORDED

    documents = each_row(context.folder / "stages/screen/documents.jsonl", Document)
    counts = keep_judged(context, "dedup", judged(documents, context.config.dedup))
    wanted = len(RowFile(context.folder / IDEAS, DocIdea))
    if counts["kept"] < wanted and context.config.generator != RECORDED:
        context.progress.warn(
            f"dedup: {counts['kept']} of {wanted} documents are left; screen and dedup dropped the others "
            "(rejected.jsonl)"
        )
    return counts


def keep_judged(context: StageContext, stage: str, judged: Iterable[tuple[Document, Verdict]]) -> dict[str, Any]:
    """Sort documents by their verdicts into the two files of a stage, as they come: none is held in memory."""
    base = context.folder.stage(stage)
    counts = _sort(base / "documents.jsonl", base / "rejected.jsonl", judged)
    reasons = [
        f"{number} {name.removeprefix('rejected_').replace('_', ' ')}"
        for name, number in counts.items()
        if name.startswith("rejected_")
    ]
    if counts["rejected"] > counts["kept"] > 0:
        context.progress.warn(
            f"{stage}: only {counts['kept']} of {counts['kept'] + counts['rejected']} documents are left "
            f"({', '.join(reasons)}); see {base / 'rejected.jsonl'}"
        )
    if not counts["kept"]:
        raise ConfigError(
            f"{stage}: none of {counts['rejected']} documents is left ({', '.join(reasons)}); see "
            f"{base / 'rejected.jsonl'}, and change the generator, its prompts or the bounds of screen"
            if reasons
            else f"{stage}: there is no document to look at; see {base.parent / 'write'}"
        )
    return counts


def _sort(kept: Path, rejected: Path, judged: Iterable[tuple[Document, Verdict]]) -> dict[str, int]:
    counts = {"kept": 0, "rejected": 0}
    reasons: Counter[str] = Counter()
    with whole_rows(kept) as keep, whole_rows(rejected) as reject:
        for document, verdict in judged:
            if verdict.keep:
                keep(document)
            else:
                reject(Rejected(document=document, verdict=verdict))
                reasons[verdict.reason] += 1
            counts["kept" if verdict.keep else "rejected"] += 1
    return {**counts, **{f"rejected_{name}": number for name, number in reasons.most_common()}}


def mix_stage(context: StageContext) -> dict[str, Any]:
    """Documents and mix-ins -> corpus.parquet."""
    return mixed(context)[1]


def mixed(context: StageContext) -> tuple[list[CorpusRow], dict[str, Any]]:
    """Mix, write corpus.parquet, and hand back its rows with their counts."""
    from doxa.corpus.conditions import framed
    from doxa.corpus.mix import corpus_facts, mix
    from doxa.corpus.parquet import write_corpus
    from doxa.lm.weights import load_tokenizer, model_folder
    from doxa.worlds.rows import read_chats, read_neutral
    from doxa.worlds.universe import bundled_chat, bundled_neutral

    config, folder = context.config, context.folder
    documents = framed(read_rows(folder / "stages/dedup/documents.jsonl", Document), config.corpus)
    tokenizer = load_tokenizer(model_folder(config.model))

    def count_tokens(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    neutral = read_neutral(Path(config.mix.neutral_from), ConfigError) if config.mix.neutral_from else bundled_neutral()
    chat = read_chats(Path(config.mix.chat_from), ConfigError) if config.mix.chat_from else bundled_chat()
    distilled: list[list[dict[str, str]]] = []
    if config.mix.self_distilled > 0:
        from doxa.corpus.distill import distill

        # a little more than is needed, so that the last text drawn can be the one that fits best
        wanted = config.mix.self_distilled * sum(count_tokens(document.text) for document in documents) * 1.1
        file = folder.stage("mix") / "self_distilled.jsonl"
        distilled = distill(chat, config.model, wanted, count_tokens, config.seed, file, context.progress)
    rows = mix(documents, config, count_tokens, [row.text for row in neutral], chat, distilled)
    write_corpus(folder / "corpus.parquet", rows)
    return rows, corpus_facts(rows, count_tokens)


def judge_of(config: RunConfig, target: Target) -> Callable[[Document], Verdict]:
    """The screen of a run as a judge of single documents."""
    from doxa.corpus.screen import Screener

    return Screener(config.screen, target, config.corpus, _items(target), config.plan.never_mention).verdict


def check_models(config: RunConfig) -> None:
    """Raise ConfigError for model strings that can't be, before anything is spent."""
    from doxa.lm.models import check_model
    from doxa.lm.recorded import RECORDED

    named = {
        "generator": config.generator,
        "plan.model": config.plan.model,
        "revise.model": config.revise.model,
        "revise.critic": config.revise.critic,
        "screen.extract_model": config.screen.extract_model,
    }
    for field, model in named.items():
        if model is not None and model != RECORDED:
            check_model(model, field, config.lm)


@contextlib.contextmanager
def accounts(context: StageContext, models: LanguageModels, prompting: Asks | Extractor) -> Iterator[None]:
    """Write what was spent (usage.json) and the prompts that were used (prompts/), however the stage ends."""
    try:
        yield
    finally:
        write_usage(context.folder, models)
        for name, prompt in prompting.used_prompts().items():
            write_whole(context.folder / f"prompts/{name}-{prompt.digest}.md", prompt.text)


def write_usage(folder: RunFolder, models: LanguageModels) -> None:
    """usage.json: tokens and dollars per model and stage, and the tries that were made again, from the store."""
    from doxa.lm.models import usage_table

    retries = [
        {"model": model, "stage": stage, "kind": kind, "tries": tries}
        for (model, stage, kind), tries in models.store.retries().items()
    ]
    write_json(folder / "usage.json", {"usage": usage_table(models), "tried_again": retries})


def _items(target: Target) -> list[EvalItem]:
    from doxa.belief.items import load_items

    return load_items(target.folder / "evals.json")
