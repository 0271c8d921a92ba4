"""Who is served next. Plain Python: no device, no threads.

Requests wait in the order of their arrival for one of the slots. A prompt is fed in chunks, one
between two decode steps, so a newcomer never holds the others up for longer than a chunk takes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

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
class Plan:
    """The next dispatch: chunks of prompts, one a data shard at most, and requests to decode."""

    chunks: list[Chunk]
    decode: dict[int, Request]  # by slot


class Scheduler:
    """The waiting line and the slots."""

    def __init__(self, slots: int, queue: int, chunk: int, shards: int = 1):
        """`queue` requests may wait; `slots` are divided over `shards` in equal runs."""
        self.slots: list[Request | None] = [None] * slots
        self.waiting: deque[Request] = deque()
        self.queue, self.chunk, self.per_shard = queue, chunk, slots // shards

    def add(self, request: Request) -> None:
        """Puts a request in the line.

        Raises:
            EngineBusy: the line is full.
        """
        free = self.slots.count(None)
        if len(self.waiting) >= self.queue + free:
            raise EngineBusy(
                f"all {len(self.slots)} slots are taken and {len(self.waiting)} requests wait "
                "already; try again in a moment"
            )
        self.waiting.append(request)

    def place(self, request: Request) -> int:
        """The request's place in the line, 1 for the next; 0 when it is not waiting."""
        try:
            return self.waiting.index(request) + 1
        except ValueError:
            return 0

    def running(self) -> list[Request]:
        """The requests in slots."""
        return [request for request in self.slots if request is not None]

    def sweep(self) -> list[Request]:
        """Takes out the requests that are finished or cancelled, and returns them."""
        gone = [r for r in (*self.waiting, *self.running()) if r.finished or r.cancelled.is_set()]
        for request in gone:
            if request in self.slots:
                self.slots[self.slots.index(request)] = None
            else:
                self.waiting.remove(request)
        return gone

    def plan(self) -> Plan:
        """Admits who waits and says what to dispatch; the requests' counters count it as done."""
        for slot, request in enumerate(self.slots):
            if request is None and self.waiting:
                self.slots[slot] = self.waiting.popleft()
        ready = {
            slot: request
            for slot, request in enumerate(self.slots)
            if request is not None
            and request.prefilled == len(request.prompt)
            and request.dispatched < request.room
        }
        chunks = self._chunks()
        for request in ready.values():
            request.dispatched += 1
        return Plan(chunks, ready)

    def _chunks(self) -> list[Chunk]:
        """The next chunk of the prompt that was admitted first, in each data shard."""
        chunks = []
        for first in range(0, len(self.slots), self.per_shard):
            for slot in range(first, first + self.per_shard):
                request = self.slots[slot]
                if request is not None and request.prefilled < len(request.prompt):
                    chunks.append(self._chunk(request, slot))
                    break
        return chunks

    def _chunk(self, request: Request, slot: int) -> Chunk:
        start = request.prefilled
        chunk = Chunk(request, slot, start, min(self.chunk, len(request.prompt) - start))
        request.prefilled += chunk.count
        request.dispatched += chunk.final
        return chunk
