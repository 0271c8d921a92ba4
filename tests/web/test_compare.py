"""A reply that was compared goes where it belongs."""

import pytest

from grok_app.chat import Conversation, Made
from grok_app.errors import ConversationError
from grok_app.web.compare import adopted

BASE = Conversation(persona="grok").said("Hello").replied("Hi.", Made("grok", "model", 1))


def answered(asked: Conversation, text: str, persona: str = "cynic") -> Conversation:
    return asked.replied(text, Made(persona, "model", 2))


def texts(talk: Conversation) -> list[str]:
    return [turn.text for turn in talk.turns]


def test_a_kept_reply_follows_the_conversation() -> None:
    joined = adopted(BASE, answered(BASE.said("Why?"), "Because."))
    assert texts(joined) == ["Hello", "Hi.", "Why?", "Because."]
    assert joined.id == BASE.id
    assert joined.persona == "cynic"
    assert joined.nodes[-1].made == Made("cynic", "model", 2)


def test_a_second_one_is_a_version_of_the_first() -> None:
    asked = BASE.said("Why?")
    joined = adopted(adopted(BASE, answered(asked, "Because.")), answered(asked, "Why not?"))
    assert texts(joined) == ["Hello", "Hi.", "Why?", "Why not?"]
    assert len(joined.versions(3)) == 2


def test_what_was_said_meanwhile_stays() -> None:
    asked = BASE.said("Why?")
    joined = adopted(BASE.said("And then?").replied("Nothing."), answered(asked, "Because."))
    assert texts(joined) == ["Hello", "Hi.", "Why?", "Because."]
    assert {"And then?", "Nothing."} < {node.text for node in joined.nodes}


def test_it_may_begin_a_conversation() -> None:
    asked = Conversation().said("Why?")
    first = adopted(Conversation(), answered(asked, "Because."))
    assert texts(first) == ["Why?", "Because."]
    assert first.title == "Why?"
    assert texts(adopted(first, answered(asked, "Why not?"))) == ["Why?", "Why not?"]


@pytest.mark.parametrize("now", [Conversation(), Conversation().said("Another")])
def test_another_conversation_is_left_alone(now: Conversation) -> None:
    with pytest.raises(ConversationError, match="open that one there first"):
        adopted(now, answered(BASE.said("Why?"), "Because."))
