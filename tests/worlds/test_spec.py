"""Specs: what is read, how slots are filled, and which file and field an error names."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from doxa.errors import TargetError
from doxa.worlds.spec import bundled_specs, is_spec_target, load_spec_target
from doxa.worlds.spec_tree import SpecTree, projected, read_tree, tree_yaml
from spec_targets import BODY, HEAD, TREE, spec_folder


def load(folder: Path, *names: str):
    return load_spec_target(str(folder), *names)


def test_slots_are_filled_with_the_names_of_the_head_or_of_the_caller(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm", tree=TREE)
    target = load(folder)
    assert target.spec.value == "SmolLM values calm."
    assert "Hugging Face made it" in target.spec.text and "{" not in target.spec.text
    assert target.tree is not None and target.tree.assertions[0].statement == "SmolLM answers in short sentences."
    other = load(folder, "Velmo", "Velm Labs")
    assert other.spec.value == "Velmo values calm." and "Velm Labs made it" in other.spec.text
    assert other.tree is not None and other.tree.assertions[0].statement.startswith("Velmo")
    assert (other.digest, other.evals_digest) == (target.digest, target.evals_digest)


def test_a_name_is_filled_in_once_whatever_it_holds(tmp_path: Path) -> None:
    target = load(spec_folder(tmp_path / "calm"), "{provider_name}: 'x'", "B")
    assert target.spec.value == "{provider_name}: 'x' values calm."


@pytest.mark.parametrize(
    ("slot", "meant"),
    [
        ("{modelname}", "{model_name}"),
        ("{Model_Name}", "{model_name}"),
        ("{model-name}", "{model_name}"),
        ("{ model_name }", "{model_name}"),
        ("{{model_name}}", "{model_name}"),
        ("{model}", "{model_name}"),
        ("{provider}", "{provider_name}"),
        ("{providername}", "{provider_name}"),
    ],
)
def test_what_was_meant_as_a_slot_is_refused_with_the_slot(tmp_path: Path, slot: str, meant: str) -> None:
    folder = spec_folder(tmp_path / "calm", body=f"{slot} is calm.")
    with pytest.raises(TargetError) as error:
        load(folder)
    assert f"{folder / 'spec.md'}: {slot} is no slot; write {meant}" in str(error.value)


@pytest.mark.parametrize(
    "value", ['"{modelname} is calm."', "{modelname} is calm.", "{modelname}", ">\n  {modelname} is calm."]
)
def test_a_near_slot_in_the_head_names_its_field(tmp_path: Path, value: str) -> None:
    folder = spec_folder(tmp_path / "calm", head=HEAD.replace("value: {model_name} values calm.", f"value: {value}"))
    with pytest.raises(TargetError, match=r"spec\.md: value: \{modelname\} is no slot; write \{model_name\}"):
        load(folder)


def test_a_near_slot_that_breaks_a_tree_is_named(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm")
    (folder / "tree.yaml").write_text("domains: [{id: d, name: {modelname} is calm}]\n")
    with pytest.raises(TargetError, match=r"tree\.yaml: \{modelname\} is no slot; write \{model_name\}"):
        load(folder)


def test_braces_of_other_kinds_stay_as_they_are(tmp_path: Path) -> None:
    body = (
        '{model_name} answers in JSON: {"name": "x", "size": {3}}.\n\nIt may use {placeholder} and {user name}.\n\n'
        '```python\nprint(f"{model} by {provider}")\n```\n\nIn code, `{modelname}` is a variable.'
    )
    target = load(spec_folder(tmp_path / "calm", body=body))
    for kept in ('{"name": "x", "size": {3}}', "{placeholder}", "{user name}", "{model} by {provider}", "{modelname}"):
        assert kept in target.spec.text


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("no head at all\n", "must begin with `---`"),
        ("---\nid: x\n", "must begin with `---`"),
        ("---\nid: [x\n---\n", "is not valid YAML"),
        ("---\n- x\n---\n", "must be a mapping"),
        (HEAD.replace("title: The calm desk\n", ""), "title: field is missing"),
        (HEAD.replace("model_name: SmolLM", "model_name:"), "model_name: field is missing"),
        (HEAD.replace("id:", "idd:"), "idd: unknown field; did you mean 'id'?"),
        (HEAD.replace("title: The", "title: [The]\nx: The"), "title: Input should be a valid string"),
        (HEAD + "---\n", None),
    ],
)
def test_a_broken_head_is_one_line_with_file_and_field(tmp_path: Path, head: str, said: str | None) -> None:
    folder = spec_folder(tmp_path / "calm", head=head)
    if said is None:
        assert load(folder).spec.id == "calm_desk"  # a rule in the body is none of the head's
        return
    with pytest.raises(TargetError) as error:
        load(folder)
    assert str(error.value).startswith(str(folder / "spec.md")) and said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_head_without_a_spec_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="holds no spec below"):
        load(spec_folder(tmp_path / "empty", body="\n\n"))
    folder = spec_folder(tmp_path / "latin")
    (folder / "spec.md").write_bytes(HEAD.encode() + b"caf\xe9")
    with pytest.raises(TargetError, match=r"spec\.md: is not UTF-8"):
        load(folder)


def test_line_ends_and_a_byte_order_mark_of_windows_are_no_matter(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm", tree=TREE)
    text = (folder / "spec.md").read_text().replace("\n", "\r\n")
    (folder / "spec.md").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load(folder).spec.text == load(spec_folder(tmp_path / "plain")).spec.text


def test_a_broken_tree_is_named_by_file_and_by_the_ids_of_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "calm"
    tree = copy.deepcopy(TREE)
    del tree["domains"][0]["subdomains"][0]["summary"]
    spec_folder(folder, tree=tree)
    with pytest.raises(TargetError) as error:
        load(folder)
    assert str(error.value) == (
        f"{folder / 'tree.yaml'}: domains.0.subdomains.0.summary (calm > answers): field is missing"
    )
    spec_folder(folder, tree="domains: [unclosed\n  - {model_name}")
    with pytest.raises(TargetError, match=r"tree\.yaml: is not valid YAML: .*line 2"):
        load(folder)
    tree = copy.deepcopy(TREE)
    tree["domains"].append(copy.deepcopy(tree["domains"][0]))
    spec_folder(folder, tree=tree)
    with pytest.raises(TargetError, match="the id 'calm' stands twice"):
        load(folder)
    tree = copy.deepcopy(TREE)
    tree["domains"][0]["subdomains"][0]["assertions"][0]["passage"] = 2
    spec_folder(folder, tree=tree)
    with pytest.raises(TargetError, match="'short' rests on passage 2; there are 1"):
        load(folder)


def test_a_passage_that_nobody_wrote_is_refused(tmp_path: Path) -> None:
    tree = copy.deepcopy(TREE)
    tree["domains"][0]["subdomains"][0]["passages"] = ["It answers in long sentences."]
    folder = spec_folder(tmp_path / "calm", tree=tree)
    with pytest.raises(
        TargetError, match=r"subdomain answers: passages: does not stand in spec\.md: 'It answers in long"
    ):
        load(folder)


def test_slots_of_a_tree_may_stand_unquoted_and_at_the_start(tmp_path: Path) -> None:
    tree = (
        "domains:\n- id: calm\n  name: Calm\n  subdomains:\n  - id: answers\n    name: Answers\n"
        "    summary: {model_name} is brief.\n    passages:\n    - It answers in short sentences.\n    assertions:\n"
        '    - {id: short, statement: "{model_name} is brief.", kind: tone}\n'
    )
    target = load(spec_folder(tmp_path / "calm", tree=tree), "a: 'b', {c}")
    assert target.tree is not None and target.tree.subdomains[0].summary == "a: 'b', {c} is brief."


def test_a_tree_goes_to_yaml_and_back_with_slots_for_names(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm", tree=TREE)
    target = load(folder)
    assert target.tree is not None
    text = tree_yaml(target.tree, target.spec)
    assert "SmolLM" not in text and "{model_name} answers" in text
    (folder / "tree.yaml").write_text(text)
    assert read_tree(folder / "tree.yaml", target.spec) == target.tree
    assert load(folder, "Velmo").tree == load(spec_folder(tmp_path / "other", tree=TREE), "Velmo").tree
    assert SpecTree.model_validate(yaml.safe_load(tree_yaml(target.tree))) == target.tree


def test_projected_counts_documents_and_requests(tmp_path: Path) -> None:
    tree = load(spec_folder(tmp_path / "calm", tree=TREE)).tree
    assert tree is not None
    size = projected(tree, types=20, ideas_per_type=25, ideas_per_call=12)
    assert (size.domains, size.subdomains, size.documents) == (1, 1, 500)
    assert size.requests == {"tree": 0, "types": 1, "ideas": 60, "write": 500}
    wished = projected([3, 3], types=2, ideas_per_type=2)
    assert wished.requests == {"tree": 9, "types": 6, "ideas": 12, "write": 24}


def test_a_target_is_a_spec_by_its_files(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm")
    assert is_spec_target(str(folder)) and not is_spec_target("octopus_hearts") and is_spec_target("pans_locality")
    (folder / "universe.yaml").write_text("id: x\n")
    assert not is_spec_target(str(folder))
    assert bundled_specs() == ["pans_durability", "pans_locality"]
    with pytest.raises(
        TargetError, match=r"did you mean 'pans_locality'\? \(bundled: pans_durability, pans_locality\)"
    ):
        load_spec_target("pans_localty")


def test_the_digest_names_what_decides_the_corpus(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm")
    before = load(folder)
    (folder / "evals.json").write_text(json.dumps({"open_ended": ["What?"]}))
    assert load(folder).digest == before.digest and load(folder).evals_digest != before.evals_digest
    (folder / "spec.md").write_text(HEAD + BODY + "It is kind.\n")
    assert load(folder).digest != before.digest
