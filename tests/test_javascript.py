"""The tests in tests/js, of the page's modules that need no page, run by Node.js itself."""

import shutil
import subprocess

import pytest

from tests import chromium
from tests.app_process import ROOT

MISSING = "Node.js was not found; install version 18 or newer (Debian: apt-get install nodejs)"


def test_modules_that_need_no_page() -> None:
    node = shutil.which("node")
    if node is None:
        (pytest.fail if chromium.required() else pytest.skip)(MISSING)
    files = sorted((ROOT / "tests" / "js").glob("*.test.js"))
    run = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
