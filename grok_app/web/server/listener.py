"""A web server in a thread."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from grok_app.errors import SettingsError
from grok_app.web.server.connections import Connection, Room
from grok_app.web.server.seldom import Seldom

_CHATTY = ("asyncio", "uvicorn.error", "grok_app.web.page.page", "grok_app.web.server.gate")
_MOST = 4096  # connections
_KEPT_FREE = 256  # descriptors for all else: files, what was accepted and not yet looked at
_BACKLOG = 64  # connections that are accepted in one go, each of which may fail with a line
_GRACE = 2  # seconds that requests may still take when the server ends


class Listener:
    """Serves an ASGI app on a listening socket; a copy of it, for uvicorn closes what it serves."""

    def __init__(
        self,
        app: ASGIApp,
        listening: socket.socket,
        proxies: Sequence[str] = (),
        patience: float = 60.0,
    ):
        """Returns when the app has started. `proxies` are believed about who their visitors are. A
        connection is dropped when for `patience` seconds its client has read nothing of what waits
        for it, or has vanished.

        Raises:
            SettingsError: it could not.
        """
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; it passes to the connections
            milliseconds = round(patience * 1000)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self._room = Room(min(_raised_limit() - _KEPT_FREE, _MOST), proxies)
        config = uvicorn.Config(
            app,
            log_level="warning",
            http=cast(Any, partial(Connection, self._room)),
            ws="none",
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_GRACE,
            forwarded_allow_ips=list(proxies),
        )
        self._quiet = [logging.getLogger(name) for name in _CHATTY]
        self._seldom = Seldom()
        for logger in self._quiet:
            logger.addFilter(self._seldom)
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
        log = logging.getLogger("uvicorn.error")
        log.addFilter(_is_no_cut)
        self._server.should_exit = True
        self._thread.join()
        log.removeFilter(_is_no_cut)
        for logger in self._quiet:
            logger.removeFilter(self._seldom)


def _raised_limit() -> int:
    """How many descriptors this process may have, after that was raised as far as it goes."""
    try:
        import resource
    except ImportError:  # Windows
        return _MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _KEPT_FREE + _MOST
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return wanted if soft == resource.RLIM_INFINITY else soft


def _is_no_cut(record: logging.LogRecord) -> bool:
    """False for a request that is cut off because the server ends, such as a program's stream: that
    is no mistake, and the log needs no traceback of it."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and "graceful" not in record.msg
