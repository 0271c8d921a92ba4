"""Whose events are whose, where visitors log in."""

from __future__ import annotations

import json
from typing import Any

from gradio.routes import App
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EVENTS = "/gradio_api/queue/data"
_CHANGED = ("/gradio_api/queue/join", "/gradio_api/cancel")
_MOST = 10_000  # sessions whose owners are remembered; then the oldest go


class Owners:
    """Keeps each user's sessions from all others; as ASGI middleware.

    A session is a name that a program gives itself, and whoever knows the name could hear and end
    its events: of the routes for that one asks for any login, and one for none.
    """

    def __init__(self, asgi: ASGIApp, gradio: App):
        """`asgi` leads to the app `gradio`, which knows who has logged in."""
        self._asgi, self._gradio = asgi, gradio
        self._owners: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 401 or 403, or passes the request on."""
        path = scope.get("path", "")
        if path != _EVENTS and path not in _CHANGED:
            return await self._asgi(scope, receive, send)
        request = Request(scope, receive)
        if path == _EVENTS:
            session = request.query_params.get("session_hash")
        else:
            body = await request.body()
            session, receive = _session(body), _again(body, receive)
        user = self._user(request)
        if user is None:
            return await PlainTextResponse("Log in first.", 401)(scope, receive, send)
        if session is not None and self._owner(session, user) != user:
            return await PlainTextResponse("Another user's.", 403)(scope, receive, send)
        await self._asgi(scope, receive, send)

    def _owner(self, session: str, user: str) -> str:
        """Who has it; of a new one, `user` from now on."""
        if session not in self._owners and len(self._owners) >= _MOST:
            del self._owners[next(iter(self._owners))]
        return self._owners.setdefault(session, user)

    def _user(self, request: Request) -> str | None:
        names = (f"access-token-{kind}{self._gradio.cookie_id}" for kind in ("", "unsecure-"))
        token = next(filter(None, map(request.cookies.get, names)), None)
        return self._gradio.tokens.get(token)


def _again(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read once more, and then what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _session(body: bytes) -> str | None:
    try:
        sent: Any = json.loads(body)
    except (ValueError, RecursionError):  # Gradio refuses it too
        return None
    session = sent.get("session_hash") if isinstance(sent, dict) else None
    return session if isinstance(session, str) else None
