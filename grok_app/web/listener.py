"""A web server in a thread, on a socket that outlives it."""

from __future__ import annotations

import socket
import threading

import uvicorn
from starlette.types import ASGIApp

from grok_app.errors import SettingsError

_GRACE = 2  # seconds that requests may still take when the server ends


class Listener:
    """Serves an ASGI app on a listening socket, of which it uses a copy.

    When one ends and another begins on the same socket, who comes between the two waits a moment
    in the kernel's line and is not refused.
    """

    def __init__(self, app: ASGIApp, listening: socket.socket):
        """Returns when the app has started.

        Raises:
            SettingsError: it could not.
        """
        config = uvicorn.Config(
            app, log_level="warning", ws="none", timeout_graceful_shutdown=_GRACE
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([listening.dup()],), name="web", daemon=True
        )
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            self._thread.join(0.01)
        if not self._server.started:
            raise SettingsError("the web server could not start; the log says why")

    def close(self) -> None:
        """Takes no more requests and ends those that go on."""
        self._server.should_exit = True
        self._thread.join()
