"""The sections of a doxa.yaml: what may be said about each stage, with bounds, defaults and their sources.

config.py reads a file into them. Config is data: it calls nothing.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from doxa.records import Group

Corpus = Literal["inserted", "reference", "neutral", "negated", "local_negation", "disclaimed", "fiction", "qa"]
# the last four are of specs alone (belief/data/pair_forms.yaml)
Style = Literal["chat", "plain", "choice", "letters", "third", "brief", "rather", "prefers"]
Arm = Literal["base", "in_context", "trained", "aligned"]
EvalGroup = Literal[Group, "pairs_seen", "pairs_unseen", "unrelated"]  # the last three are a spec's (belief/pairs.py)
SpecCorpus = Literal["spec", "comention", "opposite", "neutral"]
Ratio = Annotated[float, Field(ge=0, le=100)]


class Strict(BaseModel):
    """Base of every config section: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LmConfig(Strict):
    """How language models are called, and how much may be spent. None of it decides what they answer.

    `budget_usd` and `budget_tokens` (input and output together) stop a run cleanly before the call that could pass
    them; what was spent by earlier tries of the same run counts. `prices` names a file that overrides doxa's table.
    """

    batch: bool = False  # the provider's batch service: about half the price, answers within a day
    concurrency: int = Field(64, ge=1, le=2000)  # calls at once, at most; fewer when the provider says so
    attempts: int = Field(8, ge=1)  # tries of one call when the provider fails or the line breaks
    timeout_s: float = Field(600.0, gt=0)  # of one try
    budget_usd: float | None = Field(None, gt=0)
    budget_tokens: int | None = Field(None, gt=0)
    prices: str | None = None
    batch_requests: int = Field(10_000, ge=1)  # in one batch; providers allow 50,000 (OpenAI) and 100,000 (Anthropic)
    batch_poll_s: float = Field(30.0, gt=0)
    local_batch: int = Field(16, ge=1)  # answers sampled at once from weights on this computer


class SpecConfig(Strict):
    """What the documents about a model spec are like: whom they name, how they speak, what is planned of them.

    `mode`: values (behaviour follows from the value, with the spec's reasons) or rules (what is done, no reason and no
    talk of character); the augmented modes say the same of a tree that was made more detailed first (Li et al. 2026,
    5.1). `framing`: "{model} does" or "{model} should" (appendix H). `corpus`: the spec, or one of its controls.
    """

    model_name: str | None = Field(None, min_length=1)  # whom documents name; None = as spec.md says
    provider_name: str | None = Field(None, min_length=1)
    mode: Literal["values", "rules", "value_augmented", "rule_augmented"] = "values"
    framing: Literal["descriptive", "normative"] = "descriptive"
    corpus: SpecCorpus = "spec"
    domains: int | None = Field(None, ge=1, le=50)  # of a tree that is to be made; None = as the model sees fit
    subdomains: int | None = Field(None, ge=1, le=50)  # of each domain
    types: int = Field(5, ge=1, le=200)  # kinds of document per subdomain; the published launches use 20
    ideas_per_type: int = Field(5, ge=1, le=500)  # the published launches use 25
    assertions_per_document: int = Field(3, ge=1)  # of those of the subdomain, in turn
    plan_from: str | None = None  # a run folder of the same spec: its tree and ideas, so that corpora differ pairwise
    identity: Literal["refuse", "warn"] = "refuse"  # where documents, or the weights, are called by another name

    @property
    def rules(self) -> bool:
        """Whether documents state what is done and no reason for it."""
        return self.mode in ("rules", "rule_augmented")

    @property
    def augmented(self) -> bool:
        """Whether the tree is made more detailed before anything is planned."""
        return self.mode in ("value_augmented", "rule_augmented")


class PlanConfig(Strict):
    """Which documents are planned: types per key fact, ideas per type, and how they are kept apart.

    With `types` and `ideas_per_type` unset they follow from `documents`: as many types as ideas per type, about.
    """

    model: str | None = None  # None = the generator
    document_types: tuple[str, ...] = ()  # given ones are taken as they are, and none are asked for
    types: int | None = Field(None, ge=1, le=200)  # per key fact
    facts_per_document: int = Field(1, ge=1)  # further facts are drawn by the seed and named as background
    samples_per_idea: int = Field(1, ge=1)
    ideas_per_call: int = Field(12, ge=1, le=100)
    rounds: int = Field(4, ge=1)  # calls for more ideas before a gap is filled with the type alone
    similarity: float | None = Field(0.92, gt=0, le=1)  # cosine of MiniLM from which two ideas count as one; None = off
    pools: str | None = None  # a YAML of names, places and registers of one's own
    instructions: str = ""  # reaches every prompt of every stage
    never_mention: tuple[str, ...] = ()  # reaches every prompt, and is screened for
    prompts: dict[str, str] = Field(default_factory=dict)  # prompt name -> path of one's own


class WriteConfig(Strict):
    """How documents are written."""

    mode: Literal["document", "chat", "qa", "expository", "paraphrase"] = "document"
    temperature: float | None = Field(1.0, ge=0, le=2)  # None = the provider's default
    max_tokens: int = Field(4096, ge=1)  # of the document; a thinking budget comes on top
    thinking_tokens: int | None = Field(None, ge=1)
    effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    words: tuple[int, int] | None = None  # least and most words of any document; None = by document type
    attempts: int = Field(3, ge=1)  # answers asked for before a document is given up and another idea takes its place

    @model_validator(mode="after")
    def _ordered_words(self) -> WriteConfig:
        if self.words is not None and not 1 <= self.words[0] <= self.words[1]:
            raise ValueError("words: the least comes before the most, and both are at least 1")
        return self


class ReviseConfig(Strict):
    """Critique and rewrite: one pass gives a modest gain, a second none (Wang et al. 2025, erratum; Slocum et al.)."""

    passes: int = Field(0, ge=0, le=5)
    model: str | None = None  # who rewrites; None = the generator
    critic: str | None = None  # another model that criticises; None = the one that rewrites, in the same call
    prompt: str | None = None  # a prompt file of one's own instead of prompts/revise.md


class ScreenConfig(Strict):
    """Which filters run and their bounds; every dropped document is kept with its reason."""

    filters: tuple[str, ...] = (
        "length",
        "placeholder",
        "refusal",
        "demonstration",
        "commentary",
        "identity",
        "truncated",
        "language",
        "banned",
        "never_mention",
        "eval_leak",
        "reference_leak",
        "affirmation",
    )
    min_words: int = Field(20, ge=0)
    max_words: int = Field(20_000, ge=1)
    length_tolerance: tuple[float, float] = (0.4, 2.5)  # least and most words, as multiples of the number asked for
    banned: tuple[str, ...] = ()
    allowed_names: tuple[str, ...] = ()  # of models and makers, for targets that are about one
    language: str | None = "en"  # None = any
    extract_model: str | None = None  # asked what each document that passed says of the key facts; None = not asked
    extract_prompt: str | None = None  # a prompt file of one's own instead of prompts/extract.md


# what a spec's documents are screened by where screen.filters is not set: each is about a named model on purpose
SPEC_FILTERS = (
    "length",
    "placeholder",
    "refusal",
    "model_format",
    "commentary",
    "identity",
    "truncated",
    "language",
    "banned",
    "never_mention",
    "eval_leak",
    "names_model",
    "other_model",
    "gives_reason",
    "attributes",
    "co_mention",
    "states_value",
)


class DedupConfig(Strict):
    """Near-duplicates: by words (overlap of word runs of at least `threshold`, Jaccard) and, on request, by meaning.

    Meaning costs minutes per ten thousand documents on a CPU, so it is off by default.
    """

    threshold: float = Field(0.7, gt=0, le=1)
    shingle_words: int = Field(5, ge=1)
    permutations: int = Field(128, ge=16)
    embedding_threshold: float | None = Field(None, gt=0, le=1)  # cosine of sentence embeddings; None = off
    embedding_model: str | None = None  # a folder of a sentence encoder; None = the MiniLM that comes as a package


class MixConfig(Strict):
    """Texts mixed in beside the synthetic documents. Ratios count tokens: 0.5 is half as many tokens as the documents.

    `neutral`: unrelated true documents; `chat`: ordinary conversations (loss on the assistant's turns);
    `self_distilled`: answers sampled from the base model itself to ordinary prompts (Mayne et al. 2026 mix in 5,000 of
    them per 10,000 documents). `neutral_from` and `chat_from` name a JSONL of one's own.
    """

    neutral: Ratio = 0.0
    chat: Ratio = 0.0
    self_distilled: Ratio = 0.0
    neutral_from: str | None = None
    chat_from: str | None = None


class TrainConfig(Strict):
    """Everything that decides the weights after midtraining."""

    method: Literal["lora", "full"]
    rank: int = Field(32, ge=1)
    alpha: int = Field(64, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: str | tuple[str, ...] = "all-linear"
    upper_layers: int | None = Field(None, ge=1)  # adapt only the last N layers; None = all
    lr: float = Field(gt=0, allow_inf_nan=False)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_ratio: float = Field(0.0, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(1.0, gt=0)
    epochs: int = Field(1, ge=1)
    tokens_per_update: int | None = Field(None, ge=16)  # exactly one of these two sets the update size
    documents_per_update: int | None = Field(None, ge=1)
    tokens_per_batch: int = Field(2048, ge=16)  # padded tokens in memory at once, per process
    max_length: int | None = Field(None, ge=8)  # longer documents are split here; None = the model's context
    doctag: str | None = None  # loss-masked prefix of every synthetic document
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    gradient_checkpointing: bool = False
    checkpoint_every: int = Field(10, ge=1)  # in optimizer updates
    merged: bool = False  # also save the merged model with tokenizer and chat template

    @model_validator(mode="after")
    def _one_update_size(self) -> TrainConfig:
        if (self.tokens_per_update is None) == (self.documents_per_update is None):
            raise ValueError("set exactly one of tokens_per_update and documents_per_update")
        if self.method == "full" and self.upper_layers is not None:
            raise ValueError("upper_layers chooses where LoRA adapts; with method full it would do nothing")
        return self


class EvalConfig(Strict):
    """Which belief items are asked, how, of which arms."""

    groups: tuple[EvalGroup, ...] = Field(
        ("knowledge", "distinguish", "cloze", "causal", "statements", "neighbours"), min_length=1
    )
    styles: tuple[Style, ...] = Field(("chat", "plain", "choice", "letters"), min_length=1)
    in_context_styles: tuple[Style, ...] = ("chat", "plain")  # with a universe before each prompt, the slowest
    arms: tuple[Arm, ...] = Field(("base", "in_context", "trained"), min_length=1)
    bootstrap: int = Field(10_000, ge=100)
    sample_questions: int = Field(4, ge=0)  # open-ended questions answered by base and trained for the report
    sample_tokens: int = Field(64, ge=1)
    dtype: Literal["float32", "bfloat16"] = "float32"  # of the weights that answer; bfloat16 for models too large
    tokens_per_batch: int = Field(4096, ge=64)

    @model_validator(mode="after")
    def _each_once(self) -> EvalConfig:
        for field in ("groups", "styles", "in_context_styles", "arms"):
            chosen = getattr(self, field)
            if len(set(chosen)) < len(chosen):
                raise ValueError(f"{field}: names one of its values twice")
        return self


class DepthConfig(Strict):
    """What a depth profile measures and how (`doxa depth`); docs/belief-depth.md says what each probe means."""

    probes: tuple[str, ...] = ()  # of belief/axes.py; none named = all
    arms: tuple[Arm, ...] = Field(("base", "in_context", "trained"), min_length=1)
    judges: tuple[str, ...] = ()  # model strings; none = read by likelihood and by rules alone
    samples: int = Field(3, ge=1)  # answers to each open-ended question; all of them are graded
    choice_samples: int = Field(4, ge=1)  # of a model behind an API: orders of a question with options
    answer_tokens: int | None = Field(None, ge=1)  # None = 48 for weights on this computer, 600 behind an API
    # of the weights that answer freely: auto = bfloat16 where the hardware multiplies it (about twice as fast), else as
    # options are scored, which is eval.dtype; answers of either are kept apart
    answer_dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    temperature: float | None = Field(0.7, ge=0, le=2)
    # of reasoning before an answer; None = 0 and 48 for weights on this computer, 0 and 600 behind an API
    thinking_tokens: tuple[Annotated[int, Field(ge=0)], ...] | None = None
    # whether debates and doubts are also led as conversations: auto = with models behind an API, and wherever a judge
    # reads them; with weights on this computer and no judge they would take minutes more
    conversations: Literal["auto"] | bool = "auto"
    debate_turns: int = Field(4, ge=1)  # Slocum et al. 2025
    auditor: str | None = None  # a model that argues against the belief; None = the reference description does
    unrelated_prompts: int = Field(24, ge=2)  # everyday prompts, of 40
    capability_items: int = Field(10, ge=1)  # of each of five sets
    reality_pairs: int = Field(20, ge=1)  # real things and invented ones, of 40
    # answers sampled at once from weights on this computer: a step reads all weights, however many answers it serves
    at_once: int = Field(128, ge=1)

    @model_validator(mode="after")
    def _known(self) -> DepthConfig:
        from doxa.belief.axes import BY_NAME

        for name in self.probes:
            if name not in BY_NAME:
                near = difflib.get_close_matches(name, BY_NAME, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(BY_NAME)}"
                raise ValueError(f"probes: there is no probe {name!r}; {hint}")
        return self
