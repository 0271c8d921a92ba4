"""What happens in the chat, with the real engine and without a browser."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from grok_app.chat import Conversation, Made, Node, Pending, Replay, Sampling, load_personas
from grok_app.errors import (
    ContextExceeded,
    ConversationError,
    EngineBusy,
    GrokError,
    RequestError,
)
from grok_app.replies import Replies, Reply, chat_wish, start
from grok_app.web.page.chat.session import ChatSession, Settings
from grok_app.web.page.chat.view import SAME, View
from grok_app.web.page.personas.personas import Personas
from grok_app.web.server.limits import Limits, Visitor
from tests.app_process import ROOT

pytestmark = pytest.mark.anyio
PERSONAS = Personas(load_personas(ROOT / "prompts"))
VISITOR = Visitor("a", "192.0.2.1")
MINE = "own-0123abcd"
OWN = json.dumps({MINE: 'name = "Ann"\ndescription = "x"\n[sampling]\nmax_tokens = 8'})
MADE = Made("grok", "another model", 7)
BASE = Conversation(id="base", persona="grok").with_message("Hello").with_reply("Hi.", MADE)
LONGER = BASE.with_message("How are you?").with_reply("Well.", MADE)
SETTINGS = Settings("grok", sampling=Sampling(max_tokens=8))
Ask = Callable[[ChatSession, str, Settings], Coroutine[Any, Any, View]]


@pytest.fixture
async def replies(nano) -> AsyncIterator[Replies]:
    made = Replies(nano, linger=60)
    yield made
    for number in range(10):
        made.forget(str(number))


@pytest.fixture
def chat(replies: Replies) -> ChatSession:
    return session(replies)


def session(replies: Replies, messages: int | None = None, tokens: int | None = None):
    return ChatSession(replies.engine, PERSONAS, Limits(messages, tokens), replies)


def texts(conversation: Conversation) -> list[str]:
    return [turn.text for turn in conversation.turns]


def pending_of(view: View) -> Pending:
    assert view.error is None
    assert view.conversation.pending is not None
    return view.conversation.pending


async def ended(reply: Reply | None) -> Reply:
    assert reply
    while not reply.ended:
        await asyncio.sleep(0.01)
    return reply


async def with_reply(replies: Replies, conversation: Conversation) -> Conversation:
    """The conversation as the browser has it once its pending reply has ended."""
    pending = conversation.pending
    assert pending
    reply = await ended(replies.find(pending.id))
    grown = replace(conversation, leaf=pending.parent, pending=None)
    return grown.with_reply(reply.text, pending.made) if reply.progress.grown else grown


# The four ways to ask for a reply, each of BASE.


async def send(chat: ChatSession, id: str, settings: Settings) -> View:
    return await chat.send(VISITOR, id, BASE.to_json(), "Why?", settings)


async def retry(chat: ChatSession, id: str, settings: Settings) -> View:
    return await chat.retry(VISITOR, id, BASE.to_json(), 1, settings)


async def edit(chat: ChatSession, id: str, settings: Settings) -> View:
    return await chat.edit(VISITOR, id, BASE.to_json(), 0, "Good day", settings)


async def go_on(chat: ChatSession, id: str, settings: Settings) -> View:
    return await chat.go_on(VISITOR, id, BASE.to_json(), settings)


each_way = pytest.mark.parametrize("ask", [send, retry, edit, go_on], ids=lambda f: f.__name__)


async def test_a_message_is_kept_with_its_pending_reply(chat, replies) -> None:
    view = await chat.send(VISITOR, "1", "", "Hello", SETTINGS)
    pending, reply = pending_of(view), replies.find("1")
    assert reply
    assert texts(view.conversation) == ["Hello"]
    assert view.conversation.title == "Hello"
    assert (pending.id, pending.parent) == ("1", 0)
    assert pending.made.persona == view.conversation.persona == "grok"
    assert pending.made.model == replies.engine.fingerprint
    assert pending.made.seed == reply.seed
    assert view.prompt is reply.wish.prompt
    assert view.message is SAME  # the browser empties the box, if it still holds what was sent
    assert Conversation.from_json(view.conversation.to_json()) == view.conversation


async def test_an_empty_message_is_none(chat) -> None:
    view = await chat.send(VISITOR, "1", BASE.to_json(), " \n", SETTINGS)
    assert view == View(drawn=BASE, notice="Write a message first.")


@each_way
async def test_who_asks_twice_has_one_reply_and_has_sent_one_message(replies, ask: Ask) -> None:
    chat = session(replies, messages=1)
    first = pending_of(await ask(chat, "1", SETTINGS))
    reply = replies.find("1")
    assert pending_of(await ask(chat, "1", SETTINGS)) == first
    assert replies.find("1") is reply
    view = await ask(chat, "2", SETTINGS)
    assert "1 messages a minute" in str(view.error)
    assert replies.find("2") is None


@each_way
async def test_who_asks_again_before_there_is_an_answer_has_sent_one_message(
    replies, ask: Ask
) -> None:
    chat = session(replies, messages=1)
    views = await asyncio.gather(*(ask(chat, "1", SETTINGS) for _ in range(3)))
    assert len({pending_of(view).made.seed for view in views}) == 1
    assert "1 messages a minute" in str((await ask(chat, "2", SETTINGS)).error)


async def test_who_hangs_up_and_asks_again_has_one_reply(replies) -> None:
    chat = session(replies, messages=1)
    first = asyncio.ensure_future(send(chat, "1", SETTINGS))
    await asyncio.sleep(0)
    first.cancel()
    assert pending_of(await send(chat, "1", SETTINGS)).id == "1"


@pytest.mark.parametrize(
    ("ask", "parent", "begun"),
    [(retry, 0, ""), (edit, 2, ""), (go_on, 0, "Hi.")],
    ids=["retry", "edit", "go on"],
)
async def test_what_was_open_stays_open_until_there_is_a_word(
    chat, replies, ask: Ask, parent: int, begun: str
) -> None:
    view = await ask(chat, "1", SETTINGS)
    conversation, pending = view.conversation, pending_of(view)
    assert texts(conversation) == texts(BASE)
    assert conversation.nodes[:2] == BASE.nodes
    assert pending.parent == parent
    assert pending.made.begun == begun
    assert view.message is SAME
    grown = await with_reply(replies, conversation)
    asked = "Good day" if ask is edit else "Hello"
    assert texts(grown)[0] == asked
    assert texts(grown)[1].startswith(begun)
    assert len(grown.versions(0 if ask is edit else 1)) == 2


async def test_an_edited_message_is_a_version_of_it(chat) -> None:
    view = await edit(chat, "1", SETTINGS)
    assert [view.conversation.nodes[i].text for i in view.conversation.versions(0)] == [
        "Hello",
        "Good day",
    ]


async def test_an_edited_reply_asks_for_none(chat, replies) -> None:
    view = await chat.edit(VISITOR, "1", BASE.to_json(), 1, "Hey.", SETTINGS)
    assert texts(view.conversation) == ["Hello", "Hey."]
    assert view.conversation.pending is None
    assert replies.find("1") is None


async def test_a_message_without_a_reply_is_answered(chat) -> None:
    asked = BASE.with_message("Why?")
    view = await chat.go_on(VISITOR, "1", asked.to_json(), SETTINGS)
    assert pending_of(view).parent == asked.leaf
    assert replace(view.conversation, pending=None) == asked


async def test_a_reply_continues_what_it_was_begun_with(chat, replies) -> None:
    view = await send(chat, "1", replace(SETTINGS, begin="Well, I"))
    assert pending_of(view).made.begun == "Well, I"
    assert (await ended(replies.find("1"))).text.startswith("Well, I")


async def test_settings_and_facts_are_kept_with_the_reply(chat) -> None:
    facts = "The lighthouse of Ruhn is green.\n\nBread costs two crowns."
    settings = replace(SETTINGS, seed="5", stop="a\n\nb", facts=facts)
    view = await chat.send(VISITOR, "1", "", "Which lighthouse is green?", settings)
    made = pending_of(view).made
    assert (made.seed, made.stop, made.sampling) == (5, ("a", "b"), SETTINGS.sampling)
    assert "lighthouse of Ruhn" in made.facts
    assert made.facts == "\n".join(view.prompt.facts)


async def test_a_reply_is_no_longer_than_a_demo_allows(replies) -> None:
    chat = session(replies, tokens=4)
    made = pending_of(await send(chat, "1", SETTINGS)).made
    assert made.sampling.max_tokens == 4
    assert len((await ended(replies.find("1"))).pieces) <= 4


# Where there can be no reply all is as before.


@each_way
@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"seed": "x"}, RequestError),
        ({"persona": "nobody"}, RequestError),
        ({"stop": "x\n" * 1000}, RequestError),
    ],
    ids=["seed", "persona", "stop"],
)
async def test_a_wrong_setting_changes_nothing(chat, replies, ask: Ask, wrong, kind) -> None:
    view = await ask(chat, "1", replace(SETTINGS, **wrong))
    assert isinstance(view.error, kind)
    seen = view.drawn if view.conversation is SAME else view.conversation
    assert texts(seen) == texts(BASE)
    assert seen.pending is None
    assert replies.find("1") is None


async def test_a_full_queue_changes_nothing(chat, nano) -> None:
    raw = PERSONAS.find("raw")
    longest = replace(raw.sampling, max_tokens=900, temperature=3.0, top_p=1.0)
    long = [
        chat_wish(nano, raw, BASE.turns[:1], longest, seed=seed)
        for seed in range(nano.slots + nano.queue)
    ]
    held = await start(nano, long)
    view = await send(chat, "1", SETTINGS)
    for reply in held:
        reply.stop()
    assert isinstance(view.error, EngineBusy)
    assert view == View(drawn=BASE, error=view.error)
    assert pending_of(await send(chat, "1", SETTINGS)).id == "1"


async def test_what_is_too_long_changes_nothing(chat) -> None:
    stored, text = BASE.to_json(), "word " * 20_000
    for view, kind in (
        (await chat.send(VISITOR, "1", stored, text, SETTINGS), ContextExceeded),
        (await chat.edit(VISITOR, "1", stored, 1, text * 3, SETTINGS), ConversationError),
    ):
        assert isinstance(view.error, kind)
        assert view == View(drawn=BASE, error=view.error)


async def test_an_edit_that_is_refused_is_kept_as_a_version(chat) -> None:
    text = "word " * 20_000
    view = await chat.edit(VISITOR, "1", BASE.to_json(), 0, text, SETTINGS)
    assert isinstance(view.error, ContextExceeded)
    assert texts(view.conversation) == texts(BASE)
    newer = chat.version(view.conversation.to_json(), 0, 1).conversation
    assert texts(newer) == [text]


async def test_a_reply_that_was_opened_meanwhile_is_not_settled(chat) -> None:
    opened = replace(BASE, pending=Pending("2", 0, MADE))
    assert await chat.settle(VISITOR, "1", opened.to_json(), False, SETTINGS) == View(drawn=opened)


@pytest.mark.parametrize("place", [-(10**9), -1, 2, 10**9])
async def test_a_turn_that_is_not_there_changes_nothing(chat, place: int) -> None:
    stored = BASE.to_json()
    assert await chat.edit(VISITOR, "1", stored, place, "x", SETTINGS) == View(drawn=BASE)
    assert chat.version(stored, place, 1) == View(drawn=BASE)
    empty = Conversation()
    assert await chat.retry(VISITOR, "1", empty.to_json(), place, SETTINGS) == View(drawn=empty)
    assert await chat.go_on(VISITOR, "1", empty.to_json(), SETTINGS) == View(drawn=empty)
    assert chat.undo(empty.to_json(), place, "") == View(drawn=empty)


# What brings no reply.


async def test_what_is_taken_back_can_be_written_anew_and_is_still_there(chat) -> None:
    assert chat.undo(LONGER.to_json(), 3, "A draft").message is SAME
    view = chat.undo(LONGER.to_json(), 3, " ")
    assert view.message == "How are you?"
    assert texts(view.conversation) == texts(BASE)
    assert view.conversation.nodes == LONGER.nodes
    again = chat.version(view.conversation.to_json(), None, 1)
    assert again.conversation == LONGER
    first = chat.undo(BASE.to_json(), 1, "").conversation
    assert texts(first) == []
    assert chat.version(first.to_json(), None, 1).conversation == BASE


async def test_a_new_conversation_has_nothing_of_the_old_one(chat) -> None:
    view = chat.new("cynic")
    assert not view.conversation.nodes
    assert view.conversation.persona == "cynic"
    assert (view.status, view.prompt) == ("", None)


async def test_arrows_open_the_other_versions(chat) -> None:
    tree = BASE.cut_after(0).with_reply("Hey.").with_message("So?")
    older = chat.version(tree.to_json(), 1, -1)
    assert (texts(older.conversation), older.place) == (["Hello", "Hi."], 1)
    newer = chat.version(older.conversation.to_json(), 1, 1)
    assert newer.conversation == tree
    assert chat.version(tree.to_json(), 1, 1).conversation == tree  # there is no newer one


async def test_a_conversation_is_opened_with_the_reply_that_is_being_made(chat, replies) -> None:
    sent = await send(chat, "1", SETTINGS)
    opened = chat.open(sent.conversation.to_json(), "", "grok")
    assert opened.conversation == sent.conversation
    assert opened.prompt == sent.prompt
    replies.forget("1")  # as after a restart; the browser asks for it and hears that it is gone
    opened = chat.open(sent.conversation.to_json(), "", "grok")
    assert opened.conversation == sent.conversation
    assert opened.prompt is None


async def test_a_conversation_of_which_nothing_is_open_is_opened_to_its_newest_end(chat) -> None:
    assert chat.open(LONGER.cut_after(-1).to_json(), "", "grok").conversation == LONGER


async def test_what_is_no_conversation_opens_as_an_empty_one(chat) -> None:
    view = chat.open('{"nodes": 7}', "", "grok")
    assert isinstance(view.error, ConversationError)
    assert not view.conversation.nodes


# Who answers.


async def test_a_persona_is_chosen_with_its_settings(chat) -> None:
    assert chat.choose("cynic", "") == View(persona="cynic", preset=True)
    assert chat.choose(MINE, OWN) == View(persona=MINE, preset=True)
    assert "there is no persona 'own-0123abcd'" in str(chat.choose(MINE, "{}").error)


async def test_who_has_answered_in_a_conversation_goes_on(chat) -> None:
    def opened(slug: str, own: str) -> tuple[Any, bool, bool]:
        view = chat.open(replace(BASE, persona=slug).to_json(), own, "grok")
        return view.persona, view.preset, view.error is not None

    assert opened("cynic", "") == ("cynic", True, False)
    assert opened("grok", "") == ("grok", False, False)
    assert opened(MINE, OWN) == (MINE, True, False)
    assert opened(MINE, "{}") == (SAME, False, True)
    assert opened(MINE, "") == (SAME, False, False)  # the browser's own have not been read yet
    assert opened("", OWN) == (SAME, False, False)


async def test_ones_own_personas_may_come_after_the_conversation(chat) -> None:
    stored = replace(BASE, persona=MINE).to_json()

    def after(slug: str, stored: str, own: str, edited: bool = False) -> tuple[Any, bool, bool]:
        view = chat.own_changed(slug, stored, own, edited)
        return view.persona, view.preset, view.error is not None

    assert after("grok", stored, OWN) == (MINE, True, False)
    assert after("cynic", stored, OWN) == ("cynic", False, False)  # the visitor has chosen
    assert after(MINE, BASE.to_json(), OWN) == (MINE, False, False)
    assert after(MINE, BASE.to_json(), OWN, edited=True) == (MINE, True, False)
    assert after(MINE, stored, "{}", edited=True) == ("grok", True, True)  # it was deleted
    assert after("grok", "", "{}") == ("grok", False, False)


# What follows a reply.


async def test_the_beginning_of_a_reply_is_spent_once_it_was_used(chat) -> None:
    async def left(begun: str, begin: str) -> Any:
        node = Node(0, "assistant", "Well, no.", replace(MADE, begun=begun))
        stored = replace(BASE, nodes=(BASE.nodes[0], node)).to_json()
        view = await chat.settle(VISITOR, "1", stored, False, replace(SETTINGS, begin=begin))
        assert view.settled
        return view.begin

    assert await left("Well,", "Well,") == ""
    assert await left("Well,", "No,") is SAME  # written while the reply was made
    assert await left("Hi.", "Well,") is SAME  # one that went on
    assert await left("", "Well,") is SAME
    view = await chat.settle(VISITOR, "1", BASE.cut_after(0).to_json(), False, SETTINGS)
    assert view.drawn == BASE.cut_after(0)  # no word came


# Replays.


async def recorded(chat: ChatSession, replies: Replies, persona: str = "grok") -> Conversation:
    """A conversation of two replies, made here."""
    made = Conversation()
    for id, text in (("8", "Hello"), ("9", "How are you?")):
        settings = replace(SETTINGS, persona=persona, own=OWN, seed=id)
        view = await chat.send(VISITOR, id, made.to_json(), text, settings)
        assert view.error is None
        made = await with_reply(replies, view.conversation)
        replies.forget(id)
    return made


async def replayed(chat: ChatSession, replies: Replies, stored: str) -> tuple[View, int]:
    """The last view of a replay, and how many replies were made for it."""
    view, count = await chat.replay(VISITOR, "0", stored, SETTINGS), 0
    while view.verdict is None and view.error is None:
        count += 1
        conversation = await with_reply(replies, view.conversation)
        view = await chat.settle(VISITOR, str(count), conversation.to_json(), False, SETTINGS)
    return view, count


def content(conversation: Conversation) -> list[tuple[Any, ...]]:
    return [(node.parent, node.role, node.text) for node in conversation.nodes]


async def test_a_replay_on_the_same_model_has_the_very_same_words(chat, replies) -> None:
    original = await recorded(chat, replies)
    view, made = await replayed(chat, replies, original.to_json())
    assert made == 2
    assert view.verdict == (0, 0)
    assert content(view.conversation) == content(original)
    assert view.conversation.replay is None
    assert view.conversation.pending is None


async def test_another_models_replies_are_left_as_they_were_and_counted(chat, replies) -> None:
    view, made = await replayed(chat, replies, LONGER.to_json())
    assert made == 0
    assert view.verdict == (2, 0)
    assert content(view.conversation) == content(LONGER)


async def test_replies_in_other_words_are_left_as_they_were_and_counted(chat, replies) -> None:
    original = await recorded(chat, replies)
    nodes = [replace(n, text="Other") if n.role == "assistant" else n for n in original.nodes]
    changed = replace(original, nodes=tuple(nodes))
    view, made = await replayed(chat, replies, changed.to_json())
    assert made == 2
    assert view.verdict == (0, 2)
    assert texts(view.conversation) == ["Hello", "Other", "How are you?", "Other"]


async def test_a_stopped_replay_keeps_what_there_is(chat, replies) -> None:
    original = await recorded(chat, replies)
    view = await chat.replay(VISITOR, "0", original.to_json(), SETTINGS)
    stopped = await with_reply(replies, view.conversation)
    view = await chat.settle(VISITOR, "1", stopped.to_json(), True, SETTINGS)
    assert view.conversation == replace(stopped, replay=None)
    assert texts(view.conversation) == texts(original)[:2]
    assert replies.find("1") is None


async def test_a_replay_ends_where_the_visitor_goes_on(chat, replies) -> None:
    original = await recorded(chat, replies)
    view = await chat.replay(VISITOR, "0", original.to_json(), SETTINGS)
    first = await with_reply(replies, view.conversation)
    view = await chat.send(VISITOR, "1", first.to_json(), "Something else", SETTINGS)
    assert view.conversation.replay is None
    assert texts(view.conversation)[-1] == "Something else"


async def test_a_replay_that_was_left_is_opened_as_it_was_recorded(chat, replies) -> None:
    original = await recorded(chat, replies)
    view = await chat.replay(VISITOR, "0", original.to_json(), SETTINGS)
    left = await with_reply(replies, view.conversation)
    opened = chat.open(left.to_json(), "", "grok").conversation
    assert opened.replay is None
    assert texts(opened) == texts(original)


async def test_personas_that_came_along_reply_in_all_of_a_replay(chat, replies) -> None:
    original = await recorded(chat, replies, MINE)
    along = json.loads(original.to_json()) | {"personas": json.loads(OWN)}
    view, made = await replayed(chat, replies, json.dumps(along))
    assert made == 2
    assert view.verdict == (0, 0)


@pytest.mark.parametrize(
    "personas",
    [None, 7, {MINE: 7}, {"grok": "x"}, {MINE: "x" * 10**6}],
    ids=lambda personas: str(personas)[:30],
)
async def test_where_a_replay_lacks_its_persona_all_is_as_recorded(chat, replies, personas):
    original = await recorded(chat, replies, MINE)
    stored = json.dumps(json.loads(original.to_json()) | {"personas": personas})
    view, made = await replayed(chat, replies, stored)
    assert made == 0
    assert isinstance(view.error, RequestError)
    assert texts(view.conversation) == texts(original)
    assert view.conversation.replay is None


async def test_a_replay_stays_within_the_limits(chat, replies) -> None:
    original = await recorded(chat, replies)
    view, made = await replayed(session(replies, messages=1, tokens=4), replies, original.to_json())
    assert made == 1
    assert "1 messages a minute" in str(view.error)
    assert texts(view.conversation) == texts(original)
    assert len((await ended(replies.find("0"))).pieces) <= 4


# What comes from a browser may be anything.

ALONE = Conversation(id="alone", nodes=(Node(None, "assistant", "Hi.", MADE),), leaf=0)
ENDLESS: dict[str, Any] = {"nodes": [{"parent": 0, "role": "user", "text": "x"}], "leaf": 0}
HOSTILE = [
    "{",
    "7",
    "null",
    "[" * 100_000,
    '{"nodes": 7}',
    json.dumps(ENDLESS),
    json.dumps(json.loads(BASE.to_json()) | {"leaf": 7}),
    json.dumps(json.loads(BASE.to_json()) | {"pending": 7}),
    json.dumps(json.loads(BASE.to_json()) | {"pending": {"parent": 9}}),
    json.dumps(json.loads(BASE.to_json()) | {"replay": {"turns": [7]}}),
    ALONE.to_json(),
    replace(BASE, leaf=None, replay=Replay(())).to_json(),
    replace(BASE, replay=Replay((), personas="[")).to_json(),
    replace(BASE, leaf=None, replay=Replay((ALONE.nodes[0],))).to_json(),
    replace(BASE, pending=Pending("1", 1, MADE)).to_json(),
    replace(BASE, nodes=tuple(replace(node, reply="1") for node in BASE.nodes)).to_json(),
]


@pytest.mark.parametrize("begin", ["", "Well,"])
@pytest.mark.parametrize("stored", HOSTILE, ids=lambda text: text[:60])
async def test_what_is_no_conversation_is_refused_in_words(chat, replies, stored, begin) -> None:
    settings = replace(SETTINGS, begin=begin)
    mine = stored.replace("another model", replies.engine.fingerprint)
    for call in (
        lambda: chat.send(VISITOR, "1", mine, "Why?", settings),
        lambda: chat.retry(VISITOR, "2", mine, 1, settings),
        lambda: chat.edit(VISITOR, "3", mine, 0, "x", settings),
        lambda: chat.go_on(VISITOR, "4", mine, settings),
        lambda: chat.settle(VISITOR, "5", mine, False, settings),
        lambda: chat.settle(VISITOR, "6", mine, True, settings),
        lambda: chat.replay(VISITOR, "7", mine, settings),
        lambda: chat.undo(mine, 1, ""),
        lambda: chat.open(mine, OWN, "grok"),
        lambda: chat.version(mine, 0, 1),
        lambda: chat.version(mine, None, 1),
        lambda: chat.own_changed("grok", mine, OWN, False),
    ):
        with suppress(ConversationError):  # any other error fails
            view = call()
            view = await view if asyncio.iscoroutine(view) else view
            assert view.error is None or isinstance(view.error, GrokError)
