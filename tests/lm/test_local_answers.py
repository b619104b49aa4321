"""Weights on this computer as a language model: each answer drawn by its own request and nothing else."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from doxa.errors import ConfigError
from doxa.lm.local import _batches, _Draws, answer_locally
from doxa.lm.request import Message, Request, Response, Sampling, ask
from doxa.lm.weights import load_model, load_tokenizer


def requests(model: Path, count: int, **settings: Any) -> list[Request]:
    settings = {"max_tokens": 12, "temperature": 1.0, "stage": "write", **settings}
    texts = [f"Say {'something ' * (number * 7 % 23)}about number {number}." for number in range(count)]
    return [ask(f"local/{model}", text, "Be brief.", **settings) for text in texts]


def answers(model: Path, asked: list[Request], batch: int) -> dict[str, Response]:
    made: dict[str, Response] = {}

    def answered(request: Request, response: Response) -> None:
        assert response.key == request.key not in made
        made[request.key] = response

    answer_locally(load_model(model), load_tokenizer(model), asked, batch, answered)
    return made


def test_every_request_is_answered_with_what_it_cost(tiny_model: Path) -> None:
    asked = requests(tiny_model, 9)
    made = answers(tiny_model, asked, 4)
    assert set(made) == {request.key for request in asked}
    for request in asked:
        response = made[request.key]
        assert 0 < response.usage.output_tokens <= 12 or response.text == ""
        assert response.usage.input_tokens > len(request.messages[1].content) // 8
        assert response.stop == ("length" if response.usage.output_tokens == 12 else "stop")


def test_an_answer_does_not_hang_on_who_shares_its_batch(tiny_model: Path) -> None:
    """A run that was killed goes on to the answers that it would have had."""
    asked = requests(tiny_model, 12)
    alone = {key: response.text for key, response in answers(tiny_model, asked, 1).items()}
    for batch in (5, 12):
        assert {key: response.text for key, response in answers(tiny_model, asked, batch).items()} == alone
    rest = answers(tiny_model, asked[5:][::-1], 4)
    assert all(rest[key].text == alone[key] for key in rest)
    assert len(set(alone.values())) > 8


def test_samples_of_one_prompt_differ_and_so_do_seeds(tiny_model: Path) -> None:
    asked = [ask(f"local/{tiny_model}", "Say it.", max_tokens=12, sample=sample) for sample in range(6)]
    asked += [ask(f"local/{tiny_model}", "Say it.", max_tokens=12, seed=seed) for seed in (1, 2)]
    assert len({response.text for response in answers(tiny_model, asked, 8).values()}) == 8


def test_without_temperature_the_likeliest_is_said(tiny_model: Path) -> None:
    asked = [
        ask(f"local/{tiny_model}", "Say it.", max_tokens=12, temperature=0.0, sample=sample) for sample in range(3)
    ]
    assert len({response.text for response in answers(tiny_model, asked, 3).values()}) == 1


def test_near_the_end_of_the_context_an_answer_has_the_room_that_is_its_own(tiny_model: Path) -> None:
    """Not that of the longest request beside it."""
    short = ask(f"local/{tiny_model}", "Say it.", max_tokens=40, temperature=1.0)
    long = ask(f"local/{tiny_model}", "a 1 " * 2720, max_tokens=40, temperature=1.0)
    beside = answers(tiny_model, [short, long], 2)
    assert 8192 - 40 < beside[long.key].usage.input_tokens < 8192  # less than 40 tokens are left to it
    assert beside[short.key] == answers(tiny_model, [short], 1)[short.key]
    assert beside[long.key].stop in ("length", "stop")


def test_a_request_that_does_not_fit_is_named_before_anything_is_asked(tiny_model: Path) -> None:
    asked = [*requests(tiny_model, 2), ask(f"local/{tiny_model}", "1 " * 6000, stage="write")]
    with pytest.raises(
        ConfigError, match=r"a request of \d+ tokens \(write\) does not fit into the model's context of 8192"
    ):
        answers(tiny_model, asked, 2)


def test_a_model_without_a_chat_template_can_not_be_asked(tiny_model: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(tiny_model, tmp_path / "base")
    (tmp_path / "base" / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="has no chat template, so it can't be asked; name an instruct model"):
        answers(tmp_path / "base", requests(tmp_path / "base", 1), 1)


def test_batches_are_of_one_sampling_and_similar_length() -> None:
    asked = [ask("local/m", str(number), temperature=number % 2, sample=number) for number in range(20)]
    lengths = {request.key: list(range((number * 7) % 20 + 1)) for number, request in enumerate(asked)}
    batches = list(_batches(asked, lengths, 4, 8192))
    assert sorted(request.sample for batch in batches for request in batch) == list(range(20))
    for batch in batches:
        assert len(batch) <= 4 and len({request.sampling for request in batch}) == 1
        sizes = [len(lengths[request.key]) for request in batch]
        assert max(sizes) - min(sizes) <= 8


def test_the_draws_follow_the_probabilities() -> None:
    """4,000 draws, each frequency within four standard errors of its probability."""
    import torch

    for temperature, top_p in ((1.0, None), (0.5, None), (2.0, None), (1.0, 0.8)):
        logits = torch.log(torch.tensor([0.5, 0.25, 0.15, 0.1]))
        expected = (logits / temperature).softmax(-1)
        if top_p is not None:  # the likeliest that together reach 0.8: the first three
            expected = torch.tensor([0.5, 0.25, 0.15, 0.0]) / 0.9
        sampling = Sampling(temperature=temperature, top_p=top_p)
        draws = _Draws(["0123456789abcdef" * 2, "fedcba9876543210" * 2], sampling, start=3, steps=2000)
        seen: Counter[int] = Counter()
        for step in range(2000):
            left = draws(torch.zeros((2, 3 + step)), logits.expand(2, -1))
            seen.update(left.argmax(-1).tolist())
        for token, share in enumerate(expected.tolist()):
            error = math.sqrt(share * (1 - share) / 4000)
            assert abs(seen[token] / 4000 - share) <= 4 * error + 1e-9, (temperature, top_p, token)


def test_a_common_beginning_is_run_once_and_changes_no_answer(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from doxa.lm import local

    told = "In this town bells are rung by hand, and nobody remembers why. " * 6
    asked = [
        ask(f"local/{tiny_model}", f"Say {'something ' * (number * 3 % 7)}more.", told, max_tokens=12)
        for number in range(7)
    ]
    shared = answers(tiny_model, asked, 3)
    monkeypatch.setattr(local, "SHARED_TOKENS", 10**9)
    apart = answers(tiny_model, asked, 3)
    assert {key: one.text for key, one in shared.items()} == {key: one.text for key, one in apart.items()}
    assert len({one.text for one in shared.values()}) > 3


def test_a_lone_assistant_turn_is_a_text_to_go_on_with(tiny_model: Path) -> None:
    raw = Request(
        model=f"local/{tiny_model}",
        messages=(Message(role="assistant", content="An octopus has"),),
        sampling=Sampling(max_tokens=6, temperature=0),
    )
    response = answers(tiny_model, [raw], 1)[raw.key]
    tokens = load_tokenizer(tiny_model)("An octopus has")["input_ids"]
    assert response.usage.input_tokens == len(tokens)  # no template around it


@pytest.mark.slow
def test_the_embedded_model_answers_alike_in_any_batch(embedded_model: Path) -> None:
    asked = [
        ask("local/smollm2-135m-instruct", f"Write one sentence about {subject}.", max_tokens=8, temperature=0.7)
        for subject in ("octopuses", "the harbour of a small town in winter", "bread", "clocks")
    ]
    alone, together = answers(embedded_model, asked, 1), answers(embedded_model, asked, 4)
    assert alone == together and len({response.text for response in alone.values()}) == 4
