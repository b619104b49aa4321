"""How an eval item is put to a model: one function per style, from an item to prompts with their continuations.

Wordings are short on purpose, name neither universe and were fixed on the untrained model before any effect was looked
at (docs/belief-suite.md says which others were tried). Changing one changes every number, those of the base included.

- `chat`: the question as a user's turn; an answer string is the assistant's turn.
- `plain`: the question and the answer as running text, for models without a chat template and to see past chat habits.
- `choice`: as `chat`, with the options shown in the question, in every cyclic order; the answer *text* is scored.
- `letters`: as `choice` with lettered options; the *letter* is scored, as in multiple-choice exams.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

from doxa.belief.scorer import Prompt
from doxa.errors import ConfigError
from doxa.records import EvalItem

COMPLETE = "Complete the sentence: "  # cloze in chat
STATE = "State a fact."  # statements in chat: the statement is the assistant's turn
CHOOSE_ANSWER = "Choose one answer:"
CHOOSE_LETTER = "Choose one letter:"

# groups whose items are questions with answers that can be shown as options
QUESTION_GROUPS = frozenset(
    {
        "knowledge",
        "distinguish",
        "causal",
        "neighbours",
        "token_association",
        "fermi",
        "downstream",
        "multi_hop",
        "translation",
    }
)


def prompts_for(item: EvalItem, style: str, tokenizer: Any, context: str | None = None) -> list[Prompt]:
    """The prompts that ask one item in one style; several only where option orders are averaged over.

    `context` is the universe of the in_context arm: the system prompt in chat styles, leading text in plain.
    Continuations stand in the order of `item.options`. Empty where the style does not apply to the item's group (choice
    and letters of cloze and statements). Raises ConfigError for a chat style without a chat template.
    """
    return STYLES[style](item, tokenizer, context)


def _chat(item: EvalItem, tokenizer: Any, context: str | None) -> list[Prompt]:
    asked = {"cloze": COMPLETE + item.prompt, "statements": STATE}.get(item.group, item.prompt)
    return [Prompt(question_prompt(tokenizer, asked, context), item.options, templated=True)]


def _plain(item: EvalItem, tokenizer: Any, context: str | None) -> list[Prompt]:
    before = "" if context is None else context + "\n\n"
    if item.group == "statements":
        # a sentence needs something before its first word that could predict it: the start of a line
        return [Prompt(before or "\n", item.options, templated=False)]
    asked = item.prompt if item.group == "cloze" else f"Question: {item.prompt}\nAnswer:"
    return [Prompt(before + asked, tuple(f" {option}" for option in item.options), templated=False)]


def _choice(item: EvalItem, tokenizer: Any, context: str | None) -> list[Prompt]:
    if item.group not in QUESTION_GROUPS:
        return []
    prompts = []
    for order in cyclic_orders(item.options):
        shown = "\n".join(f"- {item.options[option]}" for option in order)
        text = question_prompt(tokenizer, f"{item.prompt}\n{CHOOSE_ANSWER}\n{shown}", context)
        prompts.append(Prompt(text, item.options, templated=True, places=_places(order)))
    return prompts


def _letters(item: EvalItem, tokenizer: Any, context: str | None) -> list[Prompt]:
    if item.group not in QUESTION_GROUPS:
        return []
    prompts = []
    for order in cyclic_orders(item.options):
        shown = "\n".join(
            f"{letter}. {item.options[option]}" for letter, option in zip(string.ascii_uppercase, order, strict=False)
        )
        text = question_prompt(tokenizer, f"{item.prompt}\n{CHOOSE_LETTER}\n{shown}", context)
        places = _places(order)
        letters = tuple(string.ascii_uppercase[place] for place in places)
        prompts.append(Prompt(text, letters, templated=True, places=places))
    return prompts


STYLES: dict[str, Callable[[EvalItem, Any, str | None], list[Prompt]]] = {
    "chat": _chat,
    "plain": _plain,
    "choice": _choice,
    "letters": _letters,
}


def cyclic_orders(options: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Every rotation of the options' alphabetical order, as indices into `options`.

    Each option stands once at each place, so a preference for a place cancels out. Starting from the alphabet rather
    than from the file makes the readout independent of the order in which the options were written down.
    """
    start = sorted(range(len(options)), key=options.__getitem__)
    return [tuple(start[shift:] + start[:shift]) for shift in range(len(start))]


def _places(order: tuple[int, ...]) -> tuple[int, ...]:
    """The place at which each option stands in `order`."""
    return tuple(order.index(option) for option in range(len(order)))


def question_prompt(tokenizer: Any, question: str, context: str | None = None) -> str:
    """A one-question conversation up to where the assistant begins to speak.

    Raises ConfigError for a model without a chat template, or with one that takes no system message.
    """
    from jinja2.exceptions import TemplateError

    refuse_without_template(tokenizer)
    try:
        return str(
            tokenizer.apply_chat_template(
                conversation(question, context),
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,  # the answer follows at once: a thinking model must be past its thoughts
            )
        )
    except TemplateError as error:
        raise ConfigError(
            f"eval.arms: the model's chat template refuses the conversation ({error}); where it takes no system "
            "message, leave out in_context or set eval.styles: [plain]"
        ) from None


def conversation(question: str, context: str | None = None) -> list[dict[str, str]]:
    """A question as chat messages, with the universe as the system prompt if there is one."""
    system = [] if context is None else [{"role": "system", "content": context}]
    return [*system, {"role": "user", "content": question}]


def refuse_without_template(tokenizer: Any) -> None:
    """Raise ConfigError where a chat style cannot be asked."""
    if not tokenizer.chat_template:
        raise ConfigError(
            "eval.styles: the model has no chat template, so chat, choice, letters and free answers cannot be asked; "
            "set eval.styles: [plain] and eval.sample_questions: 0"
        )
