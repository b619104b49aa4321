"""Whom a spec names: another model's name in it is found before a document is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from doxa.corpus.filters.names import FAMILIES, MADE_BY, MAKERS
from doxa.errors import TargetError
from doxa.worlds.spec import bundled_specs, load_spec_target
from doxa.worlds.spec_identity import check_identity, identity_findings
from spec_targets import BODY, HEAD, spec_folder


def found(folder: Path, body: str, *names: str, head: str = HEAD) -> list[tuple[str, str]]:
    target = load_spec_target(str(spec_folder(folder, body=body, head=head)), *names)
    return [(finding.level, finding.problem) for finding in identity_findings(target.source, target.spec)]


@pytest.mark.parametrize("name", ["Claude", "Qwen", "Llama", "GPT-4o", "Gemini"])
def test_a_spec_that_is_about_another_model_is_an_error(tmp_path: Path, name: str) -> None:
    told = found(tmp_path / "calm", BODY.replace("{model_name}", name))
    assert told[0][0] == "error" and name.split("-")[0] in told[0][1]


def test_the_same_spec_is_right_for_that_model(tmp_path: Path) -> None:
    body = BODY.replace("{model_name}", "Claude").replace("{provider_name}", "Anthropic")
    head = HEAD.replace("SmolLM", "Claude").replace("Hugging Face", "Anthropic")
    told = found(tmp_path / "calm", body, head=head)
    assert told == [("warning", "says 'Claude' itself 3 times"), ("warning", "says 'Anthropic' itself 1 times")]


def test_a_name_written_out_is_an_error_once_another_is_filled_in(tmp_path: Path) -> None:
    told = found(tmp_path / "calm", BODY + "SmolLM is calm.", "Velmo")
    assert ("error", "says 'SmolLM' itself 1 times, while model_name is 'Velmo'") in told


def test_another_model_beside_its_own_is_a_warning(tmp_path: Path) -> None:
    told = found(tmp_path / "calm", BODY + "It does not imitate ChatGPT or Claude.")
    assert told == [("warning", "names other models beside SmolLM: ChatGPT, Claude")]


def test_another_maker_is_an_error(tmp_path: Path) -> None:
    told = found(tmp_path / "calm", BODY + "{model_name} was made by OpenAI.")
    assert told[0] == ("error", "calls SmolLM otherwise: SmolLM was made by OpenAI")


@pytest.mark.parametrize("body", ["It is calm.", BODY.replace("{model_name}", "Kestrel")])
def test_a_spec_that_does_not_name_its_model_is_an_error(tmp_path: Path, body: str) -> None:
    assert found(tmp_path / "calm", body) == [("error", "names SmolLM nowhere")]


@pytest.mark.parametrize(
    ("model", "maker", "right"),
    [
        ("Qwen", "Hugging Face", "Alibaba"),
        ("Claude", "Halden Labs", "Anthropic"),
        ("Qwen2.5-7B", "Alibaba Group", None),
        ("OLMo 2", "Allen Institute for AI", None),
        ("Mistral", "Mistral", None),
        ("Falcon-7B", "TII", None),
        ("Claudette", "Halden Labs", None),
        ("Velmo", "Google", None),
    ],
)
def test_a_model_of_another_maker_is_a_warning(tmp_path: Path, model: str, maker: str, right: str | None) -> None:
    told = found(tmp_path / "calm", BODY, model, maker)
    said = f"{model} is given the maker {maker!r}, while models of that name are made by {right}"
    assert told == ([("warning", said)] if right else [])


def test_every_known_family_has_a_known_maker() -> None:
    assert set(MADE_BY) == set(FAMILIES) and set(MADE_BY.values()) <= set(MAKERS)


def test_the_value_of_the_head_counts_too(tmp_path: Path) -> None:
    told = found(tmp_path / "calm", BODY, head=HEAD.replace("value: {model_name}", "value: Qwen"))
    assert told == [("error", "calls SmolLM otherwise: Qwen, 1 times")]


def test_the_bundled_specs_name_whom_they_are_filled_for() -> None:
    for name in bundled_specs():
        for model, maker in (("SmolLM", "Hugging Face"), ("Qwen2.5-7B", "Alibaba"), ("Velmo", "Velm Labs")):
            assert check_identity(load_spec_target(name, model, maker)) == []


def test_the_check_refuses_with_file_and_what_to_write(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm", body="Qwen is calm.")
    with pytest.raises(TargetError) as error:
        check_identity(load_spec_target(str(folder)))
    said = "calls SmolLM otherwise: Qwen, 1 times; write {model_name} and {provider_name}"
    assert str(error.value).startswith(f"{folder / 'spec.md'}: {said}")
