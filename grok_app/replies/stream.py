"""Replies as they grow, for programs: token by token, or as a text at a reader's pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from grok_app.replies.reply import Progress, Reply, stop

if TYPE_CHECKING:
    from grok_app.engine.generation import Piece

PACE = 1 / 15  # seconds between two updates: more of them only make a page slower


async def pieces(replies: Sequence[Reply]) -> AsyncGenerator[tuple[int, Piece]]:
    """The pieces of several replies as they come, each with its reply's number.

    Whoever leaves the iteration stops the replies; so does cancelling the task.

    Raises:
        EngineFailed: the engine has stopped.
    """
    given = [0] * len(replies)
    with _read(replies) as news:
        while True:
            news.clear()
            ended = all(reply.ended for reply in replies)
            for number, reply in enumerate(replies):
                while given[number] < len(reply.pieces):
                    given[number] += 1
                    yield number, reply.pieces[given[number] - 1]
            if ended:
                _raise_error(replies)
                return
            await news.wait()


async def progress(reply: Reply) -> AsyncGenerator[Progress]:
    """A reply as it grows, at most once in `PACE` seconds; the last one has `ended`.

    Whoever leaves the iteration stops the reply; so does cancelling the task.

    Raises:
        EngineFailed: the engine has stopped.
    """
    with _read([reply]) as news:
        while True:
            news.clear()
            now = reply.progress
            yield now
            if now.ended:
                _raise_error([reply])
                return
            await asyncio.sleep(PACE)
            await news.wait()


@contextmanager
def _read(replies: Sequence[Reply]) -> Iterator[asyncio.Event]:
    """An event that tells of news; at the end the replies are stopped."""
    news = asyncio.Event()
    for reply in replies:
        reply.watch(news)
    try:
        yield news
    finally:
        for reply in replies:
            reply.unwatch(news)
        stop(replies)


def _raise_error(replies: Sequence[Reply]) -> None:
    for reply in replies:
        if reply.error:
            raise reply.error
