"""What the tests share: models, and the running app."""

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

import grok_app
from grok_app import EngineOptions
from tests.app_process import ROOT, AppProcess

# A shared machine is slow at times; that is no fault of the code under test.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the browser carries its marker, and is run by one process, beside which others
    may run the other files."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
        folders, name = item.path.parent.parts, item.path.stem
        group = "browser" if "browser" in folders else f"{folders[-1]}/{name}"
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """On which loop asynchronous tests run."""
    return "asyncio"


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
    engine = grok_app.load(ROOT / "assets" / "nano", EngineOptions(mesh=(1, 1)))
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
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model, that knows no end of a text."""
    endless = tmp_path_factory.mktemp("models") / "endless"
    shutil.copytree(ROOT / "assets" / "nano", endless)
    config = json.loads((endless / "config.json").read_text("utf-8"))
    config["eos_token"] = config["vocab_size"] - 1
    (endless / "config.json").write_text(json.dumps(config), "utf-8")
    return endless


@pytest.fixture(scope="session")
def slowly(endless: Path) -> tuple[str, ...]:
    """Options with which the app replies so slowly that a test can always break in.

    In bfloat16 a CPU makes some ten tokens a second.
    """
    model = ("--checkpoint", str(endless), "--dtype", "bfloat16", "--kernels", "xla")
    return (*model, "--slots", "2")


@pytest.fixture(scope="session")
def slow(slowly: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The app with these."""
    with AppProcess(tmp_path_factory.mktemp("slow") / "log", *slowly) as app:
        app.wait_until_ready()
        yield app


@pytest.fixture(scope="session")
def slow_url(slow: AppProcess) -> str:
    """Where that serves."""
    return slow.url


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """A demo with narrow limits. It believes whom a test says it is: X-Forwarded-For."""
    options = ("--demo", "--demo-messages", "3", "--demo-tokens", "24", "--proxy", "127.0.0.1")
    with AppProcess(tmp_path_factory.mktemp("demo") / "log", *options) as app:
        app.wait_until_ready()
        yield app
