"""Who may use the API: on every route, found by listing the routes."""

from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from grok_app.api import Access, Service, build_api, read_keys
from grok_app.errors import SettingsError
from tests.api.conftest import PERSONAS, serving
from tests.app_process import AppProcess

KEYS = ("sesame", "tea-at-five")
PREFLIGHT = {"Origin": "https://a.org", "Access-Control-Request-Method": "POST"}


def routes() -> list[tuple[str, str]]:
    """Every method and path that the API knows."""
    app = build_api(Service(PERSONAS), Access())
    found = [
        (method, getattr(route, "path", ""))
        for route in app.routes
        for method in sorted(getattr(route, "methods", None) or ("GET",))
    ]
    assert len({route.path for route in app.routes if isinstance(route, APIRoute)}) == 9
    assert ("GET", "/v1/openapi.json") in found
    asked = [(method, path) for method, path in found if path != "/health"]
    return [*asked, ("GET", "/v1/nowhere"), ("DELETE", "/v1/models"), ("OPTIONS", "/metrics")]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def locked(nano):
    with serving(nano, Access(keys=KEYS)) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), routes(), ids=str)
def test_every_route_asks_for_the_key(locked, method: str, path: str) -> None:
    path = path.replace("{model}", "nano")
    for headers in ({}, bearer("wrong"), {"Authorization": "sesame"}, bearer("sesam")):
        response = locked.http.request(method, path, headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        if method != "HEAD":
            assert response.json()["error"]["type"] == "authentication_error"
    for key in KEYS:
        assert locked.http.request(method, path, headers=bearer(key)).status_code != 401


def test_whether_it_is_well_is_told_to_everybody(locked) -> None:
    response = locked.http.get("/health", headers={"X-Forwarded-For": "192.0.2.7"})
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


def test_a_key_opens(locked) -> None:
    body = {"model": "nano", "prompt": "Hi", "max_tokens": 2}
    response = locked.http.post("/v1/completions", json=body, headers=bearer("sesame"))
    assert response.status_code == 200


def test_without_keys_only_what_is_addressed_to_this_machine_is_served(api) -> None:
    for host in ("localhost", "127.0.0.1:80", "[::1]:7860", "127.0.0.2"):
        assert api.http.get("/metrics", headers={"Host": host}).status_code == 200
    for host in ("example.org", "localhost.example.org", "192.168.1.5", "x.gradio.live", "", "::"):
        assert api.http.get("/metrics", headers={"Host": host}).status_code == 401


def test_without_keys_nobody_behind_a_proxy_is_served(api) -> None:
    headers = {"X-Forwarded-For": "192.0.2.7"}
    assert api.http.get("/metrics", headers=headers).status_code == 401


def test_web_pages_are_let_in_only_where_asked(api, nano) -> None:
    origin = {"Origin": "https://a.org"}
    for shut in (
        api.http.get("/metrics", headers=origin),
        api.http.options("/metrics", headers=PREFLIGHT),
    ):
        assert "access-control-allow-origin" not in shut.headers
    with serving(nano, Access(keys=KEYS, origins=("https://a.org",))) as client:
        preflight = client.http.options("/v1/completions", headers=PREFLIGHT)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://a.org"
        refused = client.http.get("/metrics", headers=origin)
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://a.org"
        other = client.http.options("/metrics", headers=PREFLIGHT | {"Origin": "https://b.org"})
        assert "access-control-allow-origin" not in other.headers


def test_a_web_page_may_send_headers_of_its_own(nano) -> None:
    """As OpenAI's JavaScript client does, of which the browser asks first."""
    sent = "authorization,content-type,x-stainless-lang,x-stainless-retry-count"
    asked = PREFLIGHT | {"Access-Control-Request-Headers": sent}
    with serving(nano, Access(keys=KEYS, origins=("https://a.org",))) as client:
        allowed = client.http.options("/v1/chat/completions", headers=asked)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-headers"] == sent
        asked["Origin"] = "https://b.org"
        refused = client.http.options("/v1/chat/completions", headers=asked)
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers


def test_keys_stand_in_a_file_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# for Ann\nsesame\n\n tea \n")
    assert read_keys(path) == ("sesame", "tea")
    path.write_text("# none\n")
    with pytest.raises(SettingsError, match="holds no key"):
        read_keys(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_keys(tmp_path / "none")


def test_a_login_for_the_page_is_none_for_the_api(tmp_path: Path) -> None:
    """With --auth the API is shut; with a key too, the page still asks for its login only."""
    with AppProcess(tmp_path / "log", "--auth", "ann:tea") as app:
        app.wait_until_ready()
        assert httpx.get(f"{app.url}/v1/models", trust_env=False, timeout=60).status_code == 401
    keys = tmp_path / "keys"
    keys.write_text("sesame\n")
    with AppProcess(tmp_path / "log2", "--auth", "ann:tea", "--api-key-file", str(keys)) as app:
        app.wait_until_ready()
        with httpx.Client(base_url=app.url, trust_env=False, timeout=60) as client:
            assert client.get("/v1/models", headers=bearer("sesame")).status_code == 200
            assert client.get("/config").status_code == 401
            assert client.get("/config", headers=bearer("sesame")).status_code == 401
            client.post("/login", data={"username": "ann", "password": "tea"})
            assert client.get("/config").status_code == 200
            assert client.get("/v1/models").status_code == 401


def test_a_key_leaves_the_page_as_it_was(tmp_path: Path) -> None:
    with AppProcess(tmp_path / "log", GROK_API_KEY="sesame") as app:
        app.wait_until_ready()
        assert httpx.get(app.url, trust_env=False, timeout=60).status_code == 200
        assert httpx.get(f"{app.url}/metrics", trust_env=False, timeout=60).status_code == 401
        assert httpx.get(f"{app.url}/health", trust_env=False, timeout=60).status_code == 200
        assert "sesame" not in app.text()
