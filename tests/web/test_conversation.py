"""What the events of the page do to a conversation."""

from grok_app.chat import Turn
from grok_app.web.conversation import answered, before_reply, edited, messages, said, undone

TURNS = (Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c"), Turn("assistant", "d"))


def test_retry_keeps_the_question_whichever_side_was_pressed() -> None:
    assert before_reply(TURNS, 3) == TURNS[:3]
    assert before_reply(TURNS, 2) == TURNS[:3]
    assert before_reply(TURNS, 1) == TURNS[:1]
    assert before_reply((), 0) == ()


def test_undo_gives_the_message_back() -> None:
    assert undone(TURNS, 3) == (TURNS[:2], "c")
    assert undone(TURNS[:2], 1) == ((), "a")
    assert undone((), 0) == ((), "")


def test_editing_the_persons_turn_drops_what_followed() -> None:
    assert edited(TURNS, 0, "x") == (Turn("user", "x"),)


def test_editing_the_models_turn_keeps_what_followed() -> None:
    assert edited(TURNS, 1, "x") == (TURNS[0], Turn("assistant", "x"), *TURNS[2:])
    assert edited(TURNS, 9, "x") == TURNS


def test_an_empty_reply_is_no_turn() -> None:
    assert answered(said((), "a"), "") == (Turn("user", "a"),)


def test_messages_are_harmless() -> None:
    assert "<b" not in messages((Turn("assistant", "<b>x</b>"),))[0]["content"]
