"""How a page's replies begin, whichever tab asks for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from anyio import to_thread

from grok_app.replies import Replies, Reply, Wish
from grok_app.web.server.limits import Limits, Visitor

Wishes = Mapping[str, Callable[[], Wish]]
"""What makes each wish, by the id of its reply."""


class Asking:
    """Begins replies within the limits. A page asks twice when an answer was late or lost: that is
    one message, and one reply."""

    def __init__(self, replies: Replies, limits: Limits):
        self._replies, self._limits = replies, limits
        self._under_way: dict[tuple[str, ...], asyncio.Task[list[Reply]]] = {}

    async def ask(self, visitor: Visitor, wishes: Wishes) -> list[Reply]:
        """Begins a reply to each wish under its id, for all or for none. Where all have begun
        already they are found.

        Raises:
            GrokError: one of them cannot be made, or the visitor must wait.
        """
        known = [reply for id in wishes if (reply := self._replies.find(id))]
        if len(known) == len(wishes):
            return known
        ids = tuple(wishes)
        if ids not in self._under_way:
            task = asyncio.create_task(self._begin(visitor, wishes))
            self._under_way[ids] = task
            task.add_done_callback(lambda _: self._under_way.pop(ids))
        # Whoever asks first may hang up, and the next one wants the answer.
        return await asyncio.shield(self._under_way[ids])

    async def _begin(self, visitor: Visitor, wishes: Wishes) -> list[Reply]:
        self._limits.admit(visitor, len(wishes))
        made = await to_thread.run_sync(lambda: [make() for make in wishes.values()])
        return await self._replies.begin(dict(zip(wishes, made, strict=True)))
