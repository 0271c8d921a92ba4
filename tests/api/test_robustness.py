"""Clients that leave, read slowly or ask for too much hold nobody up."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

import grok_app
from grok_app import SamplingParams
from grok_app.api import Access
from grok_app.api.stream import EventStream
from grok_app.errors import EngineFailed
from grok_app.web.server.listener import Listener
from tests.api.conftest import Client, idle, serving, wait_until

LONG: dict[str, Any] = {"prompt": [5, 6, 7], "max_tokens": 200, "temperature": 0}


class Piece(BaseModel):
    """Something to stream."""

    text: str


def open_request(client: Client, path: str = "/v1/completions", **body) -> socket.socket:
    """A request sent by hand on a connection of its own, whose answer nobody reads yet."""
    address = urlsplit(client.url)
    data = json.dumps({"model": client.model} | body).encode()
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.connect((address.hostname, address.port))
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
    return connection


def is_dropped(connection: socket.socket) -> bool:
    """Whether the server has given it up, with all that waited for its client."""
    try:
        connection.sendall(b"x")
    except (ConnectionResetError, BrokenPipeError):
        return True
    return False


@pytest.mark.parametrize("stream", [True, False])
def test_closing_the_connection_frees_the_slot(small, stream) -> None:
    with serving(small) as client:
        connection = open_request(client, stream=stream, **LONG)
        wait_until(lambda: small.stats().running == 1)
        connection.close()
        wait_until(lambda: idle(small))
        assert small.metrics.finished["abort"] == 1


def test_closing_the_connection_leaves_the_queue(small) -> None:
    with serving(small) as client:
        held = small.generate([5], SamplingParams(max_tokens=250, temperature=0))
        connection = open_request(client, stream=True, **LONG)
        wait_until(lambda: small.stats().waiting == 1)
        connection.close()
        wait_until(lambda: small.stats().waiting == 0)
        assert small.stats().running == 1
        held.close()


def test_a_full_engine_says_when_to_come_again(small) -> None:
    with serving(small) as client:
        held = [
            small.generate([5], SamplingParams(max_tokens=250, temperature=0)) for _ in range(2)
        ]
        response = client.post("/v1/completions", **LONG)
        assert response.status_code == 429
        assert int(response.headers["Retry-After"]) > 0
        assert response.json()["error"]["type"] == "rate_limit_error"
        for generation in held:
            generation.close()
        wait_until(lambda: idle(small))
        assert client.post("/v1/completions", **LONG).status_code == 200


def test_of_several_replies_all_or_none_are_begun(small) -> None:
    with serving(small) as client:
        held = small.generate([5], SamplingParams(max_tokens=250, temperature=0))
        assert client.post("/v1/completions", n=2, **LONG).status_code == 429
        wait_until(lambda: small.stats().waiting == 0)
        assert small.stats().running == 1
        held.close()
        assert client.post("/v1/completions", n=3, **LONG).status_code == 400


def test_before_the_model_is_there_all_say_so() -> None:
    with serving(None) as client:
        assert client.http.get("/health").json() == {"status": "starting"}
        assert client.http.get("/health").status_code == 503
        assert client.http.get("/metrics").text.strip() == ""
        chat = {"messages": [{"role": "user", "content": "Hi"}]}
        for response in (
            client.post("/v1/completions", **LONG),
            client.post("/v1/chat/completions", **chat),
            client.post("/tokenize", prompt="x"),
            client.http.get("/v1/models"),
        ):
            assert response.status_code == 503
            assert response.json()["error"]["code"] == "starting"
            assert int(response.headers["Retry-After"]) > 0


def test_a_failed_engine_is_told_to_all(small, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, dispatches = small._runner.decode, iter(range(5))

    def broken(slots: list[int], steps: int) -> object:
        if next(dispatches, None) is None:
            raise RuntimeError("the device has gone")
        return decode(slots, steps)

    with serving(small) as client:
        assert client.http.get("/health").json() == {"status": "ready"}
        monkeypatch.setattr(small._runner, "decode", broken)
        body = LONG | {"model": client.model, "stream": True, "logprobs": 1}
        with client.http.stream("POST", "/v1/completions", json=body) as response:
            *made, error, done = filter(None, response.iter_lines())
        assert made
        assert "the device has gone" in json.loads(error.removeprefix("data: "))["error"]["message"]
        assert done == "data: [DONE]"
        health = client.http.get("/health")
        assert health.status_code == 503
        assert health.json()["status"] == "failed"
        assert "the device has gone" in health.json()["reason"]
        response = client.post("/v1/completions", **LONG)
        assert response.status_code == 503
        assert "the device has gone" in response.json()["error"]["message"]
        assert isinstance(small.failure, EngineFailed)


def test_those_who_do_not_read_hold_nobody_up(api, nano: grok_app.Engine) -> None:
    """More of them than there are slots: all their replies are made, and another is served."""
    body: dict[str, Any] = {
        "prompt": "It was a dark night",
        "max_tokens": 900,
        "logprobs": 20,
        "stream": True,
    }
    before = sum(nano.metrics.finished.values())
    silent = [open_request(api, seed=seed, **body) for seed in range(nano.slots + 4)]
    wait_until(lambda: nano.stats().running == nano.slots)
    started = time.monotonic()
    assert api.http.get("/health").status_code == 200
    assert time.monotonic() - started < 5  # not a measure of speed: it does not wait for replies
    assert api.text("Hi", max_tokens=2, seed=1) is not None
    wait_until(lambda: sum(nano.metrics.finished.values()) >= before + len(silent) + 1, 120)
    for connection in silent:
        connection.close()


@pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux drops the connection too"
)
def test_one_who_never_reads_is_let_go_and_its_slot_freed(nano: grok_app.Engine) -> None:
    """Long before its reply is made, since nobody takes what there is of it."""
    before = nano.metrics.finished["abort"]
    body: dict[str, Any] = {"prompt": "It was a dark night", "max_tokens": 1000, "logprobs": 20}
    with serving(nano, patience=0.2, buffer=4096) as client:
        silent = open_request(client, stream=True, temperature=3, seed=1, **body)  # has no end soon
        wait_until(lambda: nano.metrics.finished["abort"] == before + 1, 60)
        wait_until(lambda: idle(nano))
        wait_until(lambda: is_dropped(silent), 30)
        silent.close()
        assert client.text("Hi", max_tokens=2, seed=1) is not None


def test_for_one_who_never_reads_little_is_kept() -> None:
    """Of a stream without end no more is made than its connection's buffers hold."""
    made: list[int] = []
    closed = threading.Event()

    async def endless() -> AsyncGenerator[Piece]:
        try:
            while True:
                made.append(1)
                yield Piece(text="x" * 1000)
                await asyncio.sleep(0)
        finally:
            closed.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await EventStream(endless(), patience=1.0, end=lambda: None)(scope, receive, send)

    with socket.socket() as listening, socket.socket() as silent:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listener = Listener(app, listening)
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        silent.connect(listening.getsockname())
        silent.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert closed.wait(30)
        silent.close()
        listener.close()
    assert 1 < len(made) < 1000  # KB, of which the server itself holds back 64


def test_those_who_vanish_hold_nobody_up(api, nano: grok_app.Engine) -> None:
    """Forty ask for as much as they can get and go without a word."""
    body: dict[str, Any] = {"prompt": "It was a dark night", "max_tokens": 1000, "temperature": 0.9}
    gone = [open_request(api, stream=seed % 2 == 0, seed=seed, **body) for seed in range(40)]
    wait_until(lambda: nano.stats().waiting > 0)
    for connection in gone:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()  # with a reset
    wait_until(lambda: idle(nano))
    assert api.text("Hi", max_tokens=2, seed=1) is not None


def test_one_who_leaves_while_a_prompt_is_scored_ends_that(api, nano, monkeypatch) -> None:
    scored: list[int] = []
    score = nano.score

    def watched(*given):
        for chunk in score(*given):
            scored.append(len(chunk.logprob))
            yield chunk
            time.sleep(0.3)

    monkeypatch.setattr(nano, "score", watched)
    body: dict[str, Any] = {"prompt": [5] * 1000, "echo": True, "logprobs": 1, "max_tokens": 0}
    connection = open_request(api, **body)
    wait_until(lambda: len(scored) > 0, 60)
    connection.close()
    time.sleep(1.5)
    assert len(scored) < 8
    monkeypatch.undo()
    answer = api.completion("Hi you", echo=True, logprobs=1, max_tokens=0)
    assert answer["choices"][0]["logprobs"]["tokens"]


@pytest.mark.parametrize("told", [True, False], ids=["with its length", "in chunks"])
def test_a_body_too_large_is_not_read(nano, told: bool) -> None:
    with serving(nano, Access(max_body=10_000)) as client:
        body = json.dumps({"model": "nano", "prompt": "x" * 20_000}).encode()
        content = body if told else iter([body[:9000], body[9000:]])
        response = client.http.post(
            "/v1/completions", content=content, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 413
        assert "10,000 bytes" in response.json()["error"]["message"]
        assert client.text("Hi", max_tokens=1) is not None


def test_a_mistake_of_the_server_is_told_without_its_insides(
    nano, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    with serving(nano) as client:
        monkeypatch.setattr(nano, "generate", broken)
        response = httpx.post(
            f"{client.url}/v1/completions",
            json={"model": "nano", "prompt": "x"},
            trust_env=False,
            timeout=60,
        )
        assert response.status_code == 500
        assert response.json()["error"]["type"] == "server_error"
        assert "secret" not in response.text
        wait_until(lambda: "secret" in capfd.readouterr().err)  # logged when all is sent
