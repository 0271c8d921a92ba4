"""Clients that leave before they have their answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from starlette.types import Receive

from grok_app.replies import Reply, pieces, stop

if TYPE_CHECKING:
    from grok_app.engine.generation import Piece


@asynccontextmanager
async def on_leaving(receive: Receive, act: Callable[[], None]) -> AsyncIterator[None]:
    """Calls `act` when `receive` tells, within, that the client has gone."""

    async def wait() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        act()

    waiting = asyncio.create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting


async def pieces_for(
    receive: Receive, replies: Sequence[Reply]
) -> AsyncGenerator[tuple[int, Piece]]:
    """The pieces of replies as they come, each with its reply's number, until the client is gone:
    then the replies are stopped, which frees the engine's slots.

    Raises:
        EngineFailed: the engine has stopped.
    """
    leave = partial(stop, replies)
    async with on_leaving(receive, leave), aclosing(pieces(replies)) as made:
        async for numbered in made:
            yield numbered
