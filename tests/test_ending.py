"""The server is told to end while it answers."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.app_process import AppProcess

STREAMS = 20


class Proxy:
    """Sends every new connection to the first of its servers that says it is ready."""

    def __init__(self, *servers: AppProcess):
        self._servers = servers
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                visitor, _ = self._listening.accept()
                threading.Thread(target=self._carry, args=[visitor], daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _carry(self, visitor: socket.socket) -> None:
        ready = next(server for server in self._servers if is_ready(server))
        server = socket.create_connection(("127.0.0.1", urlsplit(ready.url).port or 0))
        back = threading.Thread(target=_copy, args=[server, visitor], daemon=True)
        back.start()
        _copy(visitor, server)
        back.join()
        visitor.close()
        server.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def proxied(*servers: AppProcess) -> Iterator[str]:
    proxy = Proxy(*servers)
    threading.Thread(target=proxy.serve, daemon=True).start()
    try:
        yield proxy.url
    finally:
        proxy.close()


def health(server: AppProcess) -> tuple[int, str]:
    answer = httpx.get(f"{server.url}/health", trust_env=False, timeout=60)
    return answer.status_code, answer.json()["status"]


def is_ready(server: AppProcess) -> bool:
    try:
        return health(server) == (200, "ready")
    except httpx.ConnectError:
        return False


def completion(tokens: int, stream: bool = True) -> dict[str, Any]:
    prompt = "It was a dark night, and the captain"
    return {"model": "endless", "prompt": prompt, "max_tokens": tokens, "stream": stream}


def streamed(url: str, tokens: int, begun: threading.Barrier) -> dict[str, Any]:
    """The last event of a streamed reply before "[DONE]"; waits at `begun` when it has begun."""
    last: dict[str, Any] = {}
    with (
        httpx.Client(trust_env=False, timeout=120) as client,
        client.stream("POST", f"{url}/v1/completions", json=completion(tokens)) as answer,
    ):
        assert answer.status_code == 200
        begun.wait(120)
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                last = json.loads(line[6:])
    return last


def test_a_rolling_restart_loses_no_reply(endless: Path, tmp_path: Path) -> None:
    model = "--checkpoint", str(endless)
    with (
        AppProcess(tmp_path / "old", *model, "--drain", "120", "--slots", "20") as old,
        AppProcess(tmp_path / "new", *model, "--drain", "1") as new,
        ThreadPoolExecutor(STREAMS) as pool,
    ):
        old.wait_until_ready()
        new.wait_until_ready()
        with proxied(old, new) as url:
            begun = threading.Barrier(STREAMS + 1)
            replies = [pool.submit(streamed, url, 60, begun) for _ in range(STREAMS)]
            begun.wait(120)
            old.process.send_signal(signal.SIGTERM)
            old.wait_for("Ending:")
            assert health(old) == (503, "ending")
            refused = httpx.post(f"{old.url}/v1/completions", json=completion(1), trust_env=False)
            assert refused.status_code == 503
            assert refused.headers["Retry-After"]
            assert refused.json()["error"]["code"] == "engine_ending"
            asked = httpx.post(f"{url}/v1/completions", json=completion(5, False), timeout=60)
            assert asked.json()["choices"][0]["finish_reason"] == "length"  # by the new one
            for reply in replies:
                assert reply.result()["choices"][0]["finish_reason"] == "length"
            assert old.process.wait(20) == 0

            # What takes longer than it may is told so.
            begun = threading.Barrier(3)
            replies = [pool.submit(streamed, url, 900, begun) for _ in range(2)]
            begun.wait(120)
            assert new.stop() == 0
            for reply in replies:
                assert "the engine was closed" in reply.result()["error"]["message"]
        for app in (old, new):
            assert "Traceback" not in app.text()
            assert app.text().endswith("Stopped.\n")


def test_a_second_signal_ends_it_at_once(endless: Path, tmp_path: Path) -> None:
    with (
        AppProcess(tmp_path / "log", "--checkpoint", str(endless)) as app,
        ThreadPoolExecutor(1) as pool,
    ):
        app.wait_until_ready()
        begun = threading.Barrier(2)
        reply = pool.submit(streamed, app.url, 900, begun)
        begun.wait(120)
        app.process.send_signal(signal.SIGTERM)
        app.wait_for("Ending:")
        assert app.stop(seconds=5) == -signal.SIGTERM
        assert isinstance(reply.exception(), httpx.HTTPError)
