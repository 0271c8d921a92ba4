"""A demo, and a program that calls whatever it can find of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.app_process import AppProcess

MESSAGES, TOKENS = 3, 24  # what the fixture `demo` allows
ELSEWHERE = "the heron counts seventeen lanterns"  # what another visitor said
SECRETS = (ELSEWHERE, "root:x:0", "Grok-1 in the browser: reads the settings", "[tool.ruff]")
FILES = ("/etc/passwd", "app.py", "../app.py", "pyproject.toml", "..%2f..%2fetc%2fpasswd")
FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
JUNK: tuple[Any, ...] = (None, "", "<script>", -1, 10**30, [], {}, FILE, '{"nodes": 7}')
addresses = (f"192.0.2.{number}" for number in count(1))


@pytest.fixture
def visitor(demo: AppProcess) -> Iterator[httpx.Client]:
    """A program at an address of its own."""
    headers = {"X-Forwarded-For": next(addresses), "Content-Type": "application/json"}
    with httpx.Client(base_url=demo.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def elsewhere(demo: AppProcess) -> Client:
    """Another visitor, who has said something."""
    client = python_client(demo)
    client.predict(ELSEWHERE, api_name="/chat")
    return client


def python_client(demo: AppProcess) -> Client:
    return Client(demo.url, verbose=False, headers={"X-Forwarded-For": next(addresses)})


def harmless(response: httpx.Response) -> None:
    """It may refuse; it may not break, nor tell what is nobody's business."""
    assert response.status_code < 500, (response.request.url, response.text[:300])
    assert not any(secret in response.text for secret in SECRETS), response.request.url


def test_messages_a_minute(demo: AppProcess) -> None:
    client = python_client(demo)
    for _ in range(MESSAGES):
        assert client.predict("Hi", max_tokens=2, api_name="/chat") is not None
    with pytest.raises(AppError, match=r"3 messages a minute.*seconds"):
        client.predict("Hi", max_tokens=2, api_name="/chat")
    assert python_client(demo).predict("Hi", max_tokens=2, api_name="/chat") is not None


def test_tokens_a_reply(demo: AppProcess) -> None:
    client = python_client(demo)

    def reply(most: int) -> str:
        asked = {"persona": "raw", "max_tokens": most, "seed": 1, "api_name": "/chat"}
        return client.predict("It was a dark night", **asked)

    longest = reply(TOKENS)
    assert reply(1024) == longest
    assert len(reply(TOKENS // 2)) < len(longest)


# The page's own events, called by hand.


def events(http: httpx.Client) -> list[dict[str, Any]]:
    return http.get("/config").json()["dependencies"]


def defaults(http: httpx.Client, event: dict[str, Any]) -> list[Any]:
    """What the page would send at once after it is opened."""
    components = {one["id"]: one["props"] for one in http.get("/config").json()["components"]}
    values = (components[number].get("value") for number in event["inputs"])
    return ["" if value is None else value for value in values]


def called(http: httpx.Client, event: dict[str, Any], data: list[Any]) -> dict[str, Any]:
    """The event's last word, through the queue."""
    body = {
        "fn_index": event["id"],
        "data": data,
        "session_hash": "session",
        "event_data": {"index": 10**9, "value": "x"},
    }
    joined = http.post("/gradio_api/queue/join", content=json.dumps(body))
    assert joined.status_code == 200, joined.text[:300]
    with http.stream("GET", "/gradio_api/queue/data?session_hash=session") as stream:
        for line in stream.iter_lines():
            assert not any(secret in line for secret in SECRETS)
            message = json.loads(line.removeprefix("data: ") or "{}")
            if message.get("msg") == "process_completed":
                return message
    raise AssertionError(f"event {event['id']} never ended")


def test_the_server_holds_the_sliders_to_their_bounds(visitor: httpx.Client) -> None:
    config = visitor.get("/config").json()
    components = {one["id"]: one for one in config["components"]}
    message = next(n for n, one in components.items() if one["props"].get("elem_id") == "message")
    sending = next(one for one in config["dependencies"] if [message, "submit"] in one["targets"])
    data = defaults(visitor, sending)
    data[0] = "Hi"
    sliders = [
        (place, components[number]["props"])
        for place, number in enumerate(sending["inputs"])
        if components[number]["type"] == "slider"
    ]
    longest = [props["maximum"] for _, props in sliders if props["elem_id"] == "max-tokens"]
    assert longest == [TOKENS]
    for place, props in sliders:
        for beyond in (props["minimum"] - 1, props["maximum"] + 1):
            tried = [*data[:place], beyond, *data[place + 1 :]]
            assert not called(visitor, sending, tried)["success"], props["label"]
    assert called(visitor, sending, data)["success"]


def test_the_message_to_try_is_bounded_whatever_is_sent(visitor: httpx.Client) -> None:
    config = visitor.get("/config").json()
    tried, prompt = (
        next(one for one in config["components"] if one["props"].get(name) == value)
        for name, value in (("max_length", 2000), ("elem_id", "persona-prompt"))
    )
    typing = next(one for one in events(visitor) if [tried["id"], "change"] in one["targets"])
    data = defaults(visitor, typing)
    data[typing["inputs"].index(tried["id"])] = "word " * 9_000
    shown = called(visitor, typing, data)["output"]["data"]
    assert shown[typing["outputs"].index(prompt["id"])]["value"].count("word") == 400


def test_every_event_survives_junk(
    demo: AppProcess, visitor: httpx.Client, elsewhere: Client
) -> None:
    for event in events(visitor):
        visitor.headers["X-Forwarded-For"] = next(addresses)  # one may send only so much a minute
        usual = defaults(visitor, event)
        for data in (usual, [], *([junk] * len(usual) for junk in JUNK)):
            called(visitor, event, data)
            body = json.dumps({"fn_index": event["id"], "data": data, "session_hash": "session"})
            harmless(visitor.post("/gradio_api/run/predict", content=body))
    assert python_client(demo).predict("Hi", max_tokens=2, api_name="/chat") is not None


@pytest.mark.parametrize("name", ["follow", "follow_text", "stop", "forget"])
def test_what_a_page_asks_of_its_replies_survives_junk(visitor: httpx.Client, name: str) -> None:
    components = visitor.get("/config").json()["components"]
    replies = next(one for one in components if one["props"].get("elem_id") == "replies")
    body = {"component_id": replies["id"], "fn_name": name, "session_hash": "session"}
    for junk in (*JUNK, ["x", 0, 0], ["x", -1, 0], ["x", 10**30, 10**30], ["x", "0", None]):
        answer = visitor.post("/gradio_api/component_server", json=body | {"data": junk})
        assert answer.status_code == 200, (junk, answer.text[:300])
        assert answer.json() in ({}, None)


def test_every_route_survives_a_visit(visitor: httpx.Client, elsewhere: Client) -> None:
    routes = gradio_routes()
    assert ("get", "/gradio_api/file={path_or_url}") in routes
    assert ("post", "/gradio_api/upload") in routes
    for method, path in routes:
        for file in FILES:
            harmless(briefly(visitor, method, filled(path, file)))


def gradio_routes() -> list[tuple[str, str]]:
    """All that Gradio's server answers; from a process of its own, for it leaves loops open."""
    program = (
        "import gradio, json\n"
        "paths = gradio.routes.App.create_app(gradio.Blocks()).openapi()['paths']\n"
        "print(json.dumps([(method, path) for path in paths for method in paths[path]]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True
    )
    return [(method, path) for method, path in json.loads(ended.stdout)]


def filled(path: str, file: str) -> str:
    """A route's path with `file` for each of its parameters."""
    parts = path.split("{")
    return parts[0] + "".join(file + part.partition("}")[2] for part in parts[1:])


def briefly(http: httpx.Client, method: str, path: str) -> httpx.Response:
    """The answer, of a stream its beginning."""
    query = {"session_hash": "session", "path": "/etc/passwd"}
    with http.stream(method, path, params=query, json={}) as response:
        if "event-stream" in response.headers.get("content-type", ""):
            return httpx.Response(response.status_code, request=response.request)
        response.read()
        return response


@pytest.mark.parametrize(
    "path",
    [
        *(f"/gradio_api/file={file}" for file in FILES),
        "/assets/../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/routes.py",
        "/gradio_api/deep_link?session_hash=session",
        "/?deep_link=../../etc",
        "/config?deep_link=x",
        "/config?deep%5Flink=x",
        "/config?a=b&%64eep_link=x",
        "/gradio_api/upload_progress?upload_id=x",
        "/gradio_api/openapi.json",
        "/monitoring",
        "/monitoring/summary",
        "/docs",
        "/gradio_api/vibe-code",
    ],
)
def test_what_the_page_does_not_need_is_not_there(visitor: httpx.Client, path: str) -> None:
    assert visitor.get(path).status_code == 404


def test_nothing_can_be_uploaded(visitor: httpx.Client) -> None:
    sent = visitor.post("/gradio_api/upload", files={"files": ("a.txt", b"text")})
    assert sent.status_code == 404


@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/metrics"])
def test_the_api_is_closed(visitor: httpx.Client, path: str) -> None:
    assert visitor.get(path).status_code == 401
    assert visitor.get(path, headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401


def test_a_request_is_bounded(visitor: httpx.Client) -> None:
    large = b'"' + b"x" * 5 * 2**20 + b'"'
    assert visitor.post("/gradio_api/queue/join", content=large).status_code == 413
    chunks = (large[start : start + 2**16] for start in range(0, len(large), 2**16))
    assert visitor.post("/gradio_api/queue/join", content=chunks).status_code == 411
