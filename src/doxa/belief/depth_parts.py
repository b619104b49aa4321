"""The parts of a depth profile, one per kind of question, of an arm whose weights are at hand; each is measured once.

What models behind an API are asked instead stands in belief/depth_asked.py.
"""

from __future__ import annotations

from collections.abc import Callable

from doxa.belief.asks import Ask, as_data, score_asks
from doxa.belief.awareness import awareness_asks
from doxa.belief.collateral import capability_asks, neutral_texts, perplexity_measures, reality_asks
from doxa.belief.depth_job import DepthJob, DepthRows, Loaded, kept, led, part_key, sampling_of, thinking_budgets
from doxa.belief.dialogues import dialogues, talking
from doxa.belief.direct import comparison_asks
from doxa.belief.free import Question, ask_freely, downstream_questions, questions, requests_of
from doxa.belief.likelihood import score_arm
from doxa.belief.robustness import critique_asks, frame_asks
from doxa.belief.rounds import Exchange, in_rounds
from doxa.belief.subjects import Subject
from doxa.belief.thinking import thinking_asks, thought_requests
from doxa.records import Answer, EvalItem, Measure, Readout
from doxa.run.folder import make_folder

ITEM_STYLES = ("chat", "plain")
TURN_TOKENS = 160  # of a turn in a conversation, for weights on this computer

Part = Callable[[DepthJob, Subject, Loaded, DepthRows], bool]


def parts_of(job: DepthJob, subject: Subject) -> dict[str, Part]:
    """The parts of one arm."""
    parts: dict[str, Part] = {"items": _items, **{name: _asked(name) for name in ASKS}}
    if "perplexity" in job.probes:
        parts["perplexity"] = _perplexity
    parts["free"] = free_part
    if "thinking" in job.probes:
        parts["thinking"] = _thinking
    if {"truth_probe", "adversarial_probe", "separability"} & set(job.probes):
        parts["internal"] = _internal
    return parts


# part name -> the asks of its probes; those of probes that were not chosen are left out
ASKS: dict[str, Callable[[DepthJob], list[Ask]]] = {
    "comparison": lambda job: comparison_asks(job.world),
    "frames": lambda job: frame_asks(job.world, job.probes, job.config.debate_turns),
    "critique": lambda job: critique_asks(job.world),
    "awareness": lambda job: awareness_asks(job.world),
    "capability": lambda job: capability_asks(job.config.capability_items),
    "reality": lambda job: reality_asks(job.config.reality_pairs),
}


def chosen_asks(job: DepthJob, name: str) -> list[Ask]:
    """The asks of one part, of the chosen probes."""
    return [ask for ask in ASKS[name](job) if ask.probe in job.probes]


def chosen_items(job: DepthJob) -> list[EvalItem]:
    """The items of the chosen groups."""
    return [item for item in job.world.items if item.group in job.probes]


def _items(job: DepthJob, subject: Subject, loaded: Loaded, rows: DepthRows) -> bool:
    items = chosen_items(job)

    def measure() -> list[Readout]:
        found = {(style, item.id): _known(job, subject, style, item) for item in items for style in ITEM_STYLES}
        for style in ITEM_STYLES:
            missing = [item for item in items if found[style, item.id] is None]
            if missing and (style == "plain" or loaded.scorer(subject).tokenizer.chat_template):
                scored = score_arm(
                    loaded.scorer(subject), missing, (style,), subject.arm, subject.checkpoint, subject.context
                )
                found.update({(style, row.item_id): row for row in scored})
        return [row for item in items for style in ITEM_STYLES if (row := found[style, item.id]) is not None]

    return kept(job, subject, "items", [item.model_dump() for item in items], Readout, measure, rows.readouts)


def _known(job: DepthJob, subject: Subject, style: str, item: EvalItem) -> Readout | None:
    """The readout that the run's own evaluation has of an item."""
    return job.known.get(subject.arm, subject.checkpoint, subject.context, job.scoring.dtype, style, item)


def _asked(name: str) -> Part:
    def part(job: DepthJob, subject: Subject, loaded: Loaded, rows: DepthRows) -> bool:
        asks = chosen_asks(job, name)

        def measure() -> list[Readout]:
            if not asks:
                return []
            return score_asks(loaded.scorer(subject), asks, subject.arm, subject.checkpoint, subject.context)

        return kept(job, subject, name, as_data(asks), Readout, measure, rows.readouts)

    return part


def _thinking(job: DepthJob, subject: Subject, loaded: Loaded, rows: DepthRows) -> bool:
    items = job.world.group("distinguish")
    budgets = thinking_budgets(job, subject)

    def measure() -> list[Readout]:
        scorer = loaded.scorer(subject)
        asks = thinking_asks(job.models, subject, items, budgets, sampling_of(job, subject), job.answer_dtype)
        return score_asks(scorer, asks, subject.arm, subject.checkpoint, subject.context)

    named = [[item.model_dump() for item in items], budgets, sampling_of(job, subject).model_dump(), job.answer_dtype]
    return kept(job, subject, "thinking", named, Readout, measure, rows.readouts)


def _perplexity(job: DepthJob, subject: Subject, loaded: Loaded, rows: DepthRows) -> bool:
    def measure() -> list[Measure]:
        return perplexity_measures(loaded.scorer(subject), subject.arm, subject.checkpoint, subject.context)

    return kept(job, subject, "perplexity", neutral_texts(), Measure, measure, rows.measures)


def free_part(job: DepthJob, subject: Subject, loaded: Loaded, rows: DepthRows) -> bool:
    """Free answers lie in the response store, so there is nothing to keep beside them.

    Reasoning of the same length is sampled along with them: from weights on this computer, many at once cost little
    more than a few.
    """
    sampling = sampling_of(job, subject)
    asked = questions_of(job, subject)
    if subject.weights is not None:
        requests = [request for one in asked for request in requests_of(subject, one, sampling, job.answer_dtype)]
        if "thinking" in job.probes and sampling.max_tokens in thinking_budgets(job, subject):
            items = job.world.group("distinguish")
            requests += thought_requests(subject, items, sampling.max_tokens, sampling, job.answer_dtype)
        job.models.answer(requests)
    rows.answers += ask_freely(job.models, subject, asked, sampling, job.answer_dtype)
    rows.answers += in_rounds(job.models, [conversations(job, subject)])[0]
    return True


def conversations(job: DepthJob, subject: Subject) -> Exchange[list[Answer]]:
    """The conversations that are led with a subject; none where nothing could read what they come to."""
    config, sampling = job.config, sampling_of(job, subject)
    if subject.weights is not None:
        sampling = sampling.model_copy(update={"max_tokens": TURN_TOKENS})
    talks = dialogues(job.world, led(job, subject), config.debate_turns, config.auditor is not None)
    return talking(job.models, subject, job.world, talks, sampling, config.auditor, job.answer_dtype)


def questions_of(job: DepthJob, subject: Subject) -> list[Question]:
    """What a subject is asked freely."""
    config = job.config
    told = subject.context is not None
    asked = questions(
        job.world,
        job.probes,
        samples=config.samples,
        unrelated=config.unrelated_prompts // 3 if told else config.unrelated_prompts,
        # a raw text has no place for a context: the arm is the base model there
        doctag=job.doctag if subject.weights is not None and not told else "",
    )
    if config.judges and "downstream" in job.probes:
        asked += downstream_questions(job.world, config.samples)
    return asked


def _internal(job: DepthJob, subject: Subject, loaded: Loaded, rows: DepthRows) -> bool:
    from doxa.internals.arm import target_pairs
    from doxa.internals.axis import ArmActivations, read_arm
    from doxa.internals.truth_statements import statements_digest

    # what is read, and no more: other items and the rest of the universe may change and these stay
    pairs = target_pairs(job.world.universe, job.world.items)
    asked = [[pair.model_dump() for pair in pairs], statements_digest()]
    path = job.parts / f"internal-{subject.arm}-{part_key(job, subject, asked)}.npz"
    missing = not path.exists()
    if missing:
        scorer = loaded.scorer(subject)
        read = read_arm(scorer.model, scorer.tokenizer, job.world.universe, job.world.items, subject.context)
        make_folder(path.parent)
        read.save(path)
    rows.activations[subject.arm] = ArmActivations.load(path)
    return missing
