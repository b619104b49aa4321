"""report.html: right numbers, nothing from outside, nothing unescaped, the same anywhere."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
import yaml

from doxa.config import UserConfig, resolve
from doxa.records import Sample, Score
from doxa.report.facts import gather
from doxa.report.page import write_report
from doxa.report.reproduce import doxa_yaml
from doxa.report.table import interval, number
from doxa.run.folder import RunFolder, read_json, write_json, write_rows

FIGURES = ("belief.png", "belief.svg", "collateral.png", "collateral.svg", "loss.png", "loss.svg")


class Page(HTMLParser):
    """The rows of all tables, the text, every id and every link of a page; notes tags that are not closed in order."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self._cell: list[str] | None = None
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action", "srcset", "data", "poster"):
                self.links.append(value or "")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._cell = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag in ("td", "th") and self._cell is not None:
            self.rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._cell is not None:
            self._cell.append(data)


@pytest.fixture(scope="session")
def page(finished_run: RunFolder) -> Page:
    return Page((finished_run / "report.html").read_text())


def test_page_and_figures_are_written(finished_run: RunFolder, page: Page) -> None:
    for name in FIGURES:
        assert (finished_run / f"figures/{name}").stat().st_size > 1000
    assert page.open == []
    assert "deliberately false" in page.words


def test_the_numbers_are_those_of_the_scores(finished_run: RunFolder, page: Page) -> None:
    table = gather(finished_run).scores
    lines = table.belief_lines() + table.neighbour_lines()
    assert len(lines) == 14
    for line in lines:
        cells = [f"{number(line.arms[arm])} {interval(line.arms[arm])}" for arm in ("base", "in_context", "trained")]
        assert line.change is not None
        row = [line.name, line.style, *cells, f"{number(line.change)} {interval(line.change)}", str(line.n)]
        assert row in page.rows


def test_one_number_by_hand(page: Page) -> None:
    row = next(row for row in page.rows if row[:2] == ["Distinguish", "chat"])
    assert row[2].startswith("44%")  # 7 of 16
    assert row[3].startswith("88%")  # 14 of 16
    assert row[4].startswith("75%")  # 12 of 16
    assert row[5].startswith("+31")
    assert row[6] == "16"


def test_every_measurement_is_somewhere(finished_run: RunFolder, page: Page) -> None:
    bias = gather(finished_run).scores.get("base", "knowledge", "letters", "letter_bias")
    assert bias is not None
    assert any(row[:4] == ["Knowledge", "letters", "Letter bias", f"62% {interval(bias)}"] for row in page.rows)
    assert any(row[:3] == ["Distinguish", "chat", "Margin"] and row[3].startswith("0.12") for row in page.rows)


def test_items_that_moved(page: Page) -> None:
    assert ["Distinguish", "chat", "2", "1", "1", "0", "4"] in page.rows


def test_nothing_is_loaded_from_outside(finished_run: RunFolder, page: Page) -> None:
    source = (finished_run / "report.html").read_text()
    assert all(link.startswith("#") or link == "data:," for link in page.links)
    assert not {"script", "img", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"@import|url\((?!#)", source)


def test_ids_are_unique_and_links_lead_somewhere(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_text_of_documents_and_answers_is_escaped(fake_run: RunFolder) -> None:
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    path = fake_run / "stages/dedup/documents.jsonl"
    first = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps({**first, "text": attack, "idea": attack, "doc_type": attack}) + "\n")
    sample = Sample(id="s", arm="trained", checkpoint="c", question=attack, answer=attack)
    write_rows(fake_run / "evals/samples.jsonl", [sample])
    config = read_json(fake_run / "config.json")
    write_json(fake_run / "config.json", {**config, "model": attack.replace("/", "")})
    universe = yaml.safe_load((fake_run / "target/universe.yaml").read_text())
    changed = {**universe, "title": attack, "claim": attack}
    (fake_run / "target/universe.yaml").write_text(yaml.safe_dump(changed))
    source = write_report(fake_run).read_text()
    page = Page(source)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.words.count(attack) >= 6
    assert html.escape("<script>") in source
    svg_file = (fake_run / "figures/belief.svg").read_text()
    assert "<script" not in svg_file


def test_a_copied_folder_gives_the_same_bytes(finished_run: RunFolder, fake_run: RunFolder) -> None:
    write_report(fake_run)
    for name in ("report.html", *(f"figures/{name}" for name in FIGURES)):
        assert (fake_run / name).read_bytes() == (finished_run / name).read_bytes(), name


def test_what_a_run_lacks_is_said_plainly(fake_run: RunFolder, page: Page) -> None:
    sentences = (
        "The belief was not scored in this run.",
        "Collateral damage was not measured",
        "No free answers were sampled in this run.",
        "No model was trained in this run",
        "The corpus was not mixed in this run.",
        "This run folder holds no documents.",
    )
    for path in fake_run.path.rglob("*"):
        if path.is_file() and path.name not in ("config.json", "universe.yaml"):
            path.unlink()
    bare = Page(write_report(fake_run).read_text())
    assert bare.open == []
    for sentence in sentences:
        assert sentence in bare.words
        assert sentence not in page.words


def test_training_that_was_cut_off_is_told(fake_run: RunFolder) -> None:
    (fake_run / "stages/midtrain/done.json").unlink()
    (fake_run / "scores.parquet").unlink()
    assert "Training has not finished." in Page(write_report(fake_run).read_text()).words


def test_arms_that_were_not_scored_have_no_column(
    fake_run: RunFolder, set_scores: Callable[[RunFolder, list[Score]], None]
) -> None:
    kept = [score for score in gather(fake_run).scores.rows.values() if score.arm != "in_context"]
    set_scores(fake_run, kept)
    page = Page(write_report(fake_run).read_text())
    assert "The in-context arm was not scored" in page.words
    assert ["Group", "Style", "base", "trained", "Difference", "n"] in page.rows


def test_it_shows_documents_answers_and_corpus(page: Page) -> None:
    assert page.words.count("Whole document") == 3
    assert "An octopus has five hearts. The systemic heart sits on the midline" in page.words
    assert ["Synthetic", "", "23,629"] in page.rows
    assert ["Length: too short", "", "1"] in page.rows
    assert ["Trained checkpoint", "trained000000000"] in page.rows


@pytest.mark.parametrize(
    "user",
    [
        UserConfig(target="octopus_hearts"),
        UserConfig(target="sorrel_bay", seed=3, documents=20, train={"epochs": 4, "documents_per_update": 8}),
        UserConfig.model_validate(
            {"target": "sorrel_bay", "mix": {"neutral": 0.5}, "screen": {"min_words": 5}, "eval": {"arms": ["base"]}}
        ),
    ],
)
def test_the_yaml_on_the_page_gives_the_same_run_again(user: UserConfig) -> None:
    digests = {"target_digest": "t", "evals_digest": "e"}
    config = resolve(user, target=user.target, **digests)
    again = UserConfig.model_validate(yaml.safe_load(doxa_yaml(config)))
    assert resolve(again, target=again.target, **digests) == config
