"""What the engine has done so far, in numbers that only grow.

Only the engine's thread writes here; whoever reads sees each number whole, and the numbers of one
moment at most a token apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from grok_app.engine.request import Request

# Upper bounds of the buckets, in seconds: from a laptop's small model to 314 billion parameters.
FIRST_TOKEN = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
BETWEEN_TOKENS = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5)


class Histogram:
    """How many observations were at most so large.

    Attributes:
        bounds: upper bounds of the buckets, rising; one more bucket takes what is larger.
        counts: observations in each bucket, and in no bucket below it.
        total: the sum of all observations.
    """

    def __init__(self, bounds: tuple[float, ...]):
        self.bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Counts one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass
class Metrics:
    """Counters of one engine; times are of `time.monotonic`.

    Attributes:
        finished: requests by how they ended: "stop", "length", or "abort" by their caller.
        prompt_tokens, generation_tokens: read, counted with the first token; and made.
        cached_tokens: those of the prompts' tokens that were in the cache already.
        time_to_first_token: seconds from a request's arrival, the wait for a slot included.
        inter_token_latency: seconds between two tokens of a request.
    """

    finished: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generation_tokens: int = 0
    time_to_first_token: Histogram = field(default_factory=lambda: Histogram(FIRST_TOKEN))
    inter_token_latency: Histogram = field(default_factory=lambda: Histogram(BETWEEN_TOKENS))

    def delivered(self, request: Request, tokens: int, now: float) -> None:
        """A request was given so many tokens at once, its first one alone."""
        if not tokens:
            return
        self.generation_tokens += tokens
        if request.delivered == tokens:
            self.prompt_tokens += len(request.prompt)
            self.cached_tokens += request.cached_tokens
            self.time_to_first_token.observe(now - request.moved)
        else:
            for _ in range(tokens):
                self.inter_token_latency.observe((now - request.moved) / tokens)
        request.moved = now

    def left(self, request: Request) -> None:
        """A request has left its slot or the queue."""
        self.finished["stop" if request.stopped else request.finish_reason or "abort"] += 1
