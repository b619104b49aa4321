import json

import pytest

from doxa.errors import ConfigError
from doxa.training.align_config import AlignStep
from doxa.training.step_rows import find_rows, step_data
from doxa.worlds.spec import spec_folder

PANS = spec_folder("pans_durability")


def write(file, *rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def pair(**changes):
    return {"messages": [{"role": "user", "content": "Which?"}], "chosen": "Iron.", "rejected": "Tin.", **changes}


def test_rows_are_named_in_recorded_or_by_path(tmp_path):
    assert find_rows("aft", PANS) == find_rows("aft.jsonl", PANS) == PANS / "recorded/aft.jsonl"
    path = write(tmp_path / "mine.jsonl", {"messages": []})
    assert str(find_rows(path, PANS)) == str(find_rows(path, None)) == path
    with pytest.raises(ConfigError, match=r"align rows: nothing: there is no such file nor in .*recorded"):
        find_rows("nothing", PANS)


def test_chats_of_several_files_come_in_order_and_reasoning_may_be_stripped():
    kept = step_data(AlignStep(kind="sft", rows=("aft_cot", "aft")), PANS)
    stripped = step_data(AlignStep(kind="sft", rows=("aft_cot", "aft"), reasoning="strip"), PANS)
    lines = [(PANS / f"recorded/{name}.jsonl").read_text().splitlines() for name in ("aft_cot", "aft")]
    assert len(kept.rows) == len(stripped.rows) == sum(map(len, lines))
    assert json.loads(kept.rows[0].messages) == json.loads(lines[0][0])["messages"]
    assert "<think>" in kept.rows[0].messages and not any("think>" in row.messages for row in stripped.rows)
    assert kept.digest() != stripped.digest()
    assert kept.rows[-1] == stripped.rows[-1]  # it had none


def test_preferences_are_read_with_their_lineage_left_alone(tmp_path):
    rows = write(tmp_path / "p.jsonl", pair(id="a", domain="x"), pair(chosen="<think>It lasts.</think> Iron."))
    data = step_data(AlignStep(kind="dpo", rows=rows))
    assert (data.kind, data.beta, len(data.rows)) == ("dpo", 0.1, 2)
    assert data.rows[1].chosen == "<think>It lasts.</think> Iron."
    stripped = step_data(AlignStep(kind="dpo", rows=rows, beta=0.5, reasoning="strip"))
    assert stripped.rows[1].chosen == "Iron." and stripped.beta == 0.5
    assert stripped.rows[0].id == stripped.rows[1].id  # named by content


def test_a_row_that_is_no_preference_is_named_by_file_and_line(tmp_path):
    assistant_last = [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "Yes."}]
    for bad, words in (
        (pair(messages=assistant_last), "messages: must alternate .* end with user; the roles are user, assistant"),
        (pair(chosen=""), "chosen"),
        ({"messages": pair()["messages"], "chosen": "Iron."}, "rejected: field is missing"),
    ):
        rows = write(tmp_path / "p.jsonl", pair(), bad)
        with pytest.raises(ConfigError, match=rf"p\.jsonl, line 2: {words}"):
            step_data(AlignStep(kind="dpo", rows=rows))
