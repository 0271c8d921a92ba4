"""How a page's replies begin, whichever tab asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from anyio import to_thread

from grok_app.replies import Replies, Reply, Wish
from grok_app.web.server.limits import Limits, Visitor


async def ask(
    replies: Replies, limits: Limits, visitor: Visitor, wishes: Mapping[str, Callable[[], Wish]]
) -> list[Reply]:
    """Begins a reply to each wish under its id, for all or for none, within the visitor's limits.
    Where all have begun already they are found: a page asks twice when an answer was lost.

    Raises:
        GrokError: one of them cannot be made, or the visitor must wait.
    """
    known = [reply for id in wishes if (reply := replies.find(id))]
    if len(known) == len(wishes):
        return known
    limits.admit(visitor, len(wishes))
    made = await to_thread.run_sync(lambda: [make() for make in wishes.values()])
    return await replies.begin(dict(zip(wishes, made, strict=True)))
