"""Many people at once on the default model, through the engine that serves the page.

Each client holds conversations under the first persona: a message, the reply, a moment of thought
(exponential, so that requests arrive as a Poisson process), the next message. Besides the crowds:
how long a turn after a long history waits for its first token, how long a newcomer's long prompt
holds the others up, and what share of a step's time is spent outside the compiled program.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import numpy as np

import grok_app
from grok_app import EngineOptions, SamplingParams
from grok_app.chat import Turn, build_prompt, load_personas
from grok_app.engine.slots import MOST_STEPS
from grok_app.options import KERNELS

PERSONA = load_personas(Path("prompts"))[0]
_SAME_MOMENT = 0.0005  # seconds
THOUGHT = 1.0  # seconds between a reply and the next message, on average
TURNS = 6  # of a conversation
MESSAGES = (
    "Hi there!",
    "How was your day?",
    "What do you think about music? I play the guitar, but only when nobody listens.",
    "Tell me more.",
    "I have been thinking about moving to another city, because the rent here is too high for me.",
    "That is funny.",
    "Do you have any pets? I have a dog called Max, and he does not like the rain at all.",
    "Why do you think so?",
    "Yes, I agree.",
    "What would you cook for six people on a Sunday, if two of them eat no meat?",
)


@dataclass
class Client:
    """What one client saw: seconds to first tokens, seconds between tokens, tokens in all."""

    first: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    tokens: int = 0

    def talk(self, engine: grok_app.Engine, seed: int, until: float) -> None:
        """Holds one conversation after another until the clock says so."""
        rng = random.Random(seed)
        turns: list[Turn] = []
        while time.monotonic() < until:
            time.sleep(rng.expovariate(1 / THOUGHT))
            turns = [] if len(turns) >= 2 * TURNS else turns
            turns = [*turns, Turn("user", rng.choice(MESSAGES))]
            turns = [*turns, Turn("assistant", self._ask(engine, turns, rng.getrandbits(32)))]

    def _ask(self, engine: grok_app.Engine, turns: Sequence[Turn], seed: int) -> str:
        text, last, waiting = "", time.monotonic(), 1
        asked = last
        params = SamplingParams(seed=seed, **_settings())
        with engine.generate(_prompt(engine, turns), params) as generation:
            for piece in generation:
                now = time.monotonic()
                self.tokens += 1
                text += piece.text
                if last == asked:
                    self.first.append(now - asked)
                elif now - last < _SAME_MOMENT:
                    waiting += 1
                    continue
                else:  # several tokens come at once: each has taken its part of the time
                    self.between += [(now - last) / waiting] * waiting
                last, waiting = now, 1
        return text.strip() or "..."


def _prompt(engine: grok_app.Engine, turns: Sequence[Turn]) -> Sequence[int]:
    assert engine.tokenizer is not None
    encode = engine.tokenizer.encode
    room = PERSONA.sampling.max_tokens
    return build_prompt(PERSONA, turns, encode, engine.context, room).ids


def _settings() -> dict[str, Any]:
    return asdict(PERSONA.sampling) | {"stop": PERSONA.stops}


def crowd(engine: grok_app.Engine, people: int, seconds: float) -> dict[str, float]:
    """So many clients at once, for so long.

    Jain's index is 1 where everybody gets tokens equally fast, 1 / people where one has all.
    """
    clients = [Client() for _ in range(people)]
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=client.talk, args=(engine, seed, until))
        for seed, client in enumerate(clients)
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.monotonic() - started
    first = [s for client in clients for s in client.first]
    between = [s for client in clients for s in client.between]
    speeds = [client.tokens / taken for client in clients]
    return {
        "people": people,
        "tokens_per_s": round(sum(speeds), 1),
        "first_p50_ms": _milliseconds(first, 0.5),
        "first_p95_ms": _milliseconds(first, 0.95),
        "between_p50_ms": _milliseconds(between, 0.5),
        "between_p95_ms": _milliseconds(between, 0.95),
        "jain": round(sum(speeds) ** 2 / (people * sum(s * s for s in speeds)), 3),
    }


def _milliseconds(seconds: Sequence[float], share: float) -> float:
    return round(1000 * sorted(seconds)[int(share * (len(seconds) - 1))], 1)


def busy(engine: grok_app.Engine, people: int, seconds: float = 2.0) -> float:
    """Tokens a second of all together, while so many talk without a pause.

    A high temperature makes it unlikely that a text ends; one that does is followed by another.
    """
    moments: list[list[float]] = [[] for _ in range(people)]
    until = time.monotonic() + seconds + 1.0

    def talk(i: int) -> None:
        while time.monotonic() < until:
            for _ in engine.generate([5 + i] * 20, SamplingParams(max_tokens=800, temperature=3.0)):
                moments[i].append(time.monotonic())
                if moments[i][-1] > until:
                    break

    _together(talk, people)
    return sum(until - seconds < at <= until for mine in moments for at in mine) / seconds


def _together(talk: Callable[[int], None], people: int) -> None:
    threads = [threading.Thread(target=talk, args=(i,)) for i in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def history(engine: grok_app.Engine, length: int, times: int) -> dict[str, float]:
    """Milliseconds to the first token of a turn after `length` tokens, cold and known."""
    rng = random.Random(0)
    cold, warm = [], []
    for _ in range(times):
        past = [rng.randrange(300, engine.config.vocab_size) for _ in range(length)]
        cold.append(_first_token(engine, past))
        warm.append(_first_token(engine, past + past[:20]))
    pair = statistics.median(cold), statistics.median(warm)
    return {"cold_ms": round(1000 * pair[0], 1), "known_ms": round(1000 * pair[1], 1)}


def _first_token(engine: grok_app.Engine, ids: list[int]) -> float:
    started = time.monotonic()
    with engine.generate(ids, SamplingParams(max_tokens=2)) as generation:
        next(generation)
    return time.monotonic() - started


def newcomer(engine: grok_app.Engine, talkers: int, length: int) -> dict[str, float]:
    """How the intervals between the others' tokens change while a long prompt is read.

    Intervals are those between moments at which a talker gets something; the ratio is that of
    the longest while the prompt is read to the median before.
    """
    moments: list[list[float]] = [[] for _ in range(talkers)]
    stop = threading.Event()

    def talk(i: int) -> None:
        with engine.generate(
            [7 + i] * 20, SamplingParams(max_tokens=900, temperature=3.0, seed=i)
        ) as generation:
            for _ in generation:
                moments[i].append(time.monotonic())
                if stop.is_set():
                    break

    threads = [threading.Thread(target=talk, args=(i,)) for i in range(talkers)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    came = time.monotonic()
    rng = random.Random(1)
    _first_token(engine, [rng.randrange(300, engine.config.vocab_size) for _ in range(length)])
    served = time.monotonic()
    stop.set()
    for thread in threads:
        thread.join()
    gaps = [(a, b - a) for mine in moments for a, b in pairwise(mine)]
    before = [gap for at, gap in gaps if at + gap < came and gap > 0.0005]
    during = [gap for at, gap in gaps if at + gap > came and at < served]
    usual = statistics.median(before)
    return {
        "interval_ms": round(1000 * usual, 1),
        "longest_ms": round(1000 * max(during), 1),
        "intervals": round(max(during) / usual, 1),
    }


def outside(engine: grok_app.Engine, dispatches: int = 50) -> dict[str, float]:
    """Of the time a step of one person's reply takes, the part spent outside the compiled program.

    The same steps are timed twice, as attention takes longer the longer the text: through the
    engine, and on the engine's own runner, dispatched in a row, while the engine is idle.
    """
    steps = dispatches * MOST_STEPS
    seed = next(seed for seed in range(20) if len(_reply_times(engine, seed, steps + 2)) > steps)
    runner, alone, together = engine._runner, [], []
    for _ in range(5):
        times = _reply_times(engine, seed, steps + 2)
        together.append((times[-1] - times[1]) / steps)
        _reply_times(engine, seed, 2)  # leaves the conversation in a slot
        slots = np.flatnonzero(np.asarray(runner.slots.position) < runner.slots.cache.length)
        started = time.monotonic()
        for _ in range(dispatches):
            made = runner.decode(dict.fromkeys(slots.tolist(), SamplingParams()), MOST_STEPS)
        jax.block_until_ready(made)
        alone.append((time.monotonic() - started) / steps)
    step, program = statistics.median(together), statistics.median(alone)
    return {
        "step_ms": round(1000 * step, 2),
        "program_ms": round(1000 * program, 2),
        "share": round(1 - program / step, 3),
    }


def _reply_times(engine: grok_app.Engine, seed: int, length: int) -> list[float]:
    """When each token of a reply arrives."""
    settings: Any = {"max_tokens": length, "temperature": 3.0, "seed": seed}
    with engine.generate([5] * 20, SamplingParams(**settings)) as generation:
        return [time.monotonic() for _ in generation]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=Path("assets/nano"))
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20, help="of each crowd (default: 20)")
    parser.add_argument("--kernels", choices=KERNELS, default="auto", help="(default: auto)")
    options = parser.parse_args()
    engine = grok_app.load(
        options.checkpoint, EngineOptions(mesh=(1, 1), slots=options.slots, kernels=options.kernels)
    )
    crowds = [crowd(engine, people, options.seconds) for people in (1, 4, 16, 64)]
    for name in crowds[0]:
        print(f"{name.replace('_', ' '):18}" + "".join(f"{row[name]:>10}" for row in crowds))
    # In turn, as the machine's own speed may change from one second to the next.
    pairs = [(busy(engine, 1), busy(engine, 16)) for _ in range(7)]
    one, sixteen = (statistics.median(speeds) for speeds in zip(*pairs, strict=True))
    figures = {
        "one_tokens_per_s": round(one, 1),
        "sixteen_tokens_per_s": round(sixteen, 1),
        "sixteen_over_one": round(statistics.median(many / few for few, many in pairs), 2),
        "outside_for_one": outside(engine),
        "history": history(engine, 800, 7),
        "newcomer": newcomer(engine, 4, 900),
    }
    engine.close()
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):24}{value}")
    print(json.dumps({"crowds": crowds} | figures))


if __name__ == "__main__":
    main()
