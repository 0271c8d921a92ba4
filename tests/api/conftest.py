"""The API over an engine of this process, on a real socket; and a client of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import grok_app
from grok_app import EngineOptions
from grok_app.api import Access, Service, build_api
from grok_app.chat import load_personas
from grok_app.web.server.listener import Listener
from tests.app_process import ROOT

PERSONAS = load_personas(ROOT / "prompts")
SECONDS = 60.0


class Client:
    """Asks an API in JSON; the model's name is filled in."""

    def __init__(self, url: str, model: str):
        self.url, self.model = url, model
        self.http = httpx.Client(base_url=url, timeout=SECONDS, trust_env=False)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json={"model": self.model} | body)

    def completion(self, prompt: Any, **body: Any) -> dict[str, Any]:
        response = self.post("/v1/completions", prompt=prompt, **body)
        assert response.status_code == 200, response.text
        return response.json()

    def text(self, prompt: Any, **body: Any) -> str:
        return self.completion(prompt, **body)["choices"][0]["text"]

    def chat(self, *turns: str, **body: Any) -> dict[str, Any]:
        response = self.post("/v1/chat/completions", messages=messages(*turns), **body)
        assert response.status_code == 200, response.text
        return response.json()


def messages(*turns: str) -> list[dict[str, str]]:
    """User and assistant by turns."""
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(turns)]


@contextmanager
def serving(
    engine: grok_app.Engine | None,
    access: Access = Access(),  # noqa: B008 - it is frozen
    patience: float = SECONDS,
    buffer: int | None = None,
) -> Iterator[Client]:
    """The API of an engine, or of one that is not there yet; `buffer` is how many bytes the kernel
    keeps for a client that does not read."""
    service = Service(PERSONAS, patience)
    if engine:
        service.open(engine)
    with socket.socket() as listening:
        if buffer is not None:  # the connections get it from here
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listener = Listener(build_api(service, access), listening, patience=patience)
        client = Client(
            f"http://127.0.0.1:{listening.getsockname()[1]}", engine.name if engine else "none"
        )
        try:
            yield client
        finally:
            client.http.close()
            listener.close()


@pytest.fixture(scope="session")
def api(nano: grok_app.Engine) -> Iterator[Client]:
    """The API of the default model."""
    with serving(nano) as client:
        yield client


@pytest.fixture
def small(mini: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[grok_app.Engine]:
    """An engine that is soon full: one slot, one place in the queue, and no tokenizer; and so slow
    that a test can break in before a long reply has ended."""
    engine = grok_app.load(mini, EngineOptions(mesh=(1, 1), dtype="float32", slots=1, queue=1))
    decode = engine._runner.decode

    def slowly(slots: Any, steps: int) -> object:
        time.sleep(0.005 * steps)
        return decode(slots, steps)

    monkeypatch.setattr(engine._runner, "decode", slowly)
    yield engine
    engine.close()


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits for what must come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def idle(engine: grok_app.Engine) -> bool:
    """Whether the engine has nothing to do."""
    stats = engine.stats()
    return stats.running == 0 and stats.waiting == 0
