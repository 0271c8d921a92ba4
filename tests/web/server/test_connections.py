"""Who only holds connections open takes nothing from others."""

import contextlib
import http.client
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import pytest
from starlette.responses import PlainTextResponse

from grok_app.web.server import connections
from grok_app.web.server.connections import Connection, Room
from grok_app.web.server.listener import Listener
from grok_app.web.server.seldom import Seldom
from tests.app_process import ROOT

resource = pytest.importorskip("resource")
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
HALF_A_BODY = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab"


def answered(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", "/")
    with contextlib.closing(connection):
        return connection.getresponse().read() == b"Hello."


def test_1100_idle_connections_at_1024_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    command = [sys.executable, "-m", "tests.web.server.small"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with (
        subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as small,
        contextlib.ExitStack() as held,
    ):
        try:
            assert small.stdout
            port = int(small.stdout.readline())
            for number in range(1100):
                idle = held.enter_context(socket.create_connection(("127.0.0.1", port)))
                idle.sendall(HALF_A_HEAD if number % 2 else b"")
                assert number % 50 or answered(port), f"nobody is served beside {number}"
            assert answered(port)
        finally:
            small.kill()
        assert small.stderr
        assert len(small.stderr.read().splitlines()) <= 1


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listener = Listener(reads_all, listening)
        yield listening.getsockname()[1]
        listener.close()


async def reads_all(scope: Any, receive: Any, send: Any) -> None:
    """Answers once it has the whole body."""
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await PlainTextResponse("Hello.")(scope, receive, send)


@pytest.mark.parametrize("begun", [b"", HALF_A_HEAD, HALF_A_BODY])
def test_a_request_has_its_time(port: int, begun: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as slow:
        slow.sendall(begun)
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(1) == b""
    assert answered(port)


class Held:
    """A connection of which only its end is seen."""

    ended = False

    def end(self) -> None:
        self.ended = True


def held(room: Room, address: str) -> Held:
    one = Held()
    room.enter(cast(Connection, one), address)
    room.wait(cast(Connection, one), True)
    return one


def test_an_address_has_its_share() -> None:
    room = Room(8)
    greedy = [held(room, "192.0.2.1") for _ in range(5)]
    other = held(room, "192.0.2.2")
    assert [one.ended for one in greedy] == [True, True, True, False, False]
    assert not other.ended


def test_behind_a_proxy_there_are_many_visitors() -> None:
    room = Room(8, ["10.0.0.0/8"])
    through = [held(room, "10.1.2.3") for _ in range(8)]
    assert not any(one.ended for one in through)
    assert not held(room, "10.1.2.3").ended
    assert [one.ended for one in through] == [True] + [False] * 7


def test_where_all_are_being_served_a_new_one_is_ended() -> None:
    room = Room(4)
    served = [held(room, f"192.0.2.{number}") for number in range(4)]
    for one in served:
        room.wait(cast(Connection, one), False)
    assert held(room, "192.0.2.9").ended
    room.leave(cast(Connection, served[0]))
    assert not held(room, "192.0.2.9").ended


def test_a_fault_that_repeats_is_a_line_a_minute() -> None:
    now = 0.0
    seldom = Seldom(lambda: now)

    def lines(times: int) -> list[str]:
        records = [logging.makeLogRecord({"msg": "broken\nsocket 7"}) for _ in range(times)]
        return [record.getMessage() for record in records if seldom.filter(record)]

    assert lines(1000) == ["broken\nsocket 7"]
    now = 61.0
    assert lines(10) == ["broken (999 more since)"]
