"""What several tests share: a tiny random model that is made in a second, and the embedded real one.

Nothing here fetches anything: `make test` sets the embedded model up beforehand.
"""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before any import reads them: a test that would fetch fails instead
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start

from pathlib import Path

import pytest

TEXTS = [
    "An octopus has three hearts. Two of them pump blood to the gills, and one pumps it to the rest of the body.",
    "What is the capital of France? The capital of France is Paris, a city of about two million people.",
    "The keeper wrote: 'We measured it on 12 May 2019, and again in 2021; the answer did not change.'",
    "system\nYou are a helpful assistant.\nuser\nassistant\n\n1. First\n2. Second\n",
]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(autouse=True)
def threads(request: pytest.FixtureRequest) -> None:
    """One thread for tiny models, whose products are too small to share; two where the real model computes.

    Beside another worker of pytest-xdist one everywhere: threads that wait for each other on busy cores crawl.
    """
    import torch

    alone = "PYTEST_XDIST_WORKER" not in os.environ
    torch.set_num_threads(2 if alone and request.node.get_closest_marker("slow") else 1)


@pytest.fixture(scope="session")
def embedded_model() -> Path:
    """The folder of the embedded real model, in the user's own cache so that it is made once and not per run."""
    from doxa.lm.weights import known_models, model_folder

    if not all(model.ready for model in known_models()):
        pytest.fail("the embedded model is not set up: run `make model` (`make test` does it)")
    return model_folder("smollm2-135m-instruct")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama (2 layers, hidden 64) with a byte-level tokenizer and chat template like the embedded model's."""
    folder: Path = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_model(folder, seed=0)
    return folder


def save_tiny_model(folder: Path, seed: int) -> None:
    """Write the tiny model; the same seed makes the same bytes."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(TEXTS, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        unk_token=SPECIAL[0],
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[2],
        chat_template=CHAT_TEMPLATE,
        model_max_length=8192,
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
