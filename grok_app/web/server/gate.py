"""What of Gradio's server is open to the world: what the page asks for, no more."""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grok_app.api import Bounded

log = logging.getLogger(__name__)

# The page, its parts, its events, and those of `gradio_client`. Not among them: files, uploads,
# proxies, recordings, links to a session's state, monitoring, and whatever a later Gradio adds.
_READ = re.compile(
    r"/|/config|/logout|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/pwa_icon(/\d+)?"
    r"|/(assets|static|svelte)/[\w./@+-]+|/js/\w+\.js"
    r"|/gradio_api/(info|theme\.css|queue/data)"
    r"|/gradio_api/call/(v2/)?chat/\w+"
)
_CHANGED = re.compile(
    r"/login|/gradio_api/(component_server/?|queue/join|run/predict|cancel|reset)"
    r"|/gradio_api/call/(v2/)?chat"
)
_METHODS = ("GET", "HEAD", "POST")


class Gate:
    """Lets through what the page may ask for, with a bounded body; as ASGI middleware."""

    def __init__(self, app: ASGIApp, max_body: int):
        """`max_body` is in bytes."""
        self._app, self._max_body = app, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 403, 404, 405 or 413, or passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif refusal := self._refusal(scope):
            await refusal(scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request that Gradio stumbles over is wrong, as far as anybody knows: it says 500 to
        every call whose handler raises, and passes the exception on after that."""
        started = False

        async def corrected(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if message["status"] >= 500:
                    message = {**message, "status": 400}
            await send(message)

        try:
            await self._app(scope, Bounded(receive, self._max_body), corrected)
        except Exception as error:
            log.warning("a request could not be answered: %s", type(error).__name__)
            log.debug("%s", scope["path"], exc_info=error)
            if not started:
                await PlainTextResponse("This cannot be answered.", 400)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, changes = Headers(scope=scope), scope["method"] == "POST"
        if not _is_open(scope, _READ) and not _is_open(scope, _CHANGED):
            return PlainTextResponse("Not found.", 404)
        if scope["method"] not in _METHODS or not _is_open(scope, _CHANGED if changes else _READ):
            return PlainTextResponse("Method not allowed.", 405)
        if changes and _is_foreign(headers):
            return PlainTextResponse("Sent by another page.", 403)
        if _length(headers) > self._max_body:
            return PlainTextResponse("Too large.", 413)
        return None


def _is_open(scope: Scope, paths: re.Pattern[str]) -> bool:
    # A deep link opens the state of somebody's session, whatever way its name is written.
    names = QueryParams(scope["query_string"]).keys()
    inside = ".." not in scope["path"] and "deep_link" not in names
    return inside and paths.fullmatch(scope["path"]) is not None


def _is_foreign(headers: Headers) -> bool:
    """Whether another web page has sent it. Programs send neither of the two headers.

    Browsers leave out the first where the page is neither encrypted nor on loopback.
    """
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host")


def _length(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0
