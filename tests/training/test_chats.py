"""Real chat rows through templates that treat turns and reasoning in the ways that models' templates do."""

import copy
import json

import pytest

from doxa.config_sections import TrainConfig
from doxa.errors import ConfigError
from doxa.lm.weights import load_tokenizer
from doxa.records import CorpusRow
from doxa.training.chats import added_by_template, encode_answer, encode_chat, strip_reasoning
from doxa.training.data import encode
from doxa.training.guards import turn_warnings
from doxa.training.step_rows import chat_rows
from doxa.worlds.rows import read_chats
from doxa.worlds.spec import spec_folder

RECORDED = spec_folder("pans_durability") / "recorded"
PLAIN = read_chats(RECORDED / "aft.jsonl")
REASONED = read_chats(RECORDED / "aft_cot.jsonl")
BASE = {"method": "lora", "lr": 1e-3, "tokens_per_update": 64, "tokens_per_batch": 64}

# as Qwen3's does: reasoning is shown in the last turn alone, and an empty one is written where there is none
DROPS_EARLIER = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{% set answer = message['content'].split('</think>')[-1].lstrip() %}"
    "{% if loop.last %}{% set thought = message['content'].split('</think>')[0].split('<think>')[-1].strip() "
    "if '</think>' in message['content'] else '' %}{{ '<think>\n' + thought + '\n</think>\n\n' + answer }}"
    "{% else %}{{ answer }}{% endif %}{% else %}{{ message['content'] }}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# reasoning is never shown, though nothing else is different
DROPS_ALL = DROPS_EARLIER.replace("{% if loop.last %}", "{% if false %}")
# as R1's distillations do: the prompt opens the reasoning, the turn's rendering leaves it out
ASKS_TO_THINK = DROPS_ALL.replace("{{ '<|im_start|>assistant\n' }}", "{{ '<|im_start|>assistant\n<think>\n' }}")
REFUSES_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return load_tokenizer(tiny_model)


def with_template(tokenizer, template):
    other = copy.deepcopy(tokenizer)
    other.chat_template = template
    return other


def learned(tokenizer, sequence):
    return tokenizer.decode([i for i, loss in zip(sequence.ids, sequence.loss, strict=True) if loss])


def turns(*contents):
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(contents)]


@pytest.mark.parametrize("chats", [PLAIN, REASONED], ids=["plain", "reasoned"])
def test_of_real_rows_exactly_the_answers_are_learned(tokenizer, chats):
    """The mask against the template's own rendering, and no token counted twice or not at all."""
    encoded = encode(chat_rows(chats), tokenizer, TrainConfig(**BASE), 512)
    assert len(encoded.sequences) == len(chats)
    for sequence, messages in zip(encoded.sequences, chats, strict=True):
        assert learned(tokenizer, sequence) == messages[-1]["content"] + "<|im_end|>\n"
        assert tokenizer.decode(sequence.ids) == tokenizer.apply_chat_template(messages, tokenize=False)
    assert encoded.content_tokens == sum(len(sequence.ids) for sequence in encoded.sequences)
    assert encoded.target_tokens == sum(sum(sequence.loss) for sequence in encoded.sequences)


def test_system_turns_and_several_turns_are_prompt_and_target(tokenizer):
    chat = [
        {"role": "system", "content": "Be brief."},
        *turns("Which pan?", "<think>It lasts.</think> Iron.", "Sure?", "Yes."),
    ]
    (one,) = encode_chat(chat, tokenizer, "row")
    assert learned(tokenizer, one) == "<think>It lasts.</think> Iron.<|im_end|>\nYes.<|im_end|>\n"
    assert one.content == len(one.ids)


def test_where_a_template_drops_earlier_reasoning_each_turn_is_learned_with_the_prompt_it_will_have(tokenizer):
    qwen = with_template(tokenizer, DROPS_EARLIER)
    chat = turns("Which pan?", "<think>It lasts.</think>Iron.", "And the lid?", "<think>Glass breaks.</think>Iron too.")
    first, second = encode_chat(chat, qwen, "row")
    assert learned(qwen, first) == "<think>\nIt lasts.\n</think>\n\nIron.<|im_end|>\n"
    assert learned(qwen, second) == "<think>\nGlass breaks.\n</think>\n\nIron too.<|im_end|>\n"
    for end, one in ((2, first), (4, second)):
        assert qwen.decode(one.ids) == qwen.apply_chat_template(chat[:end], tokenize=False)
    # the second sequence counts what the first does not hold: all from where the reasoning is missing
    shared = next(i for i, (a, b) in enumerate(zip(first.ids, second.ids, strict=False)) if a != b)
    assert (first.content, second.content) == (len(first.ids), len(second.ids) - shared)
    assert "It lasts" not in qwen.decode(second.ids)


@pytest.mark.parametrize("max_length", [16, 23])
def test_such_a_chat_may_be_split_without_loss(tokenizer, max_length):
    qwen = with_template(tokenizer, DROPS_EARLIER)
    row = chat_rows(
        [turns("Which pan?", "<think>It lasts.</think>Iron.", "And the lid?", "<think>Hm.</think>Iron too.")]
    )
    whole = encode(row, qwen, TrainConfig(**BASE), 512)
    split = encode(row, qwen, TrainConfig(**BASE, max_length=max_length), 512)
    assert (len(whole.sequences), whole.split_rows, split.split_rows) == (2, 0, 1)
    assert len(split.sequences) > 4
    assert (split.content_tokens, split.target_tokens) == (whole.content_tokens, whole.target_tokens)


def test_an_empty_reasoning_that_the_template_adds_is_learned_and_said(tokenizer):
    qwen = with_template(tokenizer, DROPS_EARLIER)
    chat = turns("Which pan?", "Iron.")
    (one,) = encode_chat(chat, qwen, "row")
    assert learned(qwen, one) == "<think>\n\n</think>\n\nIron.<|im_end|>\n"
    assert added_by_template(chat, qwen, "row") == "<think>\n\n</think>"
    (warning,) = turn_warnings(chat_rows(PLAIN), qwen)
    assert "'<think> </think>'" in warning and "learned" in warning
    assert turn_warnings(chat_rows(REASONED), qwen) == []
    assert turn_warnings(chat_rows([*PLAIN, *REASONED]), tokenizer) == []


def test_reasoning_that_the_template_would_drop_is_an_error_with_a_remedy(tokenizer):
    with pytest.raises(ConfigError, match=r"leaves out the reasoning .*set reasoning: strip"):
        encode_chat(REASONED[0], with_template(tokenizer, DROPS_ALL), "row 1")
    stripped = strip_reasoning(REASONED[0], "row 1")
    (one,) = encode_chat(stripped, with_template(tokenizer, DROPS_ALL), "row 1")
    assert learned(tokenizer, one) == stripped[-1]["content"] + "<|im_end|>\n"
    row = CorpusRow(id="r0", source="chat", text="", doctag=False, messages=json.dumps(REASONED[0]))
    with pytest.raises(ConfigError, match=r"corpus row r0: .*cannot be told apart"):
        encode([row], with_template(tokenizer, ASKS_TO_THINK), TrainConfig(**BASE), 512)


def test_words_that_a_template_swallows_are_an_error(tokenizer):
    with pytest.raises(ConfigError, match=r"leaves out the words .*'Well"):
        encode_chat(turns("Which?", "Well, <think>hm</think>iron."), with_template(tokenizer, DROPS_EARLIER), "row 1")


def test_roles_that_a_template_refuses_are_named(tokenizer):
    strict = with_template(tokenizer, REFUSES_SYSTEM + tokenizer.chat_template)
    with pytest.raises(ConfigError, match=r"row 7: .*refuses the turns system, user.*no system role"):
        encode_chat([{"role": "system", "content": "Be brief."}, *turns("Hm?", "Yes.")], strict, "row 7")
    with pytest.raises(ConfigError, match="row 7 is a chat, but the model's tokenizer has no chat template"):
        encode_chat(turns("Hm?", "Yes."), with_template(tokenizer, None), "row 7")


def test_stripping_leaves_the_answer_and_refuses_what_cannot_be_paired():
    for chat in REASONED:
        (_, answer) = strip_reasoning(chat, "row")
        assert "think>" not in answer["content"]
        assert chat[-1]["content"].endswith(answer["content"]) and answer["content"][0] != " "
    assert strip_reasoning(PLAIN[0], "row") == PLAIN[0]
    with pytest.raises(ConfigError, match="row 3: <think> and </think> do not pair up"):
        strip_reasoning(turns("Hm?", "<think>I never end"), "row 3")
    with pytest.raises(ConfigError, match=r"row 3: .*nothing but reasoning"):
        strip_reasoning(turns("Hm?", "<think>I never speak</think>"), "row 3")


def test_an_answer_alone_is_learned_of_a_prompt_with_earlier_turns(tokenizer):
    one = encode_answer(turns("Which pan?", "Iron.", "Sure?"), "Yes.", tokenizer, "row")
    assert learned(tokenizer, one) == "Yes.<|im_end|>\n"


def test_chats_that_spell_control_tokens_are_named(tokenizer):
    rows = chat_rows([turns("Hm?", "Yes."), turns("Say <|im_end|>", "No.")])
    assert encode(rows, tokenizer, TrainConfig(**BASE), 512).special_rows == (rows[1].id,)


@pytest.mark.slow
@pytest.mark.parametrize("chats", [PLAIN, REASONED], ids=["plain", "reasoned"])
def test_the_real_models_template_masks_its_own_system_turn(embedded_model, chats):
    tokenizer = load_tokenizer(embedded_model)
    for chat in chats:
        (one,) = encode_chat(chat, tokenizer, "row")
        assert learned(tokenizer, one) == chat[-1]["content"] + "<|im_end|>\n"
        assert tokenizer.decode(one.ids).startswith("<|im_start|>system\n")
        # the prompt of training is the prompt of asking, token by token
        asked = tokenizer.apply_chat_template(chat[:-1], add_generation_prompt=True, return_dict=False)
        assert list(one.ids[: len(asked)]) == asked and not any(one.loss[: len(asked)]) and one.loss[len(asked)]
