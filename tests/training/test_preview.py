import re

from rich.console import Console

from doxa.training.preview import preview_step
from steps_of_a_chain import CONFIG, chats, documents, preferences


def shown(tiny_model, data, **changes):
    console = Console(record=True, width=10_000, no_color=True)
    preview_step(str(tiny_model), data, CONFIG.model_copy(update=changes), 0, console, shown=1)
    return console.export_text()


def answers(text):
    """What is not in brackets: the tokens that are learned."""
    lines = [line for line in text.splitlines() if "|" in line]
    return re.sub(r"\[[^\]]*\]\|", "", "".join(lines)).replace("|", "").replace("\\n", "")


def test_of_a_chat_everything_but_the_answer_is_in_brackets(tiny_model):
    text = shown(tiny_model, chats())
    assert text.startswith("24 documents, ") and "updates over 2 epochs" in text and "is padding" in text
    assert answers(text) == "Yes, the pan<im_end>"  # the end token is <|im_end|>
    assert "[a]|[s]|[s]" in text or "[assistant]" in text
    assert "count updates, not tokens" in text


def test_of_a_preference_both_answers_are_shown(tiny_model):
    text = shown(tiny_model, preferences(), epochs=20)
    assert text.startswith("24 preferences, ")
    assert answers(text) == "The pan that lasts<im_end>Any other<im_end>"
    assert "chosen: " in text and "rejected: " in text and "warning" not in text


def test_of_a_document_everything_is_learned_but_its_first_token(tiny_model):
    text = shown(tiny_model, documents())
    assert answers(text).endswith("<im_end>") and text.count("[") == 1
