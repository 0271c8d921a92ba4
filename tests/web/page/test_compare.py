"""One message to several: all are asked or none."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from grok_app.chat import Conversation, Made, Node, Pending, load_personas
from grok_app.errors import RequestError
from grok_app.replies import Replies
from grok_app.web.page.compare.session import Column, CompareSession
from grok_app.web.page.personas.personas import Personas
from grok_app.web.server.limits import Limits, Visitor
from tests.app_process import ROOT

MADE = Made("grok", "model", 1)
BASE = Conversation(persona="grok").with_message("Hello").with_reply("Hi.", MADE)
VISITOR = Visitor("a", "192.0.2.1")
COLUMNS = (Column("grok", 0.5, 0.9, "7"), Column("cynic", 0.0, 1.0, ""))
IDS = ("one", "two")


@pytest.fixture
async def replies(nano) -> AsyncIterator[Replies]:
    made = Replies(nano, linger=60)
    yield made
    for id in IDS:
        made.forget(id)


def session(replies: Replies, messages: int | None = None) -> CompareSession:
    personas = Personas(load_personas(ROOT / "prompts"))
    return CompareSession(replies.engine, personas, Limits(messages), replies)


def texts(conversation: Conversation) -> list[str]:
    return [turn.text for turn in conversation.turns]


@pytest.mark.anyio
async def test_each_column_has_the_message_and_a_reply_of_its_own(replies) -> None:
    compare = session(replies, messages=2)
    several = await compare.ask(VISITOR, IDS, BASE.to_json(), "Why?", COLUMNS, "")
    assert [texts(one) for one in several] == [["Hello", "Hi.", "Why?"]] * 2
    pending = [one.pending for one in several if one.pending]
    assert [(one.id, one.parent, one.made.persona) for one in pending] == [
        ("one", 2, "grok"),
        ("two", 2, "cynic"),
    ]
    assert pending[0].made.seed == 7
    assert pending[0].made.sampling.temperature == 0.5
    assert all(replies.find(id) for id in IDS)
    again = await compare.ask(VISITOR, IDS, BASE.to_json(), "Why?", COLUMNS, "")
    assert [one.pending.id for one in again if one.pending] == list(IDS)
    with pytest.raises(RequestError, match="2 messages a minute"):
        await compare.ask(VISITOR, ("three", "four"), "", "Why?", COLUMNS, "")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "wrong",
    [{"persona": "nobody"}, {"seed": "x"}, {"temperature": -1.0}],
    ids=str,
)
async def test_where_one_column_cannot_reply_none_is_asked(replies, wrong) -> None:
    columns = (COLUMNS[0], replace(COLUMNS[1], **wrong))
    with pytest.raises(RequestError):
        await session(replies).ask(VISITOR, IDS, "", "Why?", columns, "")
    assert not any(replies.find(id) for id in IDS)


@pytest.mark.anyio
async def test_what_there_is_of_the_chats_own_reply_is_no_part_of_it(replies) -> None:
    asked = BASE.with_message("And then?")
    growing = Node(2, "assistant", "Noth", MADE, "chat")
    waiting = replace(
        asked, nodes=(*asked.nodes, growing), leaf=3, pending=Pending("chat", 2, MADE)
    )
    one, _ = await session(replies).ask(VISITOR, IDS, waiting.to_json(), "Why?", COLUMNS, "")
    assert texts(one) == ["Hello", "Hi.", "And then?", "Why?"]
    assert "Noth" not in {node.text for node in one.nodes}


@pytest.mark.anyio
async def test_a_growing_reply_in_the_midst_of_a_broken_file_stays_where_it_is(replies) -> None:
    nodes = (replace(BASE.nodes[0], reply="chat"), *BASE.nodes[1:])
    for parent in (0, 1):
        broken = replace(BASE, nodes=nodes, pending=Pending("chat", parent, MADE))
        one, _ = await session(replies).ask(VISITOR, IDS, broken.to_json(), "Why?", COLUMNS, "")
        assert one.turns[-1].text == "Why?"
