"""What looking into the model costs, and what changing it does: the default model, in tokens/s.

A trace beside scoring the same text; replies with interventions beside replies without, and seven
without beside one that has them. The first use compiles; it is timed apart.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from functools import partial

import grok_app
from grok_app import EngineOptions, Intervention, SamplingParams

TIMES = 5
LENGTH = 1000  # tokens of the text
MADE = 200  # of each reply
CHANGED = (Intervention("mask", 3), Intervention("bias", 5, by=0.5))
TRACES = {
    "experts, gates": ("experts", "gates"),
    "hidden": ("hidden",),
    "lens": ("lens",),
    "all but attention": ("experts", "gates", "router_logits", "hidden", "lens"),
}


def main() -> None:
    """Measures and prints a table."""
    engine = grok_app.load("assets/nano", EngineOptions(slots=8))
    ids = [5 + n % 2000 for n in range(LENGTH)]
    print("| what | first | tokens/s | beside it |\n| --- | --- | --- | --- |")
    plain = _row("score", LENGTH, lambda: list(engine.score(ids)))
    for name, what in TRACES.items():
        _row(f"trace: {name}", LENGTH, partial(engine.trace, ids, what), plain)
    _row("score, with interventions", LENGTH, lambda: list(engine.score(ids, CHANGED)), plain)
    without = SamplingParams(max_tokens=MADE, temperature=3.0, seed=1)
    changed = SamplingParams(max_tokens=MADE, temperature=3.0, seed=1, interventions=CHANGED)
    for people in (1, 8):
        given = {"without": [without] * people, "all with": [changed] * people}
        if people > 1:
            given["one with"] = [changed, *[without] * (people - 1)]
        alone = None
        for name, asked in given.items():
            work = partial(_replies, engine, asked)
            speed = _row(f"{people} replies, {name} interventions", people * MADE, work, alone)
            alone = alone or speed
    engine.close()


def _row(name: str, tokens: int, work: Callable[[], object], beside: float | None = None) -> float:
    """Does it and prints how fast; returns tokens a second."""
    first, *rest = (_seconds(work) for _ in range(1 + TIMES))
    speed = tokens / statistics.median(rest)
    share = f"x {speed / beside:.2f}" if beside else ""
    print(f"| {name} | {first:.2f} s | {speed:.0f} | {share} |", flush=True)
    return speed


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def _replies(engine: grok_app.Engine, asked: list[SamplingParams]) -> None:
    """All of them at once, read to their end."""

    def read(params: SamplingParams) -> None:
        for _ in engine.generate([5, 6, 7, 8], params):
            pass

    threads = [threading.Thread(target=read, args=(params,)) for params in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
