"""What the server answers to those who are not its page: names, paths, methods, origins, junk."""

import asyncio
import http.client
import json
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.app_process import AppProcess

EVENT = b'{"fn_index": 0, "data": [], "session_hash": "s"}'


def ask(
    server: AppProcess, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, str]:
    """The status and the text of an answer, to a request with just these headers."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    text = response.read().decode(errors="replace")
    connection.close()
    return response.status, text


@pytest.mark.parametrize("path", ["/", "/config", "/js/page.js", "/v1/models", "/health", "/x"])
def test_a_name_that_is_not_its_own_is_refused(server: AppProcess, path: str) -> None:
    status, text = ask(server, path, Host="evil.example")
    assert status == 421
    assert "'evil.example'" in text
    assert "--allow-host" in text
    assert ask(server, path, Host="[::1")[0] == 421


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "a.localhost", "LOCALHOST."])
def test_its_own_names_are_answered(server: AppProcess, name: str) -> None:
    assert ask(server, "/", Host=f"{name}:7860")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload",
        "/gradio_api/file=app.py",
        "/gradio_api/heartbeat/s",
        "/gradio_api/openapi.json",
        "/gradio_api/run/other",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/monitoring",
        "/gradio_api/proxy=http://127.0.0.1/",
        "/gradio_api/dev/reload",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_page_does_not_ask_for_is_not_there(
    server: AppProcess, path: str, method: str
) -> None:
    assert ask(server, path, method)[0] == 404


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "POST"), ("/config", "PUT"), ("/gradio_api/run/predict", "GET"), ("/login", "DELETE")],
)
def test_a_path_has_its_methods(server: AppProcess, path: str, method: str) -> None:
    assert ask(server, path, method)[0] == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_page_changes_nothing(server: AppProcess, headers: dict[str, str]) -> None:
    status, _ = ask(server, "/gradio_api/queue/join", "POST", EVENT, **headers)
    assert status == 403


JUNK = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"fn_index": 99999, "data": [], "session_hash": "s"}',
    b'{"fn_index": -1, "data": [], "session_hash": "s"}',
    b'{"fn_index": "x", "data": [], "session_hash": "s"}',
    b'{"data": []}',
    b'{"fn_index": 0, "data": "x", "session_hash": 7}',
    b'{"component_id": 99999, "fn_name": "follow", "session_hash": "s", "data": []}',
    b'{"component_id": 1, "fn_name": "__init__", "session_hash": "s", "data": []}',
    b"[" * 100_000,
    b"\xff\xfe",
]


@pytest.mark.parametrize(
    "path",
    [
        "run/predict",
        "queue/join",
        "call/chat",
        "call/v2/chat",
        "component_server/",
        "cancel",
        "reset",
    ],
)
def test_whatever_is_sent_is_refused_without_alarm(server: AppProcess, path: str) -> None:
    for body in JUNK:
        status, text = ask(server, f"/gradio_api/{path}", "POST", body)
        assert status < 500, (path, body[:80], text[:200])
    assert "Traceback" not in server.text()


def test_a_browser_is_told_what_the_page_may_do(server: AppProcess) -> None:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        policy = client.get("/").headers["Content-Security-Policy"]
    for rule in ("frame-ancestors 'self'", "object-src 'none'", "base-uri 'self'", "form-action"):
        assert rule in policy


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="only 127.0.0.1 is loopback elsewhere")
async def test_two_hundred_open_pages_stay_served(server: AppProcess) -> None:
    """Each a visitor of its own, with the six connections that a browser keeps."""
    all_open = asyncio.Barrier(200)
    paths = ("/config", "/theme.css", *(f"/js/{name}.js" for name in ("page", "tree", "keeper")))

    async def visit(number: int) -> list[int]:
        transport = httpx.AsyncHTTPTransport(
            local_address=f"127.0.1.{number + 1}",
            # A browser sends a request again whose connection the server was closing; this doesn't.
            limits=httpx.Limits(max_connections=6, keepalive_expiry=1),
        )
        async with httpx.AsyncClient(
            base_url=server.url, transport=transport, timeout=60
        ) as browser:
            answers = [await browser.get("/")]
            answers += await asyncio.gather(*(browser.get(path) for path in paths))
            await all_open.wait()
            parts = {one["props"].get("elem_id"): one for one in answers[1].json()["components"]}
            asked = {
                "component_id": parts["replies"]["id"],
                "fn_name": "follow",
                "data": ["x", 0, 0],
            }
            for _ in range(3):
                again = {**asked, "session_hash": f"page{number}"}
                answers.append(await browser.post("/gradio_api/component_server", json=again))
            return [answer.status_code for answer in answers]

    for statuses in await asyncio.gather(*map(visit, range(200))):
        assert statuses == [200] * 9


def resident(server: AppProcess) -> float:
    """Megabytes that the app takes of memory."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_nothing_of_a_visit_stays_in_memory(server: AppProcess) -> None:
    """Gradio by itself keeps one to two megabytes of each of these."""
    turns = [{"parent": None, "role": "user", "text": "word " * 20_000} for _ in range(10)]
    opened = json.dumps({"id": "a", "title": "x", "nodes": turns, "leaf": 9})
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        config = client.get("/config").json()
        (stored,) = (
            one["id"]
            for one in config["components"]
            if one["props"].get("elem_id") == "conversations"
        )
        (event,) = (one for one in config["dependencies"] if [stored, "select"] in one["targets"])

        def visit(number: int) -> None:
            data = [opened, *([""] * (len(event["inputs"]) - 1))]
            body = {"fn_index": event["id"], "data": data, "session_hash": f"visit{number}"}
            answer = client.post("/gradio_api/run/predict", json=body)
            assert "word word" in answer.text

        for number in range(20):  # what is taken once for all
            visit(number)
        before = resident(server)
        for number in range(20, 120):
            visit(number)
        assert resident(server) - before < 20
