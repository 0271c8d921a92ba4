"""One address for the page and the API: which of the two a request is for."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from grok_app.api import roots

_WAITING = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<title>Grok-1 in the browser</title>
<style>body { font: 1.1rem system-ui, sans-serif; margin: 20vh auto; text-align: center }</style>
<p>The model is loading. This page looks again by itself.</p>
"""


class Front:
    """Sends the API's paths to the API and all else to the page.

    The API stands beside Gradio's app, not within it: Gradio's own middleware lets web pages from
    elsewhere in wherever the app is not served on loopback, and the API decides that for itself.
    """

    def __init__(self, api: FastAPI, page: ASGIApp):
        self._api, self._page, self._roots = api, page, roots(api)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request, or the server's start and end, to the one concerned."""
        root = scope.get("path", "").lstrip("/").partition("/")[0]
        await (self._api if root in self._roots else self._page)(scope, receive, send)


async def waiting_page(scope: Scope, receive: Receive, send: Send) -> None:
    """What a browser is shown while the model loads."""
    if scope["type"] == "http":
        response = HTMLResponse(_WAITING, 503, {"Retry-After": "2"})
        await response(scope, receive, send)
