"""Replies that their readers may leave and come back to.

A page is a window that may be closed and opened again. Its replies have ids that the browser made
and remembers; they go on for a while when nobody asks for them, and wait, ended, to be fetched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grok_app.chat.conversation import LONGEST_ID
from grok_app.errors import EngineBusy, RequestError
from grok_app.replies.reply import Reply
from grok_app.replies.start import start
from grok_app.replies.wish import Wish

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

KEPT = 900.0  # seconds in which a reply that has ended can be fetched
_AWAITED = 5.0  # seconds within which a page asks again for a reply that it shows
_MOST_KEPT = 1000  # replies that have ended; then the oldest go


@dataclass
class _Kept:
    """A reply, and when it was last asked for, by the loop's clock."""

    reply: Reply
    asked: float


class Replies:
    """Who waits for which reply. It belongs to one event loop."""

    def __init__(self, engine: Engine, linger: float, kept: float = KEPT):
        """A reply that nobody has asked for in `linger` seconds is stopped, and forgotten after
        `kept` seconds more."""
        self.engine, self.linger, self.kept = engine, linger, kept
        self._replies: dict[str, _Kept] = {}
        self._beginning = asyncio.Lock()
        self._watch: asyncio.TimerHandle | None = None

    async def begin(self, wishes: Mapping[str, Wish]) -> list[Reply]:
        """Asks for a reply to each wish under its id, for all or for none. Where there is one under
        an id already, that is returned: a page asks twice when an answer was lost.

        Raises:
            RequestError, EngineBusy, EngineFailed: as `start`.
        """
        for id in wishes:
            if not 0 < len(id) <= LONGEST_ID:
                raise RequestError(
                    "the id of a reply has {size} characters; expected 1 to {most}",
                    size=len(id),
                    most=LONGEST_ID,
                )
        async with self._beginning:
            replies = {id: reply for id in wishes if (reply := self.find(id))}
            new = {id: wish for id, wish in wishes.items() if id not in replies}
            if new:
                if len(self._replies) + len(new) > _MOST_KEPT:
                    self._drop_oldest(len(new))
                replies |= zip(new, await start(self.engine, list(new.values())), strict=True)
                now = asyncio.get_running_loop().time()
                self._replies |= {id: _Kept(replies[id], now) for id in new}
                self._look_later()
        return [replies[id] for id in wishes]

    def find(self, id: str) -> Reply | None:
        """The reply of that id, and notes that somebody has asked for it now. None: there is none
        (any more)."""
        kept = self._replies.get(id)
        if kept is None:
            return None
        kept.asked = asyncio.get_running_loop().time()
        return kept.reply

    @property
    def awaited(self) -> int:
        """How many replies are still being fetched. Safe from any thread."""
        since = time.monotonic() - _AWAITED  # the clock of asyncio's loops
        return sum(kept.asked > since for kept in list(self._replies.values()))

    def forget(self, id: str) -> None:
        """Its reader has all of it, or wants no more: it ends, and what it holds is freed."""
        if kept := self._replies.pop(id, None):
            kept.reply.stop()

    def _drop_oldest(self, count: int) -> None:
        oldest = sorted(self._replies.items(), key=lambda item: item[1].asked)
        ended = [id for id, kept in oldest if kept.reply.ended]
        if len(ended) < count:
            raise EngineBusy(
                "{count} replies are kept already; try again in a moment", count=len(self._replies)
            )
        for id in ended[:count]:
            del self._replies[id]

    def _look_later(self) -> None:
        """Looks after the replies as long as there are any."""
        if self._watch is None and self._replies:
            pause = min(self.linger, self.kept) / 4
            self._watch = asyncio.get_running_loop().call_later(max(pause, 0.05), self._look)

    def _look(self) -> None:
        self._watch = None
        now = asyncio.get_running_loop().time()
        for id, kept in list(self._replies.items()):
            if now - kept.asked > self.linger + self.kept:
                del self._replies[id]
            elif now - kept.asked > self.linger:
                kept.reply.stop("left")
        self._look_later()
