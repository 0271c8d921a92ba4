"""How often a password may be guessed."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grok_app.web.server.limits import network
from grok_app.web.server.recent import Recent

log = logging.getLogger(__name__)
_MOST = 10  # wrong logins a minute from one address
_PATHS = ("/login", "/login/")


class Logins:
    """Makes an address wait after too many wrong passwords; as ASGI middleware."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic):
        """`clock` is in seconds."""
        self._app, self._wrong = app, Recent(clock)
        self._trying: dict[str, int] = {}  # tries that have no answer yet, by address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 429, or passes the request on."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in _PATHS:
            await self._app(scope, receive, send)
            return
        address = network(scope["client"][0] if scope.get("client") else "")
        trying = self._trying.get(address, 0) + 1
        if wait := self._wrong.wait(address, trying, _MOST):
            seconds = str(math.ceil(wait))
            refusal = PlainTextResponse(
                f"Too many wrong logins; try again in {seconds} seconds.\n",
                429,
                {"Retry-After": seconds},
            )
            await refusal(scope, receive, send)
            return
        self._trying[address] = trying
        try:
            await self._app(scope, receive, self._counted(send, address))
        finally:
            self._trying[address] -= 1
            if not self._trying[address]:
                del self._trying[address]

    def _counted(self, send: Send, address: str) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 400:
                self._wrong.add(address)
                log.warning("a wrong login from %s", address)
            await send(message)

        return counted
