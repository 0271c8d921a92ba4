"""What of Gradio's server a public page shows to the world: what its own pages ask for, no more."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grok_app.api import Bounded

# The page, its parts, its events, and those of `gradio_client`. Not among them: files, uploads,
# proxies, recordings, links to a session's state, monitoring, and whatever a later Gradio adds.
_OPEN = re.compile(
    r"/|/config|/login|/logout|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/pwa_icon(/\d+)?"
    r"|/(assets|static|svelte)/[\w./@+-]+"
    r"|/gradio_api/(info|app_id|startup-events|theme\.css|heartbeat/\w+)"
    r"|/gradio_api/(queue/join|queue/data|run/predict|cancel|reset)"
    r"|/gradio_api/call/(v2/)?chat(/\w+)?"
)
_RUN = "/gradio_api/run/"


class Gate:
    """Lets through what a visitor may ask for, with a bounded body; as ASGI middleware."""

    def __init__(self, app: ASGIApp, max_body: int):
        """`max_body` is in bytes."""
        self._app, self._max_body = app, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 404 or 413, or passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not _is_open(scope):
            await PlainTextResponse("Not found.", 404)(scope, receive, send)
        elif _length(scope) > self._max_body:
            await PlainTextResponse("Too large.", 413)(scope, receive, send)
        else:
            answered = _answered(send) if scope["path"].startswith(_RUN) else send
            await self._app(scope, Bounded(receive, self._max_body), answered)


def _is_open(scope: Scope) -> bool:
    # A deep link opens the state of somebody's session, whatever way its name is written.
    names = QueryParams(scope["query_string"]).keys()
    inside = ".." not in scope["path"] and "deep_link" not in names
    return inside and _OPEN.fullmatch(scope["path"]) is not None


def _length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() else 0


def _answered(send: Send) -> Send:
    """Gradio says 500 to every call whose handler raises, and mostly the call was wrong: 400."""

    async def corrected(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 500:
            message = {**message, "status": 400}
        await send(message)

    return corrected
