"""A TCP proxy before the app whose connections can be cut: a browser's own offline mode leaves
running requests alone."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Proxy:
    """Passes bytes on between a browser and the app, until it is `cut`.

    Attributes:
        url: where it serves.
    """

    def __init__(self, app_url: str) -> None:
        host, _, port = app_url.removeprefix("http://").partition(":")
        self._target = host, int(port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._is_cut = threading.Event()
        self._pairs: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends all connections, and refuses new ones until `mend`."""
        self._is_cut.set()
        for end in list(self._pairs):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Lets connections through again."""
        self._is_cut.clear()

    @property
    def open(self) -> int:
        """How many connections a browser holds."""
        return len(self._pairs) // 2

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                near, _ = self._listening.accept()
                if self._is_cut.is_set():
                    near.close()
                else:
                    threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(self._target) as far:
            pair = {near, far}
            self._pairs |= pair
            try:
                _pass_on(near, far)
            finally:
                self._pairs -= pair


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    """Bytes in both directions, until either end is closed."""
    with selectors.DefaultSelector() as ready:
        ready.register(near, selectors.EVENT_READ, far)
        ready.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in ready.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                data = source.recv(65536)
                if not data:
                    return
                key.data.sendall(data)
