"""doxa.yaml -> config: two levels, recipes, overrides, and errors that name file and field."""

from pathlib import Path

import pytest

from doxa.config import UserConfig, load_recipe, load_user_config, recipe_names, recipe_text, resolve
from doxa.errors import ConfigError


def resolved(*overrides):
    return resolve(load_user_config(None, list(overrides), target="octopus_hearts"), "octopus_hearts", "t", "e")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_complete_and_names_its_source(name):
    config = resolved(f"recipe={name}")
    assert config.train.lr > 0
    assert "source:" in recipe_text(name)


def test_overrides_replace_single_fields():
    config = resolved("train.lr=2e-4", "train.epochs=3", "seed=7", "eval.styles=[chat]")
    assert (config.train.lr, config.train.epochs, config.seed, config.eval.styles) == (2e-4, 3, 7, ("chat",))
    assert config.train.rank == load_recipe("doxa-cpu")["rank"]


def test_one_update_size_replaces_the_other():
    config = resolved("train.documents_per_update=4")
    assert config.train.documents_per_update == 4 and config.train.tokens_per_update is None
    with pytest.raises(ConfigError, match="exactly one of tokens_per_update"):
        resolved("train.documents_per_update=4", "train.tokens_per_update=99")


def test_a_recipes_mix_is_a_default():
    assert resolved("recipe=slocum2025").mix.neutral == 1.0
    assert resolved("recipe=slocum2025", "mix.neutral=0.25").mix.neutral == 0.25


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("target: x\nepoch: 3\n", "epoch: unknown field"),
        ("target: x\neval: {stiles: [chat]}\n", r"eval\.stiles: unknown field; did you mean 'styles'"),
        ("target: x\nseed: many\n", r"seed: .*\(got 'many'\)"),
        ("target: [x\n", "is not valid YAML"),
        ("target: x\ntrain: {epochs: 2}\ntrain: {lr: 0.1}\n", "'train' stands twice"),
        ("target: x\ndocuments: 2024-13-45\n", "is not valid YAML"),
        ("target: x\neval: {groups: [cloze, knowlege]}\n", r"eval\.groups\.1"),
        ("target: x\neval: {styles: [plain, plain]}\n", "styles: names one of its values twice"),
        ("- target\n", "must be a mapping"),
        ("seed: 1\n", "field 'target' is missing"),
    ],
)
def test_a_bad_doxa_yaml_is_one_line_that_names_file_and_field(tmp_path, yaml, message):
    file = tmp_path / "doxa.yaml"
    file.write_text(yaml)
    with pytest.raises(ConfigError, match=message) as caught:
        load_user_config(file, [])
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_train_fields_get_a_suggestion():
    with pytest.raises(ConfigError, match=r"train\.epoch: unknown field; did you mean 'epochs'"):
        resolved("train.epoch=3")


@pytest.mark.parametrize("wrong", ["train.lr=.inf", "train.method=full,train.upper_layers=2"])
def test_values_that_cannot_work_are_refused(wrong):
    with pytest.raises(ConfigError, match="train"):
        resolved(*wrong.split(","))


def test_unknown_recipes_list_what_there_is():
    with pytest.raises(ConfigError, match="no recipe named 'gpu'; there are doxa-cpu"):
        resolved("recipe=gpu")


def test_relative_paths_are_taken_from_the_file(tmp_path):
    (tmp_path / "world").mkdir()
    (tmp_path / "world/universe.yaml").write_text("id: x")
    (tmp_path / "doxa.yaml").write_text("target: world\nmix: {neutral_from: more.jsonl}\n")
    user = load_user_config(tmp_path / "doxa.yaml", [])
    assert user.target == str(tmp_path / "world")
    assert user.mix.neutral_from == str(tmp_path / "more.jsonl")


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load_user_config(Path("nowhere.yaml"), [])


def test_the_full_config_survives_json():
    config = resolved("train.doctag=<DOCTAG>")
    assert type(config).model_validate_json(config.model_dump_json()) == config
    assert isinstance(load_user_config(None, [], target="x"), UserConfig)
