"""Starts the real app, as a person does from a shell."""

import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gradio_client import Client

from tests.app_process import ROOT, AppProcess, environment, free_port


def refused(*options: str, **variables: str) -> str:
    """What the app says when it cannot start."""
    return told([sys.executable, "app.py", "--port", str(free_port()), *options], **variables)


def told(command: list[str], **variables: str) -> str:
    """The error that a command which starts the app ends with."""
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    *_, last = ended.stderr.splitlines()
    assert last.startswith("error: ")
    return last


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--port", "http"], ["--port", "1 to 65535", "'http'"]),
        (["--slots", "0"], ["--slots", "1 to 256"]),
        (["--prot", "8000"], ["--prot", "--help"]),
        (["--host", "no.such.host.invalid"], ["no.such.host.invalid", "--host"]),
        (["--host", f"{'a' * 64}.example"], ["a.example", "--host"]),
        (["--host", "192.0.2.1"], ["192.0.2.1", "--host"]),  # an address of no machine
    ],
)
def test_a_bad_option_is_told_in_a_line_and_at_once(options: list[str], named: list[str]) -> None:
    started = time.monotonic()
    error = refused(*options)
    assert time.monotonic() - started < 10
    for part in named:
        assert part in error


def test_a_bad_variable_is_named() -> None:
    assert "GROK_SLOTS" in refused(GROK_SLOTS="many")


def test_a_port_in_use_is_told_before_the_model_loads() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = refused("--port", str(port), "--checkpoint", "nowhere")
    assert f"port {port}" in error
    assert "in use" in error
    assert "nowhere" not in error


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "grok-1") in refused("--checkpoint", str(tmp_path / "grok-1"))


def test_an_unknown_persona_folder_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none") in refused("--persona-dir", str(tmp_path / "none"))


def test_a_mesh_that_does_not_fit_the_machine_is_told() -> None:
    error = refused("--mesh", "3,7")
    assert "mesh" in error
    assert "21" in error  # devices that it would take


@pytest.mark.skipif(sys.platform != "linux", reason="no such limit here")
@pytest.mark.parametrize("program", ["app.py", "-m grok_app verify assets/nano"])
def test_too_little_address_space_is_told(program: str) -> None:
    command = f"ulimit -v 1000000; exec {shlex.quote(sys.executable)} {program}"
    assert "may take 1.0 GiB of address space" in told(["bash", "-c", command])


def test_help_is_for_reading() -> None:
    shown = subprocess.run(
        [sys.executable, "app.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--persona-dir DIR" in shown.stdout
    assert not shown.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_and_stops_when_asked(tmp_path: Path, number: int) -> None:
    with AppProcess(tmp_path / "log") as app:
        app.wait_until_ready()
        assert app.stop(number) == 0
        assert "nano: " in app.text()
        assert "Traceback" not in app.text()
        assert app.text().endswith("Stopped.\n")


def test_it_starts_in_any_folder_and_stops_quietly_amid_a_reply(tmp_path: Path) -> None:
    """The page's streams, which end only with their reader, are cut off without a traceback."""
    with AppProcess(tmp_path / "log", cwd=tmp_path) as app:
        app.wait_until_ready()
        reply = Client(app.url, verbose=False).submit("Tell me a story.", api_name="/chat")
        while not reply.outputs():
            time.sleep(0.01)
        assert app.stop(signal.SIGINT) == 0
        assert "Traceback" not in app.text()
        assert "ERROR" not in app.text()
        assert app.text().endswith("Stopped.\n")


def test_it_stops_while_it_still_loads(tmp_path: Path) -> None:
    with AppProcess(tmp_path / "log") as app:
        app.wait_for("Loading")
        assert app.stop(signal.SIGTERM) == 0
        assert "Traceback" not in app.text()
