"""A reply that is kept of Compare goes where it belongs in the conversation."""

import pytest

from grok_app.chat import Conversation, Made
from grok_app.errors import ConversationError
from grok_app.web.page.compare.session import adopted

MADE = Made("grok", "model", 1)
BASE = Conversation(persona="grok").with_message("Hello").with_reply("Hi.", MADE)


def texts(conversation: Conversation) -> list[str]:
    return [turn.text for turn in conversation.turns]


def answered(asked: Conversation, text: str, persona: str = "cynic") -> str:
    return asked.with_reply(text, Made(persona, "model", 2)).to_json()


def keep(current: Conversation, kept: str) -> Conversation:
    return adopted(current.to_json() if current.nodes else "", kept)


def test_a_kept_reply_follows_the_conversation() -> None:
    joined = keep(BASE, answered(BASE.with_message("Why?"), "Because."))
    assert texts(joined) == ["Hello", "Hi.", "Why?", "Because."]
    assert joined.id == BASE.id
    assert joined.persona == "cynic"
    assert joined.nodes[-1].made == Made("cynic", "model", 2)


def test_a_second_one_is_a_version_of_the_first() -> None:
    asked = BASE.with_message("Why?")
    joined = keep(keep(BASE, answered(asked, "Because.")), answered(asked, "Why not?"))
    assert texts(joined) == ["Hello", "Hi.", "Why?", "Why not?"]
    assert len(joined.versions(3)) == 2


def test_what_was_written_meanwhile_stays() -> None:
    asked = BASE.with_message("Why?")
    current = BASE.with_message("And then?").with_reply("Nothing.")
    joined = keep(current, answered(asked, "Because."))
    assert texts(joined) == ["Hello", "Hi.", "Why?", "Because."]
    assert {"And then?", "Nothing."} < {node.text for node in joined.nodes}


def test_it_may_begin_a_conversation() -> None:
    asked = Conversation().with_message("Why?")
    first = keep(Conversation(), answered(asked, "Because."))
    assert texts(first) == ["Why?", "Because."]
    assert first.title == "Why?"
    assert texts(keep(first, answered(asked, "Why not?"))) == ["Why?", "Why not?"]


@pytest.mark.parametrize("now", [Conversation(), Conversation().with_message("Another")])
def test_another_conversation_is_left_alone(now: Conversation) -> None:
    with pytest.raises(ConversationError, match=r"open '.*' there first"):
        keep(now, answered(BASE.with_message("Why?"), "Because."))


@pytest.mark.parametrize(
    "kept", ["", BASE.with_message("Why?").to_json()], ids=["none", "question"]
)
def test_without_a_reply_there_is_nothing_to_keep(kept: str) -> None:
    with pytest.raises(ConversationError, match="no reply yet"):
        keep(BASE, kept)
