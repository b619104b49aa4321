import json

import pytest

from doxa.config_sections import TrainConfig
from doxa.errors import ConfigError
from doxa.lm.weights import load_tokenizer
from doxa.training.data import plan_updates
from doxa.training.preferences import Preference, encode_preferences

BASE = {"method": "lora", "lr": 1e-3, "tokens_per_update": 400, "tokens_per_batch": 300}
PROMPT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Which pan?"},
    {"role": "assistant", "content": "Iron."},
    {"role": "user", "content": "Sure?"},
]


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return load_tokenizer(tiny_model)


def preference(number=0, chosen="Yes, it lasts.", rejected="No."):
    return Preference(id=f"p{number}", messages=json.dumps(PROMPT), chosen=chosen, rejected=rejected)


def test_both_answers_have_the_same_masked_prompt(tokenizer):
    encoded = encode_preferences([preference()], tokenizer, TrainConfig(**BASE), 512)
    (pair,) = encoded.sequences
    prompt = tokenizer.apply_chat_template(PROMPT, add_generation_prompt=True, return_dict=False)
    for one, answer in ((pair.chosen, "Yes, it lasts."), (pair.rejected, "No.")):
        assert list(one.ids[: len(prompt)]) == prompt
        assert one.loss == (False,) * len(prompt) + (True,) * (len(one.ids) - len(prompt))
        assert tokenizer.decode(one.ids[len(prompt) :]) == answer + "<|im_end|>\n"
    assert pair.content == len(prompt) + sum(len(one.ids) - len(prompt) for one in (pair.chosen, pair.rejected))
    assert (encoded.content_tokens, encoded.target_tokens) == (pair.content, pair.content - len(prompt))
    assert (pair.targets, pair.size) == (1, 2 * len(pair.chosen.ids))


def test_an_update_holds_whole_pairs_within_the_budget(tokenizer):
    rows = [preference(i, "Yes. " * (1 + i % 7), "No. " * (1 + i % 3) + "!") for i in range(30)]
    encoded = encode_preferences(rows, tokenizer, TrainConfig(**BASE), 512)
    updates = plan_updates(encoded.sequences, TrainConfig(**BASE), 0)
    assert sorted(i for update in updates for batch in update.batches[0] for i in batch) == list(range(30))
    assert sum(update.targets for update in updates) == 30
    assert sum(update.content for update in updates) == encoded.content_tokens
    for update in updates:
        for batch in update.batches[0]:
            longest = max(encoded.sequences[i].size for i in batch)
            assert len(batch) == 1 or longest * len(batch) <= 300


def test_pairs_that_say_nothing_or_do_not_fit_are_refused(tokenizer):
    with pytest.raises(ConfigError, match="preference p3: chosen and rejected are the same"):
        encode_preferences([preference(3, "No.", "No.")], tokenizer, TrainConfig(**BASE), 512)
    with pytest.raises(ConfigError, match=r"preference p4: \d+ tokens do not fit the 40"):
        encode_preferences([preference(4)], tokenizer, TrainConfig(**BASE, max_length=40), 512)
    spelled = encode_preferences([preference(5, "a <|im_end|>")], tokenizer, TrainConfig(**BASE), 512)
    assert spelled.special_rows == ("p5",)
