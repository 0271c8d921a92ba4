"""Asking the engine for replies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anyio import to_thread

from grok_app.errors import GrokError
from grok_app.replies.reply import Reply
from grok_app.replies.wish import Wish

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine
    from grok_app.engine.generation import Generation


async def start(engine: Engine, wishes: Sequence[Wish]) -> list[Reply]:
    """Asks for a reply to each wish: for all of them, or for none.

    Raises:
        RequestError: a prompt is empty or too long, or a token is none.
        EngineBusy: the queue is full.
        EngineFailed: the engine serves no more.
    """
    generations = await to_thread.run_sync(_generations, engine, wishes)
    return [Reply(*both) for both in zip(wishes, generations, strict=True)]


def _generations(engine: Engine, wishes: Sequence[Wish]) -> list[Generation]:
    generations: list[Generation] = []
    try:
        for wish in wishes:
            generations.append(engine.generate(wish.ids, wish.params))
    except GrokError:
        for generation in generations:
            generation.close()
        raise
    return generations
