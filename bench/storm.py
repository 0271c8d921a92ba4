"""Well-behaved clients of the running app, and around them all that a public server meets.

Every client asks the same few things, with their own seeds, that were asked alone before: a text
that differs is wrong, one that does not come is lost. Half of them use the API, half Gradio's
endpoint. First they are alone; then a third of them leave before they have their answer, others
read slowly, hold connections for nothing, and send what nobody can answer. At the end nothing may
run or wait, and memory and descriptors must be back where they were.

    python -m bench.storm            # starts the app on the default model, on this machine
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

ASKED = (
    "Hello there!",
    "What do you think about music?",
    "Tell me a story about a captain.",
    "Do you have any pets?",
    "What would you cook for six people?",
)
SEEDS = 4  # for each of them
SLOW_READERS, IDLE, MALFORMED = 32, 500, 1000  # the last of them within the time of the storm
JUNK = (b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff\xfe", b'{"fn_index": 99999, "data": []}')
PATHS = (
    "/",
    "/config",
    "/v1/chat/completions",
    "/v1/completions",
    "/gradio_api/run/predict",
    "/gradio_api/queue/join",
    "/gradio_api/call/chat",
    "/gradio_api/component_server",
    "/../../etc/passwd",
)
QUEUE = 256  # so that all of them may wait
_READY_SECONDS = 300.0
_ANSWER_SECONDS = 300.0
_SETTLED_SECONDS = 30.0  # in which the server has noticed that everybody has gone


@dataclass
class Outcome:
    """What became of the requests of well-behaved clients.

    Attributes:
        counts: "right", "wrong", "lost", and "left" for those whose client has gone.
        seconds: how long each right answer took.
        wrong: an example of what was wrong or lost.
    """

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: str = ""

    @property
    def slowest_tenth(self) -> float:
        """Seconds within which nine of ten right answers came."""
        return statistics.quantiles(self.seconds, n=10)[-1]


# What a client asks, and how. An answer is None for a client that leaves after so many pieces.


def question(number: int) -> tuple[str, int]:
    """A message and a seed; as many different ones as ASKED times SEEDS."""
    return ASKED[number % len(ASKED)], number // len(ASKED) % SEEDS


async def ask_api(
    client: httpx.AsyncClient, number: int, leave_after: int | None = None
) -> str | None:
    """The API's reply to a question, streamed."""
    reply, pieces = "", 0
    async with client.stream("POST", "/v1/chat/completions", json=_chat(number)) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line == "data: [DONE]":
                return reply
            if line.startswith("data: "):
                reply += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
                pieces += 1
            if leave_after is not None and pieces > leave_after:
                return None
    raise RuntimeError("the stream has ended before its end")


async def ask_gradio(
    client: httpx.AsyncClient, number: int, leave_after: int | None = None
) -> str | None:
    """The reply of the page's endpoint for programs."""
    text, seed = question(number)
    asked = {"message": text, "seed": seed}
    event = (await client.post("/gradio_api/call/v2/chat", json=asked)).raise_for_status().json()
    path, kind, pieces = f"/gradio_api/call/chat/{event['event_id']}", "", 0
    async with client.stream("GET", path) as response:
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                kind = line[7:]
                pieces += kind == "generating"
            elif line.startswith("data: ") and kind == "complete":
                return json.loads(line[6:])[0]
            if kind == "error" or (leave_after is not None and pieces > leave_after):
                break
    if kind == "error":
        raise RuntimeError("the event has failed")
    return None


FACES = (ask_api, ask_gradio)


def _chat(number: int) -> dict[str, object]:
    text, seed = question(number)
    message = {"role": "user", "content": text}
    return {"model": "nano", "messages": [message], "seed": seed, "stream": True}


class Clients:
    """Well-behaved clients of a server, as many of each face."""

    def __init__(self, url: str, each: int, rng: random.Random):
        self._url, self._each, self._rng = url, each, rng
        self._alone: list[list[str | None]] = []

    async def ask_alone(self) -> None:
        """Learns the right answer to every question."""
        async with self._client() as client:
            for face in FACES:
                numbers = range(len(ASKED) * SEEDS)
                self._alone.append([await face(client, number) for number in numbers])

    async def ask_together(self, seconds: float, leaving: float) -> Outcome:
        """All ask for so long, of whom `leaving`, a part of 1, leave before they have it all."""
        outcome, until = Outcome(), time.monotonic() + seconds

        async def one(client: httpx.AsyncClient, face: int) -> None:
            while time.monotonic() < until:
                leaves = self._rng.randrange(12) if self._rng.random() < leaving else None
                await self._one_request(client, face, leaves, outcome)

        async with self._client() as client:
            faces = [face for face in range(len(FACES)) for _ in range(self._each)]
            await asyncio.gather(*(one(client, face) for face in faces))
        return outcome

    async def _one_request(
        self, client: httpx.AsyncClient, face: int, leaves: int | None, outcome: Outcome
    ) -> None:
        number, began = self._rng.randrange(len(ASKED) * SEEDS), time.monotonic()
        try:
            text = await FACES[face](client, number, leaves)
        except (httpx.HTTPError, RuntimeError) as error:
            outcome.counts["lost"] += 1
            outcome.wrong = repr(error)
            return
        expected = self._alone[face][number]
        kind = "left" if text is None else "right" if text == expected else "wrong"
        outcome.counts[kind] += 1
        if kind == "right":
            outcome.seconds.append(time.monotonic() - began)
        elif kind == "wrong":
            outcome.wrong = f"{text!r} instead of {expected!r}"

    def _client(self) -> httpx.AsyncClient:
        most = httpx.Limits(max_connections=len(FACES) * self._each)
        return httpx.AsyncClient(
            base_url=self._url, timeout=_ANSWER_SECONDS, limits=most, trust_env=False
        )


# Those around them.


@asynccontextmanager
async def attacked(url: str, seconds: float) -> AsyncIterator[Counter[int]]:
    """A server that is abused meanwhile; how often it gave which status to what is malformed."""
    statuses: Counter[int] = Counter()
    place = urlsplit(url).hostname or "", urlsplit(url).port or 0
    tasks = [
        *(asyncio.create_task(_read_slowly(*place, number)) for number in range(SLOW_READERS)),
        *(asyncio.create_task(_hold(*place)) for _ in range(IDLE)),
        asyncio.create_task(_send_junk(url, seconds, statuses)),
    ]
    try:
        yield statuses
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


async def _read_slowly(host: str, port: int, number: int) -> None:
    body = json.dumps(_chat(number) | {"max_tokens": 200}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
                while await reader.read(64):
                    await asyncio.sleep(1)
            finally:
                writer.close()


async def _hold(host: str, port: int) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                await reader.read(1)  # until the server has had enough
            finally:
                writer.close()
        await asyncio.sleep(1)


async def _send_junk(url: str, seconds: float, statuses: Counter[int]) -> None:
    pause = seconds / MALFORMED
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        for number in range(MALFORMED):
            method = "PUT" if number % 11 == 0 else "POST"
            path, body = PATHS[number % len(PATHS)], JUNK[number % len(JUNK)]
            headers = {"Content-Type": "application/json"}
            response = await client.request(method, path, content=body, headers=headers)
            statuses[response.status_code] += 1
            await asyncio.sleep(pause)


# The server.


async def settled(url: str) -> None:
    """Waits until nothing runs or waits in the engine.

    Raises:
        RuntimeError: something still does after a while.
    """
    until = time.monotonic() + _SETTLED_SECONDS
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        while time.monotonic() < until:
            metrics = (await client.get("/metrics")).text
            busy = re.findall(
                r"^grok:num_requests_(?:running|waiting)\S* (\S+)$", metrics, re.MULTILINE
            )
            if busy and not any(map(float, busy)):
                return
            await asyncio.sleep(0.1)
    raise RuntimeError(f"the engine is still busy: {busy}")


@dataclass(frozen=True)
class Held:
    """What a process holds: megabytes of memory, and descriptors."""

    megabytes: float
    descriptors: int


def held(process: int) -> Held:
    """What a process holds now."""
    folder = Path(f"/proc/{process}")
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", (folder / "status").read_text())
    return Held(int(kilobytes) / 1000, len(list((folder / "fd").iterdir())))


@contextmanager
def app(*options: str) -> Iterator[tuple[str, int]]:
    """The app on the default model: where it serves, and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "app.py", "--port", str(port), *options])
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + _READY_SECONDS
        while not _is_ready(url):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the app did not start")
            time.sleep(0.5)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


async def storm(url: str, process: int, options: argparse.Namespace) -> dict[str, object]:
    """Asks everything alone, then all at once in quiet, then in the storm."""
    clients = Clients(url, options.clients, random.Random(options.seed))
    await clients.ask_alone()
    seconds = options.minutes * 60
    quiet = await clients.ask_together(seconds / 5, leaving=0)
    await settled(url)
    before = held(process)
    async with attacked(url, seconds) as statuses:
        loud = await clients.ask_together(seconds, leaving=1 / 3)
    await settled(url)
    await asyncio.sleep(_SETTLED_SECONDS)
    after = held(process)
    for outcome in (quiet, loud):
        if outcome.wrong:
            print(outcome.wrong, file=sys.stderr)
    return {
        **{kind: loud.counts[kind] for kind in ("right", "left", "wrong", "lost")},
        "wrong_or_lost_in_quiet": quiet.counts["wrong"] + quiet.counts["lost"],
        "malformed": sum(statuses.values()),
        "5xx": sum(count for status, count in statuses.items() if status >= 500),
        "slowest_tenth_in_quiet": round(quiet.slowest_tenth, 1),
        "slowest_tenth": round(loud.slowest_tenth, 1),
        "more_megabytes": round(after.megabytes - before.megabytes, 1),
        "more_descriptors": after.descriptors - before.descriptors,
    }


def main() -> int:
    """Prints what became of the requests; the exit status is 1 where one was wrong, lost or 5xx."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm", description=__doc__)
    parser.add_argument("--clients", type=int, default=64, help="of each of the two kinds")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the storm itself")
    parser.add_argument("--seed", type=int, default=0, help="of who asks what and leaves when")
    options = parser.parse_args()
    with app("--queue", str(QUEUE)) as (url, process):
        found = asyncio.run(storm(url, process, options))
    print(json.dumps(found))
    return (
        1 if any(found[kind] for kind in ("wrong", "lost", "wrong_or_lost_in_quiet", "5xx")) else 0
    )


if __name__ == "__main__":
    sys.exit(main())
