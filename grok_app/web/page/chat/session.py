"""What happens in the chat when something is asked for. No Gradio: tests call it without a browser.

A conversation is the browser's: every call brings it along, as JSON, and gets it back changed. The
reply itself is fetched by its id (see `follow.py`), so a call returns as soon as it is asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from grok_app.chat import Conversation, Made, Node, Pending, Replay, Sampling, Turn
from grok_app.chat.conversation import LONGEST_TEXT
from grok_app.errors import ConversationError, GrokError, RequestError
from grok_app.replies import Replies, Wish, chat_wish
from grok_app.web.page.asking import Asking
from grok_app.web.page.chat.view import SAME, View
from grok_app.web.page.personas.personas import Personas
from grok_app.web.page.seed import read_seed
from grok_app.web.server.limits import Limits, Visitor

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine


@dataclass(frozen=True)
class Settings:
    """How a reply is wished for, as the page has it.

    Attributes:
        persona: slug of who answers.
        own: the visitor's own personas, as JSON.
        sampling: how tokens are chosen.
        seed: as it was typed; empty draws one.
        stop: texts that end a reply, one a line.
        begin: how the reply is to begin.
        facts: what the model should know.
    """

    persona: str
    own: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    seed: str = ""
    stop: str = ""
    begin: str = ""
    facts: str = ""


class ChatSession:
    """The chat of all visitors; what differs between them comes with each call."""

    def __init__(self, engine: Engine, personas: Personas, limits: Limits, replies: Replies):
        self._engine, self._personas = engine, personas
        self._limits, self._replies = limits, replies
        self._asking = Asking(replies, limits)

    # What brings a reply. Its `id` is the browser's, so that asking twice is harmless.

    async def send(
        self, visitor: Visitor, id: str, stored: str, text: str, settings: Settings
    ) -> View:
        """The person has sent a message."""
        before = read(stored)
        if not text.strip():
            return View(drawn=before, notice="Write a message first.")
        asked = before.with_message(text)
        return await self._answer(visitor, id, before, asked, settings, asked.leaf)

    async def retry(
        self, visitor: Visitor, id: str, stored: str, place: int, settings: Settings
    ) -> View:
        """Another version of the reply at `place` of the branch is wanted."""
        before = read(stored)
        asked = before.message_before(place)
        if asked < 0:
            return View(drawn=before)
        return await self._answer(visitor, id, before, before.cut_after(asked), settings)

    async def edit(
        self, visitor: Visitor, id: str, stored: str, place: int, text: str, settings: Settings
    ) -> View:
        """The turn at `place` was changed, which begins a branch: the person's asks for a reply."""
        before = read(stored)
        if not 0 <= place < len(before.path):
            return View(drawn=before)
        try:
            edited = before.with_edit(place, text)
        except ConversationError as error:
            return View(drawn=before, error=error)
        if edited.turns[-1].role == "assistant":
            return View(conversation=edited)
        view = await self._answer(visitor, id, before, edited, settings)
        if view.error:  # what was written is kept, as a version that is not open
            view = View(conversation=replace(edited, leaf=before.leaf), error=view.error)
        return view

    async def go_on(self, visitor: Visitor, id: str, stored: str, settings: Settings) -> View:
        """The last reply is to go on; a message that has none is to be answered."""
        before = read(stored)
        if not before.turns:
            return View(drawn=before)
        if before.turns[-1].role == "user":
            return await self._answer(visitor, id, before, before, settings)
        settings = replace(settings, begin=before.turns[-1].text)
        asked = before.cut_after(len(before.path) - 2)
        return await self._answer(visitor, id, before, asked, settings)

    async def _answer(
        self,
        visitor: Visitor,
        id: str,
        before: Conversation,
        asked: Conversation,
        settings: Settings,
        leaf: int | None = None,
    ) -> View:
        """Asks for the reply to the last turn of `asked`.

        The branch that ends at `leaf` is open until the reply has its first word; where `leaf` is
        not given the branch that was open `before`, so that a reply without a word changes nothing.
        Where there can be no reply, all is as before.
        """
        asked = replace(asked, replay=None)  # a replay ends where the visitor goes on
        try:
            made = self._made(settings)
            view = await self._begin(visitor, id, asked, made, settings.own)
        except GrokError as error:
            return View(drawn=before, error=error)
        leaf = before.leaf if leaf is None else leaf
        waiting = replace(view.conversation, leaf=leaf, persona=made.persona)
        return replace(view, conversation=waiting)

    def _made(self, settings: Settings) -> Made:
        """How a reply is to be made.

        Raises:
            RequestError: the seed is no number.
        """
        return Made(
            persona=settings.persona,
            model=self._engine.fingerprint,
            seed=read_seed(settings.seed),
            sampling=settings.sampling,
            stop=tuple(line for line in settings.stop.split("\n") if line),
            begun=settings.begin if settings.begin.strip() else "",
            facts=settings.facts,
        )

    async def _begin(
        self, visitor: Visitor, id: str, asked: Conversation, made: Made, own: str
    ) -> View:
        """Asks the engine for the reply to the leaf, made as `made` says, within the limits.

        Raises:
            GrokError: there can be none.
        """
        if asked.leaf is None:
            raise RequestError("the message is empty; write something first")
        made = replace(made, sampling=self._limits.bounded(made.sampling))
        wish = partial(self._wish, asked.turns, made, own)
        (reply,) = await self._asking.ask(visitor, {id: wish})
        prompt = reply.wish.prompt
        assert prompt is not None
        made = replace(made, seed=reply.seed, facts="\n".join(prompt.facts))
        return View(
            conversation=replace(asked, pending=Pending(id, asked.leaf, made)),
            prompt=prompt,
        )

    def _wish(self, turns: tuple[Turn, ...], made: Made, own: str) -> Wish:
        begun = (Turn("assistant", made.begun),) if made.begun else ()
        return chat_wish(
            self._engine,
            self._personas.find(made.persona, own),
            (*turns, *begun),
            made.sampling,
            seed=made.seed,
            stop=made.stop,
            facts=made.facts,
            experts=True,
        )

    # What follows a reply.

    async def settle(
        self, visitor: Visitor, id: str, stored: str, stopped: bool, settings: Settings
    ) -> View:
        """A reply has ended, and the browser has put it in the conversation; of a replay the next
        one follows, as `id`, unless the visitor has `stopped` it."""
        ended = read(stored)
        if ended.pending:  # another conversation was opened meanwhile
            return View(drawn=ended)
        if ended.replay and ended.replay.turns and not stopped:
            return await self._next(visitor, id, _compared(ended), settings.own)
        if ended.replay:
            return View(conversation=replace(ended, replay=None), prompt=None)
        made = ended.nodes[ended.leaf].made if ended.leaf is not None else None
        spent = made is not None and made.begun and made.begun == settings.begin
        return View(drawn=ended, settled=True, begin="" if spent else SAME)

    async def replay(self, visitor: Visitor, id: str, stored: str, settings: Settings) -> View:
        """A recorded conversation is made again, reply by reply."""
        try:
            recorded = read(stored)
        except ConversationError as error:
            return View(conversation=Conversation(), error=error)
        turns = tuple(recorded.nodes[index] for index in recorded.path)
        left = Replay(turns, personas=_personas_of(stored))
        again = replace(recorded, nodes=(), leaf=None, pending=None, replay=left)
        view = await self._next(visitor, id, again, settings.own)
        speaker = self._speaker(recorded.persona, settings.own, settings.persona)
        return replace(view, **({} if view.error else speaker))

    async def _next(self, visitor: Visitor, id: str, again: Conversation, own: str) -> View:
        """The replay up to its next reply, which is asked for; at the end, what came of it."""
        replay = again.replay or Replay(())
        own = self._personas.joined(own, replay.personas)
        while replay.turns:
            node, *rest = replay.turns
            if node.role == "assistant" and node.made and self._is_mine(node.made):
                try:
                    return await self._begin(visitor, id, again, node.made, own)
                except GrokError as error:
                    return View(conversation=_as_recorded(again), prompt=None, error=error)
            foreign = replay.foreign + (node.made is not None)
            replay = replace(replay, turns=tuple(rest), foreign=foreign)
            again = replace(_added(again, node), replay=replay)
        verdict = replay.foreign, replay.differing
        return View(conversation=replace(again, replay=None), prompt=None, verdict=verdict)

    def _is_mine(self, made: Made) -> bool:
        return made.model == self._engine.fingerprint

    # What brings none.

    def undo(self, stored: str, place: int, draft: str) -> View:
        """The exchange at `place` is taken back, its message to be written anew, unless there is a
        `draft` already."""
        before = read(stored)
        asked = before.message_before(place)
        if asked < 0:
            return View(drawn=before)
        text = SAME if draft.strip() else before.turns[asked].text
        return View(conversation=before.cut_after(asked - 1), message=text, status="")

    def new(self, persona: str) -> View:
        """A new conversation."""
        return View(conversation=Conversation(persona=persona), status="", prompt=None)

    def open(self, stored: str, own: str, slug: str) -> View:
        """Another conversation of the visitor's is opened, or the same after the page was loaded
        again: with a reply that is still being made, if it has one. `slug` is who would answer."""
        try:
            opened = read(stored)
        except ConversationError as error:
            return View(conversation=Conversation(), error=error, status="", prompt=None)
        if opened.replay and not opened.pending:  # it was left between two of its replies
            opened = _as_recorded(_compared(opened) if opened.replay.turns else opened)
        opened = opened if opened.path else opened.continued()
        reply = self._replies.find(opened.pending.id) if opened.pending else None
        prompt = reply.wish.prompt if reply else None
        view = View(conversation=opened, status="", prompt=prompt)
        return replace(view, **self._speaker(opened.persona, own, slug))

    def version(self, stored: str, place: int | None, step: int) -> View:
        """The version before or after the one of the turn at `place` is opened; without a place,
        what follows the last turn, where that is not an end."""
        before = read(stored)
        if place is None:
            return View(conversation=before.continued(), status="", prompt=None)
        if not 0 <= place < len(before.path):
            return View(drawn=before)
        opened = before.with_version(place, step)
        return View(conversation=opened, place=place, status="", prompt=None)

    def choose(self, slug: str, own: str) -> View:
        """Another persona is to answer from now on."""
        try:
            self._personas.find(slug, own)
        except RequestError as error:
            return View(error=error)
        return View(persona=slug, preset=True)

    def own_changed(self, slug: str, stored: str, own: str, edited: bool) -> View:
        """The visitor's own personas are others than before: one was `edited`, or they have only
        now been read, perhaps after the conversation in which one of them answers."""
        known = {each for _, each in self._personas.choices(own)}
        answers, first = read(stored).persona, self._personas.first.slug
        chosen = slug
        untouched = slug not in known or slug == first
        if untouched and answers in known and not self._personas.is_shipped(answers):
            chosen = answers
        if chosen not in known:
            chosen = first
        preset = chosen != slug or (edited and not self._personas.is_shipped(chosen))
        missing = answers not in known
        error = self._speaker(answers, own, slug).get("error") if missing else None
        return View(persona=chosen, preset=preset, error=error)

    def _speaker(self, answers: str, own: str, slug: str) -> dict[str, Any]:
        """Who has answered in a conversation goes on, if the visitor has that persona."""
        if answers in (each for _, each in self._personas.choices(own)):
            return {"persona": answers, "preset": answers != slug}
        if not answers or not own:  # without `own` it is not known yet which there are
            return {}
        try:
            self._personas.find(answers, own)
        except RequestError as error:
            return {"error": error}
        return {}


def read(stored: str) -> Conversation:
    """The conversation that the browser holds; an empty text is a new one.

    Raises:
        ConversationError: it is none.
    """
    return Conversation.from_json(stored) if stored else Conversation()


def _personas_of(stored: str) -> str:
    """The files of the personas that came along with a recorded conversation, as JSON; without
    them, or where they are too long to be kept, the visitor hears who is missing."""
    personas = json.loads(stored).get("personas") if stored else None
    if not isinstance(personas, dict):
        return ""
    texts = json.dumps({slug: text for slug, text in personas.items() if isinstance(text, str)})
    return texts if len(texts) <= LONGEST_TEXT else ""


def _added(conversation: Conversation, node: Node) -> Conversation:
    if node.role == "user":
        return conversation.with_message(node.text)
    return conversation.with_reply(node.text, node.made)


def _compared(ended: Conversation) -> Conversation:
    """A replay after a reply: it is as it was recorded, and counted where it came out otherwise."""
    assert ended.replay is not None
    (recorded, *rest), leaf = ended.replay.turns, ended.leaf
    left = replace(ended.replay, turns=tuple(rest))
    last = ended.nodes[leaf] if leaf is not None else None
    if last and last.role == "assistant":
        if last.text == recorded.text:
            return replace(ended, replay=left)
        ended = replace(ended, leaf=last.parent)
    left = replace(left, differing=left.differing + 1)
    return replace(ended.with_reply(recorded.text, recorded.made), replay=left)


def _as_recorded(again: Conversation) -> Conversation:
    """All that is left of a replay, as it was recorded."""
    assert again.replay is not None
    for node in again.replay.turns:
        again = _added(again, node)
    return replace(again, replay=None)
