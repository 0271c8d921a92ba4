"""How a page gets its replies: it asks again and again for what is new of each, by its id.

No connection is held while nothing is asked, so a browser's few connections to a server serve any
number of tabs; and a page that was away asks where it stopped, or from the beginning.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from grok_app.replies import Replies, Reply
from grok_app.web.page.chat.status import gauges
from grok_app.web.page.notebook.session import NotebookSession
from grok_app.web.page.notice import explain
from grok_app.web.page.scripts import scripted
from grok_app.web.page.words import Translate, language_of

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

_TEMPLATE = '<p class="connection" role="status"></p>'
_NEW = (0, 0)


def follower(engine: Engine, replies: Replies, notebook: NotebookSession) -> gr.HTML:
    """The component whose script follows replies; it shows whether the server can be reached.

    It triggers `input` when there is something new of the open conversation's reply, and `submit`
    when that has ended.
    """

    async def follow(asked: Any, request: gr.Request) -> dict[str, Any]:
        """What is new of a reply since `asked`, [id, characters, tokens]; nothing of none."""
        id, characters, tokens = asked if _is_asked(asked) else ("", 0, 0)
        reply = replies.find(id)
        if reply is None or reply.wish.prompt is None:  # the second is a notebook's
            return {}
        return news(engine, reply, (characters, tokens), language_of(request))

    async def follow_text(asked: Any) -> dict[str, Any]:
        """What is new of a notebook's text since `asked`, as of `follow`."""
        id, _, seen = asked if _is_asked(asked) else ("", 0, 0)
        return notebook.news(id, seen)

    async def stop(id: Any) -> None:
        """Ends a reply where it is."""
        if isinstance(id, str) and (reply := replies.find(id)):
            reply.stop()

    async def forget(id: Any) -> None:
        """The browser has all of a reply."""
        if isinstance(id, str):
            replies.forget(id)

    return scripted(
        "replies",
        _TEMPLATE,
        server_functions=[follow, follow_text, stop, forget],
        elem_id="replies",
    )


def news(
    engine: Engine, reply: Reply, seen: tuple[int, int] = _NEW, say: Translate = str
) -> dict[str, Any]:
    """What a page is told of a reply of which it has so many characters and tokens already.

    Returns:
        "text" and "tokens" that are new; "seen", what to ask with next; "grown", whether the model
        has added to what was begun; "status", a line for the reader; "ended", see `Reply.ended`;
        then "experts", how many tokens each expert had a part in; "error", where it failed.
    """
    now, (characters, tokens) = reply.progress, seen
    assert reply.wish.prompt is not None
    fresh = reply.pieces[tokens:]
    told: dict[str, Any] = {
        "text": reply.text[characters:],
        "tokens": [
            json.dumps([piece.data.decode("utf-8", "replace"), piece.experts.ravel().tolist()])
            for piece in fresh
        ],
        "seen": [len(reply.text), len(reply.pieces)],
        "grown": now.grown,
        "status": gauges(engine, reply.wish.prompt, now, say),
        "ended": now.ended,
    }
    if now.ended:
        told["experts"] = counted(reply, engine.config.num_experts)
    if reply.error:
        told["error"] = explain(reply.error, say)
    return told


def counted(reply: Reply, experts: int) -> list[list[int]]:
    """How many of a reply's tokens each of so many experts of each layer had a part in."""
    if not reply.pieces:
        return []
    chosen = np.stack([piece.experts for piece in reply.pieces])  # [tokens, layers, chosen]
    return (chosen[..., None] == np.arange(experts)).sum((0, 2)).tolist()


def _is_asked(asked: Any) -> bool:
    return (
        isinstance(asked, list)
        and len(asked) == 3
        and isinstance(asked[0], str)
        and all(type(count) is int and count >= 0 for count in asked[1:])
    )
