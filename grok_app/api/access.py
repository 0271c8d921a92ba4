"""Who may use the API, and how much a request may weigh.

With keys, every route but /health asks for one of them. Without, the API is for programs on this
machine alone: the request must come from loopback and be addressed to it, and no proxy may have
passed it on, so that neither the network, nor a share link's tunnel, nor a web page that has made
its own name point here can use it.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from grok_app.api.errors import ApiError
from grok_app.errors import SettingsError
from grok_app.files import read_whole

_LARGEST_KEYS = 2**20  # bytes of a file of keys
_FOR_ALL = "/health"  # which says no more than whether requests are served


@dataclass(frozen=True)
class Access:
    """The rules.

    Attributes:
        keys: any of these opens the API.
        local: whether it is open without keys to this machine.
        origins: web pages from these may use it (CORS); "*" for all.
        max_body: bytes that a request may have.
    """

    keys: tuple[str, ...] = ()
    local: bool = True
    origins: tuple[str, ...] = ()
    max_body: int = 4 * 2**20


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys of a file, one a line; empty lines and those that begin with # are none.

    Raises:
        SettingsError: the file cannot be read, or holds none.
    """
    try:
        lines = read_whole(path, _LARGEST_KEYS).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--api-key-file: {path} cannot be read: {error}") from None
    stripped = (line.strip() for line in lines)
    keys = tuple(line for line in stripped if line and not line.startswith("#"))
    if not keys:
        raise SettingsError(f"--api-key-file: {path} holds no key; expected one a line")
    return keys


class Guard:
    """Lets in who may, whatever the route; as ASGI middleware."""

    def __init__(self, app: ASGIApp, access: Access):
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with an error, or passes the request on with a bounded body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            if scope["path"] != _FOR_ALL:
                self._check(headers, scope.get("client"))
            self._check_length(headers)
        except ApiError as error:
            await error.response(scope, receive, send)
            return
        await self._app(scope, Bounded(receive, self._access.max_body), send)

    def _check(self, headers: Headers, client: tuple[str, int] | None) -> None:
        if self._access.keys:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not _among(given, self._access.keys):
                wrong = "this API key is not known here" if given else "this API asks for a key"
                raise _unauthorized(f"{wrong}: send the header Authorization: Bearer KEY")
        elif not self._access.local or not _is_local(headers, client):
            raise _unauthorized(
                "this API has no keys and so serves its own machine only, and nobody behind "
                "--auth, --share or --demo: whoever runs it can give it a key with --api-key"
            )

    def _check_length(self, headers: Headers) -> None:
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._access.max_body:
            raise ApiError(413, _too_large(self._access.max_body))


class Bounded:
    """What is received, up to a number of bytes: a body may come without saying how long it is.

    FastAPI's own limit would answer in plain text.
    """

    def __init__(self, receive: Receive, most: int):
        """`most` is in bytes."""
        self._receive, self._most, self._left = receive, most, most

    async def __call__(self) -> Message:
        """The next message; HTTPException 413 where it is too much."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, _too_large(self._most))
        return message


def _too_large(most: int) -> str:
    return f"the body is larger than {most:,} bytes, the most that is read here"


def _unauthorized(message: str) -> ApiError:
    return ApiError(401, message, "invalid_api_key", headers={"WWW-Authenticate": "Bearer"})


def _among(given: str, keys: tuple[str, ...]) -> bool:
    """Whether it is one of the keys, in a time that tells nothing of how near it came."""
    matches = [hmac.compare_digest(given.encode("latin-1"), key.encode()) for key in keys]
    return any(matches)


def _is_local(headers: Headers, client: tuple[str, int] | None) -> bool:
    if "x-forwarded-for" in headers or "forwarded" in headers:
        return False
    try:
        addressed = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:  # such as an unfinished IPv6 address
        return False
    return client is not None and is_loopback(client[0]) and is_loopback(addressed)


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
