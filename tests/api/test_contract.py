"""schemathesis asks what the published description allows, and what it does not."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app_process import ROOT, AppProcess


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The app with a key, so that the description says that one is asked for."""
    log = tmp_path_factory.mktemp("locked") / "log"
    with AppProcess(log, "--api-key", "sesame") as app:
        app.wait_until_ready()
        yield app


def cases(app: AppProcess, tmp_path: Path, seconds: int, *options: str) -> int:
    """How many cases have passed in about so many seconds."""
    config = ROOT / "tests" / "api" / "schemathesis.toml"
    program = str(Path(sys.executable).with_name("schemathesis"))
    ended = subprocess.run(
        [
            *(program, "--config-file", str(config), "run", f"{app.url}/v1/openapi.json"),
            *("--header", "Authorization: Bearer sesame", "--no-color", "--seed", "1"),
            *("--generation-database", "none", "--max-time", str(seconds), *options),
        ],
        cwd=tmp_path,
        env=os.environ
        | {
            "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "*",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = re.search(r"(\d+) generated", ended.stdout)
    assert found, ended.stdout
    assert "Exception in ASGI" not in app.text()
    return int(found[1])


def test_what_is_published_is_what_is_done(locked: AppProcess, tmp_path: Path) -> None:
    assert cases(locked, tmp_path, 20, "--max-examples", "10") > 100


@pytest.mark.slow
def test_two_thousand_cases(locked: AppProcess, tmp_path: Path) -> None:
    assert cases(locked, tmp_path, 100, "--max-examples", "60") >= 2000
