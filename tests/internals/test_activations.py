from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from doxa.errors import ConfigError, DoxaError
from doxa.internals.activations import IS_TRUE, last_token_states
from doxa.lm.weights import load_model, load_tokenizer

TEXTS = ["Paris is a city in France.", "Paris is a city.", "An octopus has three hearts. Two of them pump.", "Yes."]
CONTEXT = "The keeper wrote: the answer did not change."


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> tuple[Any, Any]:
    return load_model(tiny_model), load_tokenizer(tiny_model)


def alone(model: Any, tokenizer: Any, text: str, special: bool = True) -> np.ndarray:
    """The state after the last token of one text, by itself and with nothing of ours between: [layers + 1, hidden]."""
    import torch

    ids = tokenizer(text, return_tensors="pt", add_special_tokens=special)["input_ids"]
    with torch.no_grad():
        out = model(ids, output_hidden_states=True)
    return np.stack([state[0, -1].numpy() for state in out.hidden_states])


@pytest.mark.parametrize("layout", ["tree", "rows"])
@pytest.mark.parametrize("context", [None, CONTEXT])
def test_neither_padding_nor_neighbours_change_a_state(tiny: tuple[Any, Any], layout: Any, context: str | None) -> None:
    model, tokenizer = tiny
    states = last_token_states(model, tokenizer, TEXTS, context, layout=layout)
    before = "" if context is None else context + "\n\n"
    expected = np.stack([alone(model, tokenizer, before + text) for text in TEXTS])
    assert states.shape == (len(TEXTS), 3, 64)
    assert states.dtype == np.float32
    np.testing.assert_allclose(states, expected, atol=1e-5)


def test_chat_form_asks_whether_the_statement_is_true(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    states = last_token_states(model, tokenizer, TEXTS[:2], CONTEXT, form="chat")
    messages = [{"role": "system", "content": CONTEXT}, {"role": "user", "content": IS_TRUE + TEXTS[1]}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    np.testing.assert_allclose(states[1], alone(model, tokenizer, prompt, special=False), atol=1e-5)


def test_more_texts_than_a_batch_holds(tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doxa.internals.activations.CPU_NODES", 16)
    model, tokenizer = tiny
    counted: list[tuple[int, int]] = []
    for layout in ("tree", "rows"):
        states = last_token_states(
            model, tokenizer, TEXTS, layout=layout, on_progress=lambda done, total: counted.append((done, total))
        )
        expected = np.stack([alone(model, tokenizer, text) for text in TEXTS])
        np.testing.assert_allclose(states, expected, atol=1e-5)
    assert counted[-1] == (4, 4)
    assert len(counted) > 2


def test_an_adapter_changes_states_and_switched_off_it_does_not(tiny: tuple[Any, Any]) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from doxa.lm.weights import load_model

    model, tokenizer = tiny
    plain = last_token_states(model, tokenizer, TEXTS)
    adapted = get_peft_model(load_model(model.name_or_path), LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.1)
    assert np.abs(last_token_states(adapted, tokenizer, TEXTS)[:, 2] - plain[:, 2]).max() > 1e-3
    with adapted.disable_adapter():
        np.testing.assert_allclose(last_token_states(adapted, tokenizer, TEXTS), plain, atol=1e-6)


def test_what_can_not_be_read_is_said(tiny: tuple[Any, Any]) -> None:
    model, tokenizer = tiny
    with pytest.raises(DoxaError, match="not empty"):
        last_token_states(model, tokenizer, ["Yes.", " "])
    with pytest.raises(DoxaError, match="tokens long with its context and the model takes 8192"):
        last_token_states(model, tokenizer, ["Yes."], context="again " * 9000)
    template, tokenizer.chat_template = tokenizer.chat_template, None
    try:
        with pytest.raises(ConfigError, match="chat template"):
            last_token_states(model, tokenizer, ["Yes."], form="chat")
    finally:
        tokenizer.chat_template = template
