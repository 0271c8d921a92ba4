"""A password is guessed ten times a minute at most."""

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from grok_app.web.server.logins import Logins

pytestmark = pytest.mark.anyio


class Door:
    """Lets in who sends "tea"."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        right = (await receive())["body"] == b"tea"
        await PlainTextResponse("", 200 if right else 400)(scope, receive, send)


async def test_ten_wrong_ones_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    logins = Logins(Door(), lambda: now)

    async def enter(word: str, address: str = "192.0.2.1") -> int:
        transport = httpx.ASGITransport(logins, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            return (await client.post("/login", content=word)).status_code

    assert [await enter("tea") for _ in range(20)] == [200] * 20
    assert [await enter("coffee") for _ in range(12)] == [400] * 10 + [429] * 2
    assert await enter("tea") == 429
    assert await enter("tea", "192.0.2.2") == 200
    now = 61.0
    assert await enter("tea") == 200
    assert "192.0.2.1" in caplog.text
    assert "coffee" not in caplog.text
