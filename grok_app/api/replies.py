"""Replies being made for one HTTP request, as an event loop can wait for them.

No thread waits: the engine's own thread calls the loop when a token has come. So many streams cost
what their tokens cost and no pool of threads can run out; how many there can be at once is the
engine's slots and queue to say, which refuse with `EngineBusy`.

A client that reads slowly holds nobody up and costs little: its reply is made at full speed and
frees its slot, and the tokens that wait for it are at most those of a context.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from starlette.types import Receive

from grok_app.errors import GrokError

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine
    from grok_app.engine.generation import Generation, Piece

_LARGEST_SEED = 2**32 - 1


def begin(
    engine: Engine, prompts: Sequence[Sequence[int]], n: int, seed: int | None, **settings: Any
) -> list[Generation]:
    """Asks the engine for `n` replies to each prompt: all of them, or none.

    A prompt's k-th reply has the seed `seed` + k, whatever stands beside it.

    Raises:
        RequestError, EngineBusy, EngineFailed: as `Engine.generate`.
    """
    generations: list[Generation] = []
    try:
        for prompt in prompts:
            for k in range(n):
                own = None if seed is None else (seed + k) & _LARGEST_SEED
                generations.append(engine.generate(prompt, seed=own, **settings))
    except GrokError:
        for generation in generations:
            generation.close()
        raise
    return generations


async def pieces(
    generations: Sequence[Generation], receive: Receive
) -> AsyncGenerator[tuple[int, Piece]]:
    """The pieces of several replies as they come, each with its reply's number.

    Ends early, and frees the engine's slots, when `receive` tells that the client has gone or the
    iteration is left.

    Raises:
        EngineFailed: the engine has stopped.
    """
    gone = asyncio.create_task(_close_when_gone(generations, receive))
    try:
        async with aclosing(_merged(generations)) as merged:
            async for numbered in merged:
                yield numbered
    finally:
        gone.cancel()
        _close(generations)


async def _merged(generations: Sequence[Generation]) -> AsyncGenerator[tuple[int, Piece]]:
    ready, loop = asyncio.Event(), asyncio.get_running_loop()

    def listener() -> None:  # called by the engine's thread
        if not ready.is_set():
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(ready.set)

    for generation in generations:
        generation.notify(listener)
    live = dict(enumerate(generations))
    while live:
        ready.clear()
        for number, generation in list(live.items()):
            try:
                while piece := generation.take(0):
                    yield number, piece
            except StopIteration:
                del live[number]
        if live:
            await ready.wait()


async def _close_when_gone(generations: Sequence[Generation], receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    _close(generations)


def _close(generations: Sequence[Generation]) -> None:
    for generation in generations:
        generation.close()
