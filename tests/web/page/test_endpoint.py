"""A program talks to the running app."""

import os
import re
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.app_process import AppProcess


@pytest.fixture(scope="module")
def client(app_url: str) -> Client:
    return Client(app_url, verbose=False)


def test_a_reply_grows(client: Client) -> None:
    job = client.submit("Hi", api_name="/chat")
    final = job.result(timeout=60)
    outputs = job.outputs()
    assert final
    assert outputs[-1] == final
    assert all(b.startswith(a) for a, b in pairwise(outputs))


def test_settings_and_history_count(client: Client) -> None:
    def ask(**arguments) -> str:
        return client.predict("And you?", seed=7, api_name="/chat", **arguments)

    history = [{"role": "user", "content": "I am Ann."}, {"role": "assistant", "content": "Hi."}]
    assert ask() == ask()
    assert ask(persona="storyteller", max_tokens=8) != ask(max_tokens=8)
    assert ask(history=history) != ask()


@pytest.mark.parametrize(
    ("message", "arguments", "words"),
    [
        ("", {}, "message is empty"),
        ("x" * 100_000, {}, "100,000 characters"),
        ("Hi", {"persona": "nobody"}, "there is no persona 'nobody'; there are grok"),
        ("Hi", {"temperature": -1.0}, "temperature is -1"),
        ("Hi", {"max_tokens": 0}, "max_tokens is 0"),
        ("Hi", {"history": [{"role": "system", "content": "x"}]}, "history is not a list"),
        ("Hi", {"history": [{"text": "x"}]}, "history is not a list"),
    ],
    ids=str,
)
def test_a_wrong_request_is_told_what_is_wrong(client, message, arguments, words) -> None:
    with pytest.raises(AppError, match=f"(?i){words}"):
        client.predict(message, api_name="/chat", **arguments)
    assert client.predict("Hi", max_tokens=3, api_name="/chat") is not None


def test_chat_is_all_that_a_program_is_shown(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)
    assert list(described["named_endpoints"]) == ["/chat"]
    assert not described["unnamed_endpoints"]


@pytest.mark.parametrize("path", ["app.py", "assets/nano/config.json", "/etc/passwd", "../app.py"])
def test_no_file_can_be_read(app_url: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{app_url}/gradio_api/file={path}")
    assert caught.value.code in (403, 404)
    caught.value.close()


def test_no_file_can_be_had_by_naming_it_in_an_event(app_url: str, tmp_path: Path) -> None:
    """Gradio copies files that an event names; but only those that it made itself."""
    secret = tmp_path / "secret.txt"
    secret.write_text("walnut harbour")
    file = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    with httpx.Client(base_url=app_url, timeout=60) as http:
        for event in http.get("/config").json()["dependencies"]:
            body = {"fn_index": event["id"], "session_hash": "s", "event_data": None}
            body["data"] = [file] * len(event["inputs"])
            http.post("/gradio_api/run/predict", json=body)
            assert http.post("/gradio_api/queue/join", json=body).status_code == 200
            with http.stream("GET", "/gradio_api/queue/data?session_hash=s") as stream:
                for line in stream.iter_lines():
                    assert "/gradio_api/file=" not in line
                    if "process_completed" in line:
                        break
    copies = Path(os.environ.get("GRADIO_TEMP_DIR", Path(tempfile.gettempdir()) / "gradio"))
    assert not list(copies.rglob(secret.name))


def test_one_who_leaves_frees_the_slot(slow_url: str) -> None:
    """Replies of more than a minute, one of which waits for a slot, end when they are cancelled."""
    client = Client(slow_url, verbose=False)
    long = {"persona": "raw", "max_tokens": 900, "api_name": "/chat"}
    jobs = [client.submit("Tell me", **long) for _ in range(3)]
    wait_until_asked(slow_url, 3)
    for job in jobs:
        job.cancel()
    wait_until_asked(slow_url, 0)


def wait_until_asked(url: str, count: int) -> None:
    """Waits until the engine makes so many replies, with those that wait for a slot."""
    until = time.monotonic() + 20
    while (asked := _asked(url)) != count:
        assert time.monotonic() < until, f"{asked} replies are asked for, not {count}"
        time.sleep(0.1)


def _asked(url: str) -> float:
    metrics = httpx.get(f"{url}/metrics", timeout=60, trust_env=False).text
    return sum(map(float, re.findall(r"^grok:num_requests_\w+ing{.*} ([\d.]+)$", metrics, re.M)))


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The app with logins."""
    logins = ("--auth", "ann:tea", "--auth", "bob:rum")
    with AppProcess(tmp_path_factory.mktemp("locked") / "log", *logins) as app:
        app.wait_until_ready()
        yield app


def test_a_login_is_asked_for(locked: AppProcess) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{locked.url}/config")
    assert caught.value.code == 401
    caught.value.close()
    urllib.request.urlopen(f"{locked.url}/js/tree.js").close()  # the code is public
    with pytest.raises(Exception, match="Could not login"):
        Client(locked.url, auth=("ann", "coffee"), verbose=False)
    client = Client(locked.url, auth=("ann", "tea"), verbose=False)
    assert client.predict("Hi", max_tokens=3, api_name="/chat") is not None


def test_a_user_hears_nothing_of_anothers_events(locked: AppProcess) -> None:
    def user(name: str, password: str) -> httpx.Client:
        http = httpx.Client(base_url=locked.url, timeout=60, trust_env=False)
        entered = http.post("/login", data={"username": name, "password": password})
        assert entered.status_code == 200
        return http

    with (
        closing(user("ann", "tea")) as ann,
        closing(user("bob", "rum")) as bob,
        httpx.Client(base_url=locked.url, trust_env=False) as nobody,
    ):
        chat = next(d for d in ann.get("/config").json()["dependencies"] if d["api_name"] == "chat")
        asked = {"fn_index": chat["id"], "data": ["Hi", "raw", [], 1, 1, 3, 1], "session_hash": "s"}
        event = ann.post("/gradio_api/queue/join", json=asked).json()["event_id"]
        ended = {"session_hash": "s", "fn_index": chat["id"], "event_id": event}
        for other, status in ((bob, 403), (nobody, 401)):
            assert other.post("/gradio_api/queue/join", json=asked).status_code == status
            assert other.post("/gradio_api/cancel", json=ended).status_code == status
            assert other.get("/gradio_api/queue/data?session_hash=s").status_code == status
        heard = ann.get("/gradio_api/queue/data?session_hash=s").text
        assert "process_completed" in heard


def test_a_share_link_that_cannot_be_had_leaves_the_page_serving(tmp_path: Path) -> None:
    unreachable = {"GRADIO_API_SERVER": "http://127.0.0.1:9/v3/tunnel-request"}
    with AppProcess(tmp_path / "log", "--share", **unreachable) as app:
        app.wait_until_ready()
        app.wait_for("the share service cannot be reached")
        assert "--share without --auth" in app.text()
        assert Client(app.url, verbose=False).predict("Hi", api_name="/chat") is not None
