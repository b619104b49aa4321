"""What a `doxa aft make` will take before anything is spent: calls and tokens of each step."""

from __future__ import annotations

import math

from doxa.aft.asking import Asking
from doxa.corpus.estimate import TOKENS_PER_WORD, Step, step_of
from doxa.worlds.spec import SpecTarget

QUESTION_TOKENS = (15, 90)  # of one question, a line or a story
ANSWER_WORDS = (120, 400)
OPAQUE_WORDS = (8, 30)
REASONING_WORDS = (40, 150)
VERDICT_TOKENS, CRITIQUE_TOKENS = (50, 250), (60, 300)
# answers asked for per row that is kept; nothing of a real model's yield is known before it is tried
TRIES = (1.0, 2.0)
QUESTION = "word " * 40


def estimate(asking: Asking, target: SpecTarget) -> list[Step]:
    """The steps of a run. Prompts are rendered and measured, answers estimated; ranges are from low to high."""
    config = asking.config
    domains = len(config.domains) or (len(target.tree.domains) if target.tree else config.domain_count)
    share = config.number / domains * config.spare  # questions that are wanted of each domain
    calls = (
        domains * math.ceil(share / config.questions_per_call),
        domains * math.ceil(share * TRIES[1] / config.questions_per_call),
    )
    tries = (config.number, math.ceil(config.number * TRIES[1]))
    steps = []
    if not config.domains and target.tree is None:
        request = asking.listed("domains", config.domain_count, 0, earlier=[])
        steps.append(step_of("domains", request, (1, 2), (15 * config.domain_count, 40 * config.domain_count)))
    request = asking.listed(
        "questions", config.questions_per_call, 0, domain="home cooking", about="x" * 60, earlier=[QUESTION] * 20
    )
    low, high = QUESTION_TOKENS
    steps.append(
        step_of("questions", request, calls, (low * config.questions_per_call, high * config.questions_per_call))
    )
    words = OPAQUE_WORDS if config.opaque else ANSWER_WORDS
    thought = REASONING_WORDS if config.thinks else (0, 0)
    written = ((words[0] + thought[0]) * TOKENS_PER_WORD[0], (words[1] + thought[1]) * TOKENS_PER_WORD[1])
    reply, reasoning = "word " * round(sum(words) / 2), "word " * round(sum(thought) / 2)
    shown = {"question": QUESTION, "reply": reply}
    if config.method == "constitutional":
        principle = {"principle": "x" * 120, "why": "x" * 100}
        steps.append(step_of("drafts", asking.bare(config.drafter_model, QUESTION, 0), tries, written))
        times = (tries[0] * config.revisions, tries[1] * config.revisions)
        request = asking.examined("principle_critique", config.critic_model, 0, **shown, **principle)
        steps.append(step_of("criticise", request, times, CRITIQUE_TOKENS))
        request = asking.written("principle_revision", config.generator, 0, critique="x" * 400, **shown, **principle)
        steps.append(step_of("revise", request, times, written))
    else:
        name = "answer" if config.method == "spec" else "answer_deliberative"
        request = asking.written(name, config.generator, 0, question=QUESTION, reasoning=config.reasoning)
        steps.append(step_of("answers", request, tries, written))
    for number in range(config.rewrites):
        request = asking.examined("critique", config.critic_model, 0, reasoning=reasoning, **shown)
        steps.append(step_of(f"criticise, pass {number + 1}", request, tries, CRITIQUE_TOKENS))
        request = asking.written(
            "rewrite", config.generator, 0, reasoning=reasoning, critique="x" * 400, cites=False, **shown
        )
        steps.append(step_of(f"rewrite, pass {number + 1}", request, (tries[0] // 3, tries[1]), written))
    if config.judged:
        request = asking.examined("judge", config.judge_model, 0, method=config.method, reasoning=reasoning, **shown)
        steps.append(step_of("judge", request, tries, VERDICT_TOKENS))
    if config.anti:
        request = asking.written("answer_anti", config.generator, 0, question=QUESTION, reasoning=config.reasoning)
        steps.append(step_of("answers against the spec", request, tries, written))
        if config.judged:
            request = asking.examined("judge", config.judge_model, 0, method="antispec", reasoning=reasoning, **shown)
            steps.append(step_of("judge of those", request, tries, VERDICT_TOKENS))
    return steps
