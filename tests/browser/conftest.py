"""A browser, and pages in it on which nothing is remembered of other tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, ViewportSize, sync_playwright

from tests import chromium

SIZE: ViewportSize = {"width": 1280, "height": 720}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window.

    One a module, not one a session: while it is open this thread has a running event loop, and
    tests elsewhere may want their own.
    """
    executable = chromium.find()
    if executable is None:
        (pytest.fail if chromium.required() else pytest.skip)(chromium.MISSING)
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox"] if as_root else []
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def shared_page(browser: Browser) -> Iterator[Page]:
    """The tab of a module's tests: one that has loaded Gradio's scripts before opens the page in
    half the time."""
    context = browser.new_context(viewport=SIZE)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(shared_page: Page) -> Iterator[Page]:
    """An empty page, with nothing remembered from other tests.

    Not for tests that add scripts or listeners, which would stay: those have `new_page`.
    """
    origins: set[str] = set()

    def note(frame: Frame) -> None:
        origins.add("{0.scheme}://{0.netloc}".format(urlsplit(frame.url)))

    shared_page.on("framenavigated", note)
    yield shared_page
    shared_page.remove_listener("framenavigated", note)
    for other in shared_page.context.pages:
        if other is not shared_page:
            other.close()
    shared_page.context.clear_permissions()
    shared_page.context.clear_cookies()
    shared_page.unroute_all(behavior="ignoreErrors")
    shared_page.evaluate("() => { if (origin !== 'null') sessionStorage.clear() }")
    shared_page.goto("about:blank")
    shared_page.set_viewport_size(SIZE)
    devtools = shared_page.context.new_cdp_session(shared_page)
    for origin in origins:
        everything = {"origin": origin, "storageTypes": "all"}
        devtools.send("Storage.clearDataForOrigin", everything)
    devtools.detach()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Another visitor's browser, with nothing remembered."""
    other = browser.new_context()
    yield other
    other.close()


@pytest.fixture
def new_page(context: BrowserContext) -> Page:
    """A page in another visitor's browser."""
    return context.new_page()
