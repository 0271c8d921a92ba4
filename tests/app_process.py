"""The real app, as a process of its own: started, watched through its log, ended."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent
READY_SECONDS = 180


def free_port() -> int:
    """A port that nothing uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**changes: str) -> dict[str, str]:
    """What a person's shell would hand to the app: without the settings made for the tests."""
    made_for_tests = ("XLA_FLAGS", "GROK_", "PYTEST_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(made_for_tests)}
    return kept | changes


class AppProcess:
    """`python app.py OPTIONS` in a folder, as a context manager that leaves no process behind.

    Attributes:
        url: where it will serve.
        log: the file that holds its output and errors.
    """

    def __init__(self, log: Path, *options: str, cwd: Path | str = ROOT, **variables: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._command = [sys.executable, str(ROOT / "app.py"), "--port", str(port), *options]
        self._place: dict[str, Any] = {"cwd": cwd, "env": environment(**variables)}
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as output:
            return subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **self._place,
            )

    def restart(self) -> None:
        """End it as a crash would, and start it again at the same address."""
        self.process.kill()
        self.process.wait()
        self.process = self._start()
        self.wait_until_ready()

    def wait_for(self, text: str, seconds: float = READY_SECONDS) -> None:
        """Wait until the log holds `text`; RuntimeError with the log where it never will."""
        deadline = time.monotonic() + seconds
        while text not in self.text():
            if self.process.poll() is not None:
                raise RuntimeError(f"app ended with {self.process.returncode}:\n{self.text()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {text!r} within {seconds} s:\n{self.text()}")
            time.sleep(0.1)

    def wait_until_ready(self) -> None:
        """Wait until the address is printed and a page answers there."""
        self.wait_for(self.url)
        try:
            urllib.request.urlopen(self.url, timeout=30).close()
        except urllib.error.HTTPError as error:  # 401: it serves, and asks for a login
            error.close()

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
