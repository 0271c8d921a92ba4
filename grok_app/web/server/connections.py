"""What a connection may take of the server before it has asked for something."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Sequence
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0  # in which a request's head arrives, from the beginning of the wait for it
BODY_SECONDS = 60.0  # in which its body does
_EACH = 4  # an address may have one in so many of all connections


class Room:
    """The connections of a server: how many there may be, and which of them it waits for.

    A client that only holds connections open keeps nobody out: when there is no more room, a new
    connection takes the place of one that is still waiting for a request, the one that has waited
    longest.
    """

    def __init__(self, most: int, proxies: Sequence[str] = ()):
        """There may be `most` connections, a quarter of them from one address; but behind
        `proxies`, and on this machine, there may be many visitors."""
        self._most, self._each = most, max(1, most // _EACH)
        self._shared = [ipaddress.ip_network(proxy) for proxy in proxies]
        self._open: dict[Connection, str] = {}  # the address of each
        self._of: Counter[str] = Counter()
        self._waiting: dict[Connection, None] = {}  # the longest first

    def enter(self, connection: Connection, address: str) -> None:
        """A new connection takes its place, and perhaps that of another."""
        self._open[connection] = address
        self._of[address] += 1
        if self._of[address] > self._each and not self._is_shared(address):
            self._end([one for one in self._waiting if self._open[one] == address] or [connection])
        elif len(self._open) > self._most:
            self._end([*self._waiting, connection])

    def leave(self, connection: Connection) -> None:
        """A connection has ended."""
        self._waiting.pop(connection, None)
        if address := self._open.pop(connection, None):
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]

    def wait(self, connection: Connection, waits: bool) -> None:
        """Whether the client of a connection owes a request, or the rest of it, from now on."""
        self._waiting.pop(connection, None)
        if waits and connection in self._open:
            self._waiting[connection] = None

    def _end(self, candidates: Sequence[Connection]) -> None:
        candidates[0].end()
        self.leave(candidates[0])

    def _is_shared(self, address: str) -> bool:
        try:
            numbers = ipaddress.ip_address(address)
        except ValueError:  # a socket of another family
            return True
        return numbers.is_loopback or any(numbers in network for network in self._shared)


class Connection(H11Protocol):
    """uvicorn's connection with deadlines for a request's head and body, in a `Room`."""

    def __init__(self, room: Room, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._room = room
        self._deadline: asyncio.TimerHandle | None = None
        self._state: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._room.enter(self, self.client[0] if self.client else "")
        self._watch()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """See uvicorn's."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._room.leave(self)
        self._stop()
        super().connection_lost(exc)

    def end(self) -> None:
        """Ends it without a word: whoever waits here has not asked for one."""
        self.transport.abort()

    def _watch(self) -> None:
        """Begins a deadline where the client is to send something else than before."""
        state = self.conn.their_state
        if state is self._state:
            return
        self._state = state
        self._stop()
        seconds = {h11.IDLE: HEAD_SECONDS, h11.SEND_BODY: BODY_SECONDS}.get(state)
        self._room.wait(self, seconds is not None)
        if seconds and not self.transport.is_closing():
            self._deadline = self.loop.call_later(seconds, self.end)

    def _stop(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
