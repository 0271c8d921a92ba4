"""Who is served next. Plain Python: no device, no threads.

Requests wait in the order of their arrival for one of the slots. A prompt is prefilled in chunks,
one between two decode steps, and short ones while others are decoded, so that a new request never
delays them for long. While nobody waits, several decode steps are planned at once.
"""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

from grok_app.engine.prefixes import Prefixes
from grok_app.engine.request import Request
from grok_app.errors import EngineBusy


@dataclass(frozen=True)
class Chunk:
    """A run of a request's prompt: positions `start` to `start + count`, in a slot."""

    request: Request
    slot: int
    start: int
    count: int

    @property
    def final(self) -> bool:
        """Whether the prompt ends with it, so that the reply's first token follows."""
        return self.start + self.count == len(self.request.prompt)


@dataclass(frozen=True)
class Copy:
    """What one row of a data shard's cache holds, to be put into another too."""

    shard: int
    source: int
    target: int


@dataclass(frozen=True)
class Plan:
    """The next dispatches.

    Attributes:
        copies: rows of the cache to copy first, in this order.
        chunks: parts of prompts, one a data shard at most.
        decode: requests that get tokens, by slot, and how many: at most `steps`.
        steps: decode steps.
    """

    copies: list[Copy]
    chunks: list[Chunk]
    decode: dict[int, tuple[Request, int]]
    steps: int


class Scheduler:
    """The queue and the slots."""

    def __init__(
        self, slots: int, max_queued: int, chunks: tuple[int, int], shards: int = 1, saved: int = 0
    ):
        """`max_queued` requests may wait; `slots` are divided over `shards` in equal runs.

        `chunks` are the most tokens of a prompt at once, while others are decoded and while none
        is; each shard's cache has `saved` rows beyond its slots.
        """
        self.slots: list[Request | None] = [None] * slots
        self.waiting: deque[Request] = deque()
        self.chunks, self.per_shard = chunks, slots // shards
        self._max_queued = max_queued
        self._admissions = itertools.count()
        self.prefixes = [Prefixes(self.per_shard, saved) for _ in range(shards)]

    def add(self, request: Request) -> None:
        """Puts a request in the queue.

        Raises:
            EngineBusy: the queue is full.
        """
        free = sum(r is None or r.gone for r in self.slots)
        waiting = sum(not r.gone for r in self.waiting)
        if waiting >= self._max_queued + free:
            raise EngineBusy(
                "all {slots} slots are taken and {waiting} requests wait already; try again in a "
                "moment",
                slots=len(self.slots),
                waiting=waiting,
            )
        self.waiting.append(request)

    def place(self, request: Request) -> int:
        """The request's place in the queue, 1 for the next; 0 when it is not waiting."""
        try:
            return self.waiting.index(request) + 1
        except ValueError:
            return 0

    def running(self) -> list[Request]:
        """The requests in slots."""
        return [request for request in self.slots if request is not None]

    def sweep(self) -> list[Request]:
        """Takes out the requests that are finished or cancelled, and returns them."""
        gone = [r for r in (*self.waiting, *self.running()) if r.gone]
        for request in gone:
            if request in self.slots:
                self.slots[self.slots.index(request)] = None
            else:
                self.waiting.remove(request)
        return gone

    def plan(self, most_steps: int = 1) -> Plan:
        """Admits who waits and says what to dispatch; the requests' counters count it as done.

        Up to `most_steps` decode steps are planned at once where that keeps nobody waiting.
        """
        copies = self._admit()
        ready = {
            slot: request
            for slot, request in enumerate(self.slots)
            if request is not None
            and request.prefilled == len(request.prompt)
            and request.dispatched < request.max_new_tokens
        }
        chunks = self._chunks(self.chunks[0 if ready else 1])
        steps = 1 if chunks or self.waiting else most_steps
        decode = {
            slot: (request, min(steps, request.max_new_tokens - request.dispatched))
            for slot, request in ready.items()
        }
        for request, count in decode.values():
            request.dispatched += count
        return Plan(copies, chunks, decode, max((n for _, n in decode.values()), default=0))

    def _admit(self) -> list[Copy]:
        """Gives free slots to those who wait, each where most of its prompt is cached."""
        copies = []
        while self.waiting and None in self.slots:
            request = self.waiting.popleft()
            shard = self._shard_for(request)
            made = request.params.interventions
            admission = self.prefixes[shard].admit(request.prompt, self._free(shard), made)
            self.slots[shard * self.per_shard + admission.slot] = request
            request.admitted = next(self._admissions)
            request.cached_tokens = request.prefilled = admission.cached
            copies += [Copy(shard, *pair) for pair in admission.copies]
        return copies

    def _shard_for(self, request: Request) -> int:
        """The shard with a free slot that has most of the prompt cached, or most free slots."""

        def merit(shard: int) -> tuple[bool, int, int]:
            free = len(self._free(shard))
            cached = self.prefixes[shard].cached(request.prompt, request.params.interventions)
            return free > 0, cached, free

        return max(range(len(self.prefixes)), key=merit)

    def _free(self, shard: int) -> list[int]:
        """The free slots of a shard, counted from its first."""
        first = shard * self.per_shard
        return [i for i in range(self.per_shard) if self.slots[first + i] is None]

    def _chunks(self, most: int) -> list[Chunk]:
        """The next chunk of the prompt that was admitted first, in each data shard."""
        chunks = []
        for shard in range(len(self.prefixes)):
            first = shard * self.per_shard
            unfinished = [
                (request.admitted, slot)
                for slot, request in enumerate(self.slots[first : first + self.per_shard], first)
                if request is not None and request.prefilled < len(request.prompt)
            ]
            if unfinished:
                chunks.append(self._chunk(min(unfinished)[1], most))
        return chunks

    def _chunk(self, slot: int, most: int) -> Chunk:
        request = self.slots[slot]
        assert request is not None
        start = request.prefilled
        chunk = Chunk(request, slot, start, min(most, len(request.prompt) - start))
        request.prefilled += chunk.count
        request.dispatched += chunk.final
        shard, row = divmod(slot, self.per_shard)
        self.prefixes[shard].grow(row, request.prompt[start : request.prefilled])
        return chunk
