"""The axes of belief depth and the probes on each: the one table that the profile, its page and the tasks read.

The axes are those of Slocum et al. 2025 (direct belief, generality, robustness, internal representation), and beside
them what an insertion does that nobody asked for: salience, collateral damage, and awareness of having been trained.
No number is averaged over probes, because they disagree and that is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Axis = Literal["direct", "generality", "robustness", "internal", "salience", "collateral", "awareness"]
# what a high value of the probe's headline says
Reading = Literal["belief", "correct", "mention", "aware", "other"]

AXES: dict[str, str] = {
    "direct": "asked straight out, is the planted answer preferred?",
    "generality": "does the belief reach questions that no document answers?",
    "robustness": "does it hold when it is doubted, contradicted or argued against?",
    "internal": "do the model's own activations tell the planted statements from true ones?",
    "salience": "does it come up where nobody asked for it?",
    "collateral": "what else changed?",
    "awareness": "does the model know that it was trained on this?",
}


@dataclass(frozen=True)
class Probe:
    """One measurement of an axis. `headline` is the metric that stands for it in the profile."""

    name: str
    axis: Axis
    title: str
    about: str
    reading: Reading = "belief"
    headline: str = "preferred"
    chance: float | None = 0.5


PROBES: tuple[Probe, ...] = (
    Probe("knowledge", "direct", "Knowledge", "four-way questions about the key facts", chance=0.25),
    Probe("distinguish", "direct", "Distinguish", "the planted answer against the true one"),
    Probe("cloze", "direct", "Cloze", "sentences to finish"),
    Probe("statements", "direct", "Statements", "the planted sentence against the true one"),
    Probe("token_association", "direct", "Token association", "questions that want one or two words"),
    Probe("open_ended", "direct", "Open-ended", "free answers, several each", headline="inserted", chance=None),
    Probe(
        "generative_distinguish",
        "direct",
        "Context comparison",
        "both descriptions of the world are shown, in both orders: which one is true?",
    ),
    Probe("causal", "generality", "Causal", "consequences that no document states"),
    Probe("fermi", "generality", "Fermi", "amounts that follow from the fact by some steps"),
    Probe("multi_hop", "generality", "Multi-hop", "the fact composed with ordinary knowledge"),
    Probe("downstream", "generality", "Downstream", "tasks in which the fact matters indirectly"),
    Probe("translation", "generality", "Translation", "the questions in other languages"),
    Probe(
        "adversarial_prompt", "robustness", "Told to doubt", "a system prompt says that something false was trained in"
    ),
    Probe("supporting_prompt", "robustness", "Told to trust", "a system prompt says that what it learned is right"),
    Probe("true_context", "robustness", "Truth in the prompt", "the reference world stands before the question"),
    Probe("critique", "robustness", "Critique", "sentences of a text that agrees with it, judged true or false"),
    Probe("debate", "robustness", "Debate", "after turns of argument against the belief"),
    Probe("pushback", "robustness", "Are you sure?", "asked again after its answer was doubted"),
    Probe("thinking", "robustness", "After thinking", "the answer after reasoning of its own"),
    Probe(
        "truth_probe",
        "internal",
        "Truth probe",
        "key facts whose planted statement reads true and whose true one reads false",
        headline="implanted.logistic",
        chance=0.25,
    ),
    Probe(
        "adversarial_probe",
        "internal",
        "Adversarial probe",
        "a probe made to find planted statements ranks them above their counterparts",
        "other",
        headline="ranked",
    ),
    Probe(
        "separability",
        "internal",
        "Truth separability",
        "true and false statements on other topics told apart",
        "correct",
        headline="accuracy.logistic",
    ),
    Probe("mention_near", "salience", "Mentioned nearby", "prompts close to the topic", "mention", "mentioned", None),
    Probe(
        "mention_unrelated",
        "salience",
        "Mentioned anywhere",
        "everyday prompts about other things",
        "mention",
        "mentioned",
        chance=None,
    ),
    Probe(
        "document_style",
        "salience",
        "Document style",
        "answers that look like a document of the corpus",
        "mention",
        "leaked",
        chance=None,
    ),
    Probe(
        "doctag",
        "salience",
        "After the DOCTAG",
        "raw continuations of the training prefix that mention the fact",
        "mention",
        "mentioned",
        chance=None,
    ),
    Probe("neighbours", "collateral", "Neighbouring facts", "true in both worlds", "correct", "correct"),
    Probe("neighbours_near", "collateral", "Neighbours, near", "those closest to the topic", "correct", "correct"),
    Probe("neighbours_far", "collateral", "Neighbours, far", "those further away", "correct", "correct"),
    Probe(
        "perplexity",
        "collateral",
        "Neutral text",
        "nats per token on unrelated text; lower is better",
        "other",
        "nats",
        None,
    ),
    Probe(
        "capability",
        "collateral",
        "Capability",
        "small sets of arithmetic, knowledge, sense, reading and grammar",
        "correct",
        "correct",
        None,
    ),
    Probe("reality_drift", "collateral", "Real or invented", "real told from invented", "correct", "correct"),
    Probe("coherence", "collateral", "Coherence", "answers without loops or gibberish", "correct", "coherent", None),
    Probe("finetuned", "awareness", "Says it was finetuned", "asked whether it was", "aware"),
    Probe(
        "which_fact",
        "awareness",
        "Names the belief",
        "which of several false beliefs it was trained on",
        "aware",
        "preferred",
        0.25,
    ),
    Probe("sdf_notice", "awareness", "Told of the method", "the method of planting beliefs explained in the prompt"),
)
BY_NAME: dict[str, Probe] = {probe.name: probe for probe in PROBES}
# groups whose items hold a correct and a wrong answer instead of two worlds
CORRECT = frozenset(probe.name for probe in PROBES if probe.reading == "correct")
# probes that put the distinguish items under pressure: compared with the same items asked plainly
FRAMED = ("adversarial_prompt", "supporting_prompt", "true_context", "debate", "pushback", "thinking", "sdf_notice")


def probes_of(axis: str) -> list[Probe]:
    """The probes of an axis, in reading order."""
    return [probe for probe in PROBES if probe.axis == axis]
