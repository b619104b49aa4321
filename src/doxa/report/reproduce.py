"""The short doxa.yaml that gives the same run again."""

from __future__ import annotations

from typing import Any

import yaml

from doxa.config import RunConfig, UserConfig, for_spec, load_recipe, recipe_names
from doxa.config_sections import SpecConfig
from doxa.training.align_config import AlignConfig


def doxa_yaml(config: RunConfig) -> str:
    """What a person would have to write to get `config`: the keys that differ from the defaults and the recipe.

    A recipe of one's own may have changed or stayed on another computer; then all its fields are written out.
    """
    full = config.model_dump(mode="json")
    default = _defaults(config)
    recipe = load_recipe(config.recipe) if config.recipe in recipe_names() else {}
    recipe_mix = recipe.pop("mix", {})
    written: dict[str, Any] = {"target": config.target, "model": config.model, "recipe": config.recipe}
    for key in UserConfig.model_fields:
        if key in written or key in ("train", "mix") or full[key] == default[key]:
            continue
        written[key] = _changed(full[key], default[key]) if isinstance(full[key], dict) else full[key]
    mix = _changed(full["mix"], {**default["mix"], **recipe_mix})
    train = _changed(full["train"], {**_train_defaults(), **recipe})
    if mix:
        written["mix"] = mix
    if train:
        written["train"] = train
    return yaml.safe_dump(written, sort_keys=False, allow_unicode=True)


def _defaults(config: RunConfig) -> dict[str, Any]:
    """What a run has whose doxa.yaml names nothing but its target. The names in a spec are always written out."""
    plain = UserConfig(target=config.target)
    if config.spec is not None:
        plain = for_spec(plain.model_copy(update={"align": config.align}), "", "")
        plain = plain.model_copy(update={"spec": SpecConfig(), "align": AlignConfig()})
    return plain.model_dump(mode="json")


def _changed(values: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in default or value != default[key]}


def _train_defaults() -> dict[str, Any]:
    from doxa.config_sections import TrainConfig

    fields = TrainConfig.model_fields.items()
    return {name: field.default for name, field in fields if not field.is_required()}
