"""Two processes of four devices serve as one of eight; when one dies, the other says so."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from grok_app.engine.cluster import Cluster
from grok_app.errors import SettingsError
from tests.app_process import ROOT, AppProcess, environment, free_port

pytestmark = pytest.mark.slow
Process = subprocess.Popen[str]


@contextmanager
def started(mini: Path, devices: int, *arguments: str) -> Iterator[Process]:
    flags = f"--xla_force_host_platform_device_count={devices}"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.cluster_driver", str(mini), *arguments],
        cwd=ROOT,
        env=environment(XLA_FLAGS=flags, JAX_PLATFORMS="cpu"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def pair(mini: Path) -> Iterator[tuple[Process, Process]]:
    address = f"127.0.0.1:{free_port()}"
    with (
        started(mini, 4, address, "2", "0") as leader,
        started(mini, 4, address, "2", "1") as follower,
    ):
        assert leader.stdout is not None
        assert "ready" in iter_until(leader, "ready")
        yield leader, follower


def iter_until(process: Process, text: str) -> str:
    """The output up to the line with `text`."""
    assert process.stdout is not None
    lines = ""
    for line in process.stdout:
        lines += line
        if text in line:
            break
    return lines


def test_the_same_tokens_as_one_process(mini: Path) -> None:
    with started(mini, 8) as alone:
        one, errors = alone.communicate("\n", timeout=300)
        assert alone.returncode == 0, errors
    with pair(mini) as (leader, follower):
        two, errors = leader.communicate("\n", timeout=300)
        assert leader.returncode == 0, errors
        assert follower.wait(60) == 0
    expected, found = (json.loads(out.splitlines()[-1]) for out in (one, two))
    assert [len(tokens) for tokens in expected] == [24, 9, 34, 5, 16]  # one ends by itself
    assert found == expected


def test_when_another_process_dies_those_who_wait_are_told_and_all_ends(mini: Path) -> None:
    with pair(mini) as (leader, follower):
        assert leader.stdin is not None
        leader.stdin.write("--talk-on\n")
        leader.stdin.flush()
        time.sleep(3)
        os.kill(follower.pid, signal.SIGKILL)
        died = time.monotonic()
        told = iter_until(leader, "EngineFailed")
        assert "EngineFailed: process 1 (at 127.0.0.1" in told
        assert leader.wait(30) == 1
        assert time.monotonic() - died < 30
        assert leader.stderr is not None
        assert "error: process 1 (at 127.0.0.1" in leader.stderr.read()


def test_when_process_0_dies_the_others_end(mini: Path) -> None:
    with pair(mini) as (leader, follower):
        os.kill(leader.pid, signal.SIGKILL)
        assert follower.wait(30) != 0
        assert follower.stderr is not None
        assert "process 0 is gone" in follower.stderr.read()


def test_the_page_is_told_which_process_died(tmp_path: Path) -> None:
    """The real app, two processes of two devices, and the small model."""
    variables = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    together = ["--coordinator", f"127.0.0.1:{free_port()}", "--processes", "2"]
    with (
        AppProcess(tmp_path / "leader", *together, **variables) as leader,
        AppProcess(tmp_path / "other", *together, "--process-id", "1", **variables) as other,
    ):
        leader.wait_until_ready()
        client = Client(leader.url, verbose=False)
        assert client.predict("Hi", api_name="/chat")
        other.process.kill()
        died = time.monotonic()
        with pytest.raises(AppError, match="process 1"):
            client.predict("Hi", api_name="/chat")
        assert leader.process.wait(30) == 1
        assert time.monotonic() - died < 30
        assert "error: process 1 (at 127.0.0.1" in leader.text()


@pytest.mark.parametrize("failing", [0, 1])
def test_when_one_cannot_load_all_end_and_say_so(tmp_path: Path, failing: int) -> None:
    """The folder that one of two processes sees lacks a file."""
    damaged = Path(shutil.copytree(ROOT / "assets" / "nano", tmp_path / "damaged"))
    (damaged / "ckpt-0" / "tensor00003_000").unlink()
    variables = {"XLA_FLAGS": "--xla_force_host_platform_device_count=1", "JAX_PLATFORMS": "cpu"}
    together = ["--coordinator", f"127.0.0.1:{free_port()}", "--processes", "2"]
    options = [[*together, "--process-id", str(number)] for number in (0, 1)]
    options[failing] += ["--checkpoint", str(damaged)]
    with (
        AppProcess(tmp_path / "leader", *options[0], **variables) as leader,
        AppProcess(tmp_path / "other", *options[1], **variables) as follower,
    ):
        both = [leader, follower]
        assert both[failing].process.wait(60) == 2
        assert "lacks 1 of" in both[failing].text().splitlines()[-1]
        other = both[1 - failing]
        assert other.process.wait(30) == 1
        told = "process 1 (at 127.0.0.1" if failing else "process 0 cannot go on: "
        assert f"error: {told}" in other.text()


def test_the_app_stops_in_order_when_process_0_is_asked_to(tmp_path: Path) -> None:
    variables = {"XLA_FLAGS": "--xla_force_host_platform_device_count=1", "JAX_PLATFORMS": "cpu"}
    together = ["--coordinator", f"127.0.0.1:{free_port()}", "--processes", "2"]
    with (
        AppProcess(tmp_path / "leader", *together, **variables) as leader,
        AppProcess(tmp_path / "other", *together, "--process-id", "1", **variables) as other,
    ):
        leader.wait_until_ready()
        assert leader.stop() == 0
        assert other.process.wait(30) == 0
        assert other.text().endswith("Stopped.\n")


def test_what_can_be_no_name_of_a_host_is_told() -> None:
    coordinator = f"{'a' * 64}.example:9000"
    with pytest.raises(SettingsError, match=f"cannot meet the others at {coordinator}"):
        Cluster(coordinator, 2, 0).join()
