"""An address has a demo do so much for it, and no more."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import PlainTextResponse

from grok_app.web.server.quota import MOST, PIECE, Quota

pytestmark = pytest.mark.anyio
EVENT, POLL = "/gradio_api/run/predict", "/gradio_api/component_server/"


class Sender:
    """Sends to a demo in which time stands still, unless it is told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0
        self.quota = Quota(PlainTextResponse("done"), lambda: self.now)

    async def send(self, path: str, body: object, address: str = "192.0.2.1") -> int:
        transport = httpx.ASGITransport(self.quota, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
            return (await client.post(path, content=body)).status_code  # type: ignore[arg-type]


async def test_a_hundred_large_posts_are_a_few() -> None:
    sender = Sender()
    large = b"x" * 3_900_000
    statuses = [await sender.send(EVENT, large) for _ in range(100)]
    assert statuses == [200] * 8 + [429] * 92
    assert await sender.send(EVENT, large, "192.0.2.2") == 200
    sender.now = 61.0
    assert await sender.send(EVENT, large) == 200


async def test_small_events_are_bounded_too_and_questions_after_replies_are_not() -> None:
    sender = Sender()
    assert [await sender.send(EVENT, b"{}") for _ in range(MOST + 1)] == [200] * MOST + [429]
    assert {await sender.send(POLL, b"{}") for _ in range(MOST)} == {200}
    assert await sender.send(POLL, b"x" * PIECE) == 413


async def test_what_does_not_say_how_long_it_is_is_refused() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    assert await Sender().send(EVENT, body()) == 411
