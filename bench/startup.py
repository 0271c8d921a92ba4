"""How long the app takes from its start to the first token of a reply, and then.

`python app.py` is started with an empty folder for compiled programs, and again with what it left
there. Each time two replies and a longer text are asked for through its HTTP API, as soon as it
answers.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

APP = Path(__file__).parent.parent / "app.py"
PATIENCE = 300  # seconds
TOKENS = 300  # of the text that tells the speed, if it does not end before


def main() -> None:
    """Measures and prints."""
    argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as cache:
        figures = {name: measured(cache) for name in ("cold", "warm")}
    for key in figures["cold"]:
        cells = "".join(f"{row[key]:>12}" for row in figures.values())
        print(f"{key.replace('_', ' '):28}{cells}")
    print(json.dumps(figures))


def measured(cache: str) -> dict[str, float]:
    """The figures of one start; `cache` is where compiled programs are kept."""
    started = time.monotonic()
    with app(cache) as url:
        first = chat(url, "Hello, who are you?")
        asked = time.monotonic()
        second = chat(url, "What do you like to do on a rainy day?")
        story = {"model": "nano", "prompt": "Once upon a time", "max_tokens": TOKENS}
        moments = max((arrivals(f"{url}/v1/completions", story) for _ in range(5)), key=len)
    return {
        "first_token_s": round(first[0] - started, 1),
        "second_reply_first_token_ms": round(1000 * (second[0] - asked), 1),
        "tokens_per_s": round((len(moments) - 1) / (moments[-1] - moments[0]), 1),
    }


@contextmanager
def app(cache: str) -> Iterator[str]:
    """The app in a process of its own; gives its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(APP), "--port", str(port)]
    process = subprocess.Popen(
        command,
        env=os.environ | {"XDG_CACHE_HOME": cache},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the app does not serve: {' '.join(command)}")
            time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


def chat(url: str, message: str) -> list[float]:
    """When each piece of a reply arrives."""
    messages = [{"role": "user", "content": message}]
    return arrivals(f"{url}/v1/chat/completions", {"model": "nano", "messages": messages})


def arrivals(address: str, request: dict[str, object]) -> list[float]:
    """When each piece of text arrives that is streamed as the answer to a request."""
    body = request | {"stream": True}
    moments = []
    with httpx.stream("POST", address, json=body, timeout=PATIENCE) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                choice = json.loads(line.removeprefix("data: "))["choices"][0]
                if choice.get("text") or choice.get("delta", {}).get("content"):
                    moments.append(time.monotonic())
    return moments


if __name__ == "__main__":
    main()
