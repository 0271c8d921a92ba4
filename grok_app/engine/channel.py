"""How the process that decides tells the others what to run: a connection to each of them.

A message is the name of a program and the host arrays that go into it, small ones. The same
connections carry a heartbeat both ways. JAX's own runtime notices a dead process too, but late,
and it aborts; here whoever waits can be told first, and which process it was.

A newcomer says which process it is and a secret from the store of JAX's own runtime: a stranger who
connects by mistake is sent away, one who can reach that runtime's port is not. A frame is the
length of its head in 4 bytes, the head in JSON, and the arrays' bytes. Nothing in it is ever run.
"""

from __future__ import annotations

import hmac
import json
import math
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np

BEAT = 2.0  # seconds between two signs of life
LOST_AFTER = 15.0  # seconds of silence after which a process counts as lost
JOINING = 60.0  # seconds in which the others must have come
SECRET_BYTES = 32
_LOOK = 0.2  # seconds between two looks at who has come
_GRACE = 3.0  # seconds in which those who wait are told, before this process ends

Message = tuple[str, list[np.ndarray]]


class Leader:
    """The end of process 0: sends, and watches over the others."""

    def __init__(self, address: tuple[str, int]):
        """Listens at `address`; `gather` then waits for the others."""
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        family = min(family for family, *_ in found)  # of a name that has both, IPv4
        self._server = socket.create_server(address, family=family)
        self._peers: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._lost = threading.Event()
        self._reason = ""
        self.on_lost: Callable[[str], None] = lambda reason: None

    def gather(self, followers: int, secret: bytes, seconds: float = JOINING) -> None:
        """Waits until so many others have come, and begins to watch over them.

        Raises:
            TimeoutError: they have not come in so many seconds.
        """
        with self._server:
            self._wait_for(followers, secret, time.monotonic() + seconds)
        for number, peer in self._peers.items():
            _thread(self._watch, number, peer)
        _thread(self._beat)

    def _wait_for(self, followers: int, secret: bytes, deadline: float) -> None:
        self._server.settimeout(_LOOK)
        while len(self._peers) < followers:
            if time.monotonic() > deadline:
                missing = sorted(set(range(1, followers + 1)) - set(self._peers))
                for peer in self._peers.values():
                    peer.close()
                raise TimeoutError(f"process {', '.join(map(str, missing))} has not come")
            with suppress(TimeoutError):
                peer, _ = self._server.accept()
                _thread(self._admit, peer, followers, secret)  # a silent one holds nobody up

    def _admit(self, peer: socket.socket, followers: int, secret: bytes) -> None:
        """Takes a newcomer in who proves to be one of ours and whose place is free."""
        peer.settimeout(LOST_AFTER)
        number = _number(peer, secret)
        with self._lock:
            if 0 < number <= followers and number not in self._peers:
                self._peers[number] = peer
            else:
                peer.close()

    def send(self, name: str, arrays: Sequence[np.ndarray]) -> None:
        """Tells all others to run a program. Whom that does not reach is found out elsewhere."""
        frame = _frame({"call": name}, arrays)
        with self._lock:
            for peer in self._peers.values():
                try:
                    peer.sendall(frame)
                except OSError:
                    _drop(peer)  # part of a frame may be out; `_watch` says who it was

    def why_lost(self, seconds: float) -> str:
        """Which process is gone; "" if none is found to be so within `seconds`."""
        self._lost.wait(seconds)
        return self._reason

    def close(self, reason: str = "") -> None:
        """Lets the others end: in good order, or with an error if there is a reason."""
        if not self._closed.is_set():
            self._closed.set()
            self._send_end(reason)

    def _send_end(self, reason: str) -> None:
        with self._lock:
            for peer in self._peers.values():
                with suppress(OSError):
                    peer.sendall(_frame({"end": reason}))

    def _beat(self) -> None:
        while not self._closed.wait(BEAT):
            self.send("", [])

    def _watch(self, number: int, peer: socket.socket) -> None:
        host, port = peer.getpeername()[:2]
        with peer, peer.makefile("rb") as stream:
            try:
                while stream.read(1):
                    pass
            except OSError:  # silent for too long, or the connection broke
                pass
            _drop(peer)  # who is about to write to it must not wait
        if not self._closed.is_set():
            self._lose(f"process {number} (at {host}:{port}) is gone; nothing works without it")

    def _lose(self, reason: str) -> None:
        """Tells everybody, then ends this process: it may hang in a step with the lost one."""
        with self._lock:
            if self._reason:
                return
            self._reason = reason
        self._lost.set()
        self._send_end(reason)
        self.on_lost(reason)
        time.sleep(_GRACE)
        _end_process(reason)


class Follower:
    """The end of another process: iterate over it for what is to be run."""

    def __init__(self, address: tuple[str, int], number: int, secret: bytes):
        """Connects to process 0, as process `number`, with the secret that proves it."""
        self._socket = socket.create_connection(address, LOST_AFTER)
        self._socket.settimeout(JOINING + LOST_AFTER)  # process 0 is silent until all have come
        self._socket.sendall(number.to_bytes(4, "big") + secret)
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        _thread(self._read)
        _thread(self._beat)

    def __iter__(self) -> Iterator[Message]:
        """The messages in their order, until process 0 closes."""
        while (message := self._messages.get()) is not None:
            yield message

    def close(self) -> None:
        """Lets process 0, and with it the others, end with an error: this one cannot go on."""
        self._closed.set()
        _drop(self._socket)

    def _read(self) -> None:
        """Takes messages in. A thread of its own, for the one that runs them may hang."""
        reason: str | None = "process 0 is gone; nothing works without it"
        with self._socket.makefile("rb") as stream:
            try:
                while True:
                    head, arrays = _read_frame(stream)
                    self._socket.settimeout(LOST_AFTER)
                    if "end" in head:
                        reason = head["end"]
                        break
                    if head["call"]:
                        self._messages.put((head["call"], arrays))
            except (OSError, EOFError):
                pass
            except (ValueError, TypeError, KeyError) as error:  # a frame of another form
                reason = f"process 0 is not understood ({type(error).__name__}: {error})"
        if reason and not self._closed.is_set():
            _end_process(reason)
        self._messages.put(None)

    def _beat(self) -> None:
        try:
            while True:
                self._socket.sendall(b"\0")
                time.sleep(BEAT)
        except OSError:
            pass  # `_read` sees the same


def _number(peer: socket.socket, secret: bytes) -> int:
    """Which process a newcomer is; -1 where it says nothing, or not the secret."""
    try:
        with peer.makefile("rb") as stream:
            number, told = _exactly(stream, 4), _exactly(stream, SECRET_BYTES)
    except (OSError, EOFError):
        return -1
    return int.from_bytes(number, "big") if hmac.compare_digest(told, secret) else -1


def _drop(peer: socket.socket) -> None:
    """Ends a connection both ways, so that who reads from it sees the end."""
    with suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)


def _frame(head: dict[str, Any], arrays: Sequence[np.ndarray] = ()) -> bytes:
    head["arrays"] = [(array.dtype.str, array.shape) for array in arrays]
    text = json.dumps(head).encode()
    return b"".join([len(text).to_bytes(4, "big"), text, *(array.tobytes() for array in arrays)])


def _read_frame(stream: BinaryIO) -> tuple[dict[str, Any], list[np.ndarray]]:
    head = json.loads(_exactly(stream, int.from_bytes(_exactly(stream, 4), "big")))
    arrays = []
    for kind, shape in head["arrays"]:
        data = _exactly(stream, np.dtype(kind).itemsize * math.prod(shape))
        arrays.append(np.frombuffer(data, kind).reshape(shape))
    return head, arrays


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _thread(work: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=work, args=arguments, name="channel", daemon=True).start()


def _end_process(reason: str) -> None:
    print(f"error: {reason}", file=sys.stderr, flush=True)
    os._exit(1)
