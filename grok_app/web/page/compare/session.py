"""One message to several: what each of some columns is to reply. No Gradio in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from grok_app.chat import Conversation, Made, Pending
from grok_app.errors import ConversationError, RequestError
from grok_app.replies import Replies, Wish, chat_wish
from grok_app.web.page.asking import Asking
from grok_app.web.page.chat.session import read
from grok_app.web.page.personas.personas import Personas
from grok_app.web.page.seed import read_seed
from grok_app.web.server.limits import Limits, Visitor

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine


@dataclass(frozen=True)
class Column:
    """Who is to reply, and how; a seed as it was typed."""

    persona: str
    temperature: float
    top_p: float
    seed: str


class CompareSession:
    """The comparing of all visitors; what is compared is in their browsers."""

    def __init__(self, engine: Engine, personas: Personas, limits: Limits, replies: Replies):
        self._engine, self._personas = engine, personas
        self._limits, self._asking = limits, Asking(replies, limits)

    async def ask(
        self,
        visitor: Visitor,
        ids: Sequence[str],
        stored: str,
        text: str,
        columns: Sequence[Column],
        own: str,
    ) -> list[Conversation]:
        """Asks all columns to reply to a message, or none, under the ids that the browser has made.

        Returns:
            For each column the conversation that is open in the chat, with the message, and with
            the column's reply as the one that is being made.

        Raises:
            GrokError: one of the replies cannot be made.
        """
        asked = _without_pending(read(stored)).with_message(text)
        several = [self._made(column, own) for column in columns]
        if len(set(ids)) < len(several):
            raise RequestError("the replies to be compared need an id each")
        wishes = (partial(self._wish, asked, made, own) for made in several)
        replies = await self._asking.ask(visitor, dict(zip(ids, wishes, strict=True)))
        assert asked.leaf is not None
        return [
            replace(asked, pending=Pending(id, asked.leaf, replace(made, seed=reply.seed)))
            for id, made, reply in zip(ids, several, replies, strict=True)
        ]

    def _made(self, column: Column, own: str) -> Made:
        sampling = self._personas.find(column.persona, own).sampling
        sampling = replace(sampling, temperature=column.temperature, top_p=column.top_p)
        seed = read_seed(column.seed)
        return Made(column.persona, self._engine.fingerprint, seed, self._limits.bounded(sampling))

    def _wish(self, asked: Conversation, made: Made, own: str) -> Wish:
        persona = self._personas.find(made.persona, own)
        settings = asked.turns, made.sampling
        return chat_wish(self._engine, persona, *settings, seed=made.seed, experts=True)


def _without_pending(conversation: Conversation) -> Conversation:
    """The conversation as it was before the reply that is still being made in the chat."""
    pending, nodes = conversation.pending, conversation.nodes
    if pending is None:
        return conversation
    if (nodes[-1].reply, nodes[-1].parent) == (pending.id, pending.parent):
        nodes = nodes[:-1]  # nothing follows it
    return replace(conversation, nodes=nodes, leaf=pending.parent, pending=None)


def adopted(stored: str, kept: str) -> Conversation:
    """The conversation that is open with the last message and reply of `kept`, which was the same
    one when these were made.

    Raises:
        ConversationError: another conversation is open by now.
    """
    current, other = read(stored), read(kept)
    if len(other.nodes) < 2 or other.nodes[-1].role != "assistant":
        raise ConversationError("there is no reply yet to be kept")
    *before, asked, replied = other.nodes
    if not current.nodes:
        current = replace(other, nodes=(), leaf=None, pending=None)
    if current.id != other.id or current.nodes[: len(before)] != tuple(before):
        raise ConversationError(
            "the chat has another conversation open than the one these replies belong to: "
            "open {title!r} there first",
            title=other.title,
        )
    same = [
        index
        for index, node in enumerate(current.nodes)
        if (node.parent, node.role, node.text) == (asked.parent, "user", asked.text)
    ]
    current = replace(current, leaf=same[0] if same else asked.parent)
    current = current if same else current.with_message(asked.text)
    persona = replied.made.persona if replied.made else current.persona
    return replace(current, persona=persona).with_reply(replied.text, replied.made)
