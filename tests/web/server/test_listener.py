"""Whose word about a visitor's address is believed."""

import socket

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from grok_app.web.server.listener import Listener


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the visitor's address."""
    if scope["type"] == "http":
        await PlainTextResponse(scope["client"][0])(scope, receive, send)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        ((), "192.0.2.7", "127.0.0.1"),
        (("10.0.0.1",), "192.0.2.7", "127.0.0.1"),
        (("127.0.0.1",), "192.0.2.7", "192.0.2.7"),
        (("127.0.0.0/8", "10.0.0.1"), "192.0.2.7, 10.0.0.1", "192.0.2.7"),
        (("127.0.0.1",), "203.0.113.9, 192.0.2.7", "192.0.2.7"),  # the first is what it claims
    ],
)
def test_only_a_proxy_that_was_named_is_believed(
    proxies: tuple[str, ...], forwarded: str, seen: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listener = Listener(who, listening, proxies)
        try:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            assert httpx.get(url, headers={"X-Forwarded-For": forwarded}).text == seen
        finally:
            listener.close()
