"""What the tests share: models, the running app, a browser."""

from __future__ import annotations

import os

# Before anything imports jax: tests of the mesh need eight devices, whatever the machine has.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

import grok_app
from tests import chromium
from tests.app_process import ROOT, AppProcess

# A shared machine is slow at times; that is no fault of the code under test.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the browser carries its marker."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of reference data."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def mini(data: Path) -> Path:
    """A 3-layer checkpoint in the released form, with the logits that it must give."""
    return data / "mini"


@pytest.fixture(scope="session")
def nano() -> Iterator[grok_app.Engine]:
    """The default model, on one device."""
    engine = grok_app.load(ROOT / "assets" / "nano", mesh=(1, 1))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The app as a person starts it, with the default model; shared by all tests."""
    with AppProcess(tmp_path_factory.mktemp("app") / "log") as app:
        app.wait_until_ready()
        yield app


@pytest.fixture(scope="session")
def app_url(server: AppProcess) -> str:
    """Where the app serves."""
    return server.url


@pytest.fixture(scope="session")
def slow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the default model talks so slowly that a test can always break in.

    In bfloat16 a CPU makes some ten tokens a second, and this copy knows no end of a text.
    """
    folder = tmp_path_factory.mktemp("slow")
    endless = shutil.copytree(ROOT / "assets" / "nano", folder / "endless")
    config = json.loads((endless / "config.json").read_text("utf-8"))
    config["eos_token"] = config["vocab_size"] - 1
    (endless / "config.json").write_text(json.dumps(config), "utf-8")
    options = ("--checkpoint", str(endless), "--dtype", "bfloat16", "--no-native", "--slots", "2")
    with AppProcess(folder / "log", *options) as app:
        app.wait_until_ready()
        yield app.url


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """A demo with narrow limits. It believes whom a test says it is: X-Forwarded-For."""
    options = ("--demo", "--demo-messages", "3", "--demo-tokens", "24", "--proxy", "127.0.0.1")
    with AppProcess(tmp_path_factory.mktemp("demo") / "log", *options) as app:
        app.wait_until_ready()
        yield app


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


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page, with nothing remembered from other tests."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Another visitor's browser, with nothing remembered."""
    other = browser.new_context()
    yield other
    other.close()
