"""Decomposing a spec: what of a model's answers becomes the tree, what is left out, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from doxa.config_sections import LmConfig
from doxa.errors import ConfigError, DoxaError, TargetError, WaitingError
from doxa.lm.models import open_models
from doxa.lm.testserver.responder import respond
from doxa.run.progress import Progress
from doxa.worlds.answers import UnreadableError
from doxa.worlds.decompose import Decomposed, Decomposition, decompose, prompts_digest, tree_of
from doxa.worlds.decompose_answers import read_additions, read_assertions, read_copies, read_domains, read_subdomains
from doxa.worlds.spec import load_spec_target
from doxa.worlds.spec_text import is_verbatim
from spec_targets import BODY, HEAD, TREE, Invented, long_body, spec_folder

QUIET = Progress(quiet=True)


def made(folder: Path, models: object, **config: object) -> Decomposed:
    target = load_spec_target(str(folder))
    job = Decomposition("scripted/one", **config)  # type: ignore[arg-type]
    return decompose(target.spec, job, models, QUIET, folder / ".draft")  # type: ignore[arg-type]


def test_a_spec_becomes_a_tree_of_its_own_words(tmp_path: Path) -> None:
    folder, models = spec_folder(tmp_path / "calm"), Invented()
    done = made(folder, models)
    assert [domain.name for domain in done.tree.domains] == ["Why calm", "Answers"]
    assert all(is_verbatim(passage, done.spec.text) for passage in done.tree.passages)
    assert done.coverage == 1.0 and done.uncovered == () and done.warnings == ()
    whys = {assertion.id: assertion.why for assertion in done.tree.assertions}
    assert "a short list is read to its end" in " ".join(whys.values())
    assert done.counts["sentences"] == 4 and done.counts["assertions"] == len(done.tree.assertions)
    assert len(models.asked) == 1 + 2 + 2
    assert all(done.spec.text in request.messages[0].content for request in models.asked)
    assert {request.stage for request in models.asked} == {"tree"}


def test_a_spec_of_one_sentence_is_one_domain(tmp_path: Path) -> None:
    done = made(spec_folder(tmp_path / "one", body="{model_name} is calm at all times."), Invented())
    assert len(done.tree.domains) == len(done.tree.subdomains) == len(done.tree.assertions) == 1
    assert done.tree.assertions[0].statement == "SmolLM is calm at all times."
    assert done.coverage == 1.0


def test_numbers_that_are_asked_for_are_kept_to(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm", body=long_body(2))
    done = made(folder, Invented(), domains=4, subdomains=3)
    assert [len(domain.subdomains) for domain in done.tree.domains] == [3, 3, 3, 3]
    one = made(folder, Invented(), domains=1, subdomains=1)
    assert len(one.tree.subdomains) == 1


def test_thirty_pages_are_decomposed_whole(tmp_path: Path) -> None:
    folder, models = spec_folder(tmp_path / "long", body=long_body(30)), Invented()
    done = made(folder, models, subdomains=3)
    assert len(done.spec.text.split()) >= 15_000
    assert len(done.tree.domains) == 8 and len(done.tree.subdomains) == 24
    assert all(is_verbatim(passage, done.spec.text) for passage in done.tree.passages)
    # two of ten chapters got no domain; nobody has to find that out by reading
    assert 0.75 < done.coverage < 0.85 and done.counts["uncovered_sentences"] == len(done.uncovered) > 50
    assert done.counts["passages_not_verbatim"] >= done.counts["passages_mended"] > 0
    rooms = {request.sampling.max_tokens for request in models.asked}
    assert 25_000 < min(rooms) == max(rooms) <= 32_768  # the passages of a domain can be most of the spec
    short = Invented()
    made(spec_folder(tmp_path / "short"), short)
    assert {request.sampling.max_tokens for request in short.asked} == {8192}


def test_passages_that_are_not_verbatim_are_asked_for_again_and_then_left_out(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm")

    def blurred(prompt: str, sample: int, text: str) -> str:
        if "<copy>" in prompt:
            assert "SmolLM cherishes calm." in prompt and "It answers in long sentences." in prompt
            return "<copy><id>1</id><words>SmolLM values calm.</words></copy><copy><id>2</id><words>NONE</words></copy>"
        extra = {"Why calm": "SmolLM cherishes calm.", "Answers": "It answers in long sentences."}
        for name, passage in extra.items():
            if f'<scope name="{name}">' in prompt:
                return text.replace("</summary>", f"</summary>\n<passage>{passage}</passage>", 1)
        return text

    done = made(folder, Invented(blurred))
    assert "SmolLM values calm." in done.tree.subdomains[0].passages
    assert not any("cherishes" in passage or "long sentences" in passage for passage in done.tree.passages)
    assert done.counts["passages_not_verbatim"] == 2
    assert (done.counts["passages_mended"], done.counts["passages_dropped"]) == (1, 1)
    assert any("no such passage" in line and "long sentences" in line for line in done.warnings)


def test_a_subdomain_without_a_passage_of_the_spec_is_left_out_and_named(tmp_path: Path) -> None:
    def invented(prompt: str, sample: int, text: str) -> str:
        if "<copy>" in prompt:
            return "<copy><id>1</id><words>NONE</words></copy>"
        if '<scope name="Answers">' in prompt:
            return (
                "<subdomain><name>Cats</name><summary>On cats.</summary>"
                "<passage>It likes cats most.</passage></subdomain>" + text
            )
        return text

    done = made(spec_folder(tmp_path / "calm"), Invented(invented))
    assert "Cats" not in {subdomain.name for subdomain in done.tree.subdomains}
    assert done.counts["subdomains_without_passages"] == 1
    assert any("'Cats' is left out" in line for line in done.warnings)


def test_a_passage_with_dots_in_its_middle_is_two(tmp_path: Path) -> None:
    def dotted(prompt: str, sample: int, text: str) -> str:
        if '<scope name="Answers">' not in prompt:
            return text
        return (
            "<subdomain><name>Answers</name><summary>SmolLM offers three ideas in short sentences.</summary>"
            "<passage>When somebody asks for ten ideas, SmolLM offers three "
            "... It answers in short sentences.</passage>"
            "</subdomain>"
        )

    done = made(spec_folder(tmp_path / "calm"), Invented(dotted))
    assert done.tree.subdomains[1].passages == (
        "When somebody asks for ten ideas, SmolLM offers three",
        "It answers in short sentences.",
    )
    assert "passages_not_verbatim" not in done.counts
    assert done.uncovered == (
        "When somebody asks for ten ideas, SmolLM offers **three**, because a short list is read to its end.",
    )


def test_assertions_that_say_more_than_the_spec_are_named(tmp_path: Path) -> None:
    def inventive(prompt: str, sample: int, text: str) -> str:
        if "<assertion>" in prompt and 'name="Answers 1"' in prompt:
            return (
                "<assertion><source>1</source><statement>SmolLM writes sonnets about volcanoes.</statement>"
                "<why>Poetry heals wounded engineers.</why><kind>behaviour</kind></assertion>"
                "<assertion><source>9</source><statement>SmolLM answers in short sentences.</statement>"
                "<why>none</why><kind>tone of voice</kind></assertion>"
                "<assertion><source>1</source><statement>SmolLM answers in short sentences!</statement></assertion>"
            )
        return text

    done = made(spec_folder(tmp_path / "calm"), Invented(inventive))
    last = done.tree.subdomains[1].assertions
    assert [one.id for one in last] == ["writes_sonnets_volcanoes", "answers_short_sentences"]
    assert (last[1].why, last[1].kind, last[1].passage) == ("", "tone", None)
    assert done.counts["assertions_beyond_the_spec"] == 2  # the statement and its reason
    assert done.counts["assertions_without_passage"] == 1
    told = "\n".join(done.warnings)
    assert "assertion writes_sonnets_volcanoes: shares 0% of its words" in told and "Poetry heals" in told


def test_rules_give_no_reasons(tmp_path: Path) -> None:
    models = Invented()
    done = made(spec_folder(tmp_path / "calm"), models, mode="rules")
    assert all(assertion.why == "" for assertion in done.tree.assertions)
    told = " ".join([*done.tree.passages, *(one.statement for one in done.tree.assertions)])
    assert "because" not in told and "because" not in " ".join(one.summary for one in done.tree.subdomains)
    assert all(is_verbatim(passage, done.spec.text) for passage in done.tree.passages)
    asked = [request.messages[-1].content for request in models.asked if "<assertion>" in request.messages[-1].content]
    assert all("<why>" not in prompt and "No rule gives a reason" in prompt for prompt in asked)
    assert done.coverage == 1.0  # of what the model found; what was cut from it is counted apart
    assert done.counts["passages_shortened"] == 2


def test_a_domain_that_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    def broken(prompt: str, sample: int, text: str) -> str:
        return "I would rather not." if '<scope name="Answers">' in prompt else text

    models = Invented(broken)
    done = made(spec_folder(tmp_path / "calm"), models)
    assert [domain.name for domain in done.tree.domains] == ["Why calm"]
    assert done.counts["unreadable_domains"] == 1 and "subdomains Answers" in done.warnings[0]
    assert len(list((tmp_path / "calm" / ".draft" / "unreadable").iterdir())) == 3
    assert done.coverage == 0.5


def test_answers_that_are_no_use_at_all_end_with_the_step_that_asked(tmp_path: Path) -> None:
    with pytest.raises(DoxaError, match=r"step 'domains': 3 answers of scripted/one could not be used"):
        made(spec_folder(tmp_path / "one"), Invented(lambda prompt, sample, text: "No."))

    def nothing_verbatim(prompt: str, sample: int, text: str) -> str:
        if "<copy>" in prompt:
            return "<copy><id>1</id><words>NONE</words></copy>"
        return text.replace("<passage>", "<passage>Otherwise, ") if "<passage>" in prompt else text

    with pytest.raises(DoxaError, match="not one passage that scripted/one gave stands in the spec"):
        made(spec_folder(tmp_path / "two"), Invented(nothing_verbatim))


def test_an_unreadable_answer_is_asked_for_again_and_the_tree_is_the_same(tmp_path: Path) -> None:
    first = Invented(lambda prompt, sample, text: "Hm." if sample == 0 and "<domain>" in prompt else text)
    folder = spec_folder(tmp_path / "calm")
    done = made(folder, first)
    assert [request.sample for request in first.asked if "<domain>" in request.messages[-1].content] == [0, 1]
    again = made(folder, first)
    assert again == done and len(first.asked) == 6  # nothing was asked twice


def test_through_batch_files_it_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = spec_folder(tmp_path / "calm")
    target = load_spec_target(str(folder))
    job = Decomposition("batch-file/some-model")
    rounds = 0
    while True:
        try:
            with open_models(folder / ".draft", LmConfig(), QUIET) as models:
                done = decompose(target.spec, job, models, QUIET)
            break
        except WaitingError:
            rounds += 1
            _answer(folder / ".draft" / "batch")
    assert rounds == 3
    assert len(done.tree.domains) == 2 and done.coverage == 1.0
    assert (folder / ".draft" / "tree" / "steps.jsonl").read_text().count("\n") >= 5


def _answer(batch: Path) -> None:
    for file in batch.glob("tree-*.jsonl"):
        lines = []
        for line in file.read_text().splitlines():
            row = json.loads(line)
            text = respond(row["body"]["messages"], 0)
            choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", "index": 0}
            body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
            response = {"status_code": 200, "body": body}
            lines.append(json.dumps({"id": "x", "custom_id": row["custom_id"], "response": response, "error": None}))
        (batch / "answers" / file.name).write_text("\n".join(lines) + "\n")


def test_the_tree_of_a_target_is_its_own_where_it_has_one(tmp_path: Path) -> None:
    target = load_spec_target(str(spec_folder(tmp_path / "calm", tree=TREE)))
    given = tree_of(target, Decomposition("none"), None, QUIET)
    assert given.tree == target.tree and given.coverage == 0.25 and len(given.uncovered) == 3
    bare = load_spec_target(str(spec_folder(tmp_path / "bare")))
    with pytest.raises(ConfigError, match=r"spec\.mode: values needs a model"):
        tree_of(bare, Decomposition("none"), None, QUIET)
    models = Invented()
    grown = tree_of(target, Decomposition("scripted/one", "rule_augmented"), models, QUIET, tmp_path / "kept")
    assert len(models.asked) == 1  # the tree was there: only its rules are refined
    assert len(grown.tree.assertions) == 4 and grown.spec.text != target.spec.text


def test_a_spec_of_another_model_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    body = BODY.replace("{model_name}", "Claude")
    target = load_spec_target(str(spec_folder(tmp_path / "calm", body=body)))
    models = Invented()
    with pytest.raises(TargetError, match=r"spec\.md: calls SmolLM otherwise: Claude, 3 times"):
        tree_of(target, Decomposition("scripted/one"), models, QUIET, tmp_path / "kept")
    assert models.asked == []
    other = load_spec_target(str(spec_folder(tmp_path / "claude", body=body, head=HEAD)), "Claude", "Anthropic")
    assert tree_of(other, Decomposition("scripted/one"), models, QUIET, tmp_path / "kept").coverage == 1.0


def test_the_prompts_of_a_mode_have_a_digest() -> None:
    assert prompts_digest("values") == prompts_digest("rules") != prompts_digest("value_augmented")


def test_answers_are_read_through_prose_and_fences() -> None:
    text = (
        "<think><domain><name>No</name></domain></think>Sure:\n```xml\n<domain>\n<name> A  b </name>\n"
        "<scope>x</scope></domain>\n```\n<domain><name>a B</name><scope>twice</scope></domain>"
        "<domain><name>C</name></domain><domain><scope>nameless</scope></domain>"
    )
    assert [(one.name, one.scope) for one in read_domains(text, None)] == [("A b", "x"), ("C", "C")]
    assert len(read_domains(text, 1)) == 1
    with pytest.raises(UnreadableError, match="2 usable <domain> of 3"):
        read_domains(text, 3)
    with pytest.raises(UnreadableError, match="no usable <subdomain>"):
        read_subdomains("<subdomain><name>A</name><summary>b</summary></subdomain>", None)
    copies = "<copy><id>1</id><words>none.</words></copy><copy><id>no. 2</id><words>a b</words></copy>"
    assert read_copies(copies, 2) == {2: "a b"}
    with pytest.raises(UnreadableError):
        read_copies("<copy><id>7</id><words>x</words></copy>", 2)
    with pytest.raises(UnreadableError, match="no <assertion>"):
        read_assertions("<assertion><statement> . </statement></assertion>", 1, False)
    ours = "<addition><rule>a</rule><content>x y</content></addition>"
    assert read_additions(ours + ours, ["a"], 3) == {"a": ["x y"]}
    with pytest.raises(UnreadableError, match="missing for b"):
        read_additions(ours, ["a", "b"], 1)
