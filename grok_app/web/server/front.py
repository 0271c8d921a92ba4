"""One address for the page and the API: which of the two a request is for."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grok_app.api import roots

log = logging.getLogger(__name__)

_WAITING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<title>Grok-1 in the browser</title>
<style>body { font: 1.1rem system-ui, sans-serif; margin: 20vh auto; text-align: center }</style>
<p>The model is loading. This page looks again by itself.</p>
"""


# Gradio shows an edited turn for a moment before the server has made it harmless (see markup.py):
# pictures and sounds are fetched from nowhere else. Its page has scripts within it, and makes
# functions of the events' JavaScript; but none come from elsewhere.
_POLICY = "; ".join(
    (
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "connect-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)


class Front:
    """Sends the API's paths to the API and all else to the page.

    The API stands beside Gradio's app, not within it: Gradio's own middleware lets web pages from
    elsewhere in wherever the app is not served on loopback, and the API decides that for itself.

    Attributes:
        answering: requests whose answers have not gone out whole.
    """

    def __init__(self, api: FastAPI):
        """Until there is a page (see `open`) a browser is told to wait."""
        self._api, self._roots = api, roots(api)
        self.answering = 0
        self._page: ASGIApp = _waiting_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request to the one concerned; is told of the server's start and end."""
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        root = scope.get("path", "").lstrip("/").partition("/")[0]
        self.answering += 1
        try:
            if root in self._roots:
                await self._api(scope, receive, send)
            else:
                await self._page(scope, receive, _with_policy(send))
        finally:
            self.answering -= 1

    async def _live(self, receive: Receive, send: Send) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            async with AsyncExitStack() as self._lives:
                await receive()  # that the server starts
                await send({"type": "lifespan.startup.complete"})
                await receive()  # that it ends
        except Exception:
            log.exception("the page has not ended in good order")
        await send({"type": "lifespan.shutdown.complete"})

    def open(self, app: FastAPI, page: ASGIApp) -> None:
        """Shows `page`, which is `app` or leads to it, once the app has started; it ends with the
        server. The server runs already, in another thread. Raises what the app's start raises."""

        async def begin() -> None:
            await self._lives.enter_async_context(app.router.lifespan_context(app))
            self._page = page

        asyncio.run_coroutine_threadsafe(begin(), self._loop).result()


def _with_policy(send: Send) -> Send:
    """Says what the page may do in a browser, and where it may be shown."""

    async def restricted(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = _POLICY
        await send(message)

    return restricted


async def _waiting_page(scope: Scope, receive: Receive, send: Send) -> None:
    """What a browser is shown while the model loads."""
    await HTMLResponse(_WAITING, 503, {"Retry-After": "2"})(scope, receive, send)
