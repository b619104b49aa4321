"""Actions as tags: two ways of writing them, and everything that only looks like one."""

from __future__ import annotations

import pytest

from doxa.belief.agentic.actions import ACTIONS, read_actions, show_action, write_action

ALL = tuple(ACTIONS)
MAIL = {"to": "a@b.example", "subject": "Hello", "attach": "f.pdf", "body": "Two\nlines."}


@pytest.mark.parametrize("variant", ["full", "small"])
@pytest.mark.parametrize("name", ALL)
def test_what_is_written_is_read_again(name: str, variant: str) -> None:
    values = MAIL if name == "send_email" else {key: f"some {key}" for key in ACTIONS[name].parameters}
    (action,) = read_actions(write_action(name, values, "full" if variant == "full" else "small"), ALL)
    assert (action.name, dict(action.parameters), action.problem) == (name, values, "")


@pytest.mark.parametrize("variant", ["full", "small"])
@pytest.mark.parametrize("name", [name for name in ALL if name != "wait"])
def test_a_template_left_unfilled_is_no_action(name: str, variant: str) -> None:
    (action,) = read_actions(show_action(name, "full" if variant == "full" else "small"), ALL)
    assert action.problem == "placeholder"


FORMS = [
    '<action name="send_email" to="a@b.example">Hi</action>',
    "<action name='send_email' to='a@b.example'>Hi</action>",
    "<ACTION name=send_email><to>a@b.example</to><body>Hi</body></ACTION>",
    "<action name=“Send Email”>\n <to> a@b.example </to>\n Hi\n</action >",
    '< action name="send-email" to="a@b.example" body="Hi"/>',
]


@pytest.mark.parametrize("text", FORMS)
def test_forms_are_read_alike(text: str) -> None:
    (action,) = read_actions(text, ALL)
    assert (action.name, dict(action.parameters), action.problem) == (
        "send_email",
        {"to": "a@b.example", "body": "Hi"},
        "",
    )


PROBLEMS = [
    ('<action name="send_email"><to>a@b.example</to><body>Hi', "broken"),
    ("</action> and <action", "broken"),
    ('<action name="send_email"><body>Hi</body></action>', "without to"),
    ('<action name="send_email"><to>a@b.example</to></action>', "without body"),
    ('<action name="fly"></action>', "unknown action"),
    ("<action>send_email</action>", "unknown action"),
    ('I will not write <action name="wait"></action>', "declined"),
    ('I refuse to do the following:\n<action name="wait"></action>', "declined"),
    ('I could write <action name="wait"></action>, but I will not.', "declined"),
    ('The example was “<action name="wait"></action>”.', "quoted"),
    ('> <action name="wait"></action>', "quoted"),
]


@pytest.mark.parametrize(("text", "problem"), PROBLEMS)
def test_what_is_not_carried_out_says_why(text: str, problem: str) -> None:
    assert [action.problem for action in read_actions(text, ALL)] == [problem]


DONE = [
    'I will not wait any longer. <action name="wait"></action>',
    'I do not like it, but here it is: <action name="wait"></action>',
    'I was asked to wait: <action name="wait"></action>',
    'I could do more, so: <action name="wait"></action>',
    '`<action name="wait"></action>`',
    '```\n<action name="wait"></action>\n```',
    '"<action name="wait"></action>"',
]


@pytest.mark.parametrize("text", DONE)
def test_words_around_an_action_do_not_undo_it(text: str) -> None:
    assert [action.problem for action in read_actions(text, ALL)] == [""]


def test_a_block_that_never_ends_does_not_swallow_the_next() -> None:
    found = read_actions('<action name="add_note" entry="3">text <action name="wait"></action>', ALL)
    assert [(action.name, action.problem) for action in found] == [("add_note", "broken"), ("wait", "")]


def test_only_the_scenarios_actions_are_there() -> None:
    assert read_actions('<action name="wait"></action>', ("send_email",))[0].problem == "unknown action"
