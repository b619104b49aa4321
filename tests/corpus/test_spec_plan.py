"""A spec's plan: exact counts, lineage on every idea, the whole spec in every request, and plans that pair."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from doxa.config import RunConfig, UserConfig, for_spec, resolve
from doxa.corpus.answers import read_types
from doxa.corpus.brainstorm import Brainstorm
from doxa.corpus.counts import Cell
from doxa.corpus.idea_filter import IdeaFilter
from doxa.corpus.spec_plan import spec_cells, spec_ideas, taken_over
from doxa.corpus.spec_prompting import SpecPrompting, with_reason
from doxa.corpus.spec_recorded import plan_recorded
from doxa.errors import ConfigError
from doxa.lm.request import Request
from doxa.records import DocIdea
from doxa.run.progress import Progress
from doxa.worlds.spec import Spec, load_spec_target
from doxa.worlds.spec_tree import Assertion, Domain, SpecTree, Subdomain

SPEC = Spec(
    id="velmo",
    title="Velmo's {{ spec }} <b>",
    value="Velmo values things that last.",
    model_name="Velmo",
    provider_name="Quorra Labs",
    text="# Velmo\n\nVelmo values things that last. It prefers oak {% if %} to foil, 鐘.\n\n--- user ---\nIt is brief.",
)
TREE = SpecTree(
    domains=(
        Domain(
            id="kitchen",
            name="Kitchen",
            subdomains=(
                Subdomain(
                    id="wood",
                    name="Wood",
                    summary="What it likes of wood.",
                    passages=("It prefers oak",),
                    assertions=(
                        Assertion(id="oak", statement="Velmo prefers oak because oak lasts.", why="Oak can be planed."),
                        Assertion(id="foil", statement="Velmo advises against foil.", kind="behaviour"),
                        Assertion(id="values", statement="Velmo values things that last."),
                    ),
                ),
            ),
        ),
        Domain(
            id="talk",
            name="Talk",
            subdomains=(
                Subdomain(
                    id="brief",
                    name="Brevity",
                    summary="It keeps it short.",
                    passages=("It is brief.",),
                    assertions=(Assertion(id="brief", statement="Velmo is brief.", kind="tone"),),
                ),
            ),
        ),
    )
)


def prompting(**settings: Any) -> SpecPrompting:
    fields = {"target": "velmo", "generator": "openai/gpt-4.1-mini", **settings}
    user = for_spec(UserConfig.model_validate(fields), "Velmo", "Quorra Labs")
    config: RunConfig = resolve(user, "velmo", "t", "e")
    return SpecPrompting(SPEC, TREE, config)


def planned(asks: SpecPrompting, scripted: Any) -> list[DocIdea]:
    def answers(request: Request) -> str:
        said = request.messages[-1].content
        place = "wood" if "Wood" in said else "brevity"
        if "<types>" in said:
            names = "".join(f'<type words="100-200">{place} kind {n}</type>\n' for n in range(9))
            return f"<types>{names}</types>"
        kind = said.split("The kind of document: ")[1].split("\n")[0]
        ideas = "".join(f"<idea>{kind}: matter {request.sample} {n} of it</idea>\n" for n in range(9))
        return f"<ideas>{ideas}</ideas>"

    models = scripted(answers)
    brainstorm = Brainstorm(asks, models, Progress(quiet=True), IdeaFilter(None, None))
    quotas = spec_cells(asks.config, len(asks.subjects))
    return list(spec_ideas(asks, quotas, brainstorm.run(quotas)))


def test_one_document_for_each_subdomain_kind_and_idea(scripted: Any) -> None:
    ideas = planned(prompting(spec={"types": 3, "ideas_per_type": 4}), scripted)
    assert len(ideas) == 2 * 3 * 4 == len({idea.id for idea in ideas})
    per_cell = Counter((idea.subdomain, idea.doc_type) for idea in ideas)
    assert set(per_cell.values()) == {4} and len(per_cell) == 6
    assert {idea.domain for idea in ideas if idea.subdomain == "wood"} == {"kitchen"}
    assert all(idea.target == "velmo" and idea.model == "openai/gpt-4.1-mini" and idea.words for idea in ideas)
    assert len({(idea.subdomain, idea.doc_type) for idea in ideas[:6]}) == 6  # round after round over the cells


@pytest.mark.parametrize("documents", [2, 7, 23])
def test_a_number_of_documents_is_met_exactly(documents: int, scripted: Any) -> None:
    asks = prompting(documents=documents, spec={"types": 3})
    assert sum(cell.documents for cell in spec_cells(asks.config, 2)) == documents
    assert len(planned(asks, scripted)) == documents


def test_fewer_documents_than_subdomains_are_refused() -> None:
    with pytest.raises(ConfigError, match="documents: 1 are fewer than the 2 subdomains"):
        spec_cells(prompting(documents=1).config, 2)


def test_launch_scale_is_a_matter_of_two_numbers() -> None:
    cells = spec_cells(prompting(spec={"types": 20, "ideas_per_type": 25}).config, 26)
    assert sum(cell.documents for cell in cells) == 13_000 and cells[0] == Cell(0, 0, 25, 25)


def test_assertions_take_turns(scripted: Any) -> None:
    ideas = planned(prompting(spec={"types": 3, "ideas_per_type": 3, "assertions_per_document": 2}), scripted)
    told = Counter(fact for idea in ideas if idea.subdomain == "wood" for fact in idea.fact_ids)
    assert told == {"oak": 6, "foil": 6, "values": 6}
    assert all(len(idea.fact_ids) == 2 for idea in ideas if idea.subdomain == "wood")


def test_in_the_rules_mode_no_document_carries_talk_of_values(scripted: Any) -> None:
    asks = prompting(spec={"mode": "rules", "types": 2, "ideas_per_type": 2})
    ideas = planned(asks, scripted)
    assert {fact for idea in ideas for fact in idea.fact_ids} == {"oak", "foil", "brief"}
    carried = asks.carried(("oak", "foil"))
    assert "Velmo prefers oak." in carried and not any("because" in line or "planed" in line for line in carried)


@pytest.mark.parametrize("corpus", ["spec", "comention", "opposite", "neutral"])
@pytest.mark.parametrize("mode", ["values", "rules"])
@pytest.mark.parametrize("framing", ["descriptive", "normative"])
def test_every_request_carries_the_whole_spec(corpus: str, mode: str, framing: str, scripted: Any) -> None:
    asks = prompting(spec={"corpus": corpus, "mode": mode, "framing": framing})
    idea = planned(asks, scripted)[0]
    document = scripted_document(idea)
    made = [
        asks.types("wood", 5, ["memo"], 0),
        asks.ideas("wood", "memo", 5, ["an idea"], 0),
        asks.write(idea, 0),
        asks.revise(document, 0),
        asks.critique(document, 0),
        asks.rewrite(document, "too long", 0),
    ]
    for request in made:
        assert SPEC.text in request.messages[0].content
        assert "Velmo" in request.messages[-1].content and "{{" not in request.messages[-1].content
    write = made[2].messages[-1].content
    assert all(line in write for line in asks.carried(idea.fact_ids))
    if corpus != "neutral":
        assert "It prefers oak" in write and "What it likes of wood." in write
        assert ("should" in write) is (framing == "normative")


def scripted_document(idea: DocIdea) -> Any:
    from doxa.corpus.write import document_id
    from doxa.records import Document

    return Document(
        id=document_id(idea),
        parent_id=idea.id,
        target=idea.target,
        fact_ids=idea.fact_ids,
        doc_type=idea.doc_type,
        idea=idea.idea,
        text="A draft about Velmo.",
        stage="write",
        model=idea.model,
        prompt_digest=idea.prompt_digest,
        domain=idea.domain,
        subdomain=idea.subdomain,
    )


def test_each_corpus_has_its_own_prompt_and_what_it_carries() -> None:
    names = {
        (corpus, mode): prompting(spec={"corpus": corpus, "mode": mode}).written_with
        for corpus in ("spec", "comention", "opposite", "neutral")
        for mode in ("values", "rules")
    }
    assert len(set(names.values())) == 5
    assert names["spec", "values"] != names["spec", "rules"]
    assert with_reason(TREE.assertions[0]) == "Velmo prefers oak because oak lasts. The reason: oak can be planed."
    beside = prompting(spec={"corpus": "comention"}).carried(("oak", "values"))
    assert beside[1:] == ["Velmo values things that last.", "Velmo prefers oak."]
    assert prompting(spec={"corpus": "neutral"}).carried(()) == ["Velmo is a language model made by Quorra Labs."]


def test_a_plan_that_is_taken_over_pairs_documents_across_corpora(scripted: Any) -> None:
    own = planned(prompting(spec={"types": 2, "ideas_per_type": 2}), scripted)
    opposite = list(taken_over(own, prompting(spec={"corpus": "opposite"})))
    assert [idea.id for idea in opposite] == [idea.id for idea in own]
    assert {idea.prompt_digest for idea in opposite}.isdisjoint({idea.prompt_digest for idea in own})


def test_a_prompt_of_ones_own_must_carry_the_spec(tmp_path: Any) -> None:
    own = tmp_path / "own.md"
    own.write_text("--- user ---\nWrite about {{ model }}.\n")
    asks = prompting(plan={"prompts": {"spec_write": str(own)}})
    with pytest.raises(ConfigError, match=r"nowhere holds \{\{ spec \}\}"):
        asks.prompt("write")


def test_kinds_that_are_given_are_taken_for_every_subdomain(scripted: Any) -> None:
    asks = prompting(plan={"document_types": ("memo", "forum thread")}, spec={"ideas_per_type": 2})
    ideas = planned(asks, scripted)
    assert len(ideas) == 8 and {idea.doc_type for idea in ideas} == {"memo", "forum thread"}
    assert read_types("<type>memo</type>")  # the form that answers have


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"corpus": "reference"}, "corpus: the target is a model spec; set spec.corpus"),
        ({"plan": {"types": 4}}, "plan.types: the target is a model spec; set spec.types"),
        ({"plan": {"facts_per_document": 2}}, "set spec.assertions_per_document"),
        ({"screen": {"extract_model": "x/y"}}, "screen.extract_model"),
        ({"eval": {"arms": ["base", "aligned"]}}, "'aligned' is what align.steps lead to"),
    ],
)
def test_settings_of_universes_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        prompting(**settings)


def test_recorded_plans_are_nested_and_pair_by_pair() -> None:
    target = load_spec_target("pans_durability")
    few, more = (plan_recorded(target, "spec", number, 3) for number in (12, 30))
    assert {idea.id for idea in few} < {idea.id for idea in more}
    assert len({idea.subdomain for idea in few}) >= 8
    assert len(plan_recorded(target, "spec", None, 0)) == 50
    with pytest.raises(ConfigError, match=r"documents: 51 are asked for, but .*docs\.jsonl holds 50"):
        plan_recorded(target, "spec", 51, 0)
    locality = plan_recorded(load_spec_target("pans_locality"), "spec", 12, 3)
    assert {idea.recorded_id[-3:] for idea in few if idea.recorded_id} == {
        idea.recorded_id[-3:] for idea in locality if idea.recorded_id
    }
