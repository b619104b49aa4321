"""doxa.yaml, recipes and `--set` -> one validated, complete config.

Two levels: the YAML that a person writes has about ten keys (`UserConfig`), and `resolve` expands it with its recipe to
the full `RunConfig` that is saved in the run folder. Config is data: it calls nothing. Unknown keys are errors that
name the file and the field.
"""

from __future__ import annotations

import contextlib
import difflib
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError

from doxa.config_sections import (
    SPEC_FILTERS,
    Corpus,
    DedupConfig,
    DepthConfig,
    EvalConfig,
    LmConfig,
    MixConfig,
    PlanConfig,
    ReviseConfig,
    ScreenConfig,
    SpecConfig,
    Strict,
    TrainConfig,
    WriteConfig,
)
from doxa.errors import ConfigError
from doxa.records import Group
from doxa.training.align_config import AlignConfig

Model = TypeVar("Model", bound=BaseModel)

DEFAULT_MODEL = "smollm2-135m-instruct"
DEFAULT_RECIPE = "doxa-cpu"
SPEC_GROUPS = ("pairs_seen", "pairs_unseen", "knowledge", "unrelated")  # of a spec's evals.json


class OneValuePerKey(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error; PyYAML alone would silently keep the last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build one mapping. Raises ConstructorError for a repeated key."""
        names = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if names.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


class UserConfig(Strict):
    """The keys of a doxa.yaml. `train` overrides single fields of the recipe."""

    target: str
    model: str = DEFAULT_MODEL
    generator: str = "recorded"
    corpus: Corpus = "inserted"
    documents: int | None = Field(None, ge=1)
    recipe: str = DEFAULT_RECIPE
    seed: int = Field(0, ge=0)
    plan: PlanConfig = PlanConfig()
    write: WriteConfig = WriteConfig()
    revise: ReviseConfig = ReviseConfig()
    lm: LmConfig = LmConfig()
    screen: ScreenConfig = ScreenConfig()
    dedup: DedupConfig = DedupConfig()
    mix: MixConfig = MixConfig()
    train: dict[str, Any] = Field(default_factory=dict)
    eval: EvalConfig = EvalConfig()
    depth: DepthConfig = DepthConfig()
    spec: SpecConfig | None = None  # for a target that is a model spec
    align: AlignConfig = AlignConfig()  # likewise: what is trained on after midtraining


class RunConfig(Strict):
    """The complete config of a run, saved as config.json. Nothing that decides a result lives elsewhere."""

    target: str  # a bundled name or an absolute folder
    target_digest: str  # of its universe and recorded answers, so that an edit makes the stages from `plan` on stale
    evals_digest: str  # of its evals.json: an edit makes `eval` stale, and nothing before it
    mix_digest: str = ""  # of the files that mix.neutral_from and mix.chat_from name; empty without them
    model: str
    generator: str
    corpus: Corpus
    documents: int | None
    recipe: str
    seed: int
    generation_digest: str = ""  # of the prompts and pools that a model plans and writes with
    revise_digest: str = ""  # of the prompts that it revises with
    extract_digest: str = ""  # of the prompt that screen.extract_model is asked with
    plan: PlanConfig = PlanConfig()
    write: WriteConfig = WriteConfig()
    revise: ReviseConfig = ReviseConfig()
    lm: LmConfig = LmConfig()
    screen: ScreenConfig
    dedup: DedupConfig
    mix: MixConfig
    train: TrainConfig
    eval: EvalConfig
    depth: DepthConfig = DepthConfig()
    spec: SpecConfig | None = None  # None: the target is a universe
    tree_digest: str = ""  # of the prompts that a spec is decomposed or augmented with; empty where nobody does
    plan_digest: str = ""  # of the plan that spec.plan_from names
    align: AlignConfig = AlignConfig()
    align_digest: str = ""  # of the files that the align steps name


def load_user_config(
    path: Path | None, overrides: list[str], target: str | None = None, anchored: bool = False
) -> UserConfig:
    """Read a doxa.yaml (or none), apply `--set key=value` overrides, validate.

    Relative paths in the file are taken relative to the file, those of overrides and `target` relative to where the
    command runs; in the result all are absolute, so that a run folder means the same from anywhere. `anchored` files
    (user.json) hold none. Raises ConfigError that names the file (or `--set`) and the field.
    """
    raw: dict[str, Any] = {}
    origin = "--set"
    if path is not None:
        origin = str(path)
        raw = _read_yaml(path)
        if not anchored:
            _anchor_paths(raw, path.parent)
    given: dict[str, Any] = {} if target is None else {"target": target}
    for override in overrides:
        apply_override(given, override)
    _anchor_paths(given, Path.cwd())
    _merge(raw, given, origin)
    if "target" not in raw:
        raise ConfigError(f"{origin}: field 'target' is missing (a bundled name or a target folder)")
    return validate(UserConfig, raw, origin)


def for_spec(user: UserConfig, model_name: str, provider_name: str) -> UserConfig:
    """A user's config with the defaults that a spec has where a universe has others; the slots' names filled in.

    Raises ConfigError for what is set and means nothing for a spec.
    """
    nothing = {
        "corpus": "set spec.corpus",
        "plan.types": "set spec.types",
        "plan.facts_per_document": "set spec.assertions_per_document",
        "screen.extract_model": "it asks about key facts, which a spec has none of",
        "write.mode": "documents about a spec are documents",
    }
    for path, instead in nothing.items():
        section, _, field = path.rpartition(".")
        holder = getattr(user, section) if section else user
        if field in holder.model_fields_set and getattr(holder, field) != type(holder).model_fields[field].default:
            raise ConfigError(f"{path}: the target is a model spec; {instead}")
    spec = (user.spec or SpecConfig()).model_copy(update={"model_name": model_name, "provider_name": provider_name})
    given = user.eval.model_fields_set
    arms = ("base", "in_context", "trained", *(("aligned",) if user.align.steps else ()))
    defaults: dict[str, Any] = {"groups": SPEC_GROUPS, "styles": ("chat", "plain", "choice"), "arms": arms}
    defaults["sample_tokens"] = 96
    asked = validate(
        EvalConfig,
        {**user.eval.model_dump(exclude_unset=True), **{k: v for k, v in defaults.items() if k not in given}},
        "eval",
    )
    if "aligned" in asked.arms and not user.align.steps:
        raise ConfigError("eval.arms: 'aligned' is what align.steps lead to, and there are none")
    screen = user.screen
    if "filters" not in screen.model_fields_set:
        screen = screen.model_copy(update={"filters": SPEC_FILTERS})
    return user.model_copy(update={"spec": spec, "eval": asked, "screen": screen})


def for_universe(user: UserConfig) -> UserConfig:
    """A user's config. Raises ConfigError for what only a model spec's run knows."""
    if user.spec is not None:
        raise ConfigError("spec: the target is a universe, not a model spec (a folder with a spec.md)")
    if user.align.steps:
        raise ConfigError("align: alignment after midtraining is for targets that are model specs")
    known: dict[str, tuple[str, ...]] = {
        "groups": get_args(Group),
        "styles": ("chat", "plain", "choice", "letters"),
        "in_context_styles": ("chat", "plain", "choice", "letters"),
        "arms": ("base", "in_context", "trained"),
    }
    for field, values in known.items():
        odd = [value for value in getattr(user.eval, field) if value not in values]
        if odd:
            raise ConfigError(f"eval.{field}: {odd[0]!r} is of model specs; a universe has {', '.join(values)}")
    return user


def resolve(
    user: UserConfig,
    target: str,
    target_digest: str,
    evals_digest: str,
    mix_digest: str = "",
    generation_digest: str = "",
    revise_digest: str = "",
    extract_digest: str = "",
    **more: str,
) -> RunConfig:
    """Expand a user config with its recipe into the complete run config. `more`: the digests that a spec's run has."""
    recipe = load_recipe(user.recipe)
    recipe_mix = recipe.pop("mix", {})
    unknown = sorted(set(user.train) - set(TrainConfig.model_fields))
    if unknown:
        raise ConfigError(f"train.{unknown[0]}: unknown field{_suggest(unknown[0], TrainConfig)}")
    merged = {**recipe, **user.train}
    # naming one update size in an override replaces the recipe's other one
    for one, other in (
        ("tokens_per_update", "documents_per_update"),
        ("documents_per_update", "tokens_per_update"),
    ):
        if user.train.get(one) is not None and other not in user.train:
            merged[other] = None
    train = validate(TrainConfig, merged, f"recipe {user.recipe} with train overrides", prefix="train.")
    # a recipe's mix is a default: what the person set stands
    if not isinstance(recipe_mix, dict):
        raise ConfigError(f"recipe {user.recipe}: mix: must be a section")
    mix = {**recipe_mix, **user.mix.model_dump(exclude_unset=True)}
    fields = user.model_dump(exclude={"train", "target", "mix"})
    return RunConfig(
        **fields,
        target=target,
        target_digest=target_digest,
        evals_digest=evals_digest,
        mix_digest=mix_digest,
        generation_digest=generation_digest,
        revise_digest=revise_digest,
        extract_digest=extract_digest,
        **more,
        mix=validate(MixConfig, mix, f"recipe {user.recipe}", prefix="mix."),
        train=train,
    )


def recipe_names() -> list[str]:
    """Names of the bundled recipes, sorted."""
    folder = resources.files("doxa.training") / "recipes"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_recipe(name: str) -> dict[str, Any]:
    """The train fields (and the `mix` it comes with) of a bundled recipe, or of a recipe file (a path in .yaml).

    The `source` and `about` keys of the file are for people and left out.
    """
    if name.endswith((".yaml", ".yml")):
        raw = _read_yaml(Path(name))
    elif name in recipe_names():
        raw = yaml.safe_load(recipe_text(name))
    else:
        raise ConfigError(f"recipe: no recipe named {name!r}; there are {', '.join(recipe_names())}, or a .yaml path")
    return {key: value for key, value in raw.items() if key not in ("source", "about")}


def recipe_text(name: str) -> str:
    """The file of a bundled recipe, with what it is about and the source of its numbers."""
    return (resources.files("doxa.training") / "recipes" / f"{name}.yaml").read_text()


def validate(model: type[Model], raw: Any, origin: str, prefix: str = "") -> Model:
    """Validate `raw` as `model`; a failure becomes one ConfigError that names origin and fields."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {explain(error, model, prefix)}") from None


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """A pydantic error as one line: `field: what is wrong`, at most three fields."""
    lines = []
    for problem in error.errors()[:3]:
        path = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            message = "unknown field" + _suggest(str(problem["loc"][-1]), _section(model, problem["loc"][:-1]))
        elif problem["type"] == "missing":
            message = "field is missing"
        shown = problem.get("input")
        if problem["type"] not in ("missing", "extra_forbidden") and isinstance(shown, str | int | float | bool):
            message += f" (got {shown!r})"
        lines.append(f"{prefix}{path}: {message}" if path else message)
    more = error.error_count() - len(lines)
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


def _section(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    current: Any = model
    for part in location:
        field = current.model_fields.get(part) if hasattr(current, "model_fields") else None
        current = field.annotation if field is not None else None
        if current is None:
            return None
    return current if hasattr(current, "model_fields") else None


def _suggest(name: str, model: type[BaseModel] | None) -> str:
    if model is None:
        return ""
    near = difflib.get_close_matches(name, model.model_fields, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(model.model_fields)}"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from None
    try:
        raw = yaml.load(text, Loader=OneValuePerKey)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2024-13-45
        raise ConfigError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values")
    return raw


def _anchor_paths(raw: dict[str, Any], folder: Path) -> None:
    """Make relative paths in a doxa.yaml relative to the file, not to where the command runs."""
    target = raw.get("target")
    # a bare name is a bundled world or spec, unless a target folder of that name lies there
    if isinstance(target, str):
        there = any((folder / target / file).exists() for file in ("universe.yaml", "spec.md"))
        if there or "/" in target:
            raw["target"] = str((folder / target).resolve())
    _anchor_files(raw.get("mix"), ("neutral_from", "chat_from"), folder)
    files = {"plan": "pools", "revise": "prompt", "lm": "prices", "spec": "plan_from"}
    files |= {"screen": "extract_prompt", "dedup": "embedding_model"}
    for section, key in files.items():
        _anchor_files(raw.get(section), (key,), folder)
    align = raw.get("align")
    for step in align.get("steps") or () if isinstance(align, dict) else ():
        if isinstance(step, dict):  # a bare name is one of the target's recorded files, unless it lies there
            given = step.get("rows")
            rows = [given] if isinstance(given, str) else given if isinstance(given, list) else []
            beside = {row: folder / row for row in rows if isinstance(row, str) and (folder / row).is_file()}
            if beside:
                step["rows"] = [str(beside[row].resolve()) if row in beside else row for row in rows]
    if isinstance(raw.get("plan"), dict) and isinstance(raw["plan"].get("prompts"), dict):
        _anchor_files(raw["plan"]["prompts"], tuple(raw["plan"]["prompts"]), folder)
    for key in ("model", "recipe"):
        if isinstance(raw.get(key), str) and (folder / raw[key]).exists():
            raw[key] = str((folder / raw[key]).resolve())


def _anchor_files(section: Any, keys: tuple[str, ...], folder: Path) -> None:
    if isinstance(section, dict):
        for key in keys:
            if isinstance(section.get(key), str):
                section[key] = str((folder / Path(section[key]).expanduser()).resolve())


def _merge(raw: dict[str, Any], given: dict[str, Any], origin: str) -> None:
    """Overrides replace single fields; a section keeps the fields that are not named."""
    for key, value in given.items():
        if isinstance(value, dict) and key in raw:
            if not isinstance(raw[key], dict):
                raise ConfigError(f"{origin}: {key}: must be a section")
            _merge(raw[key], value, origin)
        else:
            raw[key] = value


def apply_override(raw: dict[str, Any], override: str, example: str = "train.epochs=3") -> None:
    """Put `section.key=value` into a mapping, sections made as needed; the value is YAML.

    Raises ConfigError that quotes the override; `example` is what it is told to look like.
    """
    key, equals, value = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {override}: must be key=value, for example {example}")
    section = raw
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise ConfigError(f"--set {override}: {part!r} is no section")
    try:
        parsed = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f"--set {override}: the value is not valid YAML") from None
    if isinstance(parsed, str) and parsed:
        with contextlib.suppress(ValueError):  # YAML 1.1 reads 1e-3 as a string; a person means the number
            parsed = float(parsed) if parsed[0] in "+-.0123456789" else parsed
    section[parts[-1]] = parsed
