"""How much a demo does for one address, whatever is asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from grok_app.web.server.limits import network
from grok_app.web.server.recent import Recent

PIECE = 64 * 1024  # bytes; an event costs one piece at least, since it takes computing too
MOST = 512  # pieces a minute: events that the page sends for every letter typed, or 32 MiB
_POLLS = "/gradio_api/component_server"  # many, and small


class Quota:
    """Makes an address wait after it has sent too much within a minute; as ASGI middleware."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic):
        """`clock` is in seconds."""
        self._app, self._sent = app, Recent(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 411, 413 or 429, or passes the request on."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal():  # in chunks, of which nobody knows how many will come
            return await PlainTextResponse("Say how long it is.", 411)(scope, receive, send)
        pieces = 1 + int(length) // PIECE
        if scope["path"].startswith(_POLLS):
            if pieces > 1:
                return await PlainTextResponse("Too large.", 413)(scope, receive, send)
            return await self._app(scope, receive, send)
        address = network(scope["client"][0] if scope.get("client") else "")
        if wait := self._sent.wait(address, pieces, MOST):
            seconds = str(math.ceil(wait))
            text = f"This demo has done enough for you for now; go on in {seconds} seconds.\n"
            refusal = PlainTextResponse(text, 429, {"Retry-After": seconds})
            return await refusal(scope, receive, send)
        self._sent.add(address, pieces)
        await self._app(scope, receive, send)
