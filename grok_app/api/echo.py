"""How likely a prompt is: what `echo` with `logprobs` asks for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anyio import CapacityLimiter, to_thread
from starlette.types import Receive

from grok_app.api.leaving import on_leaving
from grok_app.api.logprobs import Entry
from grok_app.errors import EngineBusy
from grok_app.interventions import Intervention

if TYPE_CHECKING:
    from grok_app.engine.engine import Engine

_MOST_WAITING = 64


class PromptScorer:
    """Scores prompts for all clients: one after the other, since each holds a cache of its own.

    Who waits for a turn waits in the event loop; the one at work waits in a thread.
    """

    def __init__(self) -> None:
        self._turn = CapacityLimiter(1)

    async def score(
        self,
        engine: Engine,
        prompts: Sequence[Sequence[int]],
        top: int,
        changes: tuple[Intervention, ...],
        receive: Receive,
    ) -> list[list[Entry]]:
        """An entry for each token of each prompt, with its `top` likeliest alternatives, under the
        given interventions.

        Ends early when `receive` tells that the client has gone.

        Raises:
            EngineBusy: too many wait already.
            EngineFailed: the engine has stopped.
        """
        if self._turn.statistics().tasks_waiting >= _MOST_WAITING:
            raise EngineBusy(
                "{waiting} prompts wait to be scored; try again in a moment", waiting=_MOST_WAITING
            )
        gone = threading.Event()
        async with on_leaving(receive, gone.set):
            return await to_thread.run_sync(
                lambda: [_entries(engine, prompt, top, changes, gone) for prompt in prompts],
                limiter=self._turn,
            )


def _entries(
    engine: Engine,
    ids: Sequence[int],
    top: int,
    changes: tuple[Intervention, ...],
    gone: threading.Event,
) -> list[Entry]:
    entries = [Entry(ids[0], None, ())]
    if gone.is_set():
        return entries
    for scores in engine.score(ids, changes):
        if gone.is_set():
            break
        likeliest = zip(scores.top.tolist(), scores.top_logprob.tolist(), strict=True)
        for logprob, (tokens, values) in zip(scores.logprob.tolist(), likeliest, strict=True):
            pairs = tuple(zip(tokens[:top], values[:top], strict=True))
            entries.append(Entry(ids[len(entries)], logprob, pairs))
    return entries
