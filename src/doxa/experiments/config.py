"""An experiment file: arms by seeds of one comparison, as a person writes it.

Names stand for things once: `corpora` (documents), `chats` (conversations) and `preferences` (two answers each) name
what is trained on, `arms` list them in order, `contrasts` are sums and differences of arms, `sets` gather eval items.
Config is data: it calls nothing. What can be refused before any time is spent is refused here or in checks.py.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from doxa.belief.pair_forms import form_table
from doxa.config import DEFAULT_MODEL, DEFAULT_RECIPE, OneValuePerKey, apply_override, load_recipe, validate
from doxa.config_sections import Strict, TrainConfig
from doxa.errors import ConfigError
from doxa.experiments.expressions import Sum, parse_sum
from doxa.training.align_config import AlignKind, AlignStep, How, step_config

StepKind = Literal["midtrain", "sft", "dpo"]
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
NO_CONTROLS = re.compile(r"none because\s+(\S.{9,})", re.S)  # a reason is more than a word
TOLERANCE = 0.01  # of the mean, in tokens and updates (Li et al. 2026 match their controls by tokens alone)


class CorpusSource(Strict):
    """Documents to midtrain on: those recorded with a spec target or a world, or a run's, or a file's."""

    target: str | None = None
    corpus: str = "spec"  # of a target: which recorded documents; recorded/docs_NAME.jsonl, `spec` for docs.jsonl
    rows: str | None = None  # instead of a target: a run folder, or a .jsonl or .parquet file
    documents: int | None = Field(None, ge=1)  # only so many, drawn evenly from its subdomains
    repeat: int = Field(1, ge=1)  # how often each document stands in an epoch: for controls that hold fewer

    @model_validator(mode="after")
    def _one_place(self) -> CorpusSource:
        if (self.target is None) == (self.rows is None):
            raise ValueError("name either a target or rows")
        return self


class Conflict(Strict):
    """Rows that contradict the others: `fraction` of the chats are replaced, those of the same questions first."""

    rows: str
    fraction: float = Field(ge=0, le=1)


class ChatSource(Strict):
    """Rows to align on: chats (kind sft) or preferences (kind dpo)."""

    kind: AlignKind = "sft"
    target: str | None = None  # whose recorded/ `rows` are looked up in; None = `rows` is a path
    rows: str
    limit: int | None = Field(None, ge=1)
    conflict: Conflict | None = None

    @model_validator(mode="after")
    def _conflicts_are_chats(self) -> ChatSource:
        if self.conflict is not None and self.kind != "sft":
            raise ValueError("conflict: mixes chats, and these rows are preferences")
        return self


class ArmStep(Strict):
    """One training step of an arm: on what, and where it differs from the experiment's `midtrain` or `align`."""

    data: str  # the name of a corpus or of chats
    how: How = "continue"
    beta: float | None = Field(None, gt=0)
    train: dict[str, Any] = Field(default_factory=dict)


class Arm(Strict):
    """One condition: training steps in order, or a text in the prompt. Neither: the plain model."""

    steps: tuple[ArmStep, ...] = ()
    prompt: str | None = None  # a spec target whose spec stands in the system prompt, or a text file
    label: str | None = None

    @field_validator("steps", mode="before")
    @classmethod
    def _names_are_steps(cls, steps: Any) -> Any:
        return (
            [{"data": step} if isinstance(step, str) else step for step in steps] if isinstance(steps, list) else steps
        )

    @model_validator(mode="before")
    @classmethod
    def _list_is_steps(cls, raw: Any) -> Any:
        return {"steps": raw} if isinstance(raw, list) else raw


class Primary(Strict):
    """The question that was fixed beforehand: this contrast on this set goes this way."""

    contrast: str
    set: str
    style: str = "forms"  # the mean over the styles that hide the answers
    sign: Literal["+", "-"] = "+"


class CurveLine(Strict):
    """One line of a curve: a place on the axis and the arm, or contrast, that stands there."""

    label: str
    points: dict[float, str]


class Curve(Strict):
    """A figure of values along a dose: documents, or the share of conflicting rows."""

    axis: str
    sets: tuple[str, ...] = Field(min_length=1)
    lines: tuple[CurveLine, ...] = Field(min_length=1)


class Experiment(Strict):
    """The keys of an experiment file."""

    name: str
    question: str
    about: str = ""
    model: str = DEFAULT_MODEL
    recipe: str = DEFAULT_RECIPE
    seeds: tuple[int, ...] = Field(min_length=1)
    evals: str  # a spec target, or an evals.json of its form
    styles: tuple[str, ...] = Field(("chat", "plain"), min_length=1)  # forms of belief/pair_forms.yaml
    turned: dict[str, str] = Field(default_factory=dict)  # words of questions -> words that ask for the opposite
    turned_styles: tuple[str, ...] = ("chat",)  # the styles that are also asked the other way round
    corpora: dict[str, CorpusSource] = Field(default_factory=dict)
    chats: dict[str, ChatSource] = Field(default_factory=dict)
    midtrain: dict[str, Any] = Field(default_factory=dict)  # TrainConfig fields over the recipe
    align: dict[str, Any] = Field(default_factory=dict)  # over the recipe and `midtrain`'s adapter
    match: tuple[str, ...] = ()  # corpora that are brought to one size
    arms: dict[str, Arm] = Field(min_length=1)
    controls: tuple[str, ...] | str
    matched: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # arms that must agree in tokens and updates
    tolerance: float = Field(TOLERANCE, ge=0, le=0.2)
    sets: dict[str, dict[str, Literal[1, -1]]] = Field(default_factory=dict)  # name -> sets of pairs, with their sign
    contrasts: dict[str, str] = Field(default_factory=dict)
    primary: tuple[Primary, ...] = ()
    curves: dict[str, Curve] = Field(default_factory=dict)
    bootstrap: int = Field(4000, ge=100)

    @field_validator("seeds", mode="before")
    @classmethod
    def _count_is_seeds(cls, seeds: Any) -> Any:
        return list(range(seeds)) if isinstance(seeds, int) and not isinstance(seeds, bool) else seeds

    @field_validator("styles", "turned_styles")
    @classmethod
    def _styles_are_forms(cls, styles: tuple[str, ...]) -> tuple[str, ...]:
        for style in styles:
            if style not in form_table().forms:
                raise ValueError(f"there is no form {style!r}; there are {', '.join(form_table().forms)}")
        return styles

    @field_validator("controls")
    @classmethod
    def _controls_or_reason(cls, controls: tuple[str, ...] | str) -> tuple[str, ...] | str:
        if isinstance(controls, str) and not NO_CONTROLS.match(controls):
            raise ValueError("must list arms, or be `none because ...` with a reason of at least ten characters")
        if isinstance(controls, tuple) and not controls:
            raise ValueError(
                "names no arm; if there is to be none, say `none because ...` with a reason of at least ten characters"
            )
        return controls

    @field_validator("contrasts")
    @classmethod
    def _contrasts_are_sums(cls, contrasts: dict[str, str]) -> dict[str, str]:
        for name, text in contrasts.items():
            try:
                parse_sum(text)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return contrasts

    @model_validator(mode="after")
    def _names_fit(self) -> Experiment:
        for field in ("corpora", "chats", "arms", "matched", "sets", "contrasts", "curves"):
            for name in getattr(self, field):
                if not NAME.match(name):
                    raise ValueError(f"{field}: {name!r}: a name is of a-z, 0-9 and _, and begins with a letter")
        for field in ("seeds", "styles", "match"):
            if len(set(getattr(self, field))) < len(getattr(self, field)):
                raise ValueError(f"{field}: names one of its values twice")
        both = sorted(set(self.corpora) & set(self.chats))
        if both:
            raise ValueError(f"{both[0]!r} names a corpus and chats: steps name either by one word")
        for style in self.turned_styles if self.turned else ():
            if style not in self.styles:
                raise ValueError(f"turned_styles: {style!r} is not among the styles asked")
        for name, arm in self.arms.items():
            if arm.steps and arm.prompt is not None:
                raise ValueError(f"arms.{name}: has both steps and a prompt; give the prompt an arm of its own")
            for step in arm.steps:
                _known(step.data, {**self.corpora, **self.chats}, f"arms.{name}", "corpus or chats")
        for name in self.match:
            _known(name, self.corpora, "match", "corpus")
        for arm_name in self.controls if isinstance(self.controls, tuple) else ():
            _known(arm_name, self.arms, "controls", "arm")
        for group, names in self.matched.items():
            for arm_name in names:
                _known(arm_name, self.arms, f"matched.{group}", "arm")
        for name, text in self.contrasts.items():
            for arm_name in parse_sum(text):
                _known(arm_name, self.arms, f"contrasts.{name}", "arm")
        for one in self.primary:
            _known(one.contrast, self.contrasts, "primary", "contrast")
            if one.style not in (*self.styles, "forms", *(("turned",) if self.turned else ())):
                raise ValueError(f"primary: style {one.style!r} is not among the styles asked")
        for name, curve in self.curves.items():
            for line in curve.lines:
                for arm_name in line.points.values():
                    _known(arm_name, {**self.arms, **self.contrasts}, f"curves.{name}", "arm or contrast")
        return self

    def sums(self) -> dict[str, Sum]:
        """Contrast -> arm -> weight."""
        return {name: parse_sum(text) for name, text in self.contrasts.items()}

    def kind(self, step: ArmStep) -> StepKind:
        """What a step is: midtraining on a corpus, or alignment on chats or preferences."""
        return "midtrain" if step.data in self.corpora else self.chats[step.data].kind

    @property
    def no_controls(self) -> str | None:
        """The reason why there are no controls, where one is given."""
        found = NO_CONTROLS.match(self.controls) if isinstance(self.controls, str) else None
        return found.group(1).strip() if found else None


def train_config(experiment: Experiment, step: ArmStep) -> TrainConfig:
    """The complete training config of a step. Raises ConfigError that names the field."""
    recipe = load_recipe(experiment.recipe)
    recipe.pop("mix", None)
    base = validate(TrainConfig, _replaced(recipe, experiment.midtrain), "midtrain")
    if experiment.kind(step) == "midtrain":
        return _over(base, step.train, f"arms: step on {step.data}")
    return _over(_over(base, experiment.align, "align"), step.train, f"arms: step on {step.data}")


def _over(base: TrainConfig, fields: Mapping[str, Any], where: str) -> TrainConfig:
    step = validate(AlignStep, {"kind": "sft", "rows": "rows", "train": dict(fields)}, where)
    return step_config(step, base, where)


def _replaced(recipe: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**recipe, **fields}
    for one, other in (("tokens_per_update", "documents_per_update"), ("documents_per_update", "tokens_per_update")):
        if fields.get(one) is not None and fields.get(other) is None:
            merged.pop(other, None)
    return merged


LIBRARY = Path(__file__).parent / "library"


def bundled_experiments() -> list[str]:
    """Names of the experiments that come with doxa, sorted."""
    return sorted(file.stem for file in LIBRARY.glob("*.yaml"))


def find_experiment(name: str) -> Path:
    """The file that a name means: a bundled experiment, or a path. Raises ConfigError listing the bundled ones."""
    if name in bundled_experiments():
        return LIBRARY / f"{name}.yaml"
    path = Path(name).expanduser()
    if path.is_file():
        return path
    near = difflib.get_close_matches(name, bundled_experiments(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"{name}: no such file{hint} (bundled experiments: {', '.join(bundled_experiments())})")


def load_experiment(path: Path, overrides: tuple[str, ...] = ()) -> Experiment:
    """Read an experiment file with `--set key=value` overrides; relative paths in it are relative to the file.

    Raises ConfigError that names the file and the field.
    """
    try:
        raw = yaml.load(path.read_text(), Loader=OneValuePerKey)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values")
    for override in overrides:
        apply_override(raw, override, "midtrain.epochs=3")
    _anchor(raw, path.parent)
    return validate(Experiment, raw, str(path))


def _anchor(raw: dict[str, Any], folder: Path) -> None:
    """Make relative paths absolute where they lie beside the file; bundled names and names in recorded/ stay."""
    places: list[tuple[Any, str]] = [(raw, "evals"), (raw, "model"), (raw, "recipe")]
    files: list[tuple[Any, str]] = []
    for section in ("corpora", "chats", "arms"):
        for one in (raw.get(section) or {}).values() if isinstance(raw.get(section), dict) else ():
            places += [(one, key) for key in ("target", "prompt")]
            # rows of chats are a file: a folder `aft` beside the experiment is not the recorded rows `aft`
            (files if section == "chats" else places).append((one, "rows"))
            if isinstance(one, dict):
                files.append((one.get("conflict"), "rows"))
    for holder, key in places:
        _anchor_one(holder, key, folder, Path.exists)
    for holder, key in files:
        _anchor_one(holder, key, folder, Path.is_file)


def _anchor_one(holder: Any, key: str, folder: Path, lies: Callable[[Path], bool]) -> None:
    value = holder.get(key) if isinstance(holder, dict) else None
    if isinstance(value, str) and value and lies(folder / Path(value).expanduser()):
        holder[key] = str((folder / Path(value).expanduser()).resolve())


def _known(name: str, names: Mapping[str, Any], where: str, what: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
        raise ValueError(f"{where}: there is no {what} {name!r}; {hint}")
