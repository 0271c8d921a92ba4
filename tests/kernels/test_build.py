"""The native kernels are compiled where they can be, and left out where they cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

from grok_app.kernels import build
from tests.app_process import ROOT


@pytest.mark.usefixtures("compiler")
def test_they_are_compiled_once_and_kept(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from grok_app.kernels import build; "
        "sys.exit(not build(Path(sys.argv[1])))"
    )
    made = []
    for _ in range(2):  # processes of their own: a name is registered once in each
        subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=True)
        (library,) = tmp_path.iterdir()
        made.append(library.stat().st_mtime_ns)
    assert made[0] == made[1]


def test_without_a_compiler_it_says_so_and_the_app_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with caplog.at_level("INFO"):
        assert not build(tmp_path / "none")
    assert "no C++ compiler" in caplog.text


def test_a_compiler_that_fails_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\necho no such header >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", f'{broken} "-O2')
    assert not build(tmp_path / "unquoted")
    assert "No closing quotation" in caplog.text
    monkeypatch.setenv("CXX", str(broken))
    assert not build(tmp_path / "broken")
    assert "no such header" in caplog.text
