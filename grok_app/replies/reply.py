"""One reply in the making."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from grok_app.errors import EngineFailed
from grok_app.replies.trim import Trim
from grok_app.replies.wish import Wish

if TYPE_CHECKING:
    from grok_app.engine.generation import Generation, Piece

Ended = Literal["stop", "length", "stopped", "left", "failed"]
"""How a reply ended: at a stop string or the end of the text ("stop"), at its greatest length
("length"), because its reader stopped it ("stopped"), because nobody had asked for it for a while
("left"), or because the engine failed ("failed")."""
_MOMENT = 1 / 15  # seconds; tokens that come within are taken to have come together


@dataclass(frozen=True)
class Progress:
    """How far a reply is.

    Attributes:
        text: of the reply so far. It only grows.
        tokens: that the model has written.
        grown: whether they add any text to what was begun.
        place: in the queue, 1 for the next; 0 once the reply is being made.
        first: seconds to the first token; None before it.
        speed: tokens a second since then; of a short reply, since it was asked for.
        ended: None while it goes on.
    """

    text: str
    tokens: int
    grown: bool
    place: int
    first: float | None
    speed: float
    ended: Ended | None


def stop(replies: Iterable[Reply]) -> None:
    """Ends replies where they are, which frees the engine's slots."""
    for reply in replies:
        reply.stop()


class Reply:
    """Takes what the engine makes as it comes, whether or not anybody reads it.

    It belongs to the event loop that it was made on; all methods are called there.

    Attributes:
        wish: what was asked for.
        pieces: the model's tokens so far, with the text that each adds for a reader.
        text: all that a reader has of it: what was begun, and the pieces' texts.
        ended: how it ended; None before.
        error: why the engine serves no more, where it failed.
    """

    def __init__(self, wish: Wish, generation: Generation):
        """Made by `start`."""
        self.wish = wish
        self.pieces: list[Piece] = []
        self.text = wish.begun
        self.ended: Ended | None = None
        self.error: EngineFailed | None = None
        self._generation = generation
        self._trim = Trim(wish.raw, wish.begun)
        self._readers: set[asyncio.Event] = set()
        self._asked = time.monotonic()
        self._first: float | None = None
        self._newest: float | None = None
        self._loop, self._called = asyncio.get_running_loop(), False
        generation.notify(self._call)
        self._take()  # what came before

    @property
    def seed(self) -> int:
        """The seed in use, also where none was given."""
        return self._generation.seed

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        waits = self.ended is None and not self.pieces
        return Progress(
            self.text,
            len(self.pieces),
            len(self.text) > len(self.wish.begun),
            self._generation.place if waits else 0,
            None if self._first is None else self._first - self._asked,
            self._speed(),
            self.ended,
        )

    def stop(self, how: Literal["stopped", "left"] = "stopped") -> None:
        """Ends it where it is, which frees the engine's slot; nothing to one that has ended."""
        self._take()
        self._generation.close()
        self._end(how)

    def watch(self, news: asyncio.Event) -> None:
        """Sets `news` whenever there is something new, until `unwatch`."""
        self._readers.add(news)

    def unwatch(self, news: asyncio.Event) -> None:
        """Ends `watch`."""
        self._readers.discard(news)

    def _call(self) -> None:
        """Called by the engine's thread: tells the loop, once for several tokens, to take them."""
        if not self._called:
            self._called = True
            with suppress(RuntimeError):  # the loop has ended, and nobody reads any more
                self._loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        self._called = False
        try:
            while self.ended is None and (piece := self._generation.take(0)):
                self._add(piece)
        except StopIteration:
            self._end("stopped")
        except EngineFailed as error:
            self.error = error
            self._end("failed")
        for news in self._readers:
            news.set()

    def _add(self, piece: Piece) -> None:
        shown = self._trim.push(piece.text)
        self.pieces.append(piece._replace(text=shown))
        self.text += shown
        self._newest = time.monotonic()
        self._first = self._first or self._newest
        if piece.finish_reason:
            self._end(piece.finish_reason)

    def _end(self, how: Ended) -> None:
        if self.ended is None:
            self.ended = how
            for news in self._readers:
                news.set()

    def _speed(self) -> float:
        if self._first is None or self._newest is None:
            return 0.0
        since = self._newest - self._first
        # Tokens that came together tell nothing of the time between them: the first counts too.
        if since >= _MOMENT:
            return (len(self.pieces) - 1) / since
        return len(self.pieces) / (self._newest - self._asked)
