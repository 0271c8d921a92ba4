"""Under which names the server answers."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from grok_app.api import is_loopback
from grok_app.settings import Settings

_LONGEST = 80  # characters of a wrong name that are given back


class Hosts:
    """Refuses requests addressed to another name; as ASGI middleware.

    A web page may have its own name lead to 127.0.0.1 (DNS rebinding). Its scripts then reach a
    server on the visitor's machine as if it were theirs; only the name gives them away, which a
    browser sends as `Host`. What sends none is no browser.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]):
        """`names` are allowed beside those of this machine's loopback."""
        self._app, self._names = app, frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 421, or passes the request on."""
        if scope["type"] != "http" or self._is_ours(name := _name(scope)):
            await self._app(scope, receive, send)
            return
        text = (
            f"This server does not answer to the name {name[:_LONGEST]!r}. Whoever runs it can "
            f"allow it with --allow-host.\n"
        )
        await PlainTextResponse(text, 421)(scope, receive, send)

    def _is_ours(self, name: str) -> bool:
        return not name or name in self._names or is_loopback(name) or name.endswith(".localhost")


def checked(app: ASGIApp, settings: Settings) -> ASGIApp:
    """`app` behind a check of names, where there are names to hold it to.

    Without --allow-host that is a server on loopback which nothing passes requests on to: behind a
    proxy, a share link or in a network it has names that it cannot know. With a login a rebound
    page has no cookie that would let it in.
    """
    passed_on = settings.share or settings.auth or settings.proxy
    if settings.allow_host or (is_loopback(settings.host) and not passed_on):
        return Hosts(app, {settings.host, *settings.allow_host})
    return app


def _name(scope: Scope) -> str:
    """The name that a request is addressed to, without its port; "" where it has none."""
    try:
        name = urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname or ""
    except ValueError:  # such as an unfinished IPv6 address
        return "?"
    return name.rstrip(".")
