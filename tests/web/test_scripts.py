"""How the page's modules are served."""

import httpx
import pytest

from tests.app_process import AppProcess


def test_a_module_is_fetched_again_only_once_it_has_changed(app_url: str) -> None:
    url = f"{app_url}/js/tree.js"
    first = httpx.get(url)
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert first.headers["cache-control"] == "no-cache"
    assert "export function" in first.text
    again = httpx.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"
    assert httpx.get(url, headers={"If-None-Match": '"another"'}).text == first.text


@pytest.mark.parametrize("name", ["", "types.d.ts", "..%2fserver.py", "../server.py", "none.js"])
def test_nothing_else_is(app_url: str, demo: AppProcess, name: str) -> None:
    for url in (app_url, demo.url):
        assert httpx.get(f"{url}/js/{name}").status_code == 404
    assert httpx.get(f"{demo.url}/js/tree.js").status_code == 200
